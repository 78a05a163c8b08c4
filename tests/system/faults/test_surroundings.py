"""What surrounds a plane fails: descriptors run out, a directory goes, two people start it."""

import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit import places
from kit.cluster import LANE, clean_environment
from kit.waiting import wait_until
from lanekeeper.client import LaneError, connect
from lanekeeper.soak import keeper, proc
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.subject import Subject

REFUSALS = {
    "worker": {"SPAWN_FAILED", "LIMIT_EXCEEDED"},
    "nursery": {"SPAWN_FAILED"},
    # A program waits at its gate until the vault has room; its caller may tire of that.
    "keeper": {"SPAWN_FAILED", "LIMIT_EXCEEDED", "TIMEOUT"},
}
Drive = Callable[[Callable[[], bool], float], bool]


def spawn(cluster: Cluster) -> str:
    """Start a program in the flooded lane; return its state, or the code of the refusal."""
    with connect(cluster.directory, timeout=10) as plane:
        try:
            terminal = plane.lane("flooded", create=False).spawn(["sleep", "1000"])
        except LaneError as error:
            return error.code
        terminal.close(0)
        return "started"


def flowing(subject: Subject, drive: Drive) -> bool:
    """Whether output goes on to come, and input to be taken."""
    since = time.monotonic()
    return drive(lambda: subject.judge.stamp >= since * 1e9 and subject.acknowledged >= since, 10.0)


def victim_of(cluster: Cluster, subject: Subject, role: str) -> proc.Seen:
    """Return the process of a role, the flooded lane's worker for a worker."""
    (found,) = cluster.status().of(role, subject.lane.id if role == "worker" else None)
    return found


@pytest.mark.parametrize("role", list(REFUSALS))
def test_without_descriptors_programs_are_refused_and_nothing_is_lost(
    cluster: Cluster, subject: Subject, drive: Drive, role: str
) -> None:
    assert flowing(subject, drive)
    victim = victim_of(cluster, subject, role)
    usual = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)
    size = proc.measure(victim.pid)
    assert size is not None
    # A worker polls what it has, and the kernel polls no more than the limit.
    few = size.descriptors + 2 if role == "worker" else 4
    with ThreadPoolExecutor(1) as pool:
        resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (few, usual[1]))
        asked = pool.submit(spawn, cluster)
        assert drive(asked.done, 20.0)
        assert asked.result() in REFUSALS[role]
        assert flowing(subject, drive)
        resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, usual)
        again = pool.submit(wait_until, lambda: spawn(cluster) == "started", 20, "a program")
        assert drive(again.done, 25.0)
        assert again.result()
    assert victim_of(cluster, subject, role) == victim


def test_a_broker_without_descriptors_is_back_when_there_are_some(
    cluster: Cluster, subject: Subject, drive: Drive
) -> None:
    assert flowing(subject, drive)
    broker = victim_of(cluster, subject, "broker")
    size = proc.measure(broker.pid)
    assert size is not None
    _, hard = usual = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
    with ThreadPoolExecutor(4) as pool:
        resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (size.descriptors + 2, hard))
        # libzmq ends a process that cannot accept a connection; the keeper starts another.
        crowd = [pool.submit(spawn, cluster) for _ in range(4)]
        assert drive(lambda: all(one.done() for one in crowd), 30.0)
        assert flowing(subject, drive)
        if proc.lives(broker):
            resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, usual)
        again = pool.submit(wait_until, lambda: spawn(cluster) == "started", 20, "a program")
        assert drive(again.done, 25.0)
        assert again.result()


def test_a_runtime_directory_that_is_deleted_under_flood_comes_back(
    cluster: Cluster, subject: Subject, drive: Drive
) -> None:
    assert flowing(subject, drive)
    shutil.rmtree(cluster.directory)

    def back() -> bool:
        try:
            return bool(keeper.status(cluster.directory).processes)
        except keeper.SilentError:
            return False

    assert drive(back, 2.0)
    assert flowing(subject, drive)
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(wait_until, lambda: spawn(cluster) == "started", 20, "a program")
        assert drive(again.done, 25.0)
        assert again.result()


def up(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start the plane, as one of several people."""
    return subprocess.run(
        [LANE, "up", "--detach"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@pytest.fixture
def base() -> Path:
    """A private directory for a plane that the test starts itself."""
    return places.private_directory()


def test_of_several_who_start_a_plane_at_once_one_does(base: Path) -> None:
    environment = clean_environment(base)
    try:
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: up(environment), range(4)))
        codes = sorted(one.returncode for one in done)
        assert codes[0] == 0, [one.stderr for one in done]
        assert set(codes) <= {0, 5}, [one.stderr for one in done]
        found = keeper.status(base / "p")
        assert [len(found.of(role)) for role in ("keeper", "broker", "nursery", "collector")] == [
            1,
            1,
            1,
            1,
        ]
    finally:
        subprocess.run([LANE, "down", "--yes"], env=environment, capture_output=True, check=False)
        places.remove(base)
