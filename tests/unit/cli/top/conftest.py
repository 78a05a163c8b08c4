"""A board on made-up lanes."""

import pytest

from unit.cli.top.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """A board before its first look."""
    return Desk()
