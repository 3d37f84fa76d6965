"""Commands as messages print them: pasted into a shell, each does what was meant, whatever its names hold.

unrolled show counting-3fa9c1d2 lstm-1x10-seed1 L0/N9 --root '/data/my lake#2'
"""

import shlex
from typing import Literal

from pydantic import BaseModel, ConfigDict

_SPECIAL = '"$`\\!'  # what a shell reads between double quotes as something else


def command(*words: str, root: str = "", program: str = "unrolled") -> str:
    """A command of ours as a shell reads it.

    Args:
        words: what follows the program, each as the program shall get it.
        root: the lake; empty: the command takes none.
        program: the path or name of the program itself.
    """
    where = [] if not root else [f"--root={root}"] if root.startswith("-") else ["--root", root]
    return " ".join(map(_quoted, (program, *words, *where)))


def _quoted(word: str) -> str:
    """A word in the quotes that it needs; SQL, which has single ones inside, between double ones."""
    return f'"{word}"' if "'" in word and not set(_SPECIAL) & set(word) else shlex.quote(word)


class Typed(BaseModel):
    """What was typed to begin a run: enough to name its experiment again, from anywhere on that machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Literal["run", "dump"] = "run"  # dump: a network that flags describe
    words: tuple[str, ...] = ()  # the experiment and its --set, or the flags; none: it was begun in Python
    folder: str = ""  # where it was typed, if what was typed depends on that

    def again(self, root: str, *flags: str, stage: str = "") -> str:
        """The whole command, with flags of its own; with a stage, the command of that stage alone."""
        told = " ".join([command(stage or self.command, *self.words, root=root), *map(_quoted, flags)])
        return f"cd {shlex.quote(self.folder)} && {told}" if self.folder else told


UNTYPED = Typed()  # begun in Python
