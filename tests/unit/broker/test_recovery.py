"""A worker dies and a successor takes over, or nobody does until somebody asks."""

from typing import Any

from lanekeeper.broker.stimuli import KeeperDown, KeeperUp
from lanekeeper.wire.envelope import Response
from lanekeeper.wire.messages.events import Happened
from unit.broker.bench import Bench, a_session, a_terminal


def _error(response: Response) -> str:
    assert response.error is not None, response
    return response.error.code


def _busy(bench: Bench) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a lane with a running terminal; return its assignment and what it registers."""
    lane = bench.grant()
    route = bench.register(lane)
    bench.spawned(lane["lane_id"], route, "a")
    session = a_session(lane["lane_id"], "sess_a")
    terminal = a_terminal(lane["lane_id"], "sess_a", "term_a")
    return lane, {"sessions": [session], "terminals": [terminal]}


def _dies(bench: Bench, lane: dict[str, Any], **fields: Any) -> None:
    message = {"op": "died", "lane_id": lane["lane_id"], "generation": lane["generation"]}
    bench.keeper(**(message | fields))


def test_a_successor_goes_on_and_nothing_is_called_lost(bench: Bench) -> None:
    lane, contents = _busy(bench)
    command = bench.command("terminal.get", terminal_id="term_a")
    bench.send(command)
    seen = len(bench.events)
    _dies(bench, lane, recovering=True)
    assert bench.status(lane["lane_id"]) == "recovering"
    assert bench.call("session.list")["sessions"][0]["status"] == "restoring"
    late = bench.command("terminal.get", terminal_id="term_a")
    assert not bench.send(late)
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert bench.status(lane["lane_id"]) == "running"
    assert [one.command_id for one in bench.sent[-2:]] == [command.id, late.id]
    topics = bench.topics(seen)
    assert topics == [
        "lane.state.changed",
        "session.restore.started",
        "lane.state.changed",
        "session.restore.completed",
        "lane.state.changed",
    ]
    (outcome,) = bench.happened("session.restore.completed").restored or []
    assert (outcome.terminal_id, outcome.outcome, outcome.state) == (
        "term_a",
        "recovered",
        "active",
    )


def test_a_restore_tells_what_was_lost_and_what_to_do(bench: Bench) -> None:
    lane, contents = _busy(bench)
    route = b"worker-" + lane["lane_id"].encode()
    other = a_terminal(lane["lane_id"], "sess_a", "term_b")
    bench.report(route, "terminal.spawned", Happened(terminal=other))
    _dies(bench, lane, recovering=True)
    contents["terminals"] = [
        a_terminal(lane["lane_id"], "sess_a", "term_a", state="errored", reason="not in the vault")
    ]
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    outcomes = bench.happened("session.restore.completed").restored or []
    assert [(one.terminal_id, one.outcome) for one in outcomes] == [
        ("term_a", "lost"),
        ("term_b", "ended"),
    ]
    assert (outcomes[0].reason, outcomes[0].remedy) == (
        "not in the vault",
        "start it again with lane respawn",
    )


def test_a_successor_that_is_quicker_than_the_news_is_not_called_dead(bench: Bench) -> None:
    lane, contents = _busy(bench)
    seen = len(bench.events)
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert bench.topics(seen)[0] == "lane.state.changed"
    assert "session.restore.completed" in bench.topics(seen)
    _dies(bench, lane, recovering=True)
    assert bench.status(lane["lane_id"]) == "running"
    bench.send(bench.command("terminal.get", terminal_id="term_a"))
    assert bench.sent[-1].route == b"successor"


def test_a_cleanup_outlives_the_worker_that_does_it(bench: Bench) -> None:
    lane, contents = _busy(bench)
    command = bench.command("lane.cleanup", lane_id=lane["lane_id"])
    bench.send(command)
    _dies(bench, lane, recovering=True)
    assert bench.status(lane["lane_id"]) == "cleaning"
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert (bench.sent[-1].route, bench.sent[-1].command_id) == (b"successor", command.id)


def test_a_lane_that_is_given_up_is_brought_back_when_asked(bench: Bench) -> None:
    lane, contents = _busy(bench)
    lane_id = lane["lane_id"]
    _dies(bench, lane, recovering=True)
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop: 5 workers died")
    assert bench.status(lane_id) == "failed"
    completed = bench.happened("session.restore.completed")
    assert completed.error is not None
    assert "lane recover" in completed.error.message
    assert bench.call("terminal.list")["terminals"][0]["state"] == "active"
    (info,) = bench.call("lane.list")["lanes"]
    assert "crash loop" in info["reason"]
    refused = bench.refusal("terminal.get", terminal_id="term_a")
    assert refused.message.endswith("lane back with lane recover; the program lives on")
    assert "cleanup" not in refused.message
    command = bench.command("lane.recover", {"without_screen": True}, lane_id=lane_id)
    assert not bench.send(command)
    asked = bench.asked[-1]
    assert (asked["op"], asked["lane_id"], asked["without_screen"]) == ("recover", lane_id, True)
    assert not bench.send(command, b"another")
    bench.keeper(op="recovering", id=asked["id"])
    assert bench.status(lane_id) == "recovering"
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert bench.status(lane_id) == "running"
    answered = [(route, one.error) for route, one in bench.replies if one.id == command.id]
    assert answered == [(b"client-1", None), (b"another", None)]


def test_a_lane_whose_keeper_died_before_the_successor_came_has_failed(bench: Bench) -> None:
    lane, _ = _busy(bench)
    _dies(bench, lane, recovering=True)
    bench.feed(KeeperDown())
    bench.keeper_comes()
    bench.wait(2.1)
    assert bench.status(lane["lane_id"]) == "failed"
    assert bench.call("terminal.list")["terminals"][0]["state"] == "errored"
    assert "complete" not in bench.call("lane.list")


def test_a_worker_that_died_together_with_its_keeper_is_noticed(bench: Bench) -> None:
    lane, _ = _busy(bench)
    bench.feed(KeeperDown())
    bench.send(bench.command("terminal.get", terminal_id="term_a"))
    bench.undelivered(bench.sent[-1])
    assert bench.status(lane["lane_id"]) == "recovering"
    bench.keeper_comes()
    bench.wait(2.1)
    assert bench.status(lane["lane_id"]) == "failed"


def test_a_successor_that_the_next_keeper_grants_goes_on(bench: Bench) -> None:
    lane, contents = _busy(bench)
    _dies(bench, lane, recovering=True)
    bench.feed(KeeperDown())
    bench.keeper_comes(lane | {"generation": 2})
    bench.wait(2.1)
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert bench.status(lane["lane_id"]) == "running"
    assert "complete" not in bench.call("lane.list")


def test_a_lane_that_cannot_be_recovered_after_a_restart_is_not_waited_for(bench: Bench) -> None:
    lane, _ = _busy(bench)
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop")
    bench.send(bench.command("lane.recover", lane_id=lane["lane_id"]))
    bench.restart()
    assert bench.asked[-1]["op"] == "recover"
    bench.keeper(op="error", id=bench.asked[-1]["id"], message="nothing to be recovered")
    assert "complete" not in bench.call("lane.list")
    assert bench.refusal("terminal.get", terminal_id="term_zzz").code == "TERMINAL_NOT_FOUND"


def test_a_recovery_that_the_keeper_has_begun_is_not_waited_for_without_end(bench: Bench) -> None:
    lane, _ = _busy(bench)
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop")
    command = bench.command("lane.recover", lane_id=lane["lane_id"], deadline_ms=60_000)
    bench.send(command)
    bench.keeper(op="recovering", id=bench.asked[-1]["id"])
    bench.restart(lane | {"generation": 2})
    assert not bench.send(command)
    bench.wait(10.1)
    assert _error(bench.replies[-1][1]) == "WORKER_LOST"
    assert "complete" not in bench.call("lane.list")


def test_a_slow_recovery_after_a_restart_calls_nothing_lost(bench: Bench) -> None:
    lane, contents = _busy(bench)
    lane_id = lane["lane_id"]
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop")
    command = bench.command("lane.recover", lane_id=lane_id, deadline_ms=60_000)
    bench.send(command)
    bench.restart()
    bench.keeper(op="recovering", id=bench.asked[-1]["id"])
    assert not bench.send(command)
    bench.wait(10.1)
    assert _error(bench.replies[-1][1]) == "WORKER_LOST"
    assert bench.status(lane_id) == "recovering"
    assert bench.call("terminal.list")["terminals"][0]["state"] == "active"
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert bench.status(lane_id) == "running"


def test_a_recovery_whose_keeper_died_ends_with_a_failed_lane(bench: Bench) -> None:
    lane, _ = _busy(bench)
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop")
    command = bench.command("lane.recover", lane_id=lane["lane_id"], deadline_ms=60_000)
    bench.send(command)
    bench.keeper(op="recovering", id=bench.asked[-1]["id"])
    bench.feed(KeeperDown())
    bench.keeper_comes()
    bench.wait(10.1)
    assert _error(bench.replies[-1][1]) == "WORKER_LOST"
    assert bench.status(lane["lane_id"]) == "failed"


def test_a_lane_that_was_given_up_without_a_broker_is_kept(bench: Bench) -> None:
    lane, contents = _busy(bench)
    lane_id = lane["lane_id"]
    bench.keeper_can_be_reached = False
    bench.restart()
    bench.feed(KeeperUp())
    _dies(bench, lane, recovering=False, kept=True, generation=5, reason="crash loop")
    bench.keeper(op="workers", lanes=[], more=False)
    assert "complete" not in bench.call("lane.list")
    assert bench.status(lane_id) == "failed"
    assert bench.call("terminal.list")["terminals"][0]["state"] == "active"
    assert "lane recover" in bench.call("lane.list")["lanes"][0]["reason"]
    command = bench.command("lane.recover", lane_id=lane_id)
    assert not bench.send(command)
    bench.restart()
    bench.feed(KeeperUp())
    _dies(bench, lane, recovering=False, kept=True, generation=5, reason="crash loop")
    bench.keeper(op="workers", lanes=[], more=False)
    assert bench.asked[-1]["op"] == "recover"
    bench.keeper(op="recovering", id=bench.asked[-1]["id"])
    bench.register(lane | {"generation": 6}, b"successor", pid=43, **contents)
    assert bench.send(command)[0].error is None


def test_a_cleanup_that_overtook_a_recovery_is_answered_by_the_next_broker(bench: Bench) -> None:
    lane, _ = _busy(bench)
    lane_id = lane["lane_id"]
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop")
    recover = bench.command("lane.recover", lane_id=lane_id, deadline_ms=60_000)
    bench.send(recover)
    cleanup = bench.command("lane.cleanup", lane_id=lane_id, deadline_ms=60_000)
    bench.send(cleanup)
    bench.wait(10.1)
    assert [(one.id, _error(one)) for _, one in bench.replies[-1:]] == [(recover.id, "WORKER_LOST")]
    bench.restart()
    assert not bench.send(cleanup)
    bench.keeper(op="swept", id=f"sweep:{lane_id}", killed=1)
    assert (bench.replies[-1][1].id, bench.replies[-1][1].error) == (cleanup.id, None)


def test_what_cannot_be_recovered_is_refused(bench: Bench) -> None:
    lane, _ = _busy(bench)
    fields = {"lane_id": lane["lane_id"]}
    assert bench.refusal("lane.recover", **fields).code == "INVALID_TRANSITION"
    _dies(bench, lane, recovering=False, signal=9)
    command = bench.command("lane.recover", **fields)
    assert not bench.send(command)
    bench.keeper(op="error", id=bench.asked[-1]["id"], message="nothing to be recovered")
    assert _error(bench.replies[-1][1]) == "INVALID_TRANSITION"
    assert not bench.send(bench.command("lane.recover", deadline_ms=60_000, **fields))
    bench.wait(10.1)
    assert _error(bench.replies[-1][1]) == "WORKER_LOST"


def test_a_recovery_is_asked_for_again_by_the_next_broker(bench: Bench) -> None:
    lane, contents = _busy(bench)
    _dies(bench, lane, recovering=False, kept=True, signal=11, reason="crash loop")
    command = bench.command("lane.recover", lane_id=lane["lane_id"])
    bench.send(command)
    bench.restart()
    assert bench.asked[-1]["op"] == "recover"
    bench.keeper(op="recovering", id=bench.asked[-1]["id"])
    bench.register(lane | {"generation": 2}, b"successor", pid=43, **contents)
    assert bench.send(command)[0].error is None
