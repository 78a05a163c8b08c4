"""Bad input on keeper.sock and nursery.sock: the channels between the plane's own processes."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from kit import processes
from kit.standing import Standing
from kit.waiting import is_readable

QUIET_S: Final = 0.02
PATIENCE_S: Final = 5.0
SOCKETS: Final = ("keeper.sock", "nursery.sock")
DEEP: Final = b'{"op":"status","id":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
GARBAGE: Final = {
    "nothing": b" ",
    "zeros": b"\0" * 100,
    "text": b"hello",
    "cut": b'{"op":"stat',
    "array": b'["op","status"]',
    "no op": b'{"id":1}',
    "number as op": b'{"op":1}',
    "NaN": b'{"op":"status","id":NaN}',
    "not ASCII": '{"op":"žluť"}'.encode(),
    "deep": DEEP,
    "huge number": b'{"op":"status","id":' + b"9" * 60_000 + b"}",
    "huge exponent": b'{"op":"hello","pid":1e999,"start_time":-1e999,"role":"client"}',
    "oversize": b'{"op":"status","id":"' + b"x" * 70_000 + b'"}',
    "long op": b'{"op":"' + b"x" * 60_000 + b'"}',
    "false count of descriptors": b'{"op":"status","fds":3}',
    "duplicate op": b'{"op":"hello","op":"status"}',
    "unknown": b'{"op":"explode"}',
    "impostor": b'{"op":"hello","role":"broker","pid":1,"start_time":1}',
}
OPERATIONS: Final = (
    *("ready", "beat", "grant", "fence", "sweep", "forked", "failed", "worker-exited", "status"),
    *("restart", "error", "hello", "fork", "spawn", "reap", "spawned", "exited", "drain"),
    *("assign", "broker", "died"),
)
ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "x" * 3000,
    [],
    {},
    [[1]],
    {"a": {"b": []}},
)


@contextmanager
def channel(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stream:
        stream.settimeout(5)
        stream.connect(str(path))
        yield stream


def hello() -> bytes:
    me = processes.look(os.getpid())
    started = me.start_time if me else 0
    greeting = {"op": "hello", "role": "client", "pid": os.getpid(), "start_time": started}
    return json.dumps(greeting).encode()


def say(stream: socket.socket, data: bytes, fds: tuple[int, ...] = ()) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        socket.send_fds(stream, [data], list(fds))


def drained(stream: socket.socket, at_least: int = 0) -> list[dict[str, Any]]:
    """Return what comes until the other side closes, or has nothing more to say."""
    found: list[dict[str, Any]] = []
    while is_readable(stream.fileno(), QUIET_S if len(found) >= at_least else PATIENCE_S):
        try:
            data = stream.recv(65536)
        except ConnectionResetError:
            break
        if not data:
            break
        found.append(json.loads(data))
    return found


@pytest.mark.parametrize("name", SOCKETS)
@pytest.mark.parametrize("greeted", [False, True], ids=["stranger", "greeted"])
def test_garbage(standing: Standing, name: str, *, greeted: bool) -> None:
    for case, data in GARBAGE.items():
        with channel(standing.plane.dir / name) as stream:
            if greeted:
                say(stream, hello())
            say(stream, data)
            for answer in drained(stream):
                assert answer["op"] in {"welcome", "error", "status"}, case


@pytest.mark.parametrize("name", SOCKETS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_with_wrong_fields(standing: Standing, name: str, operation: str) -> None:
    with ExitStack() as stack:
        for value in ODD:
            stream = stack.enter_context(channel(standing.plane.dir / name))
            say(stream, hello())
            fields = ("id", "pid", "start_time", "role", "lane", "lane_id", "code", "stdin")
            message = dict.fromkeys(fields, value) | {"op": operation}
            say(stream, json.dumps(message).encode())
        # All have been read when the last one has had its answer.
        loud = operation not in {"beat", "status", "error", "welcome", "hello"}
        answers = drained(stream, (1 + (name == "keeper.sock")) if loud else 0)
        refusals = [answer for answer in answers if answer["op"] == "error"]
        assert bool(refusals) >= loud, answers


@pytest.mark.parametrize("name", SOCKETS)
def test_two_hundred_connect_and_vanish(standing: Standing, name: str) -> None:
    with ExitStack() as crowd:
        for number in range(200):
            stream = crowd.enter_context(channel(standing.plane.dir / name))
            if number % 2:
                say(stream, hello())


@pytest.mark.parametrize("name", SOCKETS)
@pytest.mark.parametrize("count", [1, 4, 16, 17, 60])
def test_descriptors_nobody_asked_for_are_closed(standing: Standing, name: str, count: int) -> None:
    reading, writing = os.pipe()
    try:
        with channel(standing.plane.dir / name) as stream:
            say(stream, hello())
            for said in (0, count):
                message = json.dumps({"op": "beat", "fds": said}).encode()
                say(stream, message, (writing,) * count)
            drained(stream)
        os.close(writing)
        writing = -1
        # Only the last copy's end makes the pipe readable.
        assert is_readable(reading, 5)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)


SPECS: Final = {
    "empty": b"",
    "garbage": b"\xff" * 100,
    "array": b"[]",
    "no words": b'{"argv":[],"cwd":"/","env":{}}',
    "numbers": b'{"argv":[1],"cwd":"/","env":{}}',
    "infinite umask": b'{"argv":["true"],"cwd":"/","env":{},"umask":1e999}',
    "wordy umask": b'{"argv":["true"],"cwd":"/","env":{},"umask":"x"}',
    "infinite limits": b'{"argv":["true"],"cwd":"/","env":{},"limits":[[1e999,1,1]]}',
    "short limits": b'{"argv":["true"],"cwd":"/","env":{},"limits":[[1]]}',
    "deep": b"[" * 100_000,
    "5 MiB": b" " * (5 * 1024 * 1024),
}


def test_specifications_that_are_none(standing: Standing) -> None:
    for data in SPECS.values():
        check_specification(standing, data)


def check_specification(standing: Standing, data: bytes) -> None:
    with ExitStack() as stack:
        stream = stack.enter_context(channel(standing.plane.dir / "nursery.sock"))
        memory = os.memfd_create("spec")
        stack.callback(os.close, memory)
        os.write(memory, data)
        null = os.open("/dev/null", os.O_RDWR)
        stack.callback(os.close, null)
        message = {"op": "spawn", "id": 1, "stdin": "tty", "fds": 4}
        say(stream, json.dumps(message).encode(), (memory, null, null, null))
        (answer,) = drained(stream, 1)
        assert (answer["op"], answer["id"]) == ("failed", 1)


@pytest.mark.parametrize("stdin", ["tty", "pipe", None, 4, [], "x" * 1000])
def test_descriptors_that_do_not_fit(standing: Standing, stdin: Any) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    try:
        with channel(standing.plane.dir / "nursery.sock") as stream:
            for count in (0, 1, 3, 6):
                message = {"op": "spawn", "id": count, "stdin": stdin, "fds": count}
                say(stream, json.dumps(message).encode(), (null,) * count)
                (answer,) = drained(stream, 1)
                assert answer["op"] == "error"
            message = {"op": "spawn", "id": 4, "stdin": stdin, "fds": 4}
            say(stream, json.dumps(message).encode(), (null,) * 4)
            assert [answer["op"] for answer in drained(stream, 1)] in (["failed"], ["error"])
    finally:
        os.close(null)
