"""What programs read and write arrives exactly: binary, long lines, floods, ends of input."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator

import msgpack
import pytest

from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import wait_until
from kit.wire_client import WireClient, command
from lanekeeper.client import Data, Ended, Lane, LaneError, Refused, Terminal, TimedOut
from lanekeeper.client import Plane as Connected

SEEDED = (
    "import random, sys\n"
    "r = random.Random(7)\n"
    "for _ in range({count}): sys.stdout.buffer.write(r.randbytes(65536))\n"
)
SINK = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    with shared_plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("bytes")


def seeded(count: int) -> bytes:
    """Return what `SEEDED` writes, made by the same generator."""
    done = subprocess.run(
        [sys.executable, "-c", SEEDED.format(count=count)], capture_output=True, check=True
    )
    return done.stdout


def started(terminal: Terminal) -> Terminal:
    with Observer(terminal) as seen:
        seen.until(b"up")
    return terminal


def test_all_byte_values_pass_both_ways(lane: Lane) -> None:
    data = bytes(range(256)) * 1000
    assert lane.run(["cat"], input=data).output == data


def test_raw_output_of_a_terminal_is_exact(lane: Lane) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 64)"
    terminal = lane.spawn([sys.executable, "-c", script], output="raw")
    with Observer(terminal) as seen:
        assert seen.to_end().code == 0
    assert bytes(seen.data) == bytes(range(256)) * 64


def test_a_terminal_ends_lines_as_terminals_do(lane: Lane) -> None:
    with Observer(lane.spawn(["printf", "a\nb\r\n"])) as seen:
        seen.to_end()
    assert bytes(seen.data) == b"a\r\nb\r\r\n"


def test_a_megabyte_on_one_line_arrives_whole(shared_plane: Plane) -> None:
    script = "head -c 1000000 /dev/zero | tr '\\0' x"
    done = shared_plane.lane_bytes("run", "bytes", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (0, b"x" * 1_000_000)


def test_lane_run_is_a_pipe(shared_plane: Plane) -> None:
    data = bytes(range(256)) * 2000
    done = shared_plane.lane_bytes("run", "bytes", "--", "cat", stdin=data)
    assert (done.returncode, done.stdout) == (0, data)


def test_unicode_split_anywhere_arrives_whole(lane: Lane) -> None:
    text = "日本語 žluť 🙂 e\u0301 \u202e\u05e2\u05d1\n".encode() * 300
    script = (
        "import os, sys\n"
        "data = sys.stdin.buffer.read()\n"
        "for n in range(0, len(data), 7): os.write(1, data[n : n + 7])"
    )
    assert lane.run([sys.executable, "-c", script], input=text).output == text


def test_two_megabytes_through_a_pipe_into_sha256sum(lane: Lane) -> None:
    data = seeded(32)
    done = lane.run(["sha256sum"], input=data)
    assert done.output.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_consumer_that_pauses_gets_every_byte_of_twenty_megabytes(
    client: Connected, lane: Lane
) -> None:
    count = 320
    program = [sys.executable, "-c", SEEDED.format(count=count)]
    terminal = lane.spawn(program, output="raw", policy="forever", capacity=1024 * 1024)
    found = bytearray()
    pauses = 0
    with terminal.output(policy="forever", timeout=15) as output:
        for item in output:
            assert isinstance(item, Data | Ended), item
            if isinstance(item, Data):
                assert item.offset == len(found)
                found += item.data
            if len(found) > (pauses + 1) * 5_000_000:
                pauses += 1
                _pause(client, terminal)
    assert pauses == 4
    assert len(found) == count * 65536
    assert hashlib.sha256(found).digest() == hashlib.sha256(seeded(count)).digest()


def _pause(client: Connected, terminal: Terminal) -> None:
    """Take nothing until the program has stood still for a while."""
    seen: list[int] = []

    def stands() -> bool:
        client.wait((), 0.05)  # renews the lease, as a living client does
        seen.append(terminal.refresh().head)
        return len(seen) > 3 and len(set(seen[-4:])) == 1

    wait_until(stands, 10, "standstill of the program")


def test_a_subscriber_that_is_too_slow_is_told_what_it_lost(lane: Lane) -> None:
    count = 384
    program = [sys.executable, "-c", SEEDED.format(count=count)]
    terminal = lane.spawn(program, output="raw", capacity=65536)
    with Observer(terminal, policy="drop") as seen:
        seen.to_size(1)
        terminal.wait(15)  # nobody takes anything meanwhile
        assert seen.to_end().code == 0
    whole = seeded(count)
    assert seen.gaps
    assert sum(gap.end - gap.start for gap in seen.gaps) + len(seen.data) == len(whole)
    kept = _between(whole, [(gap.start, gap.end) for gap in seen.gaps])
    assert bytes(seen.data) == kept


def _between(whole: bytes, gaps: list[tuple[int, int]]) -> bytes:
    edges = [0, *(edge for gap in gaps for edge in gap), len(whole)]
    return b"".join(whole[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def test_lost_messages_are_repaired_from_the_log(lane: Lane) -> None:
    count = 48
    program = [sys.executable, "-c", SEEDED.format(count=count)]
    terminal = lane.spawn(program, output="raw", capacity=8 * 1024 * 1024)
    with Observer(terminal, policy="drop") as seen:
        seen.to_size(1)
        terminal.wait(15)
        seen.to_end()
    assert seen.gaps == []
    assert bytes(seen.data) == seeded(count)


def test_a_program_that_never_reads_exerts_backpressure(shared_plane: Plane, lane: Lane) -> None:
    terminal = started(lane.spawn(SINK, stdin="pipe"))
    with WireClient(shared_plane.dir) as wire:
        hot = f"lanes/{lane.id}.in"
        for _ in range(20):
            text = command("terminal.input", {"data": b"x" * 65536}, terminal_id=terminal.id)
            wire.send(msgpack.packb(text), to=hot)
        answers = [wire.receive(to=hot)]
        while answers[-1]["status"] == "ok":
            answers.append(wire.receive(to=hot))
    error = answers[-1]["error"]
    assert (error["code"], error["retryable"]) == ("BACKPRESSURE", True)
    assert error["details"]["limit"] == 1024 * 1024
    with pytest.raises(TimedOut) as caught:
        terminal.send(b"y" * 65536, timeout=0.3)
    assert caught.value.details["delivered"] == 0
    terminal.close(0)


def test_a_line_that_the_kernel_would_cut_is_refused(lane: Lane) -> None:
    terminal = started(lane.spawn(["sh", "-c", "echo up; exec cat"], cols=1000))
    with pytest.raises(Refused, match="4095"):
        terminal.send(b"y" * 5000 + b"\n")
    terminal.send(b"z" * 4095 + b"\n")
    with Observer(terminal) as seen:
        seen.until(b"z\r\n", count=2)
    assert seen.data.count(b"z") == 2 * 4095
    assert b"y" not in seen.data
    terminal.send(b"", eof=True)
    assert terminal.wait(5).code == 0


def test_a_raw_program_takes_long_lines(lane: Lane) -> None:
    script = "stty raw -echo; echo up; head -c 9000 | wc -c"
    terminal = started(lane.spawn(["sh", "-c", script]))
    terminal.send(b"y" * 9000)
    with Observer(terminal) as seen:
        seen.until(b"9000")
    assert terminal.wait(5).code == 0


@pytest.mark.parametrize("piped", [False, True])
def test_the_end_of_the_input_reaches_the_program(lane: Lane, *, piped: bool) -> None:
    script = "stty -echo 2>/dev/null; echo up; cat; echo over"
    terminal = started(
        lane.spawn(["sh", "-c", script], stdin="pipe" if piped else "tty", output="raw")
    )
    terminal.send(b"no newline", eof=True)
    with Observer(terminal) as seen:
        assert seen.to_end().code == 0
    assert bytes(seen.data).splitlines() == [b"up", b"no newlineover"]


def test_a_program_may_go_on_reading_after_an_end_of_input(lane: Lane) -> None:
    script = "stty -echo; echo up; cat; echo A; cat; echo B; cat; echo C"
    terminal = started(lane.spawn(["sh", "-c", script], output="raw"))
    with Observer(terminal) as seen:
        terminal.send(b"one", eof=True)
        seen.until(b"A\n")
        terminal.send(b"", eof=True)
        seen.until(b"B\n")
        terminal.send(b"two\n")
        seen.until(b"two\n")
        terminal.send(b"", eof=True)
        assert seen.to_end().code == 0
    assert bytes(seen.data) == b"up\noneA\nB\ntwo\nC\n"


def test_nothing_follows_the_end_of_a_pipe(lane: Lane) -> None:
    terminal = started(lane.spawn(SINK, stdin="pipe"))
    terminal.send(b"last", eof=True)
    with pytest.raises(LaneError) as caught:
        terminal.send(b"more")
    assert caught.value.code == "INVALID_TRANSITION"
    terminal.close(0)


def test_input_for_a_program_that_closed_its_input_is_refused(lane: Lane) -> None:
    script = "exec <&-; echo up; exec sleep 600"
    terminal = started(lane.spawn(["sh", "-c", script], stdin="pipe"))
    with pytest.raises(LaneError) as caught:
        terminal.send(b"x" * 100, timeout=5)
    assert caught.value.code == "INVALID_TRANSITION"
    terminal.close(0)
