"""No descriptor is left: messages, peers and processes wait for one, and nothing is torn down."""

import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lanekeeper.keeper.brood import Brood
from lanekeeper.keeper.channel import Channel, ChannelError, Listener, connect
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.forking import room
from lanekeeper.keeper.guise import Guise
from lanekeeper.keeper.identity import Process, start_time
from lanekeeper.keeper.loop import PAUSE, Handlers, Loop
from lanekeeper.keeper.rebirth import Rebirth
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.keeper.shortage import explain
from lanekeeper.keeper.warmth import Birth, Warmth
from lanekeeper.keeper.watches import AGAIN, Watches


class Counting(Listener):
    """A listener that knows how often it was tried."""

    tried = 0

    def accept(self) -> Channel | None:
        """Accept, and count it."""
        self.tried += 1
        return super().accept()


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    left, right = (Channel(one) for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop(10)
    yield made
    made.release()


@contextlib.contextmanager
def none_left(spare: int = 0) -> Iterator[None]:
    """Let this process open nothing more, or so much at most."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(path.name) for path in Path("/proc/self/fd").iterdir() if path.exists()}
    free = [number for number in range(len(used) + spare + 1) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[spare], usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def test_a_message_whose_descriptors_found_no_room_is_short(pair: tuple[Channel, Channel]) -> None:
    sender, receiver = pair
    receiver.lenient = True
    sender.send({"op": "deposit", "id": 1}, [0, 1])
    sender.send({"op": "beat"})
    with none_left():
        got = receiver.receive()
    assert [(one.message["op"], one.fds, one.short) for one in got] == [
        ("deposit", (), True),
        ("beat", (), False),
    ]
    assert not receiver.closed


def test_who_must_have_them_all_is_given_no_short_message(pair: tuple[Channel, Channel]) -> None:
    sender, receiver = pair
    sender.send({"op": "inherit"}, [0, 1])
    with none_left(), pytest.raises(ChannelError, match="descriptors were lost"):
        receiver.receive()
    assert receiver.closed


def test_a_peer_who_cannot_be_accepted_waits_and_nobody_spins(tmp_path: Path, loop: Loop) -> None:
    listener = Counting(tmp_path / "s")
    joined: list[Channel] = []
    loop.listen(listener, joined.append)
    peer = connect(tmp_path / "s")
    with none_left():
        loop.turn(1.0)
        loop.turn(PAUSE / 4)
    assert (joined, listener.tried) == ([], 1)
    loop.turn(1.0)
    assert len(joined) == 1
    for channel in (peer, *joined):
        channel.close()
    listener.close()


def test_what_the_keeper_refused_is_deposited_again_at_the_next_beat(
    pair: tuple[Channel, Channel],
) -> None:
    ours, keeper = pair
    deposits = Deposits()
    deposits.use(ours)

    def said() -> list[tuple[str, int]]:
        found = keeper.receive()
        for one in found:
            one.close()
        return [(one.message["op"], one.message["id"]) for one in found]

    deposits.put("journal", {"journal": 0})
    assert said() == [("deposit", 1)]
    assert deposits.answered({"op": "error", "id": 1}) == "journal"
    assert not deposits.sure("journal")
    assert not deposits.complete
    assert said() == []
    deposits.again()
    assert said() == [("deposit", 2)]
    deposits.answered({"op": "deposited", "id": 2})
    assert deposits.sure("journal")
    assert deposits.complete


def test_a_process_that_cannot_be_watched_now_is_not_taken_for_dead(loop: Loop) -> None:
    ended: list[int] = []
    watches = Watches(loop, ended.append)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = start_time(child.pid)
        assert started is not None
        with none_left():
            assert watches.add(Process(child.pid, started), 0.0)
        assert child.pid in watches
        assert watches.deadline == AGAIN
        watches.again(AGAIN)
        assert child.pid in watches
        child.kill()
        child.wait()
    loop.turn(1.0)
    assert ended == [child.pid]
    assert child.pid not in watches


def test_an_end_that_nobody_watched_is_told_when_there_is_a_descriptor(loop: Loop) -> None:
    ended: list[int] = []
    watches = Watches(loop, ended.append)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = start_time(child.pid)
        assert started is not None
        with none_left():
            watches.add(Process(child.pid, started), 0.0)
        child.kill()
        child.wait()
    watches.again(AGAIN)
    assert ended == [child.pid]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_ran_out_comes_with_what_to_do(number: int) -> None:
    words = explain(OSError(number, os.strerror(number)))
    assert words.startswith(os.strerror(number))
    assert "try again" in words


def test_of_anything_else_only_the_systems_words_are_said() -> None:
    assert explain(OSError(errno.ENOENT, "No such file or directory")) == (
        "No such file or directory"
    )


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_process_whose_start_cannot_be_read_now_is_not_taken_for_dead(
    loop: Loop, child: subprocess.Popen[bytes]
) -> None:
    started = start_time(child.pid)
    assert started is not None
    watches = Watches(loop, lambda _: None)
    with none_left(1):
        assert watches.add(Process(child.pid, started), 0.0)
    assert child.pid in watches
    child.kill()
    child.wait()
    watches.again(AGAIN)
    assert child.pid not in watches


def test_a_fork_whose_start_cannot_be_read_is_ended_and_said(
    loop: Loop, pair: tuple[Channel, Channel], child: subprocess.Popen[bytes]
) -> None:
    brood = Brood(loop)
    with none_left(1), pytest.raises(OSError, match="cannot be read"):
        brood.adopt(child.pid, pair[0], worker=True)
    assert child.wait(10) == -signal.SIGKILL
    assert not brood.tracks(child.pid)


def test_there_is_room_to_fork_when_the_child_can_be_watched() -> None:
    with none_left(1), pytest.raises(OSError, match="Too many"), room():
        pass
    with none_left(2), room():
        pass


class Warm(Warmth):
    """A nursery that could fork anything."""

    def birth(self, role: str, argv: Sequence[str]) -> Birth:
        """Return how."""
        return Birth(role, tuple(argv), lambda _: 0, Guise((0, 0), (0, 0)))


def test_a_nursery_without_a_descriptor_leaves_a_daemon_to_the_keeper(
    tmp_path: Path, loop: Loop, pair: tuple[Channel, Channel]
) -> None:
    keeper, nursery = pair
    loop.join(nursery, Handlers(lambda *_: None, lambda _: None))
    rebirth = Rebirth(Rundir(tmp_path), loop, Brood(loop), Warm(), lambda: None)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for spare in range(4):  # its gate has two ends
        with none_left(spare):
            rebirth.start(nursery, {"op": "start", "id": "start-1", "role": "broker"})
        assert [one.message["op"] for one in keeper.receive()] == ["cold"]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
