"""The night as a command: rounds, the report, and an exit status that tells of a failure."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
PASSING = """
import pytest
def test_short(): pass
@pytest.mark.nightly
def test_long(): pass
"""
FAILING = """
import pytest
def test_broken(): assert False, 'by intent'
@pytest.mark.nightly
def test_long(): pass
"""


def nightly(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kit.nightly", *args],
        env={"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_long_tests_and_rounds_of_the_others_stand_in_the_report(tmp_path: Path) -> None:
    chosen, report = tmp_path / "test_it.py", tmp_path / "report.md"
    chosen.write_text(PASSING)
    done = nightly(
        "--rounds", "2", "--without-bench", "--without-faults", "--report", str(report), str(chosen)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in report.read_text().splitlines() if " | ok | " in line]
    names = [row.split(" | ")[0].strip("| ") for row in rows]
    assert names == ["long tests", "suite 1, part 1 of 1", "suite 2, part 1 of 1"]
    assert all(" 1 passed" in row for row in rows)


def test_a_failure_is_told_by_the_report_and_the_status(tmp_path: Path) -> None:
    chosen, report = tmp_path / "test_it.py", tmp_path / "report.md"
    chosen.write_text(FAILING)
    done = nightly(
        "--rounds", "1", "--without-bench", "--without-faults", "--report", str(report), str(chosen)
    )
    assert done.returncode == 1
    assert "| suite 1, part 1 of 1 | failed (1) |" in report.read_text()
    assert "by intent" in report.read_text()


def test_some_tests_do_not_replace_the_report_of_the_night() -> None:
    done = nightly("--rounds", "1", "tests/unit/kit")
    assert done.returncode == 2
    assert "--report" in done.stderr
