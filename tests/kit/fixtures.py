"""The fixtures of the suite: planes, and the check that a test leaves nothing behind.

Owns their scopes. The check is automatic under tests/process, tests/system and tests/docs; a test
elsewhere asks for it by naming `leak_check`. Loaded by tests/conftest.py.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from kit import leaks
from kit.cluster import Plane
from lanekeeper.wire.messages.lane import Ended, LaneCleanup

CHECKED: Final = frozenset({"process", "system", "docs"})
"""Folders below tests/ whose tests are checked without asking."""


@pytest.fixture
def leak_check(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if anything it started or opened is still there when it has ended."""
    tree = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    before = leaks.snapshot()
    yield
    found = leaks.left_behind(before, tree if isinstance(tree, Path) else None)
    leaks.sweep(before)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.fixture(autouse=True)
def _leak_check_where_processes_run(request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath
    inside = request.path.is_relative_to(root)
    if inside and CHECKED.intersection(request.path.relative_to(root).parts[1:2]):
        request.getfixturevalue("leak_check")


@pytest.fixture
def plane() -> Iterator[Plane]:
    """A plane of this test alone, stopped and checked afterwards."""
    with Plane() as started:
        yield started


@pytest.fixture(scope="module")
def module_plane() -> Iterator[Plane]:
    """A plane of all tests of a module; use `shared_plane`, which cleans up between them."""
    with Plane() as started:
        yield started


@pytest.fixture
def shared_plane(module_plane: Plane) -> Iterator[Plane]:
    """The module's plane; lanes are cleaned after each test."""
    yield module_plane
    with module_plane.connect() as client:
        for lane in client.lanes():
            client.call("lane.cleanup", LaneCleanup(grace_s=1.0), result=Ended, lane_id=lane.id)
