"""What a pidfd says of a process that has been reaped."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lanekeeper.keeper.pidfds import Status, exit_status

PROGRAMS = [
    (["sh", "-c", "exit 7"], Status(7, None, core=False)),
    (["true"], Status(0, None, core=False)),
    (["sh", "-c", "ulimit -c 0; kill -SEGV $$"], Status(None, signal.SIGSEGV, core=False)),
]


def kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split(".")[:2])


@pytest.mark.parametrize(("argv", "status"), PROGRAMS)
def test_status_survives_the_reaper_where_the_kernel_keeps_it(
    argv: Sequence[str], status: Status
) -> None:
    with subprocess.Popen(argv) as process:
        pidfd = os.pidfd_open(process.pid)
        try:
            select.select([pidfd], [], [])
            assert exit_status(pidfd) is None, "nobody has reaped it"
            process.wait()
            assert exit_status(pidfd) == (status if kernel() >= (6, 15) else None)
        finally:
            os.close(pidfd)


def test_what_is_no_pidfd_tells_nothing() -> None:
    with Path(os.devnull).open("rb") as other:
        assert exit_status(other.fileno()) is None
