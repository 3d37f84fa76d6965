"""Hypotheses about prose and tweets, in any language that is written with letters and spaces.

What only the rest of a word or phrase decides (whether all of a word is capitals) is told of the whole of it.
"""

import re
from collections.abc import Iterator
from unicodedata import category

from pipeline.annotation.emoji import EMOJI, MODIFIED, PRESENTED
from pipeline.annotation.values import Span, Values, inside

_URL = re.compile(r"(?:https?://|www\.)\S*[^\s.,;:!?)\]\"'”’]")
_HASHTAG = re.compile(r"(?<!\w)#(?=\w*[^\W\d_])\w+")
_MENTION = re.compile(r"(?<![\w@])@\w+")
_QUOTATION = re.compile(r"\"[^\"\n]*\"?|“[^”\n]*”?")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_WORDLIKE = re.compile(r"\w++(?:[.,:]\w++)*+")
_DIGITS = re.compile(r"\d++(?:[.,:]\d++)*+")
_SENTENCE = re.compile(r"(?:\A|(?<=\n)|(?<=[.!?…])[\"'”’)\]]*\s+)[\s\"'“‘(\[]*")
_AUXILIARY_BE = re.compile(
    r"\b(?:will|would|shall|should|can|could|may|might|must|has|have|had|is|are|am|was|were|[a-z]+['’](?:ll|d|ve|s|re|m))"
    r"(?:n['’]t)?(?:\s+(?:not|never|also|always|only))?(?:\s+have)?\s+(?:be|been|being)\b",
    re.IGNORECASE,
)
_JOINER = "\u200d"
_EMOJI = re.compile(
    rf"""
    [{PRESENTED}](?!\ufe0e)
    | [{EMOJI}](?=\ufe0f|\u20e3)                       # shown as text but for these: ❤️ 1️⃣
    | [{MODIFIED}](?=[\U0001f3fb-\U0001f3ff])          # skin tones
    | (?![\#*0-9])[{EMOJI}](?={_JOINER}[{EMOJI}]) | (?<={_JOINER})(?![\#*0-9])[{EMOJI}]
    | [\ufe0f\u20e3\U000e0020-\U000e007f{_JOINER}]    # they vary it, enclose, tag, join
    """,
    re.VERBOSE,
)


def in_url(text: str) -> Values:
    """Whether the character is in a URL: https:// or www., up to white space; closing punctuation is outside."""
    return inside(text, _spans(_URL, text))


def in_hashtag(text: str) -> Values:
    """Whether the character is in a hashtag, including its #: "#ok", not "#1" nor "a#b"."""
    return inside(text, _outside_urls(_HASHTAG, text))


def in_mention(text: str) -> Values:
    """Whether the character is in a mention, including its @: "@ann", not "a@b"."""
    return inside(text, _outside_urls(_MENTION, text))


def in_quotation(text: str) -> Values:
    """Whether the character is in double quotes, which count as inside; a quotation never goes beyond its line."""
    return inside(text, _spans(_QUOTATION, text))


def in_all_capitals_word(text: str) -> Values:
    """Whether the character is in a word of at least two letters, all capitals."""
    return inside(text, [span for word, span in _words(text) if len(word) > 1 and word.isupper()])


def in_capitalised_word(text: str) -> Values:
    """Whether the character is in a capitalised word that does not begin its sentence, such as a name; not "I"."""
    starts = _sentence_starts(text)
    named = [span for word, span in _words(text) if word[0].isupper() and word[1:2].islower()]
    return inside(text, [span for span in named if span[0] not in starts])


def in_auxiliary_be(text: str) -> Values:
    """Whether the character is in an auxiliary verb and a form of "to be": "will be", "could have been"."""
    return inside(text, _spans(_AUXILIARY_BE, text))


def in_number(text: str) -> Values:
    """Whether the character is in a number: "7", "-3.14", "1,000", "10:30"; not in "b2", "3rd", "v1.2"."""
    numbers = [span for span in _outside_urls(_WORDLIKE, text) if _DIGITS.fullmatch(text, *span)]
    signed = (
        text[start - 1 : start] in ("+", "-") and not text[start - 2 : start - 1].isalnum() for start, _ in numbers
    )
    return inside(text, ((start - sign, end) for (start, end), sign in zip(numbers, signed, strict=True)))


def is_emoji(text: str) -> Values:
    """Whether the character is shown as an emoji, or joins or varies one: "⌚", "❤️", "1️⃣"; not "❤", "1", "™".

    By the tables of Unicode 18.0. A sign that may be shown either way is an emoji where U+FE0F, a skin tone or a
    joiner makes it one.
    """
    return inside(text, (span for span in _spans(_EMOJI, text) if not _joins_letters(text, span[0])))


def sentence_start(text: str) -> Values:
    """Whether the character is in the first word of a sentence or line."""
    starts = _sentence_starts(text)
    return inside(text, [span for _, span in _words(text) if span[0] in starts])


def _spans(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [match.span() for match in pattern.finditer(text)]


def _joins_letters(text: str, place: int) -> bool:
    """Whether a joiner stands here that belongs to a script, as in Sinhala, and not to emoji."""
    before = text[place - 1 : place]
    return text[place] == _JOINER and before not in ("", "\ufe0f", "\u20e3") and category(before)[0] in "LM"


def _words(text: str) -> Iterator[tuple[str, Span]]:
    return ((text[start:end], (start, end)) for start, end in _outside_urls(_WORD, text))


def _outside_urls(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    place = 0
    for start, end in [*_spans(_URL, text), (len(text), len(text))]:
        yield from (match.span() for match in pattern.finditer(text, place, start))
        place = end


def _sentence_starts(text: str) -> set[int]:
    """Where the first word of a sentence may begin."""
    return {match.end() for match in _SENTENCE.finditer(text)}
