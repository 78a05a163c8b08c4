"""Subscriptions that nobody sensible makes, on the events and on a lane's output."""

import secrets
from pathlib import Path
from typing import Final

import pytest
import zmq

from kit import zmtp
from kit.standing import Standing


def out_path(standing: Standing, out: str) -> Path:
    lane = f"lanes/{standing.target.lane_id}.out"
    return standing.plane.dir / (lane if out == "lane" else out)


OUTS: Final = pytest.mark.parametrize("out", ["events.sock", "lane"])
TOPICS: Final = (b"", b"tok_", b"tok_\xff\xfe", b"tok_" + b"x" * 900, b"term_" + b"x" * 900, b"\0")


@OUTS
@pytest.mark.parametrize("number", range(len(TOPICS)))
def test_subscriptions_to_anything(standing: Standing, out: str, number: int) -> None:
    _subscribe(out_path(standing, out), [TOPICS[number]])


@OUTS
@pytest.mark.parametrize("size", [1_100, 60_000, 250_000])
def test_a_subscription_has_a_bound(standing: Standing, out: str, size: int) -> None:
    asked = zmtp.frame(b"\x01" + b"x" * size) + zmtp.frame(b"\x01tok_after")
    path = out_path(standing, out)
    assert not zmtp.speak(path, b"SUB", asked, b"tok_after")
    assert zmtp.speak(path, b"SUB", zmtp.frame(b"\x01tok_after"), b"tok_after")


@OUTS
@pytest.mark.parametrize(
    "words",
    [
        zmtp.frame(b""),
        zmtp.frame(b"\x02"),
        zmtp.frame(b"\0never"),
        zmtp.frame(b"user data"),
        zmtp.frame(b"\x01tok_\xff\xfe"),
        zmtp.frame(b"\x01a", more=True) + zmtp.frame(b"\x01b"),
        zmtp.command(b"SUBSCRIBE", b"tok_\xc3\x28"),
        zmtp.command(b"CANCEL", b"never"),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("kind", [b"SUB", b"XSUB"])
def test_what_a_subscriber_may_say(standing: Standing, out: str, words: bytes, kind: bytes) -> None:
    asked = words + zmtp.frame(b"\x01tok_after")
    zmtp.speak(out_path(standing, out), kind, asked, b"tok_after")
    _subscribe(out_path(standing, out), [])


@pytest.mark.parametrize("head", [zmtp.frame(b"user data", more=True), b""], ids=["after", "only"])
def test_what_is_no_subscription_ends_none(standing: Standing, head: bytes) -> None:
    path = out_path(standing, "lane")
    terminal = standing.target.terminal_id.encode()
    context = zmq.Context()
    try:
        socket = context.socket(zmq.SUB)
        socket.connect(f"ipc://{path}")
        socket.subscribe(terminal)
        socket.subscribe(b"tok_first")
        _hear(socket, b"tok_first")
        said = head + zmtp.frame((b"\0" if head else b"\2") + terminal)
        assert zmtp.speak(path, b"XSUB", said + zmtp.frame(b"\1tok_after"), b"tok_after")
        standing.echo()
        _hear(socket, b"of the bystander")
    finally:
        context.destroy(linger=0)


@OUTS
def test_ten_thousand_subscriptions(standing: Standing, out: str) -> None:
    topics = [f"{'term_' if n % 2 else ''}topic {n}".encode() for n in range(10_000)]
    _subscribe(out_path(standing, out), topics)
    standing.echo()


def _subscribe(path: Path, topics: list[bytes]) -> None:
    """Subscribe, and wait for the token that says it has all been taken in."""
    context = zmq.Context()
    try:
        socket = context.socket(zmq.SUB)
        socket.set(zmq.SNDHWM, 0)  # or it drops its own subscriptions beyond a thousand
        socket.connect(f"ipc://{path}")
        for topic in topics:
            socket.subscribe(topic)
        token = f"tok_{secrets.token_hex(8)}".encode()
        socket.subscribe(token)
        _hear(socket, token)
    finally:
        context.destroy(linger=0)


def _hear(socket: "zmq.Socket[bytes]", what: bytes) -> None:
    """Receive until a message has it."""
    while True:
        assert socket.poll(5000), f"{what!r} did not come"
        if any(what in frame for frame in socket.recv_multipart()):
            return
