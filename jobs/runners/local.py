"""One piece after another, in this process: no cluster, and a debugger works."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from jobs.runners.base import Plan


class LocalRunner:
    """Needs nothing and starts nothing."""

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""

    def map(
        self, function: Callable[[Plan], None], plans: Sequence[Plan]
    ) -> Iterator[tuple[Plan, Exception | None]]:
        """Call the function on the plans in their order."""
        for plan in plans:
            try:
                function(plan)
            except Exception as error:  # noqa: BLE001  # whatever it is, the caller decides
                yield plan, error
            else:
                yield plan, None
