"""Waiting for output and silence on a real plane, past the echo of what was typed."""

import asyncio
import re
import statistics
import sys
import time

import pytest

from kit.cluster import Plane
from lanekeeper.client import Busy, LaneError, Terminal, TimedOut
from lanekeeper.client import Plane as Connected
from lanekeeper.client.aio import connect as aio_connect
from lanekeeper.wire.messages.waiting import Wait, WaitResult

SHELL = ["bash", "--norc", "--noprofile", "-i"]
SLOW_ECHO = "import sys, time; time.sleep(0.2); print(sys.stdin.readline().upper())"


def shell(plane: Connected) -> Terminal:
    return plane.lane("wait").spawn(SHELL, env={"PS1": "% ", "PATH": "/usr/bin:/bin"})


def line_of(terminal: Terminal, start: int) -> bytes:
    """Return the line of output in which a match stands, as a person sees it."""
    output = terminal.read(0).data
    line = output[output.rfind(b"\n", 0, start) + 1 : output.find(b"\n", start)]
    return re.sub(rb"\x1b\[[?0-9;]*[a-z]", b"", line).strip()


@pytest.mark.needs("bash")
def test_a_command_is_typed_and_its_own_output_waited_for(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = shell(plane)
        assert terminal.wait_for(10, match=r"% $", offset=0).reason == "match"
        for number in range(20):
            terminal.send(f"sleep 0.0{number % 4}; echo done {number}\r")
            found = terminal.wait_for(10, match=rf"done {number}\b", offset=terminal.typed_at)
            assert found.match is not None
            assert line_of(terminal, found.match.start) == f"done {number}".encode()


@pytest.mark.needs("bash")
def test_what_is_typed_before_the_shell_is_ready_is_echo_too(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        for _ in range(5):
            terminal = shell(plane)
            terminal.send("sleep 0.3; echo done\r")
            found = terminal.wait_for(10, match="done", offset=0)
            assert found.match is not None
            assert line_of(terminal, found.match.start) == b"done"
            echo = terminal.wait_for(10, match="done", offset=0, echo=True)
            assert echo.match is not None
            assert echo.match.start < found.match.start


def test_a_program_that_repeats_its_input_is_heard(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("wait").spawn(["cat"])
        terminal.send("hello\n")
        found = terminal.wait_for(10, match="hello", offset=terminal.typed_at)
        assert found.match is not None
        assert found.match.start == len(b"hello\r\n")


def test_silence_and_the_end(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        script = "for n in 1 2 3 4 5; do echo $n; sleep 0.2; done; read x"
        terminal = plane.lane("wait").spawn(["sh", "-c", script])
        before = time.monotonic()
        assert terminal.wait_for(10, idle=0.5).reason == "idle"
        assert time.monotonic() - before > 1.2
        with pytest.raises(TimedOut):
            terminal.wait_for(0.2, match="never")
        terminal.send("\n")
        ended = terminal.wait_for(10, match="never")
        assert (ended.reason, ended.exit and ended.exit.code) == ("exit", 0)


def test_a_match_is_given_with_its_groups_and_gap(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("wait").spawn(
            ["sh", "-c", "seq 1 60000; echo took 12 ms"], capacity=65536
        )
        terminal.wait(10)
        found = terminal.wait_for(10, match=r"took (\d+) (\w+)", offset=0)
        assert found.match is not None
        assert (found.match.text, found.match.groups) == (b"took 12 ms", [b"12", b"ms"])
        assert found.gap is not None
        assert (found.gap.start, found.gap.end) == (0, terminal.refresh().tail)


def test_a_wait_in_vain_says_how_far_it_has_searched(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("wait").spawn(["cat"])
        terminal.send("a" * 3000 + "\n")
        assert terminal.wait_for(10, match="a\r?$", echo=True, offset=0).reason == "match"
        with pytest.raises(TimedOut) as direct:
            terminal.wait_for(0.5, match="never", offset=0)
        assert "searched" in direct.value.details
        wait = Wait(until="match", pattern="never", offset=0)
        with pytest.raises(TimedOut) as brokered:
            plane.call(
                "terminal.wait", wait, result=WaitResult, terminal_id=terminal.id, timeout=0.5
            )
        assert "searched" in brokered.value.details
        terminal.close()


def test_patterns_that_cannot_be_are_refused(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("wait").spawn(["cat"])
        with pytest.raises(LaneError, match=r"missing \)") as wrong:
            terminal.wait_for(5, match="(a")
        assert wrong.value.code == "INVALID_ARGUMENT"
        with pytest.raises(Busy, match="instructions"):
            terminal.wait_for(5, match="((a|b){100}){9}")


@pytest.mark.parametrize("pattern", ["(a+)+$b", "(?:a|b)*a(?:a|b){60}c"])
def test_no_pattern_delays_another_terminal(shared_plane: Plane, pattern: str) -> None:
    flood = "import sys\nwhile True: sys.stdout.write('a' * 65536)"

    async def waits() -> list[float]:
        async with await aio_connect(shared_plane.dir, timeout=10) as plane:
            lane = await plane.lane("wait")
            cat = await lane.spawn(["cat"], output="raw")
            flooded = await lane.spawn([sys.executable, "-c", flood], output="raw")
            tasks = [asyncio.create_task(flooded.wait_for(match=pattern)) for _ in range(4)]
            await flooded.wait_for(match="a{100}", timeout=10)
            times = []
            for number in range(100):
                word = f"<{number}>"
                before = time.monotonic()
                await cat.send(f"{word}\n")
                await cat.wait_for(match=word, offset=cat.typed_at, echo=True, timeout=10)
                times.append(time.monotonic() - before)
            for task in tasks:
                assert not task.done()
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await flooded.close(0)
            return times

    assert statistics.median(asyncio.run(waits())) < 0.1
