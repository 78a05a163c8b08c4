"""`python -m kit.measured ARGS`: pytest with coverage of this process and all that it starts.

Owns the order at the end: stop measuring, combine what the processes wrote, report, and only then
let pytest write its closing line, so that a run ends with it. A run below the limit of
pyproject.toml fails. Called by `make test`.
"""

import io
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import coverage
import pytest
from coverage.exceptions import CoverageException

ALONE: Final = "tests/system/faults"
"""Floods of several planes at once leave no processor to others: they run first, by themselves.

One of two processes has the soak, the other what mostly waits. Their planes are not measured: what
they kill writes no data, and a plane that is measured is slow. The harness that kills and judges
is: see `harness`.
"""
TWO: Final = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
SHARED: Final = (*TWO, "--ignore", ALONE)
"""Most system tests wait most of the time: two files at once take little more than half as long."""
ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = str(ROOT / "pyproject.toml")


HARNESS: Final = "KIT_MEASURED_HARNESS"
"""In the environment, the settings by which a harness is measured, but no plane that it starts."""

_HARNESS_SETTINGS: Final = """[run]
branch = true
parallel = true
data_file = {data}
source =
    {sources}
"""


def harness(*command: str) -> list[str]:
    """Return how to run a module with arguments: measured where this run is, by itself alone."""
    settings = os.environ.get(HARNESS)
    measured = [] if settings is None else ["coverage", "run", f"--rcfile={settings}", "-m"]
    return [sys.executable, "-m", *measured, *command]


class Report:
    """A pytest plugin that measures from `start` to the summary of the run."""

    def __init__(self) -> None:
        """Make a place for what is measured."""
        # A directory of this run alone: two runs at a time do not mix, and processes that work
        # elsewhere find it.
        self._files = tempfile.TemporaryDirectory(prefix="lk-coverage-")
        self.measured = coverage.Coverage(
            data_file=str(Path(self._files.name, ".coverage")), config_file=SETTINGS
        )
        self.enough = True

    def start(self) -> None:
        """Start measuring this process and what it starts from now on."""
        self.measured.start()

    def run_alone(self) -> int:
        """Run the tests that run by themselves, their harness measured; return pytest's status."""
        settings = Path(self._files.name, "harness.ini")
        sources = "\n    ".join(str(ROOT / one) for one in self.measured.config.source or [])
        data = Path(self._files.name, ".coverage")
        settings.write_text(_HARNESS_SETTINGS.format(data=data, sources=sources), "utf-8")
        os.environ[HARNESS] = str(settings)
        try:
            return subprocess.run(harness("pytest", *TWO, ALONE), check=False).returncode
        finally:
            del os.environ[HARNESS]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the report; called by pytest just before its closing line."""
        text = io.StringIO()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                total = self._combine(text)
            except CoverageException as error:
                text.write(f"{error}\n")
                total = 0.0
        text.writelines(f"{warning.message}\n" for warning in told)
        self._files.cleanup()
        limit = self.measured.get_option("report:fail_under")
        self.enough = isinstance(limit, int | float) and total >= limit
        terminalreporter.section("coverage of lines and branches")
        terminalreporter.write(text.getvalue())
        if not self.enough:
            terminalreporter.line(f"coverage is {total:.2f} %, {limit} % is needed", red=True)

    def _combine(self, text: io.StringIO) -> float:
        self.measured.stop()
        self.measured.save()
        for path in Path(self._files.name).glob(".coverage.*x"):
            _drop_if_torn(path, text)
        whole = coverage.Coverage(config_file=SETTINGS)
        whole.erase()
        whole.combine([self._files.name])
        whole.save()
        return whole.report(file=text)


def _drop_if_torn(path: Path, text: io.StringIO) -> None:
    """Remove what a process left that was killed while it wrote its data, and tell it."""
    try:
        coverage.CoverageData(basename=str(path)).read()
    except CoverageException:
        path.unlink()
        text.write(f"{path.name} is torn: its process was killed while it wrote\n")


def main(args: Sequence[str]) -> int:
    """Run pytest with `args`, or all tests; return its status, or 1 when coverage is too low."""
    os.chdir(ROOT)
    report = Report()
    alone = 0 if args else report.run_alone()
    report.start()
    with tempfile.TemporaryDirectory(prefix="lkt-", dir="/tmp") as short:
        # Sockets lie below it, and the path of one has at most 107 bytes.
        shared = () if args else (*SHARED, "--basetemp", str(Path(short, "t")))
        status = int(pytest.main([*shared, *args], plugins=[report]))
    return alone or status or (0 if report.enough else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
