"""What a lane refuses: commands, programs and bytes that cannot be."""

import msgpack
import pytest

from lanekeeper.workers import actions
from lanekeeper.workers.actions import Frame

from .lanes import WORKSPACE, Lane, answer, only


@pytest.fixture
def lane() -> Lane:
    return Lane()


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        ({"method": "terminal.nonsense"}, "UNKNOWN_METHOD"),
        ({"method": "lane.list"}, "INVALID_ARGUMENT"),
        ({"method": "agent.run"}, "NOT_IMPLEMENTED"),
        ({"method": "session.create", "lane_id": "lane_b"}, "LANE_NOT_FOUND"),
        ({"method": "session.create", "workspace_id": "ws_b"}, "WORKSPACE_NOT_FOUND"),
        ({"method": "session.create", "correlation_id": None}, "INVALID_ENVELOPE"),
        ({"method": "session.terminate"}, "INVALID_ENVELOPE"),
        ({"method": "session.terminate", "session_id": "sess_b"}, "SESSION_NOT_FOUND"),
        ({"method": "terminal.read", "terminal_id": "term_b"}, "TERMINAL_NOT_FOUND"),
        ({"method": "session.create", "payload": {"name": 7}}, "INVALID_ARGUMENT"),
        ({"method": "session.create", "payload": {"nam": "x"}}, "INVALID_ARGUMENT"),
        ({"method": "session.create", "v": 9}, "UNSUPPORTED_VERSION"),
        ({"method": "session.create", "ts": "yesterday"}, "INVALID_ENVELOPE"),
        ({"method": "session.create", "stranger": 1}, "INVALID_ENVELOPE"),
    ],
)
def test_bad_commands_are_refused_and_change_nothing(
    lane: Lane, envelope: dict[str, object], code: str
) -> None:
    method = str(envelope.pop("method"))
    payload = envelope.pop("payload", None)
    done = lane.command(method, payload, **envelope)
    assert answer(done)["code"] == code
    assert answer(done)["message"]
    assert [type(a) for a in done] == [actions.Reply]


@pytest.mark.parametrize(
    "spawn",
    [
        {"argv": []},
        {"argv": [""]},
        {"argv": ["a\0b"]},
        {"argv": [7]},
        {"argv": ["x"], "env": {"": "y"}},
        {"argv": ["x"], "env": {"A=B": "y"}},
        {"argv": ["x"], "cols": 1},
        {"argv": ["x"], "name": "a.b"},
        {"argv": ["x"], "consume": {"lease_id": "lease_none"}},
    ],
)
def test_programs_that_cannot_be_are_refused(lane: Lane, spawn: dict[str, object]) -> None:
    session = lane.session()
    done = lane.command("terminal.spawn", spawn, session_id=session, workspace_id=WORKSPACE)
    assert answer(done)["code"] == "INVALID_ARGUMENT"
    assert lane.core.state.terminals == {}


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x90" * 5000, b"\x81\xa2id\xa1x", b"x" * 300_000])
def test_bytes_that_are_no_envelope_get_an_answer(lane: Lane, data: bytes) -> None:
    reply = msgpack.unpackb(only(lane.give(Frame(b"me", data)), actions.Reply).data)
    assert reply["status"] == "error"
    assert reply["error"]["code"] in {"INVALID_ENVELOPE", "LIMIT_EXCEEDED"}
    if data.startswith(b"\x81"):
        assert reply["id"] == "x"
