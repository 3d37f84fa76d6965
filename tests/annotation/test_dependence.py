"""What a function of a file depends on, in files that can be checked by eye."""

import pytest

from pipeline.annotation.defined import definition_digest
from pipeline.annotation.dependence import modules_of, source_of
from schemas.score_settings import Definition

FILE = '''"""Hypotheses."""
import re
import random
WORDS = {"todo"}  # in capitals too
URL = re.compile("https?://")
KNOWN = []

def register(function):
    KNOWN.append(function)
    return function

def lower(text):
    return text.lower()

def in_todo(text):
    # by line
    return [word in WORDS for word in lower(text)]

def in_url(text):
    lower = text
    return [bool(URL.match(c)) for c in lower]

@register
def registered(text):
    return [1] * len(text)

def known(text):
    return [len(KNOWN)] * len(text)

if __name__ == "__main__":
    print(in_todo("x"), in_url("y"), known("z"))
'''
DEPENDS = {
    "in_todo": {"WORDS", "lower", "in_todo"},
    "in_url": {"re", "URL", "in_url"},  # `lower` is its own
    "registered": {"KNOWN", "register", "registered"},
    "known": {"KNOWN", "register", "registered", "known"},  # what is registered elsewhere changes its values
}
PARTS = {
    "re": ("import re\n", "import regex as re\n"),
    "random": ("import random\n", "import random as chance\n"),
    "WORDS": ('{"todo"}', '{"todo", "fixme"}'),
    "URL": ('"https?://"', '"ftp://"'),
    "KNOWN": ("KNOWN = []", "KNOWN = [0]"),
    "register": ("KNOWN.append(function)", "KNOWN.insert(0, function)"),
    "lower": ("text.lower()", "text.casefold()"),
    "in_todo": ("word in WORDS", "word not in WORDS"),
    "in_url": ("bool(URL.match(c))", "not URL.match(c)"),
    "registered": ("[1] *", "[2] *"),
    "known": ("[len(KNOWN)]", "[-len(KNOWN)]"),
    "main": ('in_todo("x")', 'in_todo("xx")'),
}


def digest(function: str, source: str) -> str:
    return definition_digest(Definition(name="h", python=f"mine.py:{function}", source=source))


@pytest.mark.parametrize("function", DEPENDS)
@pytest.mark.parametrize("part", PARTS)
def test_a_function_depends_on_what_it_reads_and_on_nothing_else(function: str, part: str) -> None:
    changed = FILE.replace(*PARTS[part])
    assert changed != FILE
    assert (digest(function, changed) != digest(function, FILE)) == (part in DEPENDS[function])


def test_the_part_is_a_file_that_gives_the_same_values() -> None:
    part = source_of("in_todo", FILE)
    assert part == (
        'WORDS = {"todo"}  # in capitals too\ndef lower(text):\n    return text.lower()\n'
        "def in_todo(text):\n    # by line\n    return [word in WORDS for word in lower(text)]"
    )
    for function in DEPENDS:
        whole: dict[str, object] = {}
        alone: dict[str, object] = {}
        exec(FILE, whole)
        exec(source_of(function, FILE), alone)
        text = "a todo https://x"
        assert alone[function](text) == whole[function](text)  # type: ignore[operator]


@pytest.mark.parametrize(
    "more",
    [
        "random.seed(0)",
        "WORDS.add('x')",
        "for word in WORDS: pass",
        "try:\n    import fast\nexcept ImportError:\n    fast = None",
        "random.x = 1",
        "WORDS |= {'x'}",
        "del random",
    ],
)
def test_a_statement_that_does_more_than_define_always_counts(more: str) -> None:
    assert more in source_of("in_url", FILE + more + "\n")


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ("def fill(words=WORDS.add('x')): pass", True),
        ("ADDED = WORDS.add('x')", True),
        ("ADDED = lower('X')", True),  # what the function calls may remember that it was called
        ("class Word(WORDS.__class__): added = WORDS.add('x')", True),
        ("ADDED = re.compile('x')", False),
        ("ADDED = sorted(URL)", False),
        ("def fill(): WORDS.add('x')", False),
        ("fill = lambda: WORDS.add('x')", False),
        ("class Word: x = 1", False),
    ],
)
def test_what_runs_at_once_counts_where_it_touches_what_the_function_reads(more: str, counts: bool) -> None:
    assert (more in source_of("in_todo", FILE + more + "\n")) == counts


@pytest.mark.parametrize(
    "more",
    [
        "from words import *",
        "def any_of(name): return globals()[name]",
        "def any_of(name): return eval(name)",
        "import sys\ndef any_of(name): return sys.modules[name]",
        "from sys import modules",
        "import inspect",
        "def any_of(): return in_url.__globals__",
        "def broken(:",
    ],
)
def test_a_file_that_may_read_anything_counts_as_a_whole(more: str) -> None:
    assert source_of("in_url", FILE + more) == FILE + more


def test_the_modules_that_a_file_imports_are_found_wherever_it_does() -> None:
    source = """
import re, helper
import lib.words as w
from . import near
from .more.x import y
def f(text):
    from inner import g
    importlib.import_module("named")
    return __import__("older.x")
if __name__ == "__main__":
    import only_here
"""
    assert modules_of(source) == {"helper", "lib", "near", "more", "inner", "named", "older"}
    assert modules_of("def f(") == set()
