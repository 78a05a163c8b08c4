"""The channel: what it encodes, what it refuses, and descriptors beside messages."""

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.keeper.channel import QUEUE_MAX, Channel, ChannelError, Listener, connect
from lanekeeper.keeper.framing import FDS_MAX, MESSAGE_MAX, decode, encode


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    left, right = (Channel(one) for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    yield left, right
    left.close()
    right.close()


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def fill(channel: Channel) -> None:
    """Send until one message waits."""
    while not channel.wants_write:
        channel.send({"op": "fill", "text": "x" * 10_000})


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.integers())))
def test_what_is_encoded_is_decoded(fields: dict[str, object]) -> None:
    message = {**fields, "op": "x"}
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        message = decode(data)
    except ChannelError:
        return
    assert isinstance(message["op"], str)


def test_undecodable_bytes_of_a_name_survive() -> None:
    name = os.fsdecode(b"caf\xe9")
    data = encode({"op": "x", "name": name})
    assert data.isascii()
    assert os.fsencode(decode(data)["name"]) == b"caf\xe9"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"op":1}',
        b'{"id":1}',
        b'{"op":"x"} {}',
        b'{"op":"x","n":NaN}',
        b"\xff",
        b"[" * 60_000,
        b'{"op":"' + b"x" * MESSAGE_MAX + b'"}',
    ],
)
def test_other_things_are_refused(data: bytes) -> None:
    with pytest.raises(ChannelError):
        decode(data)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"op": 1},
        {"op": "x", "n": float("nan")},
        {"op": "x", "n": b""},
        {"op": "x" * MESSAGE_MAX},
    ],
)
def test_what_is_no_message_is_not_encoded(message: dict[str, object]) -> None:
    with pytest.raises(ChannelError):
        encode(message)


def test_descriptors_arrive_close_on_exec(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFD, 0)
    left.send({"op": "x"}, [writer])
    os.close(writer)
    (received,) = right.receive()
    assert received.message == {"op": "x", "fds": 1}
    assert fcntl.fcntl(received.fds[0], fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.write(received.fds[0], b"hello")
    assert os.read(reader, 9) == b"hello"
    received.close()
    os.close(reader)


def test_descriptors_of_a_waiting_message_are_copies(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    before = open_fds()
    fill(left)
    reader, writer = os.pipe()
    left.send({"op": "last"}, [reader])
    os.close(reader)
    os.close(writer)
    last = None
    while last is None:
        for received in right.receive():
            last = received if received.message["op"] == "last" else None
        left.flush()
    assert os.read(last.fds[0], 1) == b""
    last.close()
    assert not left.wants_write
    assert open_fds() == before


def test_order_is_kept_and_nothing_lost_when_the_buffer_is_full(
    pair: tuple[Channel, Channel],
) -> None:
    left, right = pair
    for number in range(900):
        left.send({"op": "x", "n": number, "text": "y" * 1000})
    got: list[int] = []
    while len(got) < 900:
        got += [received.message["n"] for received in right.receive()]
        left.flush()
    assert got == list(range(900))


def test_peer_that_does_not_read_is_refused_more(pair: tuple[Channel, Channel]) -> None:
    left, _ = pair
    fill(left)
    for _ in range(QUEUE_MAX - 1):
        left.send({"op": "x"})
    with pytest.raises(ChannelError, match="does not read"):
        left.send({"op": "x"})


def test_peer_that_left_sets_closed_after_its_last_message(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.send({"op": "bye"})
    left.close()
    assert [received.message["op"] for received in right.receive()] == ["bye"]
    assert right.receive() == []
    assert right.closed
    right.send({"op": "nobody"})


def test_last_words_of_a_peer_that_left_answers_unread_are_heard(
    pair: tuple[Channel, Channel],
) -> None:
    left, right = pair
    right.send({"op": "answer"})
    left.send({"op": "first"})
    left.send({"op": "last"})
    left.close()
    assert [one.message["op"] for one in right.receive()] == ["first", "last"]
    assert right.closed


def test_sending_to_a_peer_that_left_keeps_what_it_said(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.send({"op": "bye"})
    left.close()
    right.send({"op": "late"})
    assert [received.message["op"] for received in right.receive()] == ["bye"]


@pytest.mark.parametrize("claimed", [0, 1, 3, "2", None])
def test_wrong_count_closes_what_came(claimed: object) -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(right)
    before = open_fds()
    socket.send_fds(left, [encode({"op": "x", "fds": claimed})], [0, 1])
    with pytest.raises(ChannelError, match="fds"):
        channel.receive()
    assert channel.closed
    assert open_fds() == before
    left.close()
    channel.close()


def test_too_many_descriptors_are_closed() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(right)
    before = open_fds()
    count = FDS_MAX + 4
    socket.send_fds(left, [encode({"op": "x", "fds": count})], [0] * count)
    with pytest.raises(ChannelError, match="lost"):
        channel.receive()
    assert open_fds() == before
    with pytest.raises(ChannelError, match="more than"):
        channel.send({"op": "x"}, [0] * count)
    left.close()
    channel.close()


def test_message_before_a_bad_one_is_returned() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(right)
    left.send(encode({"op": "good"}))
    left.send(b"bad")
    assert [received.message["op"] for received in channel.receive()] == ["good"]
    assert channel.closed
    assert channel.fault is not None
    left.close()
    channel.close()


def test_listener_knows_its_peer_and_replaces_a_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for _ in range(2):
        listener = Listener(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert listener.accept() is None
        client = connect(path)
        peer = listener.accept()
        assert peer is not None
        assert peer.peer() == (os.getpid(), os.getuid())
        for one in (client, peer, listener):
            one.close()
    path.unlink()


def test_long_path_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 108)
    for call in (Listener, connect):
        with pytest.raises(ChannelError, match="at most 107"):
            call(path)


def test_last_words_are_heard_of_a_peer_that_left_without_reading(
    pair: tuple[Channel, Channel],
) -> None:
    left, right = pair
    left.send({"op": "answer"})
    right.send({"op": "first"})
    right.send({"op": "closed"})
    right.close()
    heard = left.receive()
    assert [one.message["op"] for one in heard] == ["first", "closed"]
    assert left.closed
