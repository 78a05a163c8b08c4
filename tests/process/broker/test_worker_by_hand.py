"""`lane worker NAME`: a worker that a person starts, and a broker that may not want it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kit.waiting import wait_until
from process.broker.bus import Bus


@contextmanager
def worker(directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "lanekeeper.workers", "build"]
    with subprocess.Popen(
        [*command, "--runtime-dir", str(directory)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def starting(directory: Path) -> Iterator[ExitStack]:
    """What is started ends with the test."""
    (directory / "log").mkdir(exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        yield stack


def test_a_second_worker_of_a_name_is_told_and_ends(
    directory: Path, bus: Bus, starting: ExitStack
) -> None:
    client = bus.client()
    first = starting.enter_context(worker(directory))
    wait_until(lambda: client.call("lane.list")["lanes"], 10.0, "the first worker")
    second = starting.enter_context(worker(directory))
    _, errors = second.communicate(timeout=10.0)
    assert second.returncode == 5
    assert "ALREADY_EXISTS" in errors
    assert "refuses this lane" in (directory / "log" / "worker.log").read_text("utf-8")
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    assert first.wait(10.0) == 0
