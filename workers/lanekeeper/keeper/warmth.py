"""What the nursery could become by a fork alone: the daemons whose modules it has imported.

Owns the importing, one module at a time and only while nobody wants anything of the nursery, and
the rule that a fork must be what a fresh interpreter would be: when a file that was imported has
changed since, or the interpreter itself, there is none. Refuses other command lines than our own.
Called by the nursery's shell; names packages and imports nothing of them by itself.
"""

import importlib
import logging
import math
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.keeper import guise
from lanekeeper.keeper.forking import settle

PACKAGES: Final = ("lanekeeper.keeper", "lanekeeper.broker")
"""Those that are run as `python -P -m PACKAGE` and may be forked instead."""

QUIET_SECONDS: Final = 2.0
"""Without a message before the importing begins, or goes on.

A plane that has just begun has more to do, and one that is soon over never needs its next keeper.
"""

PATIENCE: Final = 10.0
"""Seconds after which it goes on beside other work: a step takes a millisecond or a few."""

_PREFIX: Final = 3
_LOGGER: Final = logging.getLogger(__name__)

Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Birth:
    """A daemon that can be forked."""

    role: str
    argv: tuple[str, ...]
    main: Main
    guise: guise.Guise

    def run(self) -> int:
        """Run it with its arguments; return its exit code."""
        return self.main(self.argv[_PREFIX + 1 :])


class Warmth:
    """The daemons that are imported, or are about to be."""

    def __init__(self) -> None:
        """Begin when `begin` says so."""
        self._guise = guise.own()
        self._seen: dict[str, tuple[int, ...]] = {}
        self._pending: Iterator[str] | None = None
        self._mains: dict[str, Main] = {}
        self._latest = math.inf
        self.deadline = math.inf
        """When the next step is due."""

    def begin(self, now: float) -> None:
        """Import from now on, when it is quiet; once."""
        if self._pending is None and self._guise is not None:
            self._note()
            self._pending = _names()
            self.deadline = now + QUIET_SECONDS
            self._latest = now + PATIENCE

    def disturbed(self, now: float) -> None:
        """Let go first what somebody wants."""
        if self.deadline < math.inf:
            self.deadline = min(now + QUIET_SECONDS, max(now, self._latest))

    def due(self, now: float) -> None:
        """Import the next module, if it is time to; a package that cannot be had is left out."""
        if now < self.deadline or self._pending is None:
            return
        self.deadline = now
        name = next(self._pending, None)
        if name is None:
            self._finish()
            return
        try:
            module = importlib.import_module(name)
        except ImportError:
            _LOGGER.exception("cannot import %s: it will be executed", name)
            return
        package, _, last = name.rpartition(".")
        if last == "__main__":
            self._mains[package] = module.main

    def birth(self, role: str, argv: Sequence[str]) -> Birth | None:
        """Return how this command line is forked; None when it has to be executed."""
        head, package, main = argv[:_PREFIX], "", None
        if list(head) == [sys.executable, "-P", "-m"] and len(argv) > _PREFIX:
            package = argv[_PREFIX]
            main = self._mains.get(package)
        if main is None or self._guise is None or not self._guise.fits(role):
            return None
        if math.isfinite(self.deadline) or any(
            _stamp(path) != seen for path, seen in self._seen.items()
        ):
            return None
        return Birth(role, tuple(argv), main, self._guise)

    def _finish(self) -> None:
        self.deadline = math.inf
        self._note()
        settle()
        _LOGGER.info("warm for %s", ", ".join(self._mains) or "nothing")

    def _note(self) -> None:
        """Remember the files of what is imported, the standard library's aside."""
        for module in tuple(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if path and module.__name__.partition(".")[0] not in sys.stdlib_module_names:
                self._seen.setdefault(path, _stamp(path))
        self._seen.setdefault(sys.executable, _stamp(sys.executable))


def _names() -> Iterator[str]:
    """Yield the modules of all packages, each package's `__main__` last; not the one that runs."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    running = getattr(spec, "name", "")
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        names = [f"{package}.{module.name}" for module in pkgutil.iter_modules(path)]
        mains = [name for name in names if name.endswith(".__main__")]
        yield from (name for name in names if name not in {running, *mains})
        yield from mains


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
