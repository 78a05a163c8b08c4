"""A client in another language, written from the protocol page alone, against a real plane."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit import checked
from kit.checked import Checker
from kit.cluster import Plane
from kit.programs import NODE_CLIENT
from kit.viewers import flood, wait_state
from kit.waiting import wait_readable, wait_until

pytestmark = pytest.mark.needs("node client")
SEED = 11
MIB = 1 << 20


@contextmanager
def client(plane: Plane, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the client with pipes; it is gone afterwards."""
    process = subprocess.Popen(
        ["node", NODE_CLIENT / "lane.mjs", *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=plane.env | {"PYTHONPATH": checked.environment()["PYTHONPATH"]},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(
    plane: Plane, *args: str, stdin: bytes = b"", timeout: float = 40.0
) -> tuple[int, bytes, str]:
    """Run the client to its end; return its status and both streams."""
    with client(plane, *args) as process:
        output, errors = process.communicate(stdin, timeout)
    return process.returncode, output, errors.decode()


def test_it_runs_a_program_and_has_its_status(shared_plane: Plane) -> None:
    assert run(shared_plane, "run", "a", "--", "sh", "-c", "echo hi; exit 7") == (7, b"hi\n", "")
    assert run(shared_plane, "run", "a", "--", "sh", "-c", "kill -9 $$") == (137, b"", "")


def test_what_is_refused_is_said(shared_plane: Plane) -> None:
    status, output, errors = run(shared_plane, "attach", "nobody")
    assert (status, output) == (1, b"")
    assert "LANE_NOT_FOUND" in errors


def test_input_and_its_end_pass_unchanged(shared_plane: Plane) -> None:
    data = os.urandom(1_500_000)
    assert run(shared_plane, "run", "pipe", "--", "cat", stdin=data) == (0, data, "")


def test_a_flood_many_times_the_log_is_exact(shared_plane: Plane) -> None:
    size = 40 * MIB
    status, output, errors = run(
        shared_plane, "run", "flood", "--", *checked.command(SEED, size, "--status", "3")
    )
    assert (status, errors, len(output)) == (3, "", size)
    Checker(SEED).feed(output)


def test_a_reader_that_pauses_loses_nothing(shared_plane: Plane) -> None:
    size = 8 * MIB
    command = checked.command(SEED, size)
    with client(shared_plane, "run", "pause", "--", *command) as process:
        assert process.stdout is not None
        wait_readable(process.stdout.fileno(), 20.0)
        with shared_plane.connect() as plane:
            wait_state(plane.terminal("pause"), "throttled")
        checker = Checker(SEED)
        while data := os.read(process.stdout.fileno(), 1 << 16):
            checker.feed(data)
        assert process.wait(10) == 0
    assert checker.offset == size


@pytest.mark.parametrize("capacity", [64 * MIB, MIB])
def test_an_observer_that_was_stopped_repairs_what_the_log_has(
    shared_plane: Plane, tmp_path: Path, capacity: int
) -> None:
    size = 40 * MIB
    with shared_plane.connect() as plane:
        source = flood(tmp_path, plane.lane("seen"), SEED, size, before=4096, capacity=capacity)
        address = f"seen.{source.terminal.info.name}"
        with client(shared_plane, "attach", address, "--observe") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            wait_readable(process.stdout.fileno(), 20.0)
            process.send_signal(signal.SIGSTOP)
            source.open()
            source.terminal.wait(30)
            process.send_signal(signal.SIGCONT)
            output, errors = process.communicate(timeout=40)
    gaps = [
        tuple(map(int, line.split()[1:])) for line in errors.decode().replace("]", "").splitlines()
    ]
    verify(output, gaps, size)
    assert process.returncode == 0
    assert bool(gaps) is (capacity < size)


def verify(output: bytes, gaps: list[tuple[int, ...]], size: int) -> None:
    """Hold the output against the stream, with the gaps in their places."""
    checker, at = Checker(SEED), 0
    for start, end in gaps:
        piece = output[at : at + start - checker.offset]
        checker.feed(piece)
        checker.gap(start, end)
        at += len(piece)
    checker.feed(output[at:])
    assert checker.offset == size


def test_attaching_at_any_offset_is_exact_during_a_flood(
    shared_plane: Plane, tmp_path: Path
) -> None:
    size = 30 * MIB
    with shared_plane.connect() as plane:
        before = 300_001
        source = flood(tmp_path, plane.lane("late"), SEED, size, before=before, capacity=8 * MIB)
        wait_until(lambda: source.terminal.refresh().head >= before, 20.0, "the first output")
        address = f"late.{source.terminal.info.name}"
        with client(shared_plane, "attach", address, "--from", "123457") as process:
            assert process.stdout is not None
            wait_readable(process.stdout.fileno(), 20.0)
            source.open()
            output, errors = process.communicate(timeout=40)
    assert (process.returncode, errors) == (0, b"")
    checker = Checker(SEED, 123_457)
    checker.feed(output)
    assert checker.offset == size


def test_a_viewer_of_a_small_log_is_not_demoted(shared_plane: Plane, tmp_path: Path) -> None:
    size, small = 4 * MIB, 64 * 1024
    checker, policies = Checker(SEED), set()
    with shared_plane.connect() as plane:
        lane = plane.lane("small")
        source = flood(tmp_path, lane, SEED, size, before=4096, capacity=small)
        address = f"small.{source.terminal.info.name}"
        with client(shared_plane, "attach", address) as process:
            assert process.stdout is not None
            wait_readable(process.stdout.fileno(), 20.0)
            source.open()
            while data := os.read(process.stdout.fileno(), 1 << 16):
                checker.feed(data)
                policies |= {one.policy for one in source.terminal.consumers()}
            assert process.wait(10) == 0
    assert checker.offset == size
    assert policies == {"block"}
