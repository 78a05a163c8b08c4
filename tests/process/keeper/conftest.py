"""Planes for process tests; each is ended, and its processes searched for, after its test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from process.keeper import plane as planes


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., planes.Plane]]:
    started: list[planes.Plane] = []

    def begin(**options: object) -> planes.Plane:
        started.append(planes.start(tmp_path / "plane", **options))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


@pytest.fixture
def plane(start: Callable[..., planes.Plane]) -> planes.Plane:
    one = start()
    assert one.announced() == "ready"
    return one
