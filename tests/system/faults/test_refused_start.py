"""A program that cannot run is refused, also when its worker dies before it has noted why."""

import os
import threading
from collections.abc import Iterator

import pytest

from kit.waiting import wait_until
from lanekeeper.client import SpawnFailed, connect
from lanekeeper.soak.cluster import Cluster

MOMENT = "worker.start.told"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(warm=1)
    yield made
    assert made.stop() == []


def test_the_reason_is_read_again_by_the_successor(cluster: Cluster) -> None:
    cluster.arm(MOMENT)

    def kill() -> None:
        (held,) = wait_until(lambda: cluster.held(MOMENT), 10, "a worker that has read the reason")
        os.kill(held.pid, 9)

    killer = threading.Thread(target=kill)
    killer.start()
    with connect(cluster.directory) as plane:
        lane = plane.lane("refused")
        with pytest.raises(SpawnFailed, match="No such file or directory"):
            lane.spawn(["/no/such/program"])
        killer.join()
        assert lane.refresh().generation == 2
        assert lane.run(["echo", "fine"]).output == b"fine\n"
