"""Run an experiment in this process, and kill -9 it at the Nth object of a stage: TOML ROOT STAGE N WHEN.

WHEN is `before` (bytes ready, nothing written), `during` (written beside, not yet under its name) or `after`.
"""

import os
import signal
import sys

from pipeline.storage.folder import Folder
from schemas.stages import TABLES_OF


def main() -> None:
    """Count the objects that belong to the stage, and die at the chosen one."""
    toml, root, stage, number, when = sys.argv[1:]
    prefixes = tuple(f"{table}/" for table in TABLES_OF[stage])
    create, link = Folder.create, os.link
    seen = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(folder: Folder, path: str, data: bytes) -> bool:
        nonlocal seen
        seen += path.startswith(prefixes) or f"/{stage}/" in path
        if seen != int(number):
            return create(folder, path, data)
        if when == "before":
            die()
        if when == "during":
            os.link = lambda *_: die()
        made = create(folder, path, data)
        if when == "after":
            die()
        os.link = link
        return made

    Folder.create = counted  # type: ignore[method-assign, assignment]
    from jobs.__main__ import main as unrolled

    sys.exit(unrolled(["run", toml, "--root", root, "--runner", "local"]))


main()
