"""Several at once: two clients on one terminal, a flood beside people who type, many terminals."""

import time
from collections.abc import Iterator

import pytest

from kit.cluster import Plane
from kit.observer import Observer
from lanekeeper.client import Lane, Terminal
from lanekeeper.client import Plane as Connected

ECHO_S = 0.25
"""What a person would call prompt, wide enough for a busy machine with two cores."""


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    with shared_plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("many")


def test_two_clients_share_one_terminal(shared_plane: Plane, lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "stty -echo; echo up; exec cat"], name="shared")
    with shared_plane.connect() as other:
        second = other.terminal("many.shared")
        assert second.id == terminal.id
        with Observer(terminal) as here, Observer(second) as there:
            here.until(b"up")
            there.until(b"up")
            terminal.send("from the first\n")
            there.until(b"from the first")
            second.send("from the second\n")
            here.until(b"from the second")
            second.resize(99, 33)
            terminal.send("after\n")
            here.until(b"after")
            there.until(b"after")
            assert bytes(here.data) == bytes(there.data)
            assert [(size.cols, size.rows) for size in here.sizes] == [(99, 33)]
            assert here.sizes == there.sizes
            terminal.send(b"", eof=True)
            assert here.to_end() == there.to_end()


def test_a_client_that_goes_does_not_disturb_the_other(shared_plane: Plane, lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "echo up; exec cat"])
    with Observer(terminal) as here:
        here.until(b"up")
        with shared_plane.connect() as other:
            second = other.terminal(f"many.{terminal.info.name}")
            second.output(policy="forever")
            second.send("one\n")
        terminal.send("two\n")
        here.until(b"two\r\n", count=2)
    terminal.close(0)


def test_a_late_client_gets_the_past_and_the_future(shared_plane: Plane, lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "seq 1 3000; echo up; cat"])
    with Observer(terminal) as here:
        here.until(b"up")
        name = f"many.{terminal.info.name}"
        with shared_plane.connect() as other, Observer(other.terminal(name)) as late:
            late.until(b"up")
            terminal.send("now\n")
            late.until(b"now\r\n", count=2)
            here.until(b"now\r\n", count=2)
            assert bytes(late.data) == bytes(here.data)
    terminal.close(0)


def test_echo_stays_prompt_while_a_neighbour_floods(shared_plane: Plane, lane: Lane) -> None:
    script = "stty -echo; echo up; exec cat"
    typing = [lane.spawn(["sh", "-c", script]) for _ in range(19)]
    flood = lane.spawn(["sh", "-c", "exec yes 'a line of the flood'"])
    watched = [Observer(terminal) for terminal in typing]
    for observer in watched:
        observer.until(b"up")
    with shared_plane.connect() as drain:
        sink = drain.terminal(f"many.{flood.info.name}").output(policy="drop")
        before = flood.refresh().head
        taken = []
        for number, (terminal, observer) in enumerate(zip(typing, watched, strict=True)):
            sink.poll(0.0)
            taken.append(_echo(terminal, observer, f"typed {number}\n".encode()))
        assert flood.refresh().head > before + 100_000
        sink.close()
    taken.sort()
    assert taken[len(taken) // 2] < ECHO_S, taken
    assert taken[-1] < 10 * ECHO_S, taken
    assert lane.cleanup(1.0).terminals == 20


def _echo(terminal: Terminal, observer: Observer, text: bytes) -> float:
    start = time.monotonic()
    terminal.send_nowait(text)
    observer.until(text.rstrip())
    return time.monotonic() - start


def test_sixty_terminals_in_one_lane_each_give_their_own(lane: Lane) -> None:
    terminals = [lane.spawn(["sh", "-c", f"echo mine {n}; exit {n}"]) for n in range(60)]
    for number, terminal in enumerate(terminals):
        assert terminal.wait(10).code == number
        assert terminal.read().data == f"mine {number}\r\n".encode()


def test_lanes_do_not_wait_for_each_other(client: Connected, lane: Lane) -> None:
    lane.spawn(["yes"])
    blocked = lane.spawn(["sh", "-c", "trap '' HUP TERM; echo up; sleep 600"])
    with Observer(blocked) as seen:
        seen.until(b"up")
    other = client.lane("calm")
    start = time.monotonic()
    assert other.run(["echo", "quick"]).output == b"quick\n"
    assert time.monotonic() - start < 2
