"""What a lane decides: commands, the life of programs, leases, endings and retries."""

import pytest

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import LEASE_SECONDS, MAX_KEPT_TERMINALS
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions

from .lanes import WORKSPACE, Lane, answer, as_data, events, only, topics

SEVEN = ExitStatus(kind="exited", code=7)


@pytest.fixture
def lane() -> Lane:
    return Lane()


def attach(lane: Lane, session: str) -> str:
    result = lane.call("session.attach", session_id=session, workspace_id=WORKSPACE)
    return str(result["lease_id"])


def test_a_session_is_made_once_and_reused(lane: Lane) -> None:
    first = lane.call("session.create", {"name": "main", "codex_session_id": "abc"})
    again = lane.call("session.create", {"name": "other", "codex_session_id": "abc"})
    assert first["created"] is True
    assert again["created"] is False
    assert again["session"]["id"] == first["session"]["id"]
    refused = lane.call("session.create", {"name": "main", "codex_session_id": "xyz"})
    assert refused["code"] == "ALREADY_EXISTS"
    assert lane.call("session.create", {"name": "a b"})["code"] == "INVALID_ARGUMENT"


def test_the_agent_session_decides_before_the_name_does(lane: Lane) -> None:
    named = lane.call("session.create", {"name": "main"})
    agents = lane.call("session.create", {"name": "agent", "codex_session_id": "abc"})
    found = lane.call("session.create", {"name": "main", "codex_session_id": "abc"})
    assert found["session"]["id"] == agents["session"]["id"] != named["session"]["id"]
    refused = lane.call("session.create", {"name": "main", "codex_session_id": "xyz"})
    assert refused["code"] == "ALREADY_EXISTS"
    assert refused["message"] == "session main belongs to no agent session; use another name"
    by_name = lane.call("session.create", {"name": "agent"})
    assert by_name["session"]["id"] == agents["session"]["id"]


def test_a_session_is_attached_while_a_lease_lives(lane: Lane) -> None:
    session = lane.session()
    one, two = attach(lane, session), attach(lane, session)
    assert lane.core.state.sessions[session].status == "attached"
    assert lane.call("session.detach", {"lease_id": one}, session_id=session) == {}
    assert lane.core.state.sessions[session].status == "attached"
    lane.now += LEASE_SECONDS - 1
    assert lane.command("lease.renew", {"lease_id": two}) == []
    lane.now += LEASE_SECONDS - 1
    assert topics(lane.give(actions.Tick())) == []
    lane.now += 1
    assert lane.core.deadline() == lane.now
    assert topics(lane.give(actions.Tick())) == ["session.detached"]
    assert lane.core.state.sessions[session].status == "detached"
    assert answer(lane.command("lease.renew", {"lease_id": two}))["code"] == "INVALID_ARGUMENT"


def test_a_lease_is_not_lost_because_we_were_stopped_ourselves(lane: Lane) -> None:
    session = lane.session()
    lease = attach(lane, session)
    lane.now += 3600
    lane.command("lease.renew", {"lease_id": lease})
    lane.now += 3600
    lane.give(actions.Tick())
    assert lane.core.state.sessions[session].status == "attached"


def test_the_gate_opens_only_after_the_pid_is_in_the_journal(lane: Lane) -> None:
    terminal = lane.start(lane.session())
    done = lane.give(actions.Forked(terminal, 42, 4242))
    kinds = [type(a) for a in done]
    assert kinds.index(actions.Journal) < kinds.index(actions.OpenGate)
    assert lane.replayed().terminals[terminal].info.pid == 42


def test_a_program_runs_and_ends_with_its_own_status(lane: Lane) -> None:
    session = lane.session()
    terminal = lane.start(session)
    lane.give(actions.Forked(terminal, 42, 4242))
    done = lane.give(actions.Executed(terminal))
    assert topics(done) == ["terminal.state.changed", "terminal.spawned"]
    spawned = events(done)[1]
    assert [spawned[k] for k in ("lane_id", "workspace_id", "session_id", "terminal_id")] == [
        "lane_a",
        WORKSPACE,
        session,
        terminal,
    ]
    assert answer(done)["terminal"]["state"] == "active"
    waiting = lane.command("terminal.wait", terminal_id=terminal)
    assert not any(isinstance(a, actions.Reply) for a in waiting)
    lane.logs[terminal].content = b"output"
    done = lane.give(actions.Exited(terminal, SEVEN))
    kinds = [type(a) for a in done]
    assert kinds == [actions.Journal, actions.Reap]
    done = lane.give(actions.Drained(terminal))
    assert answer(done) == {"reason": "exit", "exit": {"kind": "exited", "code": 7}, "end": 6}
    announced = only(done, actions.Announce)
    assert (announced.offset, announced.status) == (6, SEVEN)
    read = lane.call("terminal.read", terminal_id=terminal)
    assert (read["data"], read["end"], read["exit"]["code"]) == (b"output", 6, 7)


def test_a_program_that_cannot_run_is_refused_and_leaves_nothing(lane: Lane) -> None:
    terminal = lane.start(lane.session())
    lane.give(actions.Forked(terminal, 42, 4242))
    done = lane.give(actions.SpawnRefused(terminal, "exec: No such file or directory (errno 2)"))
    assert answer(done)["code"] == "SPAWN_FAILED"
    assert "No such file" in answer(done)["message"]
    assert topics(done)[-2:] == ["terminal.spawn.failed", "terminal.closed"]
    assert terminal not in lane.core.state.terminals
    assert only(done, actions.Forget).terminal_id == terminal


def test_an_unknown_exit_status_stays_unknown(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    done = lane.give(actions.Drained(terminal))
    assert only(done, actions.Announce).status.kind == "unknown"


def test_respawn_continues_the_same_terminal(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    refused = lane.call("terminal.respawn", terminal_id=terminal)
    assert refused["code"] == "INVALID_TRANSITION"
    lane.give(actions.Exited(terminal, SEVEN))
    lane.give(actions.Drained(terminal))
    done = lane.command("terminal.respawn", terminal_id=terminal)
    assert only(done, actions.Start).info.exit is None
    lane.give(actions.Forked(terminal, 43, 4243))
    assert answer(lane.give(actions.Executed(terminal)))["terminal"]["runs"] == 2


def test_input_is_answered_when_the_kernel_has_it(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    command = {"terminal_id": terminal, "id": "in-1", "correlation_id": None}
    done = lane.command("terminal.input", {"data": b"ls\n"}, **command)
    assert only(done, actions.Deliver).data == b"ls\n"
    assert lane.command("terminal.input", {"data": b"ls\n"}, **command) == []
    assert lane.command("terminal.input", {"data": b"ls\n"}, **command, route=b"you") == []
    done = lane.give(actions.Delivered("in-1", 3))
    assert [a.route for a in done if isinstance(a, actions.Reply)] == [b"me", b"you"]
    kinds = [type(a) for a in done]
    assert kinds.index(actions.Journal) < kinds.index(actions.Reply)
    again = lane.command("terminal.input", {"data": b"ls\n"}, **command)
    assert answer(again) == {"delivered": 3}
    assert not any(isinstance(a, actions.Deliver) for a in again)


def test_input_that_may_be_tried_again_is_not_answered_from_memory(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    lane.command("terminal.input", {"data": b"x"}, terminal_id=terminal, id="in-1")
    error = WireError("BACKPRESSURE", "full")
    assert answer(lane.give(actions.Undelivered("in-1", error)))["code"] == "BACKPRESSURE"
    again = lane.command("terminal.input", {"data": b"x"}, terminal_id=terminal, id="in-1")
    assert only(again, actions.Deliver).command_id == "in-1"


def test_size_and_signals_are_checked_before_anything_changes(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    done = lane.command("terminal.resize", {"cols": 120, "rows": 40}, terminal_id=terminal)
    assert only(done, actions.SetSize).cols == 120
    assert answer(done)["terminal"]["rows"] == 40
    assert lane.call("terminal.resize", {"cols": 1, "rows": 40}, terminal_id=terminal)["code"] == (
        "INVALID_ARGUMENT"
    )
    done = lane.command("terminal.signal", {"signal": "int"}, terminal_id=terminal)
    assert only(done, actions.SendSignal).signum == 2
    for bad in ("NOPE", 0, 1000):
        refused = lane.call("terminal.signal", {"signal": bad}, terminal_id=terminal)
        assert refused["code"] == "INVALID_ARGUMENT"


def test_consumers_are_registered_acknowledged_and_released(lane: Lane) -> None:
    session = lane.session()
    lease = attach(lane, session)
    terminal = lane.start(session, consume={"lease_id": lease, "policy": "forever"})
    lane.give(actions.Forked(terminal, 42, 4242))
    spawned = answer(lane.give(actions.Executed(terminal)))
    lane.logs[terminal].content = bytes(100)
    consumer = {"consumer_id": spawned["consumer_id"]}
    assert lane.core.state.consumers[terminal].floor() == 0
    done = lane.command("terminal.ack", {**consumer, "offset": 60}, terminal_id=terminal)
    assert [type(a) for a in done] == [actions.Journal, actions.Changed]
    refused = lane.call("terminal.ack", {**consumer, "offset": 101}, terminal_id=terminal)
    assert refused["code"] == "INVALID_ARGUMENT"
    listed = lane.call("terminal.consumers", terminal_id=terminal)["consumers"]
    assert [(c["policy"], c["offset"], c["lag"]) for c in listed] == [("forever", 60, 40)]
    assert lane.replayed().consumers[terminal].floor() == 60
    second = lane.call("terminal.consume", {"lease_id": lease}, terminal_id=terminal)
    assert second["offset"] == 100
    lane.call("terminal.release", {"consumer_id": second["consumer_id"]}, terminal_id=terminal)
    lane.call("session.detach", {"lease_id": lease}, session_id=session)
    assert lane.core.state.consumers[terminal].floor() is None


def test_reading_says_what_is_gone(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    lane.logs[terminal] = log = lane.logs[terminal]
    log.content, log.tail = bytes(100), 40
    read = lane.call("terminal.read", {"offset": 10, "max": 5}, terminal_id=terminal)
    assert (read["offset"], len(read["data"]), read["gap"]) == (40, 5, {"start": 10, "end": 40})
    refused = lane.call("terminal.read", {"offset": 101}, terminal_id=terminal)
    assert refused["code"] == "INVALID_ARGUMENT"


def test_an_input_that_was_refused_untouched_may_come_again(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    command = {"terminal_id": terminal, "id": "in-1"}
    lane.command("terminal.input", {"data": b"x"}, **command)
    error = WireError("INVALID_ARGUMENT", "the line is too long")
    lane.give(actions.Undelivered("in-1", error, taken=False))
    done = lane.command("terminal.input", {"data": b"x"}, **command)
    assert only(done, actions.Deliver).data == b"x"
    lane.give(actions.Undelivered("in-1", WireError("INVALID_TRANSITION", "it ended")))
    assert lane.call("terminal.input", {"data": b"x"}, **command)["code"] == "INVALID_TRANSITION"


def test_closing_waits_for_processes_and_for_the_last_byte(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    done = lane.command("terminal.close", {"grace_s": 1.0}, terminal_id=terminal, id="close-1")
    end = only(done, actions.End)
    assert end.marker == ("LANEKEEPER_TERMINAL", terminal)
    refused = lane.call("terminal.respawn", terminal_id=terminal)
    assert refused["code"] == "INVALID_TRANSITION"
    done = lane.give(actions.Cleared(end.ending_id, 3, 1))
    assert not any(isinstance(a, actions.Reply) for a in done)
    lane.give(actions.Exited(terminal, SEVEN))
    done = lane.give(actions.Drained(terminal))
    assert answer(done) == {"sessions": 0, "terminals": 1, "processes": 3, "killed": 1}
    assert topics(done) == ["terminal.state.changed", "terminal.closed"]
    assert answer(lane.command("terminal.close", terminal_id=terminal, id="close-1")) == (
        answer(done)
    )


def test_an_ending_is_tied_to_the_command_that_asked_for_it(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    ask = {"terminal_id": terminal, "correlation_id": "of-the-close"}
    ending = only(lane.command("terminal.close", {}, **ask), actions.End)
    done = lane.give(actions.Cleared(ending.ending_id, 1, 0))
    done += lane.give(actions.Exited(terminal, SEVEN)) + lane.give(actions.Drained(terminal))
    told = [(one["topic"], one["correlation_id"]) for one in events(done)]
    assert told == [
        ("terminal.state.changed", "of-the-close"),
        ("terminal.closed", "of-the-close"),
    ]


def test_terminating_a_session_ends_its_terminals_and_leases(lane: Lane) -> None:
    session, other = lane.session(), lane.session("other")
    attach(lane, session)
    terminal, kept = lane.run(session), lane.run(other)
    end = only(lane.command("session.terminate", session_id=session), actions.End)
    assert end.terminal_ids == (terminal,)
    refused = lane.call(
        "terminal.spawn", {"argv": ["x"]}, session_id=session, workspace_id=WORKSPACE
    )
    assert refused["code"] == "INVALID_TRANSITION"
    lane.give(actions.Exited(terminal, SEVEN))
    lane.give(actions.Drained(terminal))
    done = lane.give(actions.Cleared(end.ending_id, 1, 0))
    assert topics(done) == ["terminal.closed", "session.terminated"]
    assert list(lane.core.state.sessions) == [other]
    assert list(lane.core.state.terminals) == [kept]
    assert lane.core.state.leases == {}


def test_cleanup_ends_all_and_the_worker_leaves(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    end = only(lane.command("lane.cleanup"), actions.End)
    waiting = lane.command("terminal.wait", terminal_id=terminal)
    assert not any(isinstance(a, actions.Reply) for a in waiting)
    lane.give(actions.Exited(terminal, SEVEN))
    lane.give(actions.Drained(terminal))
    done = lane.give(actions.Cleared(end.ending_id, 1, 0))
    assert answer(done)["sessions"] == 1
    assert isinstance(done[-1], actions.Leave)


def test_the_plane_stops_without_anybody_asking(lane: Lane) -> None:
    assert lane.give(actions.Drain())
    assert lane.give(actions.Drain()) == []


def test_ended_terminals_are_kept_for_a_while_and_bounded(lane: Lane) -> None:
    session = lane.session()
    for _ in range(MAX_KEPT_TERMINALS + 2):
        terminal = lane.run(session, keep_s=10.0)
        lane.give(actions.Exited(terminal, SEVEN))
        lane.give(actions.Drained(terminal))
        lane.now += 0.001
    assert len(lane.core.state.terminals) == MAX_KEPT_TERMINALS
    lane.now += 10
    lane.give(actions.Tick())
    assert lane.core.state.terminals == {}


def test_throttling_and_demotion_are_reported(lane: Lane) -> None:
    session = lane.session()
    lease = attach(lane, session)
    terminal = lane.run(session)
    one = lane.call("terminal.consume", {"lease_id": lease}, terminal_id=terminal)
    done = lane.give(actions.Throttle(terminal, on=True))
    assert events(done)[0]["payload"]["terminal"]["state"] == "throttled"
    assert lane.give(actions.Throttle(terminal, on=True)) == []
    lane.core.state.consumers[terminal].get(one["consumer_id"]).policy = "drop"
    lane.give(actions.Demoted(terminal, one["consumer_id"]))
    assert lane.replayed().consumers[terminal].floor() is None
    done = lane.give(actions.Throttle(terminal, on=False))
    assert events(done)[0]["payload"]["terminal"]["state"] == "active"


def test_the_registration_is_the_truth_of_the_lane(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    lane.logs[terminal].content = b"abc"
    registration = lane.core.registration(1, 2, lane.moment())
    assert [t.head for t in registration.terminals] == [3]
    assert [s.terminals for s in registration.sessions] == [1]
    assert registration.assignment.generation == 3


def test_a_compacted_journal_gives_the_same_state(lane: Lane) -> None:
    session = lane.session()
    lease = attach(lane, session)
    lane.run(session, consume={"lease_id": lease})
    state = lane.replayed()
    assert as_data(state.snapshot()) == as_data(lane.core.state.snapshot())
