"""A start with the command id of an earlier one: its terminal, and nothing that is another's."""

import pytest

from kit.cluster import Plane
from lanekeeper.client.errors import ConflictError

CAT = ["cat"]


def test_the_writer_lease_of_a_start_is_not_that_of_its_repetition(shared_plane: Plane) -> None:
    with shared_plane.connect() as first, shared_plane.connect() as second:
        started = first.lane("again").spawn(CAT, command_id="cmd_writer", write="program")
        again = second.lane("again").spawn(CAT, command_id="cmd_writer", write="program")
        assert again.id == started.id
        with pytest.raises(ConflictError):
            again.lease()
        with pytest.raises(ConflictError):
            again.resize(100, 30)
        with started.lease():
            started.resize(90, 20)
        started.close()


def test_a_repetition_by_nobody_elses_client_may_take_the_writer_lease(shared_plane: Plane) -> None:
    with shared_plane.connect() as first:
        started = first.lane("again").spawn(CAT, command_id="cmd_left", write="program")
        with started.lease():
            assert started.refresh().writer is not None
    with shared_plane.connect() as second:
        again = second.lane("again").spawn(CAT, command_id="cmd_left", write="program")
        assert again.id == started.id
        with again.lease():
            again.resize(100, 30)
        again.close()
