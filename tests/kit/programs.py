"""Which programs the tests need beyond Python, and what happens where one is missing.

Owns the table of programs with the line that installs each, and the markers `needs` and `nightly`.
A test whose program is missing is left out at collection and named at the end of the run with that
line, so it never looks like a pass. With LANEKEEPER_COMPLETE=1 anything left out fails the run.
Loaded by tests/conftest.py; a test holds `.ci/run` to the same table.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from kit import xterm

COMPLETE: Final = "LANEKEEPER_COMPLETE"
NIGHTLY: Final = "LANEKEEPER_NIGHTLY"
PACKAGING: Final = "LANEKEEPER_PACKAGING"
NODE_CLIENT: Final = Path(__file__).parents[2] / "docs" / "examples" / "node"


def installed(name: str) -> bool:
    """Return whether a program is on PATH."""
    return shutil.which(name) is not None


def node_client_ready(_name: str) -> bool:
    """Return whether the client in Node can run: Node is there, and so are its packages."""
    return installed("node") and (NODE_CLIENT / "node_modules").is_dir()


def packaging_wanted(_name: str) -> bool:
    """Return whether this run may fetch packages from an index."""
    return bool(os.environ.get(COMPLETE) or os.environ.get(PACKAGING))


@dataclass(frozen=True, slots=True)
class Need:
    """One thing tests may need.

    Attributes:
        install: the line that provides it.
        package: its Debian package, if it is a program.
        present: whether it is there.
    """

    install: str
    package: str = ""
    present: Callable[[str], bool] = installed


def _debian(package: str) -> Need:
    return Need(f"apt-get install -y {package}", package)


NEEDS: Final[dict[str, Need]] = {
    "asciinema": _debian("asciinema"),
    "bash": _debian("bash"),
    "faketime": _debian("faketime"),
    "git": _debian("git"),
    "htop": _debian("htop"),
    "less": _debian("less"),
    "make": _debian("make"),
    "node": _debian("nodejs"),
    "npm": _debian("npm"),
    "prometheus": _debian("prometheus"),
    "ps": _debian("procps"),
    "script": _debian("bsdutils"),
    "stty": _debian("coreutils"),
    "tmux": _debian("tmux"),
    "top": _debian("procps"),
    "vim": _debian("vim"),
    "node client": Need(
        "apt-get install -y nodejs npm; npm ci --ignore-scripts --prefix docs/examples/node",
        present=node_client_ready,
    ),
    "xterm": Need("npm ci --prefix tests/system/screen", present=xterm.installed),
    "packages": Need(f"{PACKAGING}=1 make test", present=packaging_wanted),
}


@dataclass(slots=True)
class LeftOut:
    """What collection left out: how many tests for each missing thing."""

    counts: defaultdict[str, int]

    def lines(self) -> list[str]:
        """Return one line for each missing thing: how many tests, and what brings it."""
        return [
            f"{count} test{'s' if count > 1 else ''} left out: {name} is missing; "
            f"install: {NEEDS[name].install}"
            for name, count in sorted(self.counts.items())
        ]


_LEFT_OUT: Final = pytest.StashKey[LeftOut]()


def missing(item: pytest.Item) -> list[str]:
    """Return what a test needs and is not there.

    Raises:
        pytest.UsageError: the table does not know what it asks for.
    """
    names = [str(name) for mark in item.iter_markers("needs") for name in mark.args]
    unknown = [name for name in names if name not in NEEDS]
    if unknown:
        raise pytest.UsageError(f"{item.nodeid} needs {unknown}: add it to NEEDS in {__name__}")
    return [name for name in names if not NEEDS[name].present(name)]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; called by pytest."""
    config.addinivalue_line("markers", "needs(*names): programs without which a test is left out")
    config.addinivalue_line("markers", f"nightly: long; runs with {NIGHTLY}=1 only")
    config.stash[_LEFT_OUT] = LeftOut(defaultdict(int))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that cannot run here; called by pytest."""
    night = bool(os.environ.get(NIGHTLY))
    gone = [item for item in items if item.get_closest_marker("nightly") and not night]
    for item in items:
        lacking = missing(item)
        for name in lacking:
            config.stash[_LEFT_OUT].counts[name] += 1
        if lacking:
            gone.append(item)
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name what was left out; called by pytest."""
    lines = config.stash[_LEFT_OUT].lines()
    if lines:
        terminalreporter.section("left out", yellow=True)
        for line in lines:
            terminalreporter.line(line)
        if os.environ.get(COMPLETE):
            terminalreporter.line(f"{COMPLETE} is set: a run that leaves tests out fails", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a complete run that left something out; called by pytest."""
    left_out = bool(session.config.stash[_LEFT_OUT].counts)
    if exitstatus == pytest.ExitCode.OK and left_out and os.environ.get(COMPLETE):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
