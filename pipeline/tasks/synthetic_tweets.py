r"""Synthetic tweets: "@grace7 the tram has been LATE http://t.co/x8Kq2f #CityLife\n". Lines made up by rules.

They stand in for real ones, which are a file of the user's own (the task text), and hold what the article's tweets
do: addresses, hashtags, mentions, quotations, capitals, names, numbers, emoji. Nothing is determined.
"""

import re

from pipeline.tasks.task import Sequence, generator
from schemas.task_settings import SyntheticTweetsSettings

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
WORDS: dict[str, tuple[str, ...]] = {
    "first": ("Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "Hedy", "John", "Katherine", "Niklaus"),
    "last": ("Brook", "Carver", "Dale", "Hill", "Marsh", "Novak", "Okafor", "Reyes", "Sato", "Weaver"),
    "handle": ("ada", "alan", "barb", "edsger", "fran", "grace", "hedy", "kat", "nik", "quill", "river", "zoe"),
    "thing": ("bakery", "bridge", "game", "garden", "library", "meeting", "new song", "parade", "show", "tram"),
    "quality": ("amazing", "broken", "closed", "cold", "early", "late", "lovely", "quiet", "strange", "wonderful"),
    "be": ("could be", "has been", "is", "may be", "must be", "should be", "was", "will be", "would be"),
    "doing": ("buying", "cooking", "fixing", "losing", "painting", "reading", "selling", "watching", "writing"),
    "when": ("after lunch", "again", "all day", "at last", "on monday", "this morning", "today", "tonight"),
    "tag": ("City", "Code", "Coffee", "Friday", "Happy", "Life", "Music", "News", "Rain", "Sunday", "Tea", "Win"),
    "shout": ("FINALLY", "HELP", "LATE", "NEVER", "NO WAY", "NOW", "SO GOOD", "STOP", "WOW", "YES"),
    "emoji": ("\N{GRINNING FACE}", "\N{FIRE}", "\N{RED APPLE}", "\N{PARTY POPPER}", "\N{CAT FACE}"),
}
SENTENCES = (
    "the {thing} {be} {quality} {when}",
    "{first} {last} says the {thing} {be} {quality}",
    "{doing} a {thing} with {first} {when}",
    "why is the {thing} {quality}?",
    "{shout} the {thing} {be} {quality}!",
    '{first} {last}: "{quote}"',
    'read "{quote}" by {first} {last}',
    "{number} days until the {thing}",
    "about {number} people came to the {thing} {when}",
    "not {doing} the {thing} {when}, it {be} {shout} {quality}",
)
OPENINGS = ("", "", "", "RT {mention}: ", "{mention} ", "{mention} {mention} ", "{shout} ")
ENDINGS = (
    "",
    " {url}",
    " {tags}",
    " {url} {tags}",
    " {tags} {url}",
    " {emoji}",
    " via {mention} {url}",
    " {emoji} {tags}",
)
_SLOT = re.compile(r"\{(\w+)\}")
_EVERYTHING = "".join(
    [LETTERS, *SENTENCES, *OPENINGS, *ENDINGS, *(word for words in WORDS.values() for word in words)]
)


class SyntheticTweets:
    """One line a sequence: an opening, one or two sentences, an ending."""

    def __init__(self, settings: SyntheticTweetsSettings) -> None:
        self.sizes: range | None = None
        self.available: int | None = None
        self._maximum = settings.maximum_length

    def alphabet(self, seed: int, sequences: int) -> str:  # noqa: ARG002
        """The same whatever was drawn."""
        return "".join(sorted(set(_EVERYTHING + "\n.@#:/") - set("{}_")))

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:  # noqa: ARG002
        """Line `index`; an ending that would make it too long is left out."""
        draw = _Draw(seed, index)
        text = draw.choice(OPENINGS) + draw.choice(SENTENCES)
        if draw.below(3) == 0:
            text += (" " if text[-1] in "?!" else ". ") + draw.choice(SENTENCES)
        body = draw.filled(text)
        whole = body + draw.filled(draw.choice(ENDINGS))
        line = (whole if len(whole) < self._maximum else body[: self._maximum - 1]) + "\n"
        return Sequence(line, determined_from=len(line))


class _Draw:
    """A line's random numbers, drawn at once and used one by one."""

    def __init__(self, seed: int, index: int) -> None:
        self._numbers = iter(generator(seed, index).integers(0, 1 << 30, 160).tolist())

    def below(self, stop: int) -> int:
        """A whole number from 0 to before stop."""
        return int(next(self._numbers)) % stop

    def choice(self, choices: tuple[str, ...]) -> str:
        """One of some texts."""
        return choices[self.below(len(choices))]

    def filled(self, template: str) -> str:
        """A template with every {slot} filled."""
        return _SLOT.sub(lambda slot: self._slot(slot[1]), template)

    def _slot(self, name: str) -> str:
        match name:
            case "mention":
                return f"@{self.choice(WORDS['handle'])}" + (str(self.below(100)) if self.below(2) else "")
            case "tags":
                return " ".join(self._tag() for _ in range(1 + self.below(2)))
            case "url":
                path = "".join(LETTERS[self.below(len(LETTERS))] for _ in range(6 + self.below(5)))
                return f"http{'s' if self.below(2) else ''}://t.co/{path}"
            case "quote":
                parts = (self.choice(WORDS[kind]) for kind in ("doing", "thing", "be", "quality"))
                return " ".join(list(parts)[: 2 + self.below(3)])
            case "number":
                return str(2 + self.below(998))
            case _:
                return self.choice(WORDS[name])

    def _tag(self) -> str:
        return "#" + "".join(self.choice(WORDS["tag"]) for _ in range(1 + self.below(3)))
