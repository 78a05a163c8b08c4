"""`python -m kit.measured ARGS`: pytest with coverage of this process and all that it starts.

Owns the order at the end: stop measuring, combine what the processes wrote, report, and only then
let pytest write its closing line, so that a run ends with it. A run below the limit of
pyproject.toml fails. Called by `make test`.
"""

import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import coverage
import pytest
from coverage.exceptions import CoverageException

ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = str(ROOT / "pyproject.toml")


class Report:
    """A pytest plugin that measures from its making to the summary of the run."""

    def __init__(self) -> None:
        """Start measuring."""
        # A directory of this run alone: two runs at a time do not mix, and processes that work
        # elsewhere find it.
        self._files = tempfile.TemporaryDirectory(prefix="lk-coverage-")
        self.measured = coverage.Coverage(
            data_file=str(Path(self._files.name, ".coverage")), config_file=SETTINGS
        )
        self.measured.start()
        self.enough = True

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the report; called by pytest just before its closing line."""
        self.measured.stop()
        self.measured.save()
        whole = coverage.Coverage(config_file=SETTINGS)
        text = io.StringIO()
        limit = whole.get_option("report:fail_under")
        try:
            whole.erase()
            whole.combine([self._files.name])
            whole.save()
            total = whole.report(file=text)
        except CoverageException as error:
            text.write(f"{error}\n")
            total = 0.0
        self._files.cleanup()
        self.enough = isinstance(limit, int | float) and total >= limit
        terminalreporter.section("coverage of lines and branches")
        terminalreporter.write(text.getvalue())
        if not self.enough:
            terminalreporter.line(f"coverage is {total:.2f} %, {limit} % is needed", red=True)


def main(args: Sequence[str]) -> int:
    """Run pytest with `args`; return its status, or 1 when coverage is below the limit."""
    os.chdir(ROOT)
    report = Report()
    status = int(pytest.main(list(args), plugins=[report]))
    return status or (0 if report.enough else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
