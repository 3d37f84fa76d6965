"""What a function of a file depends on: the statements at the top of the file that can change what it gives.

    import re
    WORDS = {"todo", "fixme"}
    def in_todo(text): …WORDS…
    def in_url(text): …re…

`in_todo` depends on the second and third line, so that a change of `in_url` leaves its annotations as they are.
In doubt a statement counts: too much costs another pass over the text, too little would leave wrong values.
"""

import ast
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass

# With these a function may look at anything in its file, under a name that is put together as it runs.
_ANYTHING = {
    "globals",
    "locals",
    "vars",
    "eval",
    "exec",
    "compile",
    "__import__",
    "importlib",
    "inspect",
    "modules",
}
_ANYTHING_OF = {"modules", "__dict__", "__globals__"}  # as the attribute of an object
# Calling what these hold changes nothing outside.
_PURE = {"re", "string", "math", "collections", "itertools", "functools", "operator", "unicodedata", "dataclasses"}
_DEFINING = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_CALLING = ast.Call | ast.Await | ast.Yield | ast.YieldFrom


@dataclass(frozen=True)
class _Statement:
    """One at the top of a file."""

    text: str
    binds: frozenset[str]
    reads: frozenset[str]  # whenever it or what it defines runs
    always: bool  # it does more than to bind its names
    acts: bool  # it calls something as it runs, which may change what other names hold
    pure: bool  # it binds modules alone whose functions change nothing


def source_of(function: str, source: str) -> str:
    """The part of a file that a function depends on, its statements as they stand there and in their order.

    Args:
        function: its name.
        source: the text of the file; all of it is given back when it is no Python, imports `*`, or names its own
            names by text.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    nodes = [node for node in tree.body if not _is_main(node)]
    if any(_sees_anything(part) for node in nodes for part in ast.walk(node)):
        return source

    lines = source.split("\n")
    statements = [_read(node, lines) for node in nodes]
    kept = _kept(function, statements)
    return "\n".join(statement.text for index, statement in enumerate(statements) if index in kept)


def modules_of(source: str) -> set[str]:
    """The modules outside Python's own library that a file imports, wherever in it; none when it is no Python.

    Of `lib.words` it is `lib`, of `.words` it is `words`.
    """
    try:
        nodes = [part for node in ast.parse(source).body if not _is_main(node) for part in ast.walk(node)]
    except (SyntaxError, ValueError):
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names |= {str(part.value) for part in node.args[:1] if isinstance(part, ast.Constant)}
    return {name.strip(".").partition(".")[0] for name in names} - sys.stdlib_module_names


def _kept(function: str, statements: list[_Statement]) -> set[int]:
    """The numbers of the statements that count, each with all that it reads."""
    impure = frozenset[str]().union(*(s.binds for s in statements if not s.pure))
    needed, kept = {function}, set[int]()
    while True:
        more = {
            index
            for index, s in enumerate(statements)
            if s.always or s.binds & needed or (s.acts and _reached(s.reads, statements) & impure & needed)
        } - kept
        if not more:
            return kept
        kept |= more
        needed |= {name for index in more for name in statements[index].reads}


def _reached(names: frozenset[str], statements: list[_Statement]) -> set[str]:
    """Some names, and all that what they hold may read in its turn."""
    reached: set[str] = set()
    new = set(names)
    while new:
        reached |= new
        new = {name for s in statements if s.binds & new for name in s.reads} - reached
    return reached


def _read(node: ast.stmt, lines: list[str]) -> _Statement:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    text = "\n".join(lines[first - 1 : node.end_lineno])
    names = symtable.symtable(text, "statement", "exec")

    modules = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
    modules |= {str(node.module)} if isinstance(node, ast.ImportFrom) else set()
    return _Statement(
        text=text,
        binds=frozenset(s.get_name() for s in names.get_symbols() if s.is_assigned() or s.is_imported()),
        reads=frozenset(_globals(names)),
        always=not (_only_binds(node) or _is_text(node)),
        acts=any(isinstance(part, _CALLING) for part in _run_at_once(node)) or _is_told_of(node),
        pure=bool(modules) and modules <= _PURE,
    )


def _globals(scope: symtable.SymbolTable) -> Iterator[str]:
    """The names at the top of the file that a statement reads, or a function in it whenever it runs."""
    is_top = scope.get_type() == "module"
    for symbol in scope.get_symbols():
        if symbol.is_referenced() if is_top else symbol.is_global():
            yield symbol.get_name()
    for inner in scope.get_children():
        yield from _globals(inner)


def _only_binds(node: ast.stmt) -> bool:
    """Whether it gives values to names of its own, and sets nothing inside another object."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return not any(isinstance(p, ast.Attribute | ast.Subscript) for t in targets for p in ast.walk(t))
    return isinstance(node, _DEFINING | ast.Import | ast.ImportFrom | ast.Pass)


def _run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the file is read: of a function its decorators and defaults, of anything else all."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and child in node.body:
            continue
        if not isinstance(node, ast.Lambda) or child is not node.body:
            yield from _run_at_once(child)


def _is_told_of(node: ast.AST) -> bool:
    """Whether something may be told of a definition without a call in sight: its decorators, its base classes."""
    return isinstance(node, _DEFINING) and bool(node.decorator_list or getattr(node, "bases", []))


def _sees_anything(part: ast.AST) -> bool:
    if isinstance(part, ast.ImportFrom) and any(alias.name == "*" for alias in part.names):
        return True
    if isinstance(part, ast.Import | ast.ImportFrom):
        names = {alias.name.partition(".")[0] for alias in part.names} | {getattr(part, "module", None) or ""}
        return bool(_ANYTHING & names)
    if isinstance(part, ast.Attribute):
        return part.attr in _ANYTHING_OF
    return isinstance(part, ast.Name) and part.id in _ANYTHING


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_main(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, which never runs here."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and ast.unparse(node.test).replace('"', "'") in ("__name__ == '__main__'", "'__main__' == __name__")
    )
