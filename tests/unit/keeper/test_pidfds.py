"""How a process ended that is not our child: from /proc before it is reaped, by pidfd after."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lanekeeper.keeper import identity
from lanekeeper.keeper.pidfds import Status, ended, exit_status, unreaped_status

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
            started = identity.start_time(process.pid, zombies=True) or 0
            assert ended(pidfd, identity.Process(process.pid, started)) == status
            assert unreaped_status(identity.Process(process.pid, started + 1)) is None
            process.wait()
            assert exit_status(pidfd) == (status if kernel() >= (6, 15) else None)
        finally:
            os.close(pidfd)


def test_process_that_runs_has_no_status() -> None:
    assert unreaped_status(identity.current()) is None


def test_what_is_no_pidfd_tells_nothing() -> None:
    with Path(os.devnull).open("rb") as other:
        assert exit_status(other.fileno()) is None
