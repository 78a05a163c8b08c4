"""What broker and collector have in common as programs: their arguments and refusals."""

import subprocess
import sys
from pathlib import Path

import pytest

ROLES = pytest.mark.parametrize("role", ["broker", "collector"])


def start(role: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"lanekeeper.{role}", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


@ROLES
def test_a_bad_runtime_directory_is_refused(directory: Path, role: str) -> None:
    directory.chmod(0o755)
    refused = start(role, "--runtime-dir", str(directory))
    assert refused.returncode == 3
    assert refused.stderr.startswith(f"{role}: ")
    assert "chmod 700" in refused.stderr


@ROLES
def test_a_socket_that_cannot_be_bound_is_told(directory: Path, role: str) -> None:
    names = {"broker": "workers.sock", "collector": "collector.sock"}
    (directory / names[role]).mkdir()
    failed = start(role, "--runtime-dir", str(directory))
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"{role}: cannot serve: ")
    (directory / names[role]).rmdir()


@ROLES
def test_an_unknown_level_is_refused(directory: Path, role: str) -> None:
    refused = start(role, "--runtime-dir", str(directory), "--log-level", "loud")
    assert refused.returncode == 3
    assert "loud" in refused.stderr
