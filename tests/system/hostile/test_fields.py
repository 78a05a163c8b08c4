"""Every field of every method with every kind of wrong value, on both paths."""

import itertools
from typing import Any, Final

import msgpack
import msgspec
import pytest

from kit.standing import Standing
from kit.wire_client import command
from lanekeeper.wire.methods import METHODS, Executor, Method

PATHS: Final = pytest.mark.parametrize("hot", [False, True], ids=["broker", "lane"])
ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    2**63,
    2**64 - 1,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    "\0",
    "\u202e\x1b[2J",
    b"",
    b"\xff",
    [],
    [[]],
    ["x"] * 2000,
    {},
    {"a": 1},
    {"lease_id": 1},
    msgpack.ExtType(7, b"x"),
    msgpack.Timestamp(1, 1),
)
LIVE: Final = {name: method for name, method in METHODS.items() if method.executor is not None}
DEFERRED: Final = {name: method for name, method in METHODS.items() if method.executor is None}


def wrong_payloads(method: Method) -> list[Any]:
    """Return payloads that the method's own type refuses: one wrong field in each."""
    decoder = msgspec.msgpack.Decoder(method.payload)
    found: list[Any] = [[], "text", 7, {"no such field": 1}]
    for field in msgspec.structs.fields(method.payload):
        for value in ODD:
            payload = {field.encode_name: value}
            try:
                decoder.decode(msgpack.packb(payload))
            except (msgspec.DecodeError, UnicodeDecodeError):
                found.append(payload)
    return found


def reaches(method: Method, *, hot: bool) -> bool:
    return not hot or method.executor is Executor.LANE


def exchange_all(standing: Standing, messages: list[dict[str, Any]], path: str) -> list[Any]:
    """Send them all, then collect all answers, in the order of the messages."""
    for message in messages:
        standing.wire.send(msgpack.packb(message), to=path)
    answers = [standing.wire.receive(to=path) for _ in messages]
    by_id = {answer["id"]: answer for answer in answers}
    return [by_id[message["id"]] for message in messages]


@PATHS
def test_every_wrong_field_is_refused(standing: Standing, *, hot: bool) -> None:
    for name in LIVE:
        check_wrong_fields(standing, name, hot=hot)


def check_wrong_fields(standing: Standing, name: str, *, hot: bool) -> None:
    method = LIVE[name]
    path = standing.hot if hot else "broker.sock"
    ids = standing.target.ids()
    messages = [command(name, payload, **ids) for payload in wrong_payloads(method)]
    for message, answer in zip(messages, exchange_all(standing, messages, path), strict=True):
        assert answer["status"] == "error", message
        assert answer["error"]["code"] == "INVALID_ARGUMENT", (message, answer)
        assert len(answer["error"]["message"]) < 1000


@PATHS
def test_every_missing_id_is_named(standing: Standing, *, hot: bool) -> None:
    for name in LIVE:
        check_missing_ids(standing, name, hot=hot)


def check_missing_ids(standing: Standing, name: str, *, hot: bool) -> None:
    method = LIVE[name]
    path = standing.hot if hot else "broker.sock"
    if not reaches(method, hot=hot):
        answer = standing.wire.exchange(command(name, **standing.target.ids()), path)
        assert answer["error"]["code"] == "INVALID_ARGUMENT"
        return
    needed = [*method.requires, *(["correlation_id"] if method.lifecycle else [])]
    for missing in needed:
        ids: dict[str, Any] = {n: i for n, i in standing.target.ids().items() if n != missing}
        message = command(name, **ids)
        if missing == "correlation_id":
            del message["correlation_id"]
        error = standing.wire.exchange(message, path)["error"]
        assert error["code"] == "INVALID_ENVELOPE"
        assert missing in error["message"]


@PATHS
def test_every_wrong_field_of_the_envelope_is_refused(standing: Standing, *, hot: bool) -> None:
    path = standing.hot if hot else "broker.sock"
    for field in command("terminal.get", **standing.target.ids()).keys() - {"payload", "id"}:
        for value in ODD:
            if field == "correlation_id" and value and isinstance(value, str) and len(value) < 128:
                continue  # any short text may be one
            if value is None and field not in {"type", "method", "ts", "v"}:
                continue  # an optional field may be nil
            message = command("terminal.get", **standing.target.ids()) | {field: value}
            standing.wire.send(msgpack.packb(message), to=path)
            error = standing.wire.receive(to=path).get("error")
            assert error is not None, message
            assert error["code"] in {
                "INVALID_ENVELOPE",
                "UNSUPPORTED_VERSION",
                "UNKNOWN_METHOD",
                "LANE_NOT_FOUND",
                "WORKSPACE_NOT_FOUND",
                "SESSION_NOT_FOUND",
                "TERMINAL_NOT_FOUND",
            }, (message, error)


@PATHS
def test_a_command_without_its_type_is_refused(standing: Standing, *, hot: bool) -> None:
    path = standing.hot if hot else "broker.sock"
    message = command("terminal.get", **standing.target.ids())
    del message["type"]
    standing.wire.send(msgpack.packb(message), to=path)
    answer = standing.wire.receive(to=path)
    assert answer["id"] == message["id"]
    assert answer["error"]["code"] == "INVALID_ENVELOPE"
    assert "missing required field `type`" in answer["error"]["message"]


@PATHS
@pytest.mark.parametrize(
    "name",
    ["", "x", "plane", "plane.hello.", "PLANE.HELLO", "terminal.spam", "__init__", "\x1b[2J"],
)
def test_unknown_methods_are_refused(standing: Standing, name: str, *, hot: bool) -> None:
    path = standing.hot if hot else "broker.sock"
    error = standing.wire.exchange(command(name, **standing.target.ids()), path)["error"]
    assert error["code"] == ("UNKNOWN_METHOD" if name else "INVALID_ENVELOPE")


@PATHS
def test_deferred_methods_name_their_phase(standing: Standing, *, hot: bool) -> None:
    path = standing.hot if hot else "broker.sock"
    for name, payload in itertools.product(DEFERRED, ({}, {"anything": 1})):
        error = standing.wire.exchange(command(name, payload), path)["error"]
        assert error["code"] == "NOT_IMPLEMENTED"
        assert DEFERRED[name].phase in error["message"]


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_a_dispatch_cannot_hide_anything(standing: Standing, depth: int) -> None:
    inner: dict[str, Any] = {"method": "terminal.spawn", "payload": {"argv": 1}}
    for _ in range(depth):
        inner = {"method": "boundary.local.dispatch", "payload": inner}
    message = command("boundary.local.dispatch", inner, **standing.target.ids())
    assert standing.wire.exchange(message)["error"]["code"] == "INVALID_ARGUMENT"


EXTREME: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("terminal.read", {"offset": 2**64 - 1}, "INVALID_ARGUMENT"),
    ("terminal.ack", {"consumer_id": "cons_x", "offset": 2**64 - 1}, "INVALID_ARGUMENT"),
    ("terminal.consume", {"lease_id": "lease_x"}, "INVALID_ARGUMENT"),
    ("terminal.signal", {"signal": 2**64 - 1}, "INVALID_ARGUMENT"),
    ("terminal.signal", {"signal": 0}, "INVALID_ARGUMENT"),
    ("terminal.signal", {"signal": -9}, "INVALID_ARGUMENT"),
    ("terminal.signal", {"signal": "_DFL"}, "INVALID_ARGUMENT"),
    ("terminal.signal", {"signal": "\x1b[2J"}, "INVALID_ARGUMENT"),
    ("terminal.resize", {"cols": 1, "rows": 1}, "INVALID_ARGUMENT"),
    ("terminal.wait", {"until": "match"}, "INVALID_ARGUMENT"),
    ("terminal.spawn", {"argv": ["x"], "limits": [[2**62, 1, 1]]}, "SPAWN_FAILED"),
    ("terminal.spawn", {"argv": ["x"], "limits": [[7, 2**63, 2**63]]}, "SPAWN_FAILED"),
    ("terminal.spawn", {"argv": ["x"], "cwd": "\0"}, "INVALID_ARGUMENT"),
    ("terminal.spawn", {"argv": ["x"], "cwd": ""}, "SPAWN_FAILED"),
    ("terminal.spawn", {"argv": ["x"], "cwd": {"a": 1}}, "INVALID_ARGUMENT"),
    ("terminal.spawn", {"argv": [["x"]]}, "INVALID_ARGUMENT"),
    ("terminal.spawn", {"argv": ["x"], "env": {"A": [1]}}, "INVALID_ARGUMENT"),
    ("terminal.spawn", {"argv": ["x"], "env": {"A\0": "1"}}, "INVALID_ARGUMENT"),
)


@PATHS
def test_extreme_values_are_refused_with_a_reason(standing: Standing, *, hot: bool) -> None:
    path = standing.hot if hot else "broker.sock"
    for name, payload, code in EXTREME:
        answer = standing.wire.exchange(command(name, payload, **standing.target.ids()), path)
        wanted = "INVALID_ARGUMENT" if hot and METHODS[name].by_broker else code
        assert (answer.get("error") or {}).get("code") == wanted, (payload, answer)
