"""The shape of files: sizes, docstrings, package markers, and no sleeping.

Owns the limits. Refuses files above `LINES_NEVER` lines and functions above `FUNCTION_LINES`; files
above `LINES_WANTED` are named but pass.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kit.house.tree import NAMESPACE, PORTIONS, everything, product

LINES_WANTED: Final = 300
LINES_NEVER: Final = 400
FUNCTION_LINES: Final = 40
"""Lines of a function from `def` on, without its docstring."""

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def too_long(root: Path, limit: int = LINES_NEVER) -> Iterator[str]:
    """Yield files above `limit` lines."""
    for module in everything(root):
        if module.lines > limit:
            yield module.at(1, f"{module.lines} lines, at most {limit}: split it by noun")


def long_functions(root: Path) -> Iterator[str]:
    """Yield functions of the product above `FUNCTION_LINES` lines."""
    for module in product(root):
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = _length(node)
                if length > FUNCTION_LINES:
                    text = f"{node.name} has {length} lines, at most {FUNCTION_LINES}"
                    yield module.at(node.lineno, text)


def undocumented(root: Path) -> Iterator[str]:
    """Yield modules, public classes and public functions of the product without a docstring."""
    for module in product(root):
        if not ast.get_docstring(module.syntax):
            yield module.at(1, "a module without a docstring")
        for node in _public(module.syntax):
            if not ast.get_docstring(node):
                yield module.at(node.lineno, f"{node.name} without a docstring")


def stray_packages(root: Path) -> Iterator[str]:
    """Yield what breaks the namespace: a root with `__init__.py`, a package without its markers.

    A root with `__init__.py` in one portion hides the others in an editable installation while
    type checkers stay content.
    """
    for portion in PORTIONS:
        home = root / portion / NAMESPACE
        if (home / "__init__.py").exists():
            yield f"{portion}/{NAMESPACE}/__init__.py: the namespace root must stay empty"
        for folder in sorted(home.iterdir()) if home.is_dir() else ():
            if not folder.is_dir():
                yield f"{folder.relative_to(root)}: only packages belong into the namespace root"
            elif folder.name != "__pycache__" and any(folder.rglob("*.py")):
                for marker in ("__init__.py", "py.typed"):
                    if not (folder / marker).is_file():
                        yield f"{folder.relative_to(root)}: {marker} is missing"


def sleeps(root: Path) -> Iterator[str]:
    """Yield every place that sleeps instead of waiting for something."""
    for module in everything(root):
        for found in module.imports():
            if found.module == "time.sleep":
                yield module.at(found.line, "imports time.sleep: wait for something instead")
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.Call) and _sleeps(node):
                yield module.at(node.lineno, "sleeps: wait for something instead")


def _sleeps(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr != "sleep":
        return False
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    turn_only = bool(call.args) and ast.unparse(call.args[0]) == "0"
    return owner == "time" or (owner in {"asyncio", "anyio", "trio"} and not turn_only)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[0]
    docstring = 0
    if ast.get_docstring(node, clean=False) is not None:
        docstring = (body.end_lineno or body.lineno) - body.lineno + 1
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def _public(scope: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    for node in scope.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            if not _is_overload(node):
                yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _is_overload(node: Documented) -> bool:
    return any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)


def notes(root: Path) -> Iterator[str]:
    """Yield what is allowed but not wanted."""
    yield from too_long(root, LINES_WANTED)
