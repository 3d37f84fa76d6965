"""The grammars of the languages that can be read token by token, whatever stands before.

A string that does not end is read to the end of its line, or of the text where it may hold line ends.
"""

import re
from functools import cache

from pipeline.annotation.grammar import BLOCK_COMMENT, DOC_COMMENT, LINE_COMMENT, STRING, Grammar, Literal, grammar

_LINE = rf"(?P<{LINE_COMMENT}> //[^\n]*+ )"
_LINE_OR_HASHBANG = rf"(?P<{LINE_COMMENT}> //[^\n]*+ | \A\#![^\n]*+ )"
_FLAT = rf"""
    (?P<{DOC_COMMENT}> /\*\*(?!/) .*? (?: \*/|\Z ) )
    | (?P<{BLOCK_COMMENT}> /\* .*? (?: \*/|\Z ) )
"""
_NESTED = r"(?P<nested> /\* )"
_DOUBLE = r'"(?: \\(?: \r\n|.|\Z )|[^"\\\n] )*+"?'
_SINGLE = r"'(?: \\(?: \r\n|.|\Z )|[^'\\\n] )*+'?"
_NAME = r"`[^`\n]*+`"  # of a variable or function, in backticks
_NEVER = r"(?!)"


def _tokens(*tokens: str, string: str) -> str:
    return " | ".join([*tokens, f"(?P<{STRING}> {string} )"])


@cache
def _literal(
    escape: str, hole: str, end: str, *, over_lines: bool, closing: str = "}", clause: str = ""
) -> Literal:
    """A literal whose text is all but its escapes, holes and end; `clause` opens the format of a value."""
    flags = re.VERBOSE | re.DOTALL
    stop = end if over_lines else rf"{end}|\n"
    rest = rf"(?: [\w ]++ | {escape} | (?! {hole}|{stop} ) . )* (?: (?P<hole> {hole} ) | {end} )?"
    format_ = rf"(?: (?! {hole}|{closing}|{stop} ) . )* (?: (?P<hole> {hole} ) | {closing} )?"
    return Literal(
        re.compile(rest, flags),
        closing,
        re.compile(clause) if clause else None,
        re.compile(format_, flags) if clause else None,
    )


# Groups that look ahead are not repeated possessively: Python before 3.11.5 then takes too much (gh-106052).
# C and C++: 1'000 is a number, <a//b> and the words of an #error are no comment and no string.
_C_WORDS = r"""
    (?<!\w)[0-9][\w.]*+(?: '[\w.]++ )++
    | ^[ \t]*+\#[ \t]*+(?: include(?:_next)?|import )[ \t]*+<[^>\n]*+>
    | ^[ \t]*+\#[ \t]*+(?: error|warning )\b(?: (?!//|/\*)[^\n] )*
"""
# Their lines are joined before anything is read: / \ newline / is //.
_JOINED = r"(?: \\\r?\n )*+"
_C_LINE = rf"(?P<{LINE_COMMENT}> /{_JOINED}/(?: \\\r?\n|[^\n] )*+ )"
_C_BLOCK = rf"""
    (?P<{DOC_COMMENT}> /\*\*(?!/) .*? (?: \*{_JOINED}/|\Z ) )
    | (?P<{BLOCK_COMMENT}> /{_JOINED}\* .*? (?: \*{_JOINED}/|\Z ) )
"""
_C_PREFIX = r"(?: (?<!\w)(?: u8|[uUL] ) )?"
_C_STRING = rf"{_C_PREFIX}(?: {_DOUBLE} | {_SINGLE} )"
_RAW_STRING = r"""
    (?<!\w)(?: u8|[uUL] )?R"(?P<delimiter> [^()\\\s"]{0,16} )\( .*? (?: \)(?P=delimiter)" | \Z )
"""

_C = grammar(_tokens(_C_WORDS, _C_LINE, _C_BLOCK, string=_C_STRING))
_CPP = grammar(_tokens(_C_WORDS, _C_LINE, _C_BLOCK, string=f"{_RAW_STRING} | {_C_STRING}"))

_GO = grammar(_tokens(_LINE, _FLAT, string=f"{_DOUBLE} | {_SINGLE} | `[^`]*+`?"))

_TEXT_BLOCK = r'"""(?: \\(?: .|\Z )|[^\\] )*? (?: """|\Z )'
_JAVA = grammar(_tokens(_LINE, _FLAT, string=f"{_TEXT_BLOCK} | {_DOUBLE} | {_SINGLE}"))

# A lifetime, 'a, is no character.
_RUST_STRING = r"""
    (?<!\w)[bc]?r(?P<hashes> \#*+ )" .*? (?: "(?P=hashes) | \Z )
    | (?: (?<!\w)[bc] )?"(?: \\(?: .|\Z )|[^"\\] )*+"?
    | (?: (?<!\w)b )?'(?: \\[^\n][^'\n]{0,10} | [^\\'\n] )'
"""
_RUST = grammar(_tokens(_LINE, _NESTED, string=_RUST_STRING))


def _kotlin_literal(opening: str) -> Literal:
    hole = rf"\${{{max(1, opening.count('$'))}}}\{{"  # as many as stand before the string
    if opening.endswith('"""'):
        return _literal(_NEVER, hole, '"{3,}', over_lines=True)
    return _literal(r"\\.", hole, '"', over_lines=False)


_KOTLIN_OPEN = r'(?P<open> \$*+"(?: "" )? )'
_KOTLIN = grammar(_tokens(_LINE_OR_HASHBANG, _NESTED, _NAME, _KOTLIN_OPEN, string=_SINGLE), _kotlin_literal)


def _scala_literal(opening: str) -> Literal:
    if opening.endswith('"""'):
        return _literal(r"\$[$\"]", r"\$\{", '"{3,}', over_lines=True)
    return _literal(r"\$[$\"]|\\.", r"\$\{", '"', over_lines=False)


# Any name may stand before an interpolated string; 'a is a symbol, '{ quotes code.
_SCALA_OPEN = r"""
    (?P<open> (?<![\w$])(?! (?: case|return|else|if|then|do|yield|throw|match )\b )[A-Za-z_]\w*+"(?: "" )? )
"""
_SCALA_STRING = rf"""
    \"\"\" .*? (?: "{{3,}} | \Z ) | {_DOUBLE} | '(?: \\u++[0-9a-fA-F]{{4}} | \\. | [^\\'\n] )'
"""
_SCALA = grammar(_tokens(_LINE_OR_HASHBANG, _NESTED, _NAME, _SCALA_OPEN, string=_SCALA_STRING), _scala_literal)


def _csharp_literal(opening: str) -> Literal:
    dollars, quotes = opening.count("$"), opening.count('"')
    if "@" in opening:
        return _literal(r'""|\{\{', r"\{", '"', over_lines=True, clause=":")
    if quotes < 3:
        return _literal(r"\\.|\{\{", r"\{", '"', over_lines=False, clause=":")
    hole = rf"\{{{{{dollars},}}" if dollars else _NEVER
    over_lines, closing = opening.endswith("\n"), "}" * max(1, dollars)
    return _literal(_NEVER, hole, f'"{{{quotes},}}', over_lines=over_lines, closing=closing, clause=":")


_CSHARP_WORDS = r"""
    ^[ \t]*+\#[ \t]*+(?: region|endregion|error|warning )\b[^\n]*+
    | ^[ \t]*+\#[ \t]*+(?: pragma|line|nullable )\b(?: (?!//)[^\n] )*
"""
_CSHARP_LINE = rf"(?P<{LINE_COMMENT}> //[^\n\x85\u2028\u2029]*+ )"  # all of these end a line there
_CSHARP_OPEN = r'(?P<open> \$@" | @\$" | \$*+"{3,}+(?: [ \t\r]*+\n )? | \$" )'
_CSHARP_STRING = f'@"(?: ""|[^"] )*+"? | {_DOUBLE} | {_SINGLE}'
_CSHARP = grammar(
    _tokens(_CSHARP_WORDS, _CSHARP_LINE, _FLAT, _CSHARP_OPEN, string=_CSHARP_STRING), _csharp_literal
)


def _swift_literal(opening: str) -> Literal:
    hashes = r"\#" * opening.count("#")
    quotes = opening.strip("#")
    is_long = len(quotes) == 3
    return _literal(rf"\\{hashes}(?! \( ).", rf"\\{hashes}\(", quotes + hashes, over_lines=is_long, closing=")")


# /a b/ is a regular expression where an operator with white space after it could not stand.
_SWIFT_OPEN = r'(?P<open> \#++"""(?= [ \t\r]*+(?: \n|\Z ) ) | """ | \#*+" )'
_SWIFT_STRING = r"""
    (?P<hashes> \#++ )/ (?: [ \t\r]*+\n .*? (?: /(?P=hashes)|\Z ) | [^\n]*? (?: /(?P=hashes)|$ ) )
    | (?: (?<= [\s(,\[{:;=!?&|] ) | \A )/(?! [\s/*)] )(?: \\[^\n] | [^/\\\n] )++(?<! \s )/
"""
_SWIFT = grammar(_tokens(_LINE_OR_HASHBANG, _NESTED, _NAME, _SWIFT_OPEN, string=_SWIFT_STRING), _swift_literal)


def _python_literal(opening: str) -> Literal:
    quotes = opening.lstrip("fFtTrR")
    escape = r"\\[^{}] | \{\{"
    if "r" not in opening.lower():
        escape = rf"\\N\{{[^}}\n]*+\}} | {escape}"
    return _literal(escape, r"\{", quotes, over_lines=len(quotes) == 3, clause="[:!]")


_PYTHON_LINE = rf"(?P<{LINE_COMMENT}> \#[^\n]*+ )"
_PYTHON_OPEN = r"""(?P<open> (?<!\w)(?: [fFtT][rR]?|[rR][fFtT] )(?: \"\"\"|'''|"|' ) )"""
_PYTHON_STRING = rf"""
    (?: (?<!\w)[rRbBuU]{{1,2}} )?(?:
        (?P<quotes> \"\"\"|''' )(?: \\(?: .|\Z )|[^\\] )*? (?: (?P=quotes)|\Z ) | {_DOUBLE} | {_SINGLE}
    )
"""
_PYTHON = grammar(_tokens(_PYTHON_LINE, _PYTHON_OPEN, string=_PYTHON_STRING), _python_literal)

GRAMMARS: dict[str, Grammar] = {
    "c": _C,
    "cpp": _CPP,
    "csharp": _CSHARP,
    "go": _GO,
    "java": _JAVA,
    "kotlin": _KOTLIN,
    "python": _PYTHON,
    "rust": _RUST,
    "scala": _SCALA,
    "swift": _SWIFT,
}
