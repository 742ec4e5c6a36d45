"""The project's own sources as data: what the tests about the code itself look at."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
_TEXT_SUFFIXES = {
    "",
    ".cfg",
    ".conf",
    ".css",
    ".html",
    ".js",
    ".json",
    ".lock",
    ".lua",
    ".md",
    ".mjs",
    ".py",
    ".service",
}
_TEXT_SUFFIXES |= {".sh", ".svg", ".toml", ".txt", ".yaml", ".yml"}
_NOT_OURS = {"node_modules", "__pycache__", ".git"}
_FOLDERS = ("gateway", "tests", "docs", "deploy", "benchmarks", ".ci")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file. `path` is relative to the project's root."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Dotted name; a package's `__init__.py` has the package's."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def part(self) -> str:
        """The first name below `gateway`: a package, or a module at the top; empty for gateway itself."""
        return self.module.partition(".")[2].partition(".")[0]

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    def code_lines(self) -> set[int]:
        """Numbers of the lines with code: no blanks, comments or docstrings."""
        lines: set[int] = set()
        for token in self.tokens():
            if token.type not in _NO_CODE:
                lines.update(range(token.start[0], token.end[0] + 1))
        return lines - _docstring_lines(self.tree)

    def imports(self) -> Iterator[tuple[ast.stmt, str]]:
        """Every import statement with each name it imports: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)

    def named_modules(self) -> Iterator[str]:
        """Modules of ours that a string names, alone or as `module:function`: loaded late, but depended on."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = re.fullmatch(r"(gateway(?:\.\w+)+)(?::\w+)?", node.value)
                if found:
                    yield found[1]

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.path}:{node.lineno}"


def python_sources(folder: str) -> list[Source]:
    """Every Python file below a folder of the project, in order."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        if not _NOT_OURS.isdisjoint(path.parts):
            continue
        text = path.read_text(encoding="utf-8")
        found.append(Source(path.relative_to(ROOT), text, ast.parse(text)))
    return found


def text_files() -> Iterator[tuple[Path, str]]:
    """Every text file that belongs to the project, with its text; caches and builds left out."""
    candidates = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in _FOLDERS:
        candidates += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(candidates):
        if path.suffix in _TEXT_SUFFIXES and _NOT_OURS.isdisjoint(path.parts) and not path.name.startswith(".coverage"):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8", errors="replace")


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of every string that stands alone: docstrings of modules, classes, functions and constants."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines
