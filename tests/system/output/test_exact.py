"""Whoever attaches, wherever and however often, gets exactly the bytes there are, once."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import pytest

from kit.checked import Checker
from kit.cluster import Plane
from kit.registered import Registered, registered
from kit.viewers import MIB, Flood, Viewer, flood, wait_state
from kit.waiting import wait_until
from kit.wire_client import WireClient
from lanekeeper.client import Data, Ended, Gap, Item, Terminal
from lanekeeper.client import Plane as Connected
from lanekeeper.client.starting import Policy

SEED = 6
BEFORE = 4096
PATIENCE = 40.0
POLICIES: tuple[Policy, ...] = get_args(Policy)
CYCLES = 100
STEP = 262_147
"""A prime: multiples of it fall anywhere within a block, a page and a message."""


def take(checker: Checker, item: Item) -> bool:
    """Verify an item; return whether it is the end."""
    match item:
        case Data():
            checker.feed(item.data)
        case Gap():
            checker.gap(item.start, item.end)
        case Ended():
            assert item.offset == checker.offset
            return True
    return False


def piece(terminal: Terminal, checker: Checker, size: int, policy: Policy) -> bool:
    """Attach where the last left off, take about `size` bytes, detach; return whether it ended."""
    upto = checker.offset + size
    with terminal.output(checker.offset, policy=policy, timeout=PATIENCE) as output:
        for item in output:
            if take(checker, item):
                return True
            if checker.offset >= upto:
                break
    return False


def test_a_hundred_attaches_and_detaches_during_a_flood_concatenate(
    client: Connected, wire: WireClient, tmp_path: Path
) -> None:
    size = 40 * MIB
    program = flood(tmp_path, client.lane("cycles"), SEED, size, before=BEFORE)
    # Nobody is registered between two cycles: a consumer by hand keeps the log for the next.
    keeping = registered(wire, program.terminal.info)
    keeping.consume("forever", 0)
    program.open()
    checker, ended = Checker(SEED), False
    for cycle in range(CYCLES):
        policy = POLICIES[cycle % len(POLICIES)]
        ended = piece(program.terminal, checker, cycle * STEP % 600_000, policy)
        keeping.acknowledge(checker.offset)
    assert checker.gaps == []
    assert checker.offset > 10 * MIB
    assert not ended
    keeping.release()
    while not ended:
        ended = piece(program.terminal, checker, size, "forever")
    assert checker.offset == size


def test_several_viewers_at_once_are_each_exact(
    shared_plane: Plane, client: Connected, tmp_path: Path
) -> None:
    size = 24 * MIB
    program = flood(tmp_path, client.lane("crowd"), SEED, size, before=BEFORE)
    with ExitStack() as stack:
        viewers = [
            stack.enter_context(
                Viewer(shared_plane, program.terminal, SEED, "--policy", "forever", *options)
            )
            for options in ([], [], ["--start", "1000"], ["--start", "4095"])
        ]
        program.open()
        reports = [viewer.done(PATIENCE) for viewer in viewers]
    assert [report["gaps"] for report in reports] == [[]] * 4
    assert {report["offset"] for report in reports} == {size}
    delivered = [report["delivered"] for report in reports]
    assert delivered == [size, size, size - 1000, size - 4095]


def test_viewers_that_come_in_the_middle_of_a_flood_are_exact_from_there(
    shared_plane: Plane, client: Connected, wire: WireClient, tmp_path: Path
) -> None:
    program = flood(tmp_path, client.lane("middle"), SEED, 1 << 40, before=BEFORE)
    keeping = registered(wire, program.terminal.info)
    keeping.consume("forever", 0)
    program.open()
    for _ in range(5):
        wait_state(program.terminal, "throttled")
        info = program.terminal.info
        start, until = (info.head + info.tail) // 2, info.head + 2 * MIB
        options = ["--policy", "forever", "--start", str(start), "--until", str(until)]
        with Viewer(shared_plane, program.terminal, SEED, *options) as late:
            go_on_to(program.terminal, keeping, until)
            report = late.done(PATIENCE)
        assert report["gaps"] == []
        assert report["offset"] >= until
    program.terminal.close(grace_s=0)


def go_on_to(terminal: Terminal, keeping: Registered, offset: int) -> None:
    """Let a program go on until its output has reached an offset."""

    def reached() -> bool:
        head = terminal.refresh().head
        keeping.acknowledge(head)
        return head >= offset

    wait_until(reached, PATIENCE, f"output up to {offset}")


@pytest.fixture
def finished(client: Connected, tmp_path: Path) -> Flood:
    """A program that has written 5 MiB into a log of one."""
    program = flood(tmp_path, client.lane("past"), SEED, 5 * MIB, capacity=MIB)
    program.open()
    assert program.terminal.wait(PATIENCE).code == 0
    return program


def read(plane: Plane, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run `lane read`."""
    done = plane.lane_bytes("read", "past", *options)
    assert done.returncode == 0
    return done


def test_reading_at_any_offset_that_is_kept_is_exact(shared_plane: Plane, finished: Flood) -> None:
    info = finished.terminal.refresh()
    assert info.head == 5 * MIB
    between = [info.tail + number * STEP % MIB for number in range(1, 6)]
    for offset in [info.tail, *between, info.head - 1, info.head]:
        checker = Checker(SEED, offset)
        done = read(shared_plane, "--from", str(offset))
        checker.feed(done.stdout)
        assert (checker.offset, done.stderr) == (info.head, b"")


def test_what_the_log_no_longer_has_is_reported_in_its_place(
    shared_plane: Plane, finished: Flood
) -> None:
    tail = finished.terminal.refresh().tail
    done = read(shared_plane, "--from", "1000")
    assert f"{tail - 1000} bytes".encode() in done.stderr
    lines = [
        json.loads(line)
        for line in read(shared_plane, "--from", "1000", "--json").stdout.splitlines()
    ]
    first = lines[0]
    assert (first["start"], first["end"]) == (1000, tail)
    checker = Checker(SEED, 1000)
    checker.gap(1000, tail)
    checker.feed(done.stdout)
    assert checker.offset == 5 * MIB
