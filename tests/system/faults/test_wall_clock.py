"""The wall clock jumps by an hour, forward and back, under a plane that runs: nothing takes notice.

Every process of the plane runs with libfaketime, which adds to the wall clock what a file says at
that moment and leaves the monotonic clock as it is: what a clock that is set does. The machine's
own clock is not touched.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.cluster import LANE
from lanekeeper.client import Plane
from lanekeeper.soak import proc
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.faults import viewing
from lanekeeper.soak.subject import Subject

HOUR = 3600
JUMPS = (HOUR, -HOUR, 24 * HOUR, 0)
HANG_AFTER = 8.0
WAIT = 3.0
"""Seconds that a command waits; the clock jumps when half of them have passed."""
LIBRARIES = ("/usr/lib", "/usr/local/lib")

Drive = Callable[[Callable[[], bool], float], bool]


@pytest.fixture
def offset(tmp_path: Path) -> Path:
    """The file that says how far the wall clock is off."""
    path = tmp_path / "offset"
    path.write_text("+0\n")
    return path


@pytest.fixture
def cluster(offset: Path) -> Iterator[Cluster]:
    """A plane whose wall clock can be set."""
    library = next(path for top in LIBRARIES for path in Path(top).glob("**/libfaketimeMT.so.1"))
    started = Cluster(
        hang_after=HANG_AFTER,
        extra={
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        },
    )
    try:
        yield started
    finally:
        left = started.stop()
    assert left == []


def set_clock(offset: Path, seconds: int) -> None:
    """Set the wall clock of the plane, in one step."""
    new = offset.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n")
    new.replace(offset)


def off(plane: Plane, name: str) -> float:
    """Return how far the clocks of broker and worker are off, by what they say of a new lane."""
    lane = plane.create_lane(name)
    made = lane.spawn(["true"]).info.created
    lane.cleanup(0)
    found = {lane.info.created, made}
    ages = {
        datetime.fromisoformat(one).timestamp() - datetime.now(UTC).timestamp() for one in found
    }
    assert max(ages) - min(ages) < HOUR / 2, ages
    return min(ages)


def waited(cluster: Cluster, address: str) -> float:
    """Have a command wait in vain; return for how long it did."""
    command = [LANE, "wait", address, "--match", "never to be seen", "--timeout", f"{WAIT:g}"]
    began = time.monotonic()
    done = subprocess.run(
        command, env=cluster.environment, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 8, done.stderr
    return time.monotonic() - began


def daemons(cluster: Cluster, subject: Subject) -> list[proc.Seen]:
    """Return every process of the plane that would be replaced if it were thought to hang."""
    roles = [("keeper", None), ("nursery", None), ("broker", None), ("collector", None)]
    status = cluster.status()
    found = [status.of(role, lane) for role, lane in [*roles, ("worker", subject.lane.id)]]
    return [one for (one,) in found]


@pytest.mark.needs("faketime")
def test_no_jump_of_the_wall_clock_is_noticed(
    cluster: Cluster, subject: Subject, connected: Plane, drive: Drive, offset: Path
) -> None:
    def flows() -> bool:
        since = time.monotonic()
        return drive(lambda: subject.acknowledged >= since, 5.0)

    assert drive(lambda: subject.acknowledged > 0, 10.0)
    before = daemons(cluster, subject)
    for number, jump in enumerate(JUMPS):
        set_clock(offset, jump)
        assert abs(off(connected, f"at{number}") - jump) < HOUR / 2
        assert flows()
    with ThreadPoolExecutor(2) as pool:
        set_clock(offset, -HOUR)
        waits = [pool.submit(waited, cluster, subject.address) for _ in range(2)]
        began = time.monotonic()
        assert drive(lambda: time.monotonic() > began + WAIT / 2, WAIT)
        set_clock(offset, HOUR)
        assert drive(lambda: all(one.done() for one in waits), 30.0)
    lasted = [one.result() for one in waits]
    assert all(WAIT <= seconds < 10.0 for seconds in lasted), lasted
    assert daemons(cluster, subject) == before


@pytest.mark.nightly
@pytest.mark.needs("faketime")
def test_what_is_due_comes_although_the_clock_was_set_back(
    cluster: Cluster, subject: Subject, drive: Drive, offset: Path
) -> None:
    assert drive(lambda: subject.acknowledged > 0, 10.0)
    (worker,) = cluster.status().of("worker", subject.lane.id)
    with viewing(cluster, subject.address, "block") as viewer:
        assert drive(lambda: bool(viewer.stdout and viewer.stdout.readable()), 10.0)
        os.kill(worker.pid, signal.SIGSTOP)
        set_clock(offset, -HOUR)
        since = time.monotonic()
        assert drive(lambda: subject.judge.stamp > (since + 2) * 1e9, 2 * HANG_AFTER + 7)
    set_clock(offset, 0)
    assert list(subject.alone()) == []
    assert not proc.lives(worker)
