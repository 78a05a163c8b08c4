"""What every test of bad input gets: a plane with a bystander, looked at again afterwards."""

from collections.abc import Iterator

import pytest

from kit.cluster import Plane
from kit.standing import Standing


@pytest.fixture(scope="module")
def module_standing(module_plane: Plane) -> Iterator[Standing]:
    """The module's plane with its bystander, who lives through all tests."""
    with Standing(module_plane) as found:
        yield found


@pytest.fixture
def standing(module_standing: Standing) -> Iterator[Standing]:
    """The plane as a test finds it; the check that it still stands comes after the test."""
    module_standing.begin()
    yield module_standing
    module_standing.check()
