"""What `lane bench` takes for granted of the plane it starts."""

from lanekeeper.bench.private import WARM
from lanekeeper.keeper.launch import DEFAULT_WARM


def test_it_waits_for_as_many_warm_workers_as_a_plane_has() -> None:
    assert WARM == DEFAULT_WARM
