"""s3fs whose every request ends and names one object. In its own file: s3fs takes half a second to import."""

import asyncio
from typing import Any

import s3fs
from fsspec.asyn import sync_wrapper


class BoundedS3(s3fs.S3FileSystem):  # type: ignore[misc]  # it has no types
    """A request is given up when all its attempts should have timed out.

    The client's own time-out begins when a request's body is on its way. It asks first whether to send the body
    (`Expect: 100-continue`), and waits for that answer without limit: a store that takes the call and then says
    nothing would hold a writer for ever.
    """

    async def _call_s3(self, method: str, *arguments: Any, **named: Any) -> Any:
        """One request with its repetitions. Raises TimeoutError when they take longer than they may."""
        config = self.config_kwargs
        limit = config["read_timeout"] * config["retries"]["total_max_attempts"]
        try:
            return await asyncio.wait_for(super()._call_s3(method, *arguments, **named), limit)
        except TimeoutError as error:
            raise error if str(error) else TimeoutError(f"no answer to {method} within {limit:g} s") from None

    call_s3 = sync_wrapper(_call_s3)

    async def _expand_path(self, path: str | list[str], **_: Any) -> list[str]:
        """Each name as it is: below a root `lake?` a removal by pattern would take what lies below `lake1` too."""
        return [self._strip_protocol(name) for name in ([path] if isinstance(path, str) else path)]
