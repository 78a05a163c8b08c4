"""Messages that are no commands: on the broker's socket and on a lane's own."""

import struct
from typing import Any, Final

import msgpack
import pytest

from kit.standing import Standing
from kit.wire_client import NoAnswerError, WireClient, command

PATHS: Final = pytest.mark.parametrize("hot", [False, True], ids=["broker", "lane"])
MAX_CONTROL: Final = 192 * 1024
MAX_FRAME: Final = 256 * 1024


def path_of(standing: Standing, *, hot: bool) -> str:
    return standing.hot if hot else "broker.sock"


def packed(method: str = "plane.hello", payload: object = None, **fields: object) -> bytes:
    data: bytes = msgpack.packb(command(method, payload, **fields))
    return data


def joined(*pairs: tuple[str, bytes]) -> bytes:
    """Return a map of raw values: what no encoder would write."""
    head = struct.pack(">BH", 0xDE, len(pairs))
    return head + b"".join(msgpack.packb(key) + value for key, value in pairs)


def envelope(**raw: bytes) -> bytes:
    """Return a command whose fields named here have these very bytes as their values."""
    fields = {key: msgpack.packb(value) for key, value in command("plane.hello").items()}
    return joined(*(fields | raw).items())


def without(name: str) -> bytes:
    fields: dict[str, Any] = command("plane.hello")
    del fields[name]
    data: bytes = msgpack.packb(fields)
    return data


NAN: Final = struct.pack(">Bd", 0xCB, float("nan"))
INVALID: Final = {
    "an empty frame": b"",
    "one byte": b"\x80",
    "never used": b"\xc1",
    "text": b'{"v": 1, "method": "plane.hello"}',
    "cut": packed()[:-9],
    "trailing": packed() + b"\x00",
    "two messages": packed() + packed(),
    "an array": msgpack.packb([1, 2, 3]),
    "nil": b"\xc0",
    "NaN as version": envelope(v=NAN),
    "text as version": envelope(v=msgpack.packb("1")),
    "no id": without("id"),
    "no ts": without("ts"),
    "no method": without("method"),
    "an event": envelope(type=msgpack.packb("event")),
    "another type": envelope(type=msgpack.packb("x" * 1000)),
    "empty id": envelope(id=msgpack.packb("")),
    "long id": envelope(id=msgpack.packb("x" * 129)),
    "bytes as id": envelope(id=msgpack.packb(b"abc")),
    "bad UTF-8 in the id": envelope(id=b"\xa4ab\xff\xfe"),
    "a surrogate in the method": envelope(method=b"\xa3\xed\xa0\x80"),
    "long method": envelope(method=msgpack.packb("m" * 65)),
    "a time that is none": envelope(ts=msgpack.packb("yesterday")),
    "an actor of text": envelope(actor=msgpack.packb("me")),
    "a deadline of nothing": envelope(deadline_ms=msgpack.packb(0)),
    "a deadline of years": envelope(deadline_ms=msgpack.packb(2**40)),
    "an unknown field": envelope(extra=msgpack.packb(1)),
    "a number as field": joined()[:1] + b"\x00\x01" + b"\x01\x01",
    "a string of 4 GiB": envelope(id=b"\xdb\xff\xff\xff\xff" + b"x" * 100),
    "an array of 4 Gi": envelope(payload=b"\xdd\xff\xff\xff\xff" + b"\x01" * 100),
    "a map of 4 Gi": envelope(payload=b"\xdf\xff\xff\xff\xff" + b"\x01" * 100),
    "bytes of 4 GiB": envelope(payload=b"\xc6\xff\xff\xff\xff" + b"x" * 100),
    "nested arrays": b"\x91" * 150_000 + b"\xc0",
    "nested maps": b"\x81\xa1a" * 60_000 + b"\xc0",
    "a nested id": envelope(id=b"\x91" * 100_000 + b"\xc0"),
}


@PATHS
def test_what_is_no_envelope_is_refused(standing: Standing, *, hot: bool) -> None:
    path = path_of(standing, hot=hot)
    for case, data in INVALID.items():
        standing.wire.send(data, to=path)
        answer = standing.wire.receive(to=path)
        assert answer["status"] == "error", case
        assert answer["error"]["code"] == "INVALID_ENVELOPE", case
        assert 10 < len(answer["error"]["message"]) < 1000, case


@PATHS
@pytest.mark.parametrize("version", [0, 2, -1, 2**63, 2**64 - 1])
def test_another_version_is_named(standing: Standing, version: int, *, hot: bool) -> None:
    path = path_of(standing, hot=hot)
    message = command("plane.hello", v=version)
    answer = standing.wire.exchange(message, path)
    assert answer["error"]["code"] in {"UNSUPPORTED_VERSION", "INVALID_ENVELOPE"}
    if abs(version) < 2**63:
        assert answer["error"]["code"] == "UNSUPPORTED_VERSION"
        assert answer["error"]["details"]["supported"] == [1]


@PATHS
@pytest.mark.parametrize("count", [2, 3, 9, 1000])
def test_a_message_has_one_frame(standing: Standing, count: int, *, hot: bool) -> None:
    path = path_of(standing, hot=hot)
    standing.wire.send(*[packed()] * count, to=path)
    answer = standing.wire.receive(to=path)
    assert answer["error"]["code"] == "INVALID_ENVELOPE"
    standing.wire.send(*[b""] * count, to=path)
    assert standing.wire.receive(to=path)["error"]["code"] == "INVALID_ENVELOPE"


@PATHS
def test_a_message_that_is_too_long_is_refused_with_the_bound(
    standing: Standing, *, hot: bool
) -> None:
    path = path_of(standing, hot=hot)
    big = packed("terminal.input", {"data": b"x" * MAX_CONTROL})
    assert MAX_CONTROL < len(big) < MAX_FRAME
    standing.wire.send(big, to=path)
    error = standing.wire.receive(to=path)["error"]
    assert error["code"] == "LIMIT_EXCEEDED"
    assert error["details"] == {"limit": MAX_CONTROL}


@PATHS
def test_a_frame_no_one_takes_cuts_its_own_connection_only(
    standing: Standing, *, hot: bool
) -> None:
    path = path_of(standing, hot=hot)
    standing.wire.send(b"x" * (MAX_FRAME + 1), to=path)
    with pytest.raises(NoAnswerError):
        standing.wire.receive(0.3, to=path)
    # The same socket connects again by itself and is served.
    method = "terminal.get" if hot else "plane.hello"
    ids = standing.target.ids("terminal_id") if hot else {}
    assert standing.wire.exchange(command(method, **ids), path)["status"] == "ok"


AMPLIFIERS: Final = {
    "empty maps": b"\xdd" + struct.pack(">I", 180_000) + b"\x80" * 180_000,
    "empty arrays": b"\xdd" + struct.pack(">I", 180_000) + b"\x90" * 180_000,
    "nils": b"\xdd" + struct.pack(">I", 180_000) + b"\xc0" * 180_000,
    "one key": b"\xdf" + struct.pack(">I", 60_000) + b"\xa1a\xc0" * 60_000,
    "empty words": b"\xdd" + struct.pack(">I", 180_000) + b"\xa0" * 180_000,
    "nested": b"\x91" * 180_000 + b"\xc0",
}


@PATHS
@pytest.mark.parametrize("field", ["argv", "env", "limits", "cwd"])
def test_a_payload_that_unpacks_to_much_more_is_refused(
    standing: Standing, field: str, *, hot: bool
) -> None:
    path = path_of(standing, hot=hot)
    ids = standing.target.ids("workspace_id", "lane_id", "session_id")
    argv = () if field == "argv" else (("argv", msgpack.packb(["true"])),)
    for case, data in AMPLIFIERS.items():
        payload = joined(*argv, (field, data))
        fields = {k: msgpack.packb(v) for k, v in command("terminal.spawn", **ids).items()}
        standing.wire.send(joined(*(fields | {"payload": payload}).items()), to=path)
        error = standing.wire.receive(to=path)["error"]
        assert error["code"] in {"INVALID_ARGUMENT", "INVALID_ENVELOPE"}, case


@PATHS
def test_a_field_given_twice_has_one_meaning(standing: Standing, *, hot: bool) -> None:
    path = path_of(standing, hot=hot)
    ids = standing.target.ids("terminal_id")
    fields = {k: msgpack.packb(v) for k, v in command("terminal.get", **ids).items()}
    twice = joined(*fields.items(), ("method", msgpack.packb("terminal.consumers")))
    standing.wire.send(twice, to=path)
    answer = standing.wire.receive(to=path)
    outcomes = {"error", *(answer["result"] or {})}
    assert outcomes & {"error", "consumers"} == outcomes & {"error", "consumers", "terminal"}


@PATHS
def test_an_answer_carries_the_id_that_could_be_read(standing: Standing, *, hot: bool) -> None:
    path = path_of(standing, hot=hot)
    message = command("plane.hello") | {"unknown": 1}
    standing.wire.send(msgpack.packb(message), to=path)
    assert standing.wire.receive(to=path)["id"] == message["id"]
    standing.wire.send(b"\xc1", to=path)
    assert standing.wire.receive(to=path)["id"] == ""


@PATHS
def test_a_flood_of_garbage_is_answered_and_survived(standing: Standing, *, hot: bool) -> None:
    path = path_of(standing, hot=hot)
    with WireClient(standing.plane.dir) as other:
        for number in range(500):
            other.send(bytes([number % 256]) * (number % 97), to=path)
        codes = {other.receive(to=path)["error"]["code"] for _ in range(500)}
    assert codes == {"INVALID_ENVELOPE"}
