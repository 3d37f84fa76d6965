"""Reads JavaScript and TypeScript, where what stands before decides whether / divides and < opens markup (JSX)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.annotation.grammar import BLOCK_COMMENT, DOC_COMMENT, LINE_COMMENT, STRING, Region

MARKUP_TEXT = "markup_text"  # what stands between tags

_FLAGS = re.VERBOSE | re.DOTALL
_LINE_ENDS = r"\n\u2028\u2029"  # of comments and regular expressions; a string may hold the last two
_CODE = re.compile(
    rf"""
    (?P<{LINE_COMMENT}> (?: //|\A\#! )[^{_LINE_ENDS}]*+ )
    | (?P<{DOC_COMMENT}> /\*\*(?!/) .*? (?: \*/|\Z ) )
    | (?P<{BLOCK_COMMENT}> /\* .*? (?: \*/|\Z ) )
    | (?P<{STRING}> "(?: \\(?: \r\n|.|\Z )|[^"\\\n] )*+"? | '(?: \\(?: \r\n|.|\Z )|[^'\\\n] )*+'? )
    | (?P<mark> [`/<(){{}}\[\]] )
    """,
    _FLAGS,
)
_PAIR = rf"\\(?: [^{_LINE_ENDS}]|\Z )"
_REGULAR = re.compile(
    rf"/(?: {_PAIR} | \[(?: {_PAIR}|[^\]\\{_LINE_ENDS}] )*+\]? | [^/\\\[{_LINE_ENDS}] )*+ (?: /\w*+ )?", _FLAGS
)
_TEMPLATE = re.compile(r"(?: \\(?: .|\Z )|\$(?!\{ )|[^`$\\] )* (?: (?P<hole> \$\{ ) | ` )?", _FLAGS)
_TAG = re.compile(
    rf"""
    (?P<{LINE_COMMENT}> //[^{_LINE_ENDS}]*+ )
    | (?P<{BLOCK_COMMENT}> /\* .*? (?: \*/|\Z ) )
    | (?P<{STRING}> "[^"]*+"? | '[^']*+'? )
    | (?P<mark> />|=>|[<>{{] )
    """,
    _FLAGS,
)
_TEXT = re.compile(r"[^<{]*+")
_TAG_OPENS = re.compile(r"<(?=[A-Za-z_$>])")
_TAG_CLOSES = re.compile(r"</\s*+([\w$.:-]*+)[^<>{]*+>?")
_TYPES = re.compile(r"<\s*+(?:const\s++)?[\w$]++\s*+(?:,|=|:\s|extends\b)")  # parameters of a generic function
_TYPE_OR_TAG = re.compile(r"<([\w$]++)>\s*+\(")
_PAIRS = {")": ("(",), "]": ("[",), "}": ("{", "${")}
_DEEPEST = 8  # brackets that one closing bracket closes, where some were left open

_CONTROL = frozenset({"if", "while", "for", "with"})
_BEFORE_OBJECTS = frozenset(
    {"return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case"}
)
_BEFORE_OBJECTS |= {"yield", "await", "default"}
_BEFORE_VALUES = _BEFORE_OBJECTS | {"do", "else", "extends"}
_OPERAND = re.compile(r"[\w$)\]]")
_LONGEST_WORD = 12  # characters to look back for one of these


@dataclass
class _Open:
    """What is open: a bracket, a template, a tag, or what stands between two tags."""

    what: str  # ( [ { ${ ` <tag> <text>
    is_control: bool = False  # the ( of an `if`
    is_object: bool = False  # a { that opens no block
    angles: int = 0  # of type arguments in a tag


def read_script(text: str, *, jsx: bool, typed: bool) -> Iterator[Region]:
    """Every region of a text that is no code, in order; with markup (JSX), with types or without."""
    return _Reader(text, jsx, typed).regions()


@dataclass
class _Reader:
    text: str
    jsx: bool
    typed: bool
    place: int = 0
    last: int = -1  # the last character that is neither white nor in a comment
    is_literal: bool = False  # whether a string or element ends there
    closed: _Open = field(default_factory=lambda: _Open("("))  # the bracket that was closed last
    opened: list[_Open] = field(default_factory=list)

    def regions(self) -> Iterator[Region]:
        """Every region that is no code, in order."""
        readers = {"`": self._template, "<text>": self._between_tags, "<tag>": self._tag}
        while self.place < len(self.text):
            yield from readers.get(self.opened[-1].what if self.opened else "", self._code)()

    def _code(self) -> Iterator[Region]:
        match = _CODE.search(self.text, self.place)
        code = self.text[self.place : match.start() if match else None].rstrip()
        if code:
            self._set_last(self.place + len(code) - 1)
        self.place = match.end() if match else len(self.text)
        if not match:
            return

        if match.lastgroup == "mark":
            yield from self._mark(match.start(), match.group())
        else:
            if match.lastgroup == STRING:
                self._set_last(match.end() - 1, is_literal=True)
            yield *match.span(), match.lastgroup or STRING

    def _mark(self, start: int, mark: str) -> Iterator[Region]:
        if mark == "`":
            self.opened.append(_Open(mark))
            yield start, self.place, STRING
        elif mark == "/" and not self._ends_value():
            match = _REGULAR.match(self.text, start)
            self.place = match.end() if match else self.place
            self._set_last(self.place - 1, is_literal=True)
            yield start, self.place, STRING
        elif mark == "<" and self._is_tag(start):
            self.opened.append(_Open("<tag>"))
        elif mark in "([{":
            self.opened.append(self._bracket(mark))
            self._set_last(start)
        elif mark in ")]}":
            if self._close(mark) == "${":
                yield start, self.place, STRING
            self._set_last(start)
        else:
            self._set_last(start)

    def _template(self) -> Iterator[Region]:
        start, match = self.place, _TEMPLATE.match(self.text, self.place)
        assert match
        self.place = match.end()
        if match["hole"]:
            self.opened.append(_Open("${"))
        else:
            self.opened.pop()
        self._set_last(self.place - 1, is_literal=not match["hole"])
        yield start, self.place, STRING

    def _tag(self) -> Iterator[Region]:
        """Within < and >: attributes."""
        tag, match = self.opened[-1], _TAG.search(self.text, self.place)
        self.place = match.end() if match else len(self.text)
        if not match:
            return
        mark = match.group()
        if match.lastgroup != "mark":
            yield *match.span(), match.lastgroup or STRING
        elif mark == "/>":
            self._end_element()
        elif mark == ">" and tag.angles:
            tag.angles -= 1
        elif mark == ">":
            tag.what = "<text>"
        elif mark == "{":
            self.opened.append(_Open("{"))
            self._set_last(match.start())
        elif mark == "<" and self.text[match.start() - 1] == "=":
            self.opened.append(_Open("<tag>"))
        elif mark == "<":
            tag.angles += 1

    def _between_tags(self) -> Iterator[Region]:
        start, match = self.place, _TEXT.match(self.text, self.place)
        assert match
        if match.end() > start:
            yield start, match.end(), MARKUP_TEXT
        self.place = match.end() + 1

        closing = _TAG_CLOSES.match(self.text, match.end())
        if closing:
            self.place = closing.end()
            self._end_element()
        elif self.text.startswith("{", match.end()):
            self.opened.append(_Open("{"))
            self._set_last(match.end())
        elif _TAG_OPENS.match(self.text, match.end()):
            self.opened.append(_Open("<tag>"))

    def _end_element(self) -> None:
        self.opened.pop()
        self._set_last(self.place - 1, is_literal=True)

    def _set_last(self, place: int, *, is_literal: bool = False) -> None:
        self.last, self.is_literal = place, is_literal

    def _bracket(self, mark: str) -> _Open:
        word = self._last_word()
        is_loop = word == "await" and re.search(r"\bfor\s+await\Z", self._look_back()) is not None
        return _Open(mark, is_control=word in _CONTROL or is_loop, is_object=self._precedes_object(word))

    def _close(self, mark: str) -> str:
        """Close the bracket that a mark closes, and what was left open in it; what it was."""
        for depth in range(1, min(_DEEPEST, len(self.opened)) + 1):
            what = self.opened[-depth].what
            if what in _PAIRS[mark]:
                self.closed = self.opened[-depth]
                del self.opened[-depth:]
                return what
            if what not in ("(", "[", "{"):
                break
        return ""

    def _ends_value(self) -> bool:
        """Whether the last character ends a value, so that what follows is an operator."""
        last = self.text[self.last] if self.last >= 0 else ""
        if self.is_literal or last == "]":
            return True
        if last == ")":
            return not self.closed.is_control
        if last == "}":
            return self.closed.is_object
        return self._sign_ends_value(last) or self._word_ends_value(last)

    def _sign_ends_value(self, last: str) -> bool:
        before = self.text[max(0, self.last - 1) : self.last]
        if last == "!":
            return self.typed and bool(_OPERAND.match(before))
        if last == ".":
            return before.isdigit()
        operand = self.text[max(0, self.last - _LONGEST_WORD) : max(0, self.last - 1)].rstrip()[-1:]
        return last in ("+", "-") and before == last and bool(_OPERAND.match(operand))

    def _word_ends_value(self, last: str) -> bool:
        return bool(re.match(r"[\w$]", last)) and self._last_word() not in _BEFORE_VALUES

    def _last_word(self) -> str:
        """The word that ends at the last character; "" where there is none, or the name of a property."""
        if self.last < 0 or self.is_literal:
            return ""
        found = re.search(r"(?:(?<![.\w$#@])|(?<=\.\.\.))[a-z]+\Z", self._look_back())
        return found.group() if found else ""

    def _look_back(self) -> str:
        return self.text[max(0, self.last - _LONGEST_WORD) : self.last + 1]

    def _precedes_object(self, word: str) -> bool:
        """Whether a { would open an object here, and no block."""
        if self.last < 0 or self.is_literal:
            return False
        last = self.text[self.last]
        if last == ":" and self.opened:
            return self.opened[-1].is_object or self.opened[-1].what != "{"
        return last in "=([,?&|+-*%<^~!" or word in _BEFORE_OBJECTS

    def _is_tag(self, place: int) -> bool:
        if not self.jsx or not _TAG_OPENS.match(self.text, place) or self._ends_value():
            return False
        unsure = _TYPE_OR_TAG.match(self.text, place)
        return not _TYPES.match(self.text, place) and (not unsure or unsure[1] in self._names_of_closing_tags)

    @cached_property
    def _names_of_closing_tags(self) -> set[str]:
        return set(_TAG_CLOSES.findall(self.text))
