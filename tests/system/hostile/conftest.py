"""What every test of bad input gets: a plane with a bystander, looked at again afterwards."""

from collections.abc import Iterator

import pytest

from kit.cluster import Plane
from kit.standing import Standing


@pytest.fixture
def standing(shared_plane: Plane) -> Iterator[Standing]:
    """The module's plane with a bystander; the check that it stands comes after the test."""
    with Standing(shared_plane) as found:
        yield found
        found.check()
