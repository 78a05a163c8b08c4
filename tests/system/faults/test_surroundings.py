"""What surrounds a plane fails: its directory goes, several people start it at once."""

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
from lanekeeper.soak import keeper
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.subject import Subject

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
