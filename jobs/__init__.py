"""The shell around the rooms: the only code that knows Ray, arguments, the environment and the clock."""


def __getattr__(name: str) -> object:
    raise AttributeError(f"Unrolled's package `jobs` has no {name!r}; a jobs.py of your own needs another name")
