"""The broker is killed, and nobody loses anything: lanes, names, answers, events, streams."""

import functools
import os
import signal
import threading
import time

import pytest

from kit.checked import Checker, command, environment
from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.client import Data, Ended, Gap, LaneError
from lanekeeper.wire.messages.plane import Statistics
from lanekeeper.wire.messages.waiting import Wait, WaitResult

MIB = 1024 * 1024
SEED = 43
LANES = 20
CLIENTS = 50
BAR_SECONDS = 2.0
"""The bar is half a second on a quiet machine; a test shares its two cores."""


def broker(plane: Plane) -> int:
    """Return the broker's pid."""
    (pid,) = plane.pids("broker")
    return pid


def kill_broker(plane: Plane) -> int:
    """Kill the broker, without waiting for the next one; return its pid."""
    pid = broker(plane)
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.fixture
def crowded(plane: Plane) -> Plane:
    """A plane with lanes."""
    with plane.connect() as client:
        for number in range(LANES):
            client.lane(f"lane{number}")
    return plane


def test_everything_is_known_again_and_commands_are_answered_soon(crowded: Plane) -> None:
    with crowded.connect() as client:
        client.workspace("mine")
        lane = client.lane("lane7")
        lane.attach()
        terminal = lane.spawn(["sleep", "60"], name="sleeper")
        names = sorted(one.name for one in client.lanes())
        context = client.context()
        last = [event.seq for event in client.events(since=0, follow=False)]
        kill_broker(crowded)
        killed = time.monotonic()
        info = terminal.refresh()
        assert time.monotonic() - killed < BAR_SECONDS
        assert (info.name, info.state) == ("sleeper", "active")
        assert sorted(one.name for one in client.lanes()) == names
        assert client.context() == context
        assert "mine" in [one.name for one in client.workspaces()]
        assert {one.status for one in client.lanes()} == {"ready", "running"}
        after = [event.seq for event in client.events(since=0, follow=False)]
        assert after[: len(last)] == last
        assert after == list(range(1, len(after) + 1))
        terminal.close(grace_s=0)


def test_a_command_on_its_way_has_one_effect_and_one_answer(crowded: Plane) -> None:
    with crowded.connect() as client:
        for number in range(6):
            killer = threading.Thread(target=kill_broker, args=(crowded,))
            killer.start()
            made = client.lane(f"new{number}")
            terminal = made.spawn(["cat"], name="only")
            killer.join()
            wait_until(lambda: crowded.pids("broker"), 10, "the next broker")
            names = [one.name for one in client.lanes()]
            assert names.count(f"new{number}") == 1
            assert [one.id for one in client.resolve(f"new{number}").terminals] == [terminal.id]


def test_an_answer_that_was_waited_for_comes_through_the_next_broker(plane: Plane) -> None:
    answers: list[WaitResult] = []
    with plane.connect() as client, plane.connect() as other:
        terminal = client.lane("build").spawn(["cat"], name="cat")

        def wait() -> None:
            body = Wait(until="match", pattern="said it")
            answers.append(
                other.call(
                    "terminal.wait", body, result=WaitResult, terminal_id=terminal.id, timeout=30
                )
            )

        waiter = threading.Thread(target=wait)
        waiter.start()
        pending = functools.partial(client.call, "plane.statistics", None, result=Statistics)
        wait_until(lambda: pending().values["commands.pending"] == 1, 10, "the wait at the worker")
        kill_broker(plane)
        wait_until(lambda: pending().values["commands.pending"] == 1, 10, "the wait to come again")
        terminal.send("said it\n")
        waiter.join(30)
        assert [one.match is not None for one in answers] == [True]


def test_fifty_clients_come_back_and_a_second_kill_changes_nothing(crowded: Plane) -> None:
    failures: list[LaneError] = []
    counts: list[int] = []
    go = threading.Barrier(CLIENTS + 1)

    def use(number: int) -> None:
        with crowded.connect(timeout=20) as client:
            client.lanes()
            go.wait(30)
            try:
                for turn in range(3):
                    client.workspace(f"ws{number}x{turn}")
                counts.append(len(client.lanes()))
            except LaneError as error:
                failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    go.wait(30)
    first = kill_broker(crowded)
    wait_until(lambda: crowded.pids("broker") not in ([], [first]), 10, "the next broker")
    kill_broker(crowded)
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert counts == [LANES] * CLIENTS
    with crowded.connect() as client:
        made = [one.name for one in client.workspaces() if one.name.startswith("ws")]
        assert len(made) == len(set(made)) == 3 * CLIENTS


def test_attached_streams_neither_pause_nor_lose(plane: Plane) -> None:
    size = 24 * MIB
    with plane.connect() as client:
        lane = client.lane("flood")
        terminal = lane.spawn(command(SEED, size), env=environment(), output="raw")
        checker, kills, came, longest = Checker(SEED), 0, time.monotonic(), 0.0
        with terminal.output(0, policy="forever", timeout=60) as output:
            for item in output:
                now = time.monotonic()
                longest, came = max(longest, now - came), now
                match item:
                    case Data():
                        checker.feed(item.data)
                    case Gap():
                        checker.gap(item.start, item.end)
                    case Ended():
                        assert item.offset == size
                if checker.offset > (kills + 1) * 6 * MIB and kills < 2:
                    kills += 1
                    kill_broker(plane)
                    came = time.monotonic()
        assert kills == 2
        assert (checker.offset, checker.gaps) == (size, [])
        assert longest < BAR_SECONDS
