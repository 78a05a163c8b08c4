"""A real broker process and sockets to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from process.broker.bus import Bus, Daemon, private_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    """A runtime directory of this test alone."""
    with private_directory() as path:
        yield path


@pytest.fixture
def broker(directory: Path) -> Iterator[Daemon]:
    """A broker without a keeper; it must end well."""
    daemon = Daemon(directory, "broker")
    yield daemon
    if daemon.process.poll() is None:
        assert daemon.stop() == 0


@pytest.fixture
def bus(directory: Path, broker: Daemon) -> Iterator[Bus]:
    """Sockets to that broker."""
    assert broker.process.poll() is None
    with Bus(directory) as opened:
        yield opened
