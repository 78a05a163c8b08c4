"""`lane` started with standard streams that are closed: as with the null device."""

import os
import subprocess

import pytest

from kit.cluster import LANE
from unit.client.fakeplane import FakePlane


@pytest.mark.parametrize(
    ("closed", "status", "output"),
    [("<&-", 7, b"hello\n"), (">&-", 7, b""), ("<&- >&- 2>&-", 7, b"")],
)
def test_a_run_with_closed_streams(
    fake: FakePlane, closed: str, status: int, output: bytes
) -> None:
    words = [LANE, "--runtime-dir", str(fake.directory), "run", "build", "--", "both", "hello"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *words],
        env={**os.environ, "XDG_CONFIG_HOME": str(fake.directory)},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, output, b"")
