"""No way around a gate: nothing is silenced in place, nothing is skipped.

Owns the words that silence a tool, looked for in comments by the tokenizer, the calls that skip a
test, looked for in the syntax tree, and the settings that could do the same from afar.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kit.house.tree import Module, everything

SILENCERS: Final = re.compile(
    r"noqa|type:\s*ignore|nosec|pragma:\s*no|fmt:\s*(?:off|skip)|isort:\s*skip"
    r"|(?:mypy|pylint|pyright|ruff|flake8|bandit):",
    re.IGNORECASE,
)
SKIPPERS: Final = frozenset({"skip", "skipif", "skipIf", "skipTest", "xfail", "importorskip"})
"""Names that leave a test out; a missing program is declared with the marker `needs` instead."""

SETTINGS: Final[dict[str, tuple[tuple[str, ...], object]]] = {
    "ruff must select everything": (("ruff", "lint", "select"), ["ALL"]),
    "mypy must be strict": (("mypy", "strict"), True),
    "warnings must be errors": (("pytest", "ini_options", "filterwarnings"), ["error"]),
    "coverage must not fall below 90": (("coverage", "report", "fail_under"), 90),
    "coverage must see every file": (("coverage", "report", "include_namespace_packages"), True),
    "coverage must count branches": (("coverage", "run", "branch"), True),
}
FORBIDDEN_SETTINGS: Final = (
    ("coverage", "run", "omit"),
    ("coverage", "report", "omit"),
    ("coverage", "report", "exclude_lines"),
    ("coverage", "report", "exclude_also"),
    ("coverage", "report", "partial_branches"),
    ("mypy", "exclude"),
    ("mypy", "disable_error_code"),
    ("ruff", "exclude"),
    ("ruff", "extend-exclude"),
    ("ruff", "lint", "extend-per-file-ignores"),
)


def silenced(root: Path) -> Iterator[str]:
    """Yield comments that silence a tool."""
    for module in everything(root):
        reader = io.StringIO(module.source).readline
        for token in tokenize.generate_tokens(reader):
            if token.type == tokenize.COMMENT and SILENCERS.search(token.string):
                yield module.at(token.start[0], f"silences a tool: {token.string}")


def skipped(root: Path) -> Iterator[str]:
    """Yield what leaves a test out without naming what is missing."""
    for module in everything(root):
        for node in ast.walk(module.syntax):
            yield from _skips(module, node)


def _skips(module: Module, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and node.attr in SKIPPERS:
        owner = ast.unparse(node.value)
        if owner in {"pytest", "mark", "pytest.mark", "unittest", "self"}:
            yield module.at(node.lineno, f"skips a test: {owner}.{node.attr}")
    if isinstance(node, ast.ImportFrom) and node.module in {"pytest", "unittest"}:
        for alias in node.names:
            if alias.name in SKIPPERS:
                yield module.at(node.lineno, f"skips a test: imports {alias.name}")


def loosened(root: Path) -> Iterator[str]:
    """Yield settings in pyproject.toml that loosen a gate."""
    tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]
    for text, (keys, wanted) in SETTINGS.items():
        if _setting(tools, keys) != wanted:
            yield f"pyproject.toml: {text}: tool.{'.'.join(keys)} = {wanted!r}"
    for keys in FORBIDDEN_SETTINGS:
        if _setting(tools, keys) is not None:
            yield f"pyproject.toml: tool.{'.'.join(keys)} hides files or findings"
    for pattern in _listed(_setting(tools, ("ruff", "lint", "per-file-ignores"))):
        if str(pattern).split("/")[0] not in {"tests", "docs"}:
            yield f"pyproject.toml: ruff ignores rules for the product: {pattern}"
    for override in _listed(_setting(tools, ("mypy", "overrides"))):
        if set(_listed(override)) != {"module", "ignore_missing_imports"}:
            yield f"pyproject.toml: mypy is loosened for {override}"


def _setting(tools: dict[str, Any], keys: tuple[str, ...]) -> object:
    value: object = tools
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, dict | list) else []
