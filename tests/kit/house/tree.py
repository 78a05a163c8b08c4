"""The files of a checkout, parsed once.

Owns which folders are product and which are tests, and the reading of imports out of a module.
Refuses files that do not parse. Called by the rules beside it.
"""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PORTIONS: Final = ("broker", "workers", "client", "soak")
"""Top-level folders that each hold a portion of the namespace `lanekeeper`."""
OTHERS: Final = ("tests", "docs", "deploy")
NAMESPACE: Final = "lanekeeper"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module and where."""

    module: str
    line: int
    typing_only: bool


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed file.

    Attributes:
        path: relative to the checkout.
        name: the dotted name in the namespace; empty for tests and documents.
    """

    path: Path
    name: str
    source: str
    syntax: ast.Module

    @property
    def package(self) -> str:
        """The subpackage of the namespace it belongs to, such as `wire`."""
        return self.name.split(".")[1] if self.name.count(".") else ""

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return len(self.source.splitlines())

    def imports(self) -> Iterator[Import]:
        """Yield every import of an absolute module, at any depth."""
        typing_only = {
            inner
            for node in ast.walk(self.syntax)
            if isinstance(node, ast.If) and _names_type_checking(node.test)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(self.syntax):
            only = node in typing_only
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno, only)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    yield Import(f"{node.module}.{alias.name}", node.lineno, only)

    def at(self, line: int, text: str) -> str:
        """Return one finding."""
        return f"{self.path}:{line}: {text}"


def _names_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in {
        getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(test)
    }


def read(root: Path, path: Path) -> Module:
    """Parse one file.

    Raises:
        SyntaxError: it is no Python.
    """
    status = path.stat()
    return _parsed(root, path, status.st_mtime_ns, status.st_size)


@functools.cache  # eleven rules look at each file
def _parsed(root: Path, path: Path, _changed_ns: int, _size: int) -> Module:
    relative = path.relative_to(root)
    source = path.read_text("utf-8")
    name = ""
    if relative.parts[0] in PORTIONS:
        parts = relative.with_suffix("").parts[1:]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(relative, name, source, ast.parse(source, str(relative)))


def product(root: Path) -> list[Module]:
    """Return the modules of the product."""
    return [read(root, path) for folder in PORTIONS for path in _files(root / folder)]


def everything(root: Path) -> list[Module]:
    """Return the modules of the product, the tests and the documents."""
    return product(root) + [read(root, path) for folder in OTHERS for path in _files(root / folder)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)
