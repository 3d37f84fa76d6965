"""argparse, which also says which word was probably meant, and the kinds of numbers that it reads."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from schemas.errors import did_you_mean

AT = "after this many updates, or `last`"  # of a checkpoint
_CHOICE = re.compile(r"(.*)invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser whose errors name the nearest word; so do those of its commands."""

    commands: Mapping[str, argparse.ArgumentParser] = {}  # set once, when they are known

    def options_of(self, words: Sequence[str] | None) -> argparse.Namespace:
        """As `parse_args`. Ends the process with 2 for a word that is not known."""
        options, rest = self.parse_known_args(words)
        if rest:
            command = self.commands.get(getattr(options, "command", None) or "", self)
            flags = [word for word in rest if word.startswith("-")]
            known = re.findall(r"--[a-z][a-z-]*", command.format_help())
            hint = did_you_mean(flags[0].partition("=")[0], known) if flags else ""
            command.error(f"unrecognized arguments: {' '.join(rest)}{f' ({hint.strip()})' if hint else ''}")
        return options

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with 2."""
        match = _CHOICE.fullmatch(message)
        if match:
            what, word, choices = match.groups()
            known = re.findall(r"[\w.-]+", choices)
            message = f"{what}unknown {word!r}: {did_you_mean(word, known)}known: {', '.join(known)}"
        super().error(message)


def whole(least: int) -> Callable[[str], int]:
    """Reads a whole number from `least` on."""

    def _parsed(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    _parsed.__name__ = "whole number"  # as argparse calls what int() refuses
    return _parsed


def checkpoint(text: str) -> int | str:
    """A checkpoint as it is typed: its number, or "last"."""
    return text if text == "last" else int(text)


checkpoint.__name__ = "checkpoint"  # as argparse calls what int() refuses


def amount(what: str) -> Callable[[str], float]:
    """Reads a finite number from 0 on; `what` is what it is called if it is none."""

    def _parsed(text: str) -> float:
        number = float(text)
        if not 0 <= number < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is no {what}: 0, or more")
        return number

    _parsed.__name__ = what
    return _parsed
