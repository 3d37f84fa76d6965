"""The languages whose strings and comments can be told from their code, and the suffixes of their files."""

from typing import Literal, get_args

Language = Literal[
    "c",
    "cpp",
    "csharp",
    "go",
    "java",
    "javascript",
    "kotlin",
    "python",
    "rust",
    "scala",
    "swift",
    "tsx",
    "typescript",
    "plain",
]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SUFFIXES: dict[Language, tuple[str, ...]] = {
    "c": (".c",),
    "cpp": (".cc", ".cpp", ".cxx", ".c++", ".C", ".h", ".hh", ".hpp", ".hxx", ".ipp"),  # a .h is read as either's
    "csharp": (".cs",),
    "go": (".go",),
    "java": (".java",),
    "javascript": (".js", ".cjs", ".mjs", ".jsx"),  # with JSX
    "kotlin": (".kt", ".kts"),
    "python": (".py", ".pyi", ".pyw"),
    "rust": (".rs",),
    "scala": (".scala", ".sc"),
    "swift": (".swift",),
    "tsx": (".tsx",),
    "typescript": (".ts", ".cts", ".mts"),
}
# Code that no reader here reads: hypotheses about code refuse it by name rather than take it for plain text.
UNREAD = {
    ".bash": "Bash",
    ".clj": "Clojure",
    ".cu": "CUDA",
    ".dart": "Dart",
    ".erl": "Erlang",
    ".ex": "Elixir",
    ".exs": "Elixir",
    ".f90": "Fortran",
    ".fs": "F#",
    ".groovy": "Groovy",
    ".hs": "Haskell",
    ".jl": "Julia",
    ".lua": "Lua",
    ".m": "Objective-C",
    ".ml": "OCaml",
    ".mm": "Objective-C++",
    ".pas": "Pascal",
    ".php": "PHP",
    ".pl": "Perl",
    ".pm": "Perl",
    ".ps1": "PowerShell",
    ".r": "R",
    ".R": "R",
    ".rb": "Ruby",
    ".sh": "Shell",
    ".sql": "SQL",
    ".svelte": "Svelte",
    ".vb": "Visual Basic",
    ".vue": "Vue",
    ".zig": "Zig",
}
