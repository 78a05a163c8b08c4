"""Waiting for output and silence, through the core's door."""

from typing import Any

import msgpack
import pytest

from lanekeeper.wire.limits import MAX_SEARCHES, MAX_WAITERS
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions

from .lanes import Lane, answer


@pytest.fixture
def lane() -> Lane:
    return Lane()


@pytest.fixture
def terminal(lane: Lane) -> str:
    return lane.run(lane.session())


def wait(lane: Lane, terminal: str, deadline_ms: int = 60_000, **body: Any) -> Any:
    """Ask to wait; return what is answered in the same turn, None for nothing."""
    done = lane.command("terminal.wait", body, terminal_id=terminal, deadline_ms=deadline_ms)
    return replied(done) or look(lane)


def replied(done: list[actions.Action]) -> Any:
    return answer(done) if any(isinstance(a, actions.Reply) for a in done) else None


def look(lane: Lane) -> Any:
    """Do what a worker does each turn."""
    due = lane.core.deadline()
    if lane.core.waits.behind() or (due is not None and due <= lane.now):
        return replied(lane.give(actions.Tick()))
    return None


def prints(lane: Lane, terminal: str, text: bytes) -> Any:
    lane.logs[terminal].content += text
    return look(lane)


def stop(lane: Lane, terminal: str) -> Any:
    lane.give(actions.Exited(terminal, ExitStatus(kind="exited", code=0)))
    return replied(lane.give(actions.Drained(terminal))) or look(lane)


def test_a_match_is_answered_with_its_place(lane: Lane, terminal: str) -> None:
    prints(lane, terminal, b"ready\r\n")
    assert wait(lane, terminal, until="match", pattern=r"r(\w)ady") is None
    assert prints(lane, terminal, b"re") is None
    assert prints(lane, terminal, b"ady!") == {
        "reason": "match",
        "match": {"start": 7, "end": 12, "text": b"ready", "groups": [b"e"]},
        "head": 13,
    }
    assert not lane.core.pending


def test_what_came_before_the_wait_is_found_from_its_offset(lane: Lane, terminal: str) -> None:
    prints(lane, terminal, b"one\r\ntwo\r\n")
    found = wait(lane, terminal, until="match", pattern="o", offset=3)
    assert found["match"]["start"] == 7


def test_silence_counts_from_the_command_and_from_the_last_output(
    lane: Lane, terminal: str
) -> None:
    lane.now += 50
    assert wait(lane, terminal, until="idle", idle_s=2.0) is None
    lane.now += 1.5
    assert prints(lane, terminal, b"x") is None
    lane.now += 1.9
    assert look(lane) is None
    lane.now += 0.1
    assert look(lane) == {"reason": "idle", "head": 1}


def test_a_match_and_silence_together(lane: Lane, terminal: str) -> None:
    assert wait(lane, terminal, until="match", pattern="never", idle_s=1.0) is None
    lane.now += 1.0
    assert look(lane)["reason"] == "idle"


def test_the_end_of_the_program_ends_every_wait(lane: Lane, terminal: str) -> None:
    assert wait(lane, terminal, until="match", pattern="never") is None
    prints(lane, terminal, b"other")
    assert stop(lane, terminal) == {
        "reason": "exit",
        "exit": {"kind": "exited", "code": 0},
        "end": 5,
    }
    assert wait(lane, terminal, until="idle", idle_s=9.0)["reason"] == "exit"
    assert wait(lane, terminal, until="match", pattern="th", offset=0)["match"]["start"] == 1
    assert wait(lane, terminal, until="match", pattern="no", offset=0)["reason"] == "exit"


def test_a_program_that_cannot_be_started_again_ends_the_waits(lane: Lane, terminal: str) -> None:
    stop(lane, terminal)
    lane.command("terminal.respawn", terminal_id=terminal)
    assert wait(lane, terminal) is None
    assert wait(lane, terminal, until="match", pattern="never") is None
    done = lane.give(actions.SpawnRefused(terminal, "no such file")) + lane.give(actions.Tick())
    answers = [msgpack.unpackb(a.data) for a in done if isinstance(a, actions.Reply)]
    waits = [a["result"]["reason"] for a in answers if a["status"] == "ok"]
    assert waits == ["exit", "exit"]


def test_the_last_bytes_of_a_program_are_searched(lane: Lane, terminal: str) -> None:
    assert wait(lane, terminal, until="match", pattern="last words") is None
    lane.logs[terminal].content += b"x" * 300_000 + b"last words"
    found = stop(lane, terminal)
    while found is None and lane.core.waits.behind():
        found = look(lane)
    assert found["match"]["end"] == 300_010


def test_too_late_says_from_where_to_go_on(lane: Lane, terminal: str) -> None:
    assert wait(lane, terminal, deadline_ms=1000, until="match", pattern="never") is None
    prints(lane, terminal, b"x" * 20_000)
    lane.now += 1.0
    error = look(lane)
    assert error["code"] == "TIMEOUT"
    assert 0 < error["details"]["searched"] <= 20_000
    assert "gap" not in error["details"]


def test_too_late_says_what_was_gone_before_it_was_searched(lane: Lane, terminal: str) -> None:
    ask = {"until": "match", "pattern": "never", "offset": 0}
    prints(lane, terminal, b"x" * 20_000)
    lane.logs[terminal].tail = 10_000
    assert wait(lane, terminal, deadline_ms=1000, **ask) is None
    lane.now += 1.0
    assert look(lane)["details"]["gap"] == {"start": 0, "end": 10_000}


@pytest.mark.parametrize(
    "body",
    [
        {"until": "match"},
        {"until": "idle"},
        {"pattern": "x"},
        {"until": "idle", "idle_s": 1.0, "pattern": "x"},
        {"until": "exit", "idle_s": 1.0},
        {"until": "idle", "idle_s": 1.0, "offset": 0},
        {"until": "match", "pattern": "x", "offset": 1},
        {"until": "match", "pattern": ""},
        {"until": "match", "pattern": "("},
    ],
)
def test_what_makes_no_sense_is_refused(lane: Lane, terminal: str, body: dict[str, Any]) -> None:
    assert wait(lane, terminal, **body)["code"] == "INVALID_ARGUMENT"
    assert len(lane.core.waits) == 0


def test_waits_are_bounded(lane: Lane, terminal: str) -> None:
    for _ in range(MAX_SEARCHES):
        assert wait(lane, terminal, until="match", pattern="never") is None
    assert wait(lane, terminal, until="match", pattern="never")["code"] == "LIMIT_EXCEEDED"
    for _ in range(MAX_WAITERS - MAX_SEARCHES):
        assert wait(lane, terminal) is None
    assert wait(lane, terminal)["code"] == "LIMIT_EXCEEDED"


def test_many_searches_share_the_turns(lane: Lane, terminal: str) -> None:
    for _ in range(10):
        wait(lane, terminal, until="match", pattern="(?:a|b)*a(?:a|b){60}c")
    lane.logs[terminal].content += b"a" * 30_000
    turns = 0
    while lane.core.waits.behind():
        look(lane)
        turns += 1
    assert turns > 30


def test_a_closed_terminal_answers_its_waits(lane: Lane, terminal: str) -> None:
    wait(lane, terminal, until="match", pattern="never")
    done = lane.command("terminal.close", {}, terminal_id=terminal)
    ending = next(a for a in done if isinstance(a, actions.End))
    lane.give(actions.Exited(terminal, ExitStatus(kind="exited", code=0)))
    done = lane.give(actions.Drained(terminal))
    done += lane.give(actions.Cleared(ending.ending_id, 1, 0))
    errors = [msgpack.unpackb(a.data).get("error") for a in done if isinstance(a, actions.Reply)]
    assert any(error and error["code"] == "TERMINAL_NOT_FOUND" for error in errors)
    assert len(lane.core.waits) == 0


@pytest.mark.parametrize(
    ("pattern", "reason"), [("last words", "match"), ("never", "exit"), ("last word$", "exit")]
)
def test_output_that_is_not_kept_is_searched_before_it_goes(
    lane: Lane, pattern: str, reason: str
) -> None:
    terminal = lane.run(lane.session(), keep_s=0)
    assert wait(lane, terminal, until="match", pattern=pattern) is None
    lane.logs[terminal].content += b"x" * 300_000 + b"last words"
    found = stop(lane, terminal)
    for _ in range(100):
        found = found or look(lane)
    assert found["reason"] == reason
    assert len(lane.core.waits) == 0
    assert terminal not in lane.core.state.terminals


def test_a_wait_without_a_log_is_told(lane: Lane) -> None:
    session = lane.session()
    lost, forgotten = lane.run(session), lane.run(session)
    for terminal in (lost, forgotten):
        assert wait(lane, terminal, until="match", pattern="never") is None
    stop(lane, lost)
    lane.logs.clear()
    done = lane.give(actions.Tick())
    told = [msgpack.unpackb(a.data) for a in done if isinstance(a, actions.Reply)]
    assert [one["error"]["code"] for one in told] == ["TERMINAL_NOT_FOUND"]
    assert len(lane.core.waits) == 0
