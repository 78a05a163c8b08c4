"""Envelopes against plain msgpack, both ways, and what hostile bytes become."""

import contextlib

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire import codec
from lanekeeper.wire.envelope import Actor, Command, Event, Response, raw
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.limits import MAX_CONTROL, MAX_FRAME
from lanekeeper.wire.messages.lane import LaneCreate
from lanekeeper.wire.messages.terminal import Input, Spawn

TS = "2026-01-02T03:04:05.123456Z"
COMMAND = {
    "type": "command",
    "v": 1,
    "id": "cmd_1",
    "ts": TS,
    "method": "lane.create",
    "payload": {"name": "build", "ensure": True},
    "workspace_id": "ws_1",
    "actor": {"kind": "operator", "id": "me"},
    "correlation_id": "corr_1",
    "deadline_ms": 500,
}
IDS = st.text(min_size=1, max_size=128)
BODIES = st.dictionaries(st.text(max_size=8), st.integers() | st.text() | st.binary(), max_size=4)


def code_of(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        codec.decode_command(data)
    return caught.value.code


def test_a_command_of_plain_msgpack_is_understood() -> None:
    command = codec.decode_command(msgpack.packb(COMMAND))
    assert (command.id, command.method, command.workspace_id) == ("cmd_1", "lane.create", "ws_1")
    assert command.actor == Actor(kind="operator", id="me")
    body = codec.decode_body(command.payload, LaneCreate, command.method)
    assert body == LaneCreate(name="build", ensure=True)


def test_a_command_of_ours_is_plain_msgpack() -> None:
    command = Command(
        v=1,
        id="cmd_1",
        ts=TS,
        method="lane.create",
        payload=raw(LaneCreate(name="build", ensure=True)),
        workspace_id="ws_1",
        actor=Actor(kind="operator", id="me"),
        correlation_id="corr_1",
        deadline_ms=500,
    )
    assert msgpack.unpackb(codec.encode(command)) == COMMAND


@given(IDS, BODIES, IDS | st.none())
def test_events_travel_both_ways(name: str, body: dict[str, object], lane: str | None) -> None:
    try:
        raw(body)
    except (UnicodeEncodeError, OverflowError):
        return
    event = Event(
        v=1, id=name, ts=TS, topic="t", payload=raw(body), lane_id=lane, correlation_id="c"
    )
    data = codec.encode(event)
    assert codec.decode_event(data) == event
    assert codec.decode_upward(data) == event
    plain = msgpack.unpackb(data)
    assert plain.get("payload", {}) == body
    assert plain.get("lane_id") == lane


@given(code=st.text(max_size=40), message=st.text(max_size=40), retryable=st.booleans())
def test_error_answers_travel_both_ways(code: str, message: str, *, retryable: bool) -> None:
    info = ErrorInfo(code=code, message=message, retryable=retryable, details={"limit": 3})
    answer = Response(v=1, id="cmd_1", ts=TS, status="error", error=info)
    assert codec.decode_response(codec.encode(answer)) == answer


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_a_refusal(data: bytes) -> None:
    for decode in (codec.decode_command, codec.decode_response, codec.decode_upward):
        with contextlib.suppress(WireError):
            decode(data)
    codec.glimpse(data)


@given(
    st.recursive(
        st.none() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    ),
    st.sampled_from(sorted(COMMAND)),
)
def test_a_field_of_any_type_is_at_worst_refused(value: object, field: str) -> None:
    try:
        data = msgpack.packb({**COMMAND, field: value})
    except (OverflowError, UnicodeEncodeError):
        return
    with contextlib.suppress(WireError):
        command = codec.decode_command(data)
        codec.decode_body(command.payload, LaneCreate, "lane.create")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, "UNSUPPORTED_VERSION"),
        ({"v": "1"}, "INVALID_ENVELOPE"),
        ({"extra": 1}, "INVALID_ENVELOPE"),
        ({"id": ""}, "INVALID_ENVELOPE"),
        ({"id": "x" * 129}, "INVALID_ENVELOPE"),
        ({"ts": "yesterday"}, "INVALID_ENVELOPE"),
        ({"ts": "2026-01-02T03:04:05+02:00"}, "INVALID_ENVELOPE"),
        ({"deadline_ms": 0}, "INVALID_ENVELOPE"),
        ({"deadline_ms": 10**12}, "INVALID_ENVELOPE"),
        ({"method": "m" * 65}, "INVALID_ENVELOPE"),
        ({"type": "event"}, "INVALID_ENVELOPE"),
        ({"actor": {"kind": "x"}}, "INVALID_ENVELOPE"),
        ({"v": 2, "extra": 1}, "UNSUPPORTED_VERSION"),
    ],
)
def test_a_malformed_envelope_is_refused_with_its_code(
    change: dict[str, object], code: str
) -> None:
    assert code_of(msgpack.packb({**COMMAND, **change})) == code


def test_an_envelope_without_its_type_is_refused_by_that_name() -> None:
    command = {field: value for field, value in COMMAND.items() if field != "type"}
    response = {"v": 1, "id": "cmd_1", "ts": TS, "status": "ok"}
    event = {"v": 1, "id": "evt_1", "ts": TS, "topic": "t", "correlation_id": "c"}
    for decode, plain in (
        (codec.decode_command, command),
        (codec.decode_response, response),
        (codec.decode_event, event),
        (codec.decode_upward, event),
    ):
        with pytest.raises(WireError) as caught:
            decode(msgpack.packb(plain))
        assert caught.value.code == "INVALID_ENVELOPE"
        assert "missing required field `type`" in caught.value.info.message


def test_an_envelope_in_the_wrong_place_is_refused_with_what_belongs_there() -> None:
    event = Event(v=1, id="evt_1", ts=TS, topic="t", correlation_id="c")
    command = codec.decode_command(msgpack.packb(COMMAND))
    for decode, message, said in (
        (codec.decode_command, event, "must be command, not event"),
        (codec.decode_response, event, "must be response, not event"),
        (codec.decode_event, command, "must be event, not command"),
        (codec.decode_upward, command, "must be response or event, not command"),
    ):
        with pytest.raises(WireError) as caught:
            decode(codec.encode(message))
        assert caught.value.code == "INVALID_ENVELOPE"
        assert said in caught.value.info.message


def test_too_large_a_command_names_the_bound() -> None:
    data = msgpack.packb({**COMMAND, "payload": {"name": "x" * MAX_CONTROL}})
    with pytest.raises(WireError) as caught:
        codec.decode_command(data)
    assert caught.value.code == "LIMIT_EXCEEDED"
    assert caught.value.info.details == {"limit": MAX_CONTROL}


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a"])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    deep = opening * 20_000 + b"\xc0"
    assert code_of(deep) == "INVALID_ENVELOPE"
    assert codec.glimpse(deep).id is None
    with pytest.raises(WireError):
        codec.decode_body(deep, Input, "terminal.input")


def test_text_that_is_not_utf8_is_refused() -> None:
    data = msgpack.packb(COMMAND).replace(b"cmd_1", b"cmd\xff1")
    assert code_of(data) == "INVALID_ENVELOPE"


def test_a_body_names_the_broken_field() -> None:
    with pytest.raises(WireError) as caught:
        codec.decode_body(msgpack.packb({"argv": []}), Spawn, "terminal.spawn")
    assert caught.value.code == "INVALID_ARGUMENT"
    assert "argv" in caught.value.info.message
    with pytest.raises(WireError):
        codec.decode_body(msgpack.packb({"argv": ["x"], "surprise": 1}), Spawn, "terminal.spawn")


def test_bytes_and_text_are_both_words_of_a_program() -> None:
    body = msgpack.packb({"argv": ["ls", b"\xff"], "env": {"A": b"\xfe", "B": "b"}})
    spawn = codec.decode_body(body, Spawn, "terminal.spawn")
    assert spawn.argv == ["ls", b"\xff"]
    assert spawn.env == {"A": b"\xfe", "B": "b"}
    again = msgspec.msgpack.decode(raw(spawn), type=Spawn)
    assert again == spawn


def test_a_glimpse_answers_the_sender_of_a_malformed_message() -> None:
    found = codec.glimpse(msgpack.packb({"id": "cmd_9", "v": 7, "whatever": [1]}))
    assert (found.id, found.v) == ("cmd_9", 7)
    assert codec.glimpse(b"\x00" * (MAX_FRAME + 1)).id is None
