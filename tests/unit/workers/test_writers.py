"""The writer lease: one client types, the others are told who, and taking over is explicit."""

from collections.abc import Mapping

import pytest

from lanekeeper.wire.limits import LEASE_SECONDS
from lanekeeper.workers import actions

from .lanes import WORKSPACE, Lane, answer, events, topics


@pytest.fixture
def lane() -> Lane:
    return Lane()


def running(lane: Lane) -> tuple[str, str]:
    session = lane.session()
    terminal = lane.start(session)
    lane.give(actions.Forked(terminal, 42, 4242))
    lane.give(actions.Executed(terminal))
    return session, terminal


def attach(lane: Lane, session: str) -> str:
    result = lane.call("session.attach", session_id=session, workspace_id=WORKSPACE)
    return str(result["lease_id"])


def take(lane: Lane, terminal: str, lease: str, **options: bool) -> str:
    body = {"lease_id": lease, **options}
    result = lane.call("terminal.lease", body, terminal_id=terminal)
    return str(result.get("writer_id", result.get("code")))


def code_of(lane: Lane, method: str, body: Mapping[str, object], terminal: str) -> str:
    done = lane.command(method, body, terminal_id=terminal)
    if any(isinstance(one, actions.Deliver) for one in done):
        return "delivered"
    return str(answer(done).get("code", "ok"))


def test_anybody_types_while_nobody_holds_the_lease(lane: Lane) -> None:
    session, terminal = running(lane)
    size = {"cols": 90, "rows": 30}
    assert code_of(lane, "terminal.input", {"data": b"x"}, terminal) == "delivered"
    assert code_of(lane, "terminal.resize", size, terminal) == "ok"
    writer = take(lane, terminal, attach(lane, session))
    assert code_of(lane, "terminal.input", {"data": b"x"}, terminal) == "NOT_WRITER"
    assert code_of(lane, "terminal.resize", size, terminal) == "NOT_WRITER"
    mine = {"writer_id": writer}
    assert code_of(lane, "terminal.input", {"data": b"x", **mine}, terminal) == "delivered"
    assert code_of(lane, "terminal.resize", {**size, **mine}, terminal) == "ok"
    assert code_of(lane, "terminal.unlease", mine, terminal) == "ok"
    assert code_of(lane, "terminal.input", {"data": b"x"}, terminal) == "delivered"
    assert code_of(lane, "terminal.input", {"data": b"x", **mine}, terminal) == "NOT_WRITER"
    assert code_of(lane, "terminal.unlease", mine, terminal) == "NOT_WRITER"


def test_taking_over_is_explicit_and_the_loser_is_named(lane: Lane) -> None:
    session, terminal = running(lane)
    one, two = attach(lane, session), attach(lane, session)
    first = take(lane, terminal, one, tty=True)
    assert lane.core.tty_writer(terminal)
    assert take(lane, terminal, two) == "NOT_WRITER"
    body = {"lease_id": two, "take": True}
    done = lane.command("terminal.lease", body, terminal_id=terminal)
    told = events(done)[0]
    assert told["topic"] == "terminal.writer.changed"
    assert told["payload"]["lease_id"] == one
    assert told["payload"]["reason"] == "taken over"
    assert not lane.core.tty_writer(terminal)
    mine = {"data": b"x", "writer_id": first}
    assert code_of(lane, "terminal.input", mine, terminal) == "NOT_WRITER"


def test_the_holder_gets_the_same_lease_again(lane: Lane) -> None:
    session, terminal = running(lane)
    lease = attach(lane, session)
    first = take(lane, terminal, lease)
    assert take(lane, terminal, lease) == first
    assert take(lane, terminal, lease, tty=True) == first
    assert lane.core.tty_writer(terminal)


def test_a_change_of_the_writer_is_tied_to_the_command_that_made_it(lane: Lane) -> None:
    session, terminal = running(lane)
    lease = attach(lane, session)
    at = {"terminal_id": terminal}
    taken = lane.command("terminal.lease", {"lease_id": lease}, correlation_id="took", **at)
    writer = answer(taken)["writer_id"]
    gone = lane.command("terminal.unlease", {"writer_id": writer}, correlation_id="gave", **at)
    take(lane, terminal, lease)
    body = {"lease_id": lease}
    left = lane.command("session.detach", body, session_id=session, correlation_id="left")
    told = [one["correlation_id"] for done in (taken, gone, left) for one in events(done)]
    assert told == ["took", "gave", "left", "left"]


def test_the_writer_lease_ends_with_the_lease_it_lives_by(lane: Lane) -> None:
    session, terminal = running(lane)
    take(lane, terminal, attach(lane, session))
    assert "writer" in lane.call("terminal.get", terminal_id=terminal)["terminal"]
    lane.now += LEASE_SECONDS
    done = lane.give(actions.Tick())
    assert topics(done) == ["terminal.writer.changed", "session.detached"]
    assert "writer" not in lane.call("terminal.get", terminal_id=terminal)["terminal"]
    assert code_of(lane, "terminal.input", {"data": b"x"}, terminal) == "delivered"


def test_a_lease_of_another_session_is_no_claim(lane: Lane) -> None:
    _, terminal = running(lane)
    other = lane.call("session.create", {"name": "other"})["session"]["id"]
    assert take(lane, terminal, attach(lane, other)) == "INVALID_ARGUMENT"


def test_a_successor_knows_the_writer(lane: Lane) -> None:
    session, terminal = running(lane)
    take(lane, terminal, attach(lane, session), tty=True)
    assert lane.replayed().tty_writer(terminal)
    assert lane.replayed().writers == lane.core.state.writers


def test_a_program_can_start_with_its_writer(lane: Lane) -> None:
    session = lane.session()
    body = {"argv": ["sh"], "write": {"lease_id": attach(lane, session), "tty": True}}
    ids = {"session_id": session, "workspace_id": WORKSPACE}
    started = lane.command("terminal.spawn", body, **ids)
    terminal = next(a.info.id for a in started if isinstance(a, actions.Start))
    assert lane.core.tty_writer(terminal)
    lane.give(actions.Forked(terminal, 42, 4242))
    spawned = answer(lane.give(actions.Executed(terminal)))
    assert spawned["writer_id"] == lane.core.state.writers[terminal].id
    assert spawned["terminal"]["writer"]["tty"] is True
