"""Fixtures of what attaches: a fake plane of real sockets, and a client connected to it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanekeeper.client import Plane, connect
from unit.client.fakeplane import FakePlane


@pytest.fixture
def fake() -> Iterator[FakePlane]:
    """A fake plane in a short private directory."""
    with tempfile.TemporaryDirectory(prefix="lk") as directory, FakePlane(Path(directory)) as plane:
        yield plane


@pytest.fixture
def plane(fake: FakePlane) -> Iterator[Plane]:
    """A client of the fake plane."""
    with connect(fake.directory, timeout=1.0) as connected:
        yield connected
