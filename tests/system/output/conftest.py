"""What the tests of the output path share."""

from collections.abc import Iterator

import pytest

from kit.cluster import Plane
from kit.wire_client import WireClient
from lanekeeper.client import Plane as Connected


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    """A connection to the module's plane."""
    with shared_plane.connect() as plane:
        yield plane


@pytest.fixture
def wire(shared_plane: Plane) -> Iterator[WireClient]:
    """A client of the module's plane without the library."""
    with WireClient(shared_plane.dir) as opened:
        yield opened
