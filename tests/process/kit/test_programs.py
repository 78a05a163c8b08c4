"""A missing program is named with the line that installs it, and fails a complete run."""

import os
import subprocess
import sys
from pathlib import Path

from kit.programs import NEEDS

KIT = Path(__file__).parents[2]
TESTS = """\
import pytest
@pytest.mark.needs("vim")
def test_with_vim(): pass
@pytest.mark.nightly
def test_long(): pass
def test_plain(): pass
"""


def run_pytest(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("kit.programs",)\n')
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        env={"PYTHONPATH": str(KIT), "PATH": str(tmp_path)} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_without_its_program_is_left_out_and_named(tmp_path: Path) -> None:
    done = run_pytest(tmp_path)
    assert done.returncode == 0
    assert "1 test left out: vim is missing; install: apt-get install -y vim" in done.stdout
    assert "1 passed, 2 deselected" in done.stdout


def test_a_complete_run_fails_when_something_is_left_out(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, LANEKEEPER_COMPLETE="1")
    assert done.returncode == 1
    assert "a run that leaves tests out fails" in done.stdout


def test_a_complete_run_with_everything_there_passes(tmp_path: Path) -> None:
    (tmp_path / "vim").write_text("#!/bin/sh\n")
    (tmp_path / "vim").chmod(0o700)
    done = run_pytest(tmp_path, LANEKEEPER_COMPLETE="1", LANEKEEPER_NIGHTLY="1")
    assert done.returncode == 0
    assert "left out" not in done.stdout
    assert "3 passed" in done.stdout


def test_an_unknown_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(TESTS.replace('"vim"', '"vmi"'))
    done = run_pytest(tmp_path)
    assert done.returncode == 4
    assert "add it to NEEDS" in done.stdout + done.stderr


def test_the_ci_script_installs_every_program_of_the_table() -> None:
    script = (KIT.parent / ".ci" / "run").read_text("utf-8")
    lines = set(script.splitlines())
    wanted = {f"{name} {need.package}" for name, need in NEEDS.items() if need.package}
    assert wanted <= lines


def test_the_preflight_names_everything_that_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", str(KIT.parent / ".ci" / "preflight")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    for package in ("git", "make", "python3 python3-venv"):
        assert f"install: apt-get install -y {package}\n" in done.stderr


def test_the_preflight_prints_a_python_that_can_make_environments() -> None:
    done = subprocess.run(
        ["/bin/sh", str(KIT.parent / ".ci" / "preflight")],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run([done.stdout.strip(), "-c", "import venv, ensurepip"], check=True)
