"""All rules of the house in one place."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kit.house import direction, shape, suppressions

RULES: Final[dict[str, Callable[[Path], Iterator[str]]]] = {
    "imports run one way": direction.wrong_directions,
    "the keeper needs the standard library alone": direction.foreign_imports,
    "cores are pure": direction.impure_cores,
    "cores are listed": direction.unlisted_cores,
    "files are short": shape.too_long,
    "functions are short": shape.long_functions,
    "public things are documented": shape.undocumented,
    "the namespace root is empty": shape.stray_packages,
    "nothing sleeps": shape.sleeps,
    "nothing is silenced": suppressions.silenced,
    "nothing is skipped": suppressions.skipped,
    "no gate is loosened": suppressions.loosened,
}


def findings(root: Path) -> list[str]:
    """Return everything in a checkout that breaks a rule."""
    return [line for rule in RULES.values() for line in rule(root)]
