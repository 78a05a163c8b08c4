"""Bytes that are no ZeroMQ on the sockets of a plane: garbage, cut greetings, silent crowds."""

import hashlib
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from kit import zmtp
from kit.standing import Standing

SOCKETS: Final = ("broker", "workers", "events", "collector", "lane in", "lane out")


@pytest.fixture(params=SOCKETS)
def path(request: pytest.FixtureRequest, standing: Standing) -> Path:
    lane = standing.target.lane_id
    names = {"lane in": f"lanes/{lane}.in", "lane out": f"lanes/{lane}.out"}
    return standing.plane.dir / names.get(request.param, f"{request.param}.sock")


NOISE: Final = tuple(
    (hashlib.sha512(str(size).encode()).digest() * (size // 64 + 1))[:size]
    for size in (1, 9, 10, 11, 12, 63, 64, 65, 1000, 65536)
)
"""Bytes that look like nothing, the same in every run."""


def test_random_bytes(path: Path) -> None:
    for data in NOISE:
        zmtp.throw(path, data)
        zmtp.throw(path, zmtp.SIGNATURE + data)
        zmtp.throw(path, zmtp.greeting() + data)
        zmtp.throw(path, zmtp.greeting() + zmtp.ready(b"DEALER") + data)
        zmtp.throw(path, zmtp.greeting() + zmtp.ready(b"SUB") + data)


def test_greetings_that_are_cut_anywhere(path: Path) -> None:
    whole = zmtp.greeting() + zmtp.ready(b"DEALER", Identity=b"x")
    for length in range(0, len(whole), 3):
        zmtp.throw(path, whole[:length])


def test_sockets_of_a_wrong_type(path: Path) -> None:
    for kind in (b"PUB", b"REQ", b"PAIR", b"XPUB", b"STREAM", b"", b"\xff" * 30, b"x" * 70_000):
        zmtp.throw(path, zmtp.greeting() + zmtp.ready(kind) + zmtp.frame(b"hello") * 10)


CONVERSATIONS: Final = (
    zmtp.greeting(version=(0, 0)),
    zmtp.greeting(version=(9, 9)),
    zmtp.greeting(b"PLAIN"),
    zmtp.greeting(b"CURVE"),
    zmtp.greeting(b"\xff" * 20),
    zmtp.greeting() + zmtp.command(b"READY", b"", length=2**63),
    zmtp.greeting() + zmtp.command(b"READY", b"\xff" * 300),
    zmtp.greeting() + zmtp.command(b"ERROR", b"\x05wrong"),
    zmtp.greeting() + zmtp.command(b"X" * 200, b""),
    zmtp.greeting() + zmtp.ready(b"DEALER", Identity=b"i" * 300),
    zmtp.greeting() + zmtp.ready(b"DEALER", Identity=b"\0abc"),
)


def test_conversations_that_go_wrong(path: Path) -> None:
    for words in CONVERSATIONS:
        zmtp.throw(path, words)


WORDS: Final = (
    zmtp.frame(b"", length=2**63 - 1),
    zmtp.frame(b"", length=2**64 - 1),
    zmtp.frame(b"part", more=True) * 50,
    zmtp.command(b"SUBSCRIBE", b"t" * 70_000),
    zmtp.command(b"CANCEL", b"never"),
    zmtp.frame(b"\x01tok_\xff\xfe") + zmtp.frame(b"\x02"),
    zmtp.frame(b"user", more=True) + zmtp.frame(b""),
    zmtp.command(b"PING", b"\0\1" + b"c" * 100),
    zmtp.frame(b""),
    zmtp.frame(b"a frame and no more", more=True),
    zmtp.frame(b"x" * 300_000),
    zmtp.frame(b"cut", length=100),
)


def test_proper_peers_that_talk_nonsense(path: Path) -> None:
    for kind in (b"DEALER", b"SUB", b"XSUB", b"PUSH", b"REQ", b"ROUTER"):
        for words in WORDS:
            zmtp.throw(path, words * 3, kind)


def test_two_hundred_connect_and_vanish(path: Path) -> None:
    with ExitStack() as crowd:
        streams = [crowd.enter_context(zmtp.connect(path)) for _ in range(200)]
        for number, stream in enumerate(streams):
            whole = zmtp.greeting() + zmtp.ready(b"DEALER")
            stream.sendall(whole[: number % len(whole)])


def test_those_who_stay_silent_hold_up_nobody(standing: Standing, path: Path) -> None:
    with ExitStack() as crowd:
        silent = [crowd.enter_context(zmtp.connect(path)) for _ in range(20)]
        for stream in silent:
            stream.sendall(zmtp.greeting())
        standing.echo()
        assert standing.wire.call("plane.hello")["protocol"]


def test_one_who_never_reads_its_answers_holds_up_nobody(standing: Standing) -> None:
    path = standing.plane.dir / "broker.sock"
    with zmtp.connect(path) as stream:
        stream.sendall(zmtp.greeting() + zmtp.ready(b"DEALER"))
        garbage = zmtp.frame(b"\xc1") * 1000
        stream.settimeout(0)
        sent = 0
        for _ in range(40):
            try:
                sent += stream.send(garbage)
            except BlockingIOError:
                break
        assert sent > len(garbage)
        standing.echo()
        assert standing.wire.call("plane.hello")["protocol"]


def test_the_sockets_are_for_their_owner_only(path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0
    with (
        pytest.raises(OSError, match="wrong type"),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        other.connect(str(path))
