"""What a runner is. It knows nothing of stages: it calls a function on plans, somewhere."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

Plan = TypeVar("Plan")


class Runner(Protocol):
    """Calls a function on plans; entered before its first use, left after its last."""

    def __enter__(self) -> Self:
        """Start what is needed."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started."""

    def map(
        self, function: Callable[[Plan], None], plans: Sequence[Plan]
    ) -> Iterator[tuple[Plan, Exception | None]]:
        """Call the function on every plan; give each when it is done, in any order, with its failure if any."""
