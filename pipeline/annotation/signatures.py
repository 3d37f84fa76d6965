"""Where methods and functions are declared, in code whose strings and comments are blank.

Possessive patterns (*+) and bounds throughout, so that the time is linear in the text.
"""

import re

from pipeline.annotation.values import Span

_HEADER = re.compile(r"^[ \t]*(?:async[ \t]+)?(def|class)\b", re.MULTILINE)
_HEADER_MARK = re.compile(r"\\\n|[()\[\]{}:\n]")
_PREPROCESSOR = re.compile(  # of C and its like; not JavaScript's #private(), nor Rust's #[attributes]
    r"^[ \t]*#[ \t]*(?:define|elif|else|end|error|if|import|include|line|nullable|pragma|region|undef|warning)"
    r"(?:[^\n\\]|\\.)*+",
    re.MULTILINE | re.DOTALL,
)
_ANNOTATIONS = re.compile(
    r"(?:\s*+@(?!interface\b)[\w.$]++(?:\s*+\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\))?+)*+"
)
_FUNCTION = re.compile(r"\b(?:func|fun|fn|function|def)\s+(?=[\w$(<])")
_BEFORE_PARAMETERS = re.compile(r"[\w\s.<>,?&*\[\]@$:~#]*+")
_ASSIGNMENT = re.compile(r"[()]|(?<![=!<>])=(?!=)(?!\s*(?:0|default|delete)\s*\Z)")  # but for C++'s `= 0`
_WORD = re.compile(r"[A-Za-z_$][\w$]*+")
# Statements and operators: no name of a method, nor part of a type.
_NO_TYPES = frozenset(
    {"return", "new", "throw", "else", "do", "try", "case", "assert", "await", "yield", "delete"}
)
_NO_TYPES |= {"typeof", "instanceof", "sizeof", "goto", "go", "defer", "import", "package", "if", "while", "for"}
_NO_TYPES |= {"switch"}
_NO_NAMES = _NO_TYPES | {"catch", "synchronized", "in", "of", "super", "this", "using", "lock", "foreach", "when"}
_NO_NAMES |= {"match", "with", "select"}


def python_signatures(code: str) -> list[Span]:
    """From each `def` to the : that ends its header, both inside; to the end of the line if there is none."""
    return [(start, end) for word, start, end in python_headers(code) if word == "def"]


def python_headers(code: str) -> list[tuple[str, int, int]]:
    """Def or class, and where the header that it opens begins and ends."""
    headers = list(_HEADER.finditer(code))
    bounds = [*(match.start() for match in headers), len(code)][1:]
    return [
        (match.group(1), match.start(1), _header_end(code, match.end(), bound))
        for match, bound in zip(headers, bounds, strict=True)
    ]


def signatures_in_braces(code: str) -> list[Span]:
    """From the name of a method to the { or ; that ends its declaration, both inside.

    A piece of code between { } and ; declares a method if, apart from annotations, it is a name with parentheses;
    before the name stand only a type, modifiers or a word such as `fun`. Without any of these only a { makes it a
    declaration, as of a constructor, for else it is a call. A piece that ends within parentheses declares none.
    """
    code = _PREPROCESSOR.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)
    spans: list[Span] = []
    around: list[int] = []  # parentheses that are open outside each {
    start = depth = 0

    for match in re.finditer(r"[(){};]", code):
        mark, place = match.group(), match.start()
        if mark in "()":
            depth = max(0, depth + (1 if mark == "(" else -1))
            continue

        if depth == 0 and mark != "}":
            name = _declared(code[start:place], mark)
            if name is not None:
                spans.append((start + name, place + 1))

        if mark == "{":
            around.append(depth)
            depth = 0
        elif mark == "}":
            depth = around.pop() if around else 0

        if mark != ";" or depth == 0:
            start = place + 1
    return spans


def _header_end(code: str, start: int, bound: int) -> int:
    depth = 0
    for match in _HEADER_MARK.finditer(code, start, bound):
        mark = match.group()
        if depth <= 0 and mark == ":":
            return match.end()
        if depth <= 0 and mark == "\n":
            return match.start()
        depth += (mark in "([{") - (mark in ")]}")
    return bound


def _declared(piece: str, end: str) -> int | None:
    """Where the name of the method that a piece of code declares stands in it; None if it declares none."""
    annotations = _ANNOTATIONS.match(piece)
    begin = annotations.end() if annotations else 0

    bracket = piece.find("(", begin)
    if bracket < 0 or _is_assigned(piece[begin:]):
        return None

    functions = list(_FUNCTION.finditer(piece))
    if functions:
        return functions[-1].end() if "(" in piece[functions[-1].end() :] else None

    before = piece[begin:bracket].rstrip()
    place = len(before)
    while place and (before[place - 1].isalnum() or before[place - 1] in "_$~#"):
        place -= 1
    name = before[place:]

    types = re.split(r"(?<!:):(?!:)", before[:place].rstrip())[-1]  # what follows `case x:` or `public:`
    words = set(_WORD.findall(types))
    if not _BEFORE_PARAMETERS.fullmatch(before) or not name or name[0].isdigit() or name in _NO_NAMES:
        return None
    if words & _NO_TYPES or types.endswith("."):
        return None

    is_typed = bool(words) and not types.endswith("::")
    return begin + place if end == "{" or is_typed else None


def _is_assigned(piece: str) -> bool:
    """Whether something is assigned outside parentheses: `x = f(y)`, `fun f() = y`."""
    depth = 0
    for match in _ASSIGNMENT.finditer(piece):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if match.group() == "=" and depth <= 0:
            return True
    return False
