"""A broker goes on where the killed one was: lanes, answers, events, commands on their way."""

import os
from typing import Any

import pytest

from lanekeeper.broker.journal import Keeping, append, load, pack
from lanekeeper.broker.stimuli import KeeperDown
from lanekeeper.keeper.journal import PAYLOAD_MAX, Journal, JournalError
from lanekeeper.wire.envelope import Response
from lanekeeper.wire.messages.events import Happened
from unit.broker.bench import DEFAULT, Bench, a_session, a_terminal, content


def _error(response: Response) -> str:
    assert response.error is not None, response
    return response.error.code


def _assignment(bench: Bench, name: str = "build") -> dict[str, Any]:
    lane = bench.grant(name)
    bench.register(lane)
    return lane


def test_nothing_is_said_of_lanes_that_only_lost_their_broker(bench: Bench) -> None:
    lane = _assignment(bench)
    seen = len(bench.events)
    bench.restart(lane)
    assert bench.call("lane.list")["complete"] is False
    assert bench.status(lane["lane_id"]) == "ready"
    bench.register(lane)
    assert "complete" not in bench.call("lane.list")
    assert len(bench.events) == seen


def test_an_answer_is_given_again_and_its_effect_is_one(bench: Bench) -> None:
    command = bench.command("workspace.create", {"name": "mine"})
    (first,) = bench.send(command)
    bench.restart()
    assert bench.send(command, b"another") == [first]
    names = [one["name"] for one in bench.call("workspace.list")["workspaces"]]
    assert names.count("mine") == 1


def test_a_lane_create_goes_on_and_is_answered_once(bench: Bench) -> None:
    command = bench.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    assert not bench.send(command)
    lane = bench.asked[-1]["lane"]
    bench.restart()
    # The keeper knows nothing of it: its grant died with the broker, so it is asked again.
    assert bench.asked[-1]["lane"] == lane | {
        "correlation_id": bench.asked[-1]["lane"]["correlation_id"]
    }
    assert not bench.send(command, b"another")
    bench.register(lane)
    route, response = bench.replies[-1]
    assert (route, response.id, response.error) == (b"another", command.id, None)
    bench.restart(lane)
    assert bench.send(command, b"third")[0].result == response.result


def test_a_grant_that_was_heard_is_not_taken_for_a_failure(bench: Bench) -> None:
    command = bench.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    bench.send(command)
    lane = bench.asked[-1]["lane"]
    bench.restart()
    bench.keeper(op="refused", id=f"grant:{lane['lane_id']}", code="ALREADY_EXISTS", message="has")
    bench.register(lane)
    assert bench.status(lane["lane_id"]) == "ready"
    assert bench.send(command)[0].error is None


def test_a_cleanup_goes_on_with_the_worker_that_comes_back(bench: Bench) -> None:
    lane = _assignment(bench)
    command = bench.command("lane.cleanup", lane_id=lane["lane_id"])
    bench.send(command)
    bench.restart(lane)
    route = bench.register(lane)
    assert bench.sent[-1].command_id == command.id
    assert not bench.send(command, b"another")
    bench.respond(route, command.id, {"sessions": 1, "terminals": 1, "processes": 1, "killed": 0})
    assert bench.replies[-1][0] == b"another"
    assert "lane.cleaned" in bench.topics()


def test_a_cleanup_whose_worker_has_gone_is_finished_by_the_keeper(bench: Bench) -> None:
    lane = _assignment(bench)
    command = bench.command("lane.cleanup", lane_id=lane["lane_id"])
    bench.send(command)
    bench.restart()
    assert bench.asked[-1]["op"] == "sweep"
    bench.keeper(op="swept", id=f"sweep:{lane['lane_id']}", killed=2)
    assert bench.send(command)[0].error is None


def test_a_cleanup_whose_worker_died_with_its_keeper_is_finished_by_the_next(bench: Bench) -> None:
    lane = _assignment(bench)
    command = bench.command("lane.cleanup", lane_id=lane["lane_id"])
    bench.send(command)
    bench.keeper(op="died", lane_id=lane["lane_id"], generation=1, recovering=True)
    bench.feed(KeeperDown())
    bench.keeper_comes()
    assert bench.asked[-1]["op"] == "sweep"
    bench.keeper(op="swept", id=f"sweep:{lane['lane_id']}", killed=2)
    assert bench.send(command)[0].error is None


def test_a_cleanup_whose_successor_comes_is_left_to_it(bench: Bench) -> None:
    lane = _assignment(bench)
    command = bench.command("lane.cleanup", lane_id=lane["lane_id"])
    bench.send(command)
    bench.keeper(op="died", lane_id=lane["lane_id"], generation=1, recovering=True)
    bench.feed(KeeperDown())
    asked = len(bench.asked)
    bench.keeper_comes(lane | {"generation": 2})
    assert bench.asked[asked:] == []
    bench.register(lane | {"generation": 2}, b"successor", pid=43)
    assert (bench.sent[-1].route, bench.sent[-1].command_id) == (b"successor", command.id)


def test_a_lane_that_is_swept_is_not_given_up_for_not_coming_back(bench: Bench) -> None:
    lane = _assignment(bench)
    bench.keeper(op="died", lane_id=lane["lane_id"], generation=1, recovering=True)
    bench.feed(KeeperDown())
    bench.keeper_comes()
    command = bench.command("lane.cleanup", lane_id=lane["lane_id"], deadline_ms=60_000)
    assert not bench.send(command)
    bench.wait(2.1)
    assert bench.status(lane["lane_id"]) == "cleaning"
    assert "complete" not in bench.call("lane.list")
    bench.keeper(op="swept", id=f"sweep:{lane['lane_id']}", killed=2)
    assert bench.send(command)[0].error is None


def test_commands_for_a_lane_wait_until_it_is_back(bench: Bench) -> None:
    lane = _assignment(bench)
    bench.restart(lane)
    early = bench.command("session.create", lane_id=lane["lane_id"])
    assert not bench.send(early)
    bench.register(lane)
    assert bench.sent[-1].command_id == early.id
    bench.restart(lane)
    late = bench.command("session.create", lane_id=lane["lane_id"])
    assert not bench.send(late)
    bench.wait(2.1)
    error = bench.replies[-1][1].error
    assert error is not None
    assert error.code == "WORKER_LOST"
    assert error.message.endswith("(its worker has not registered yet); try again shortly")


def test_what_may_be_in_a_lane_that_is_missing_is_not_called_unknown(bench: Bench) -> None:
    lane = _assignment(bench)
    stranger = lane | {"lane_id": "lane_" + "z" * 16, "name": "other"}
    bench.restart(lane, stranger)
    for method, fields in (
        ("terminal.get", {"terminal_id": "term_x"}),
        ("session.detach", {"lane_id": stranger["lane_id"], "session_id": "sess_x"}),
        ("lane.create", {"workspace_id": DEFAULT}),
    ):
        payload = {"name": "other"} if method == "lane.create" else {"lease_id": "l"}
        refusal = bench.refusal(method, payload, **fields)
        assert (refusal.code, refusal.retryable) == ("WORKER_LOST", True)
    bench.register(lane)
    bench.register(stranger)
    assert bench.refusal("terminal.get", terminal_id="term_x").code == "TERMINAL_NOT_FOUND"


def test_a_lane_that_does_not_come_back_has_failed(bench: Bench) -> None:
    lane = _assignment(bench)
    bench.spawned(lane["lane_id"], b"worker-" + lane["lane_id"].encode())
    bench.restart()
    assert bench.status(lane["lane_id"]) == "running"
    bench.wait(2.1)
    assert bench.status(lane["lane_id"]) == "failed"
    assert "complete" not in bench.call("lane.list")
    (terminal,) = bench.call("terminal.list")["terminals"]
    assert terminal["reason"].startswith("lost: its worker died while there was no broker")


def test_a_lane_whose_making_was_given_up_is_ended_by_the_next_keeper(bench: Bench) -> None:
    lane = bench.grant()
    bench.feed(KeeperDown())
    assert _error(bench.replies[-1][1]) == "WORKER_LOST"
    bench.register(lane)
    bench.keeper_comes(lane)
    assert (bench.asked[-1]["op"], bench.asked[-1]["lane_id"]) == ("fence", lane["lane_id"])
    assert "complete" not in bench.call("lane.list")
    bench.keeper(op="fenced", id=bench.asked[-1]["id"])
    bench.lane("build")


def test_a_worker_that_comes_for_a_lane_that_was_given_up_is_ended(bench: Bench) -> None:
    lane = bench.grant()
    bench.feed(KeeperDown())
    bench.keeper_comes()
    bench.register(lane)
    assert (bench.asked[-1]["op"], bench.asked[-1]["lane_id"]) == ("fence", lane["lane_id"])
    assert "LANE_NOT_FOUND" in bench.notes[-1]


def test_a_lane_that_nobody_knows_is_not_waited_for_without_end(bench: Bench) -> None:
    stranger = _assignment(bench) | {"lane_id": "lane_" + "z" * 16, "name": "other"}
    bench.keeper_comes(stranger)
    assert bench.call("lane.list")["complete"] is False
    create = {"payload": {"name": "third"}, "workspace_id": DEFAULT}
    assert bench.refusal("lane.create", **create).code == "WORKER_LOST"
    bench.wait(10.1)
    assert "complete" not in bench.call("lane.list")
    bench.lane("third")
    bench.register(stranger)
    assert bench.status(stranger["lane_id"]) == "ready"


def test_what_happened_without_a_broker_is_in_the_story(bench: Bench) -> None:
    lane = _assignment(bench)
    bench.restart(lane)
    route = b"worker-" + lane["lane_id"].encode()
    session = a_session(lane["lane_id"], "sess_a")
    bench.report(route, "session.created", Happened(session=session), lane_id=lane["lane_id"])
    assert "session.created" not in bench.topics()
    bench.register(lane, sessions=[session])
    assert bench.topics()[-1] == "session.created"
    assert [one["id"] for one in bench.call("session.list")["sessions"]] == ["sess_a"]


def test_a_spawn_that_was_let_pass_is_let_pass_again(bench: Bench) -> None:
    lane = _assignment(bench)
    bench.core.desk.budget.limit = 5_000_000
    spawn = bench.command(
        "terminal.spawn",
        {"argv": ["sh"]},
        workspace_id=DEFAULT,
        lane_id=lane["lane_id"],
        session_id="sess_a",
    )
    bench.send(spawn)
    bench.restart(lane)
    bench.core.desk.budget.limit = 5_000_000
    session = a_session(lane["lane_id"], "sess_a")
    started = a_terminal(lane["lane_id"], "sess_a", "term_a", capacity=4_000_000)
    bench.register(lane, sessions=[session], terminals=[started])
    assert not bench.send(spawn)
    assert bench.sent[-1].command_id == spawn.id


def test_a_turn_is_kept_whole_or_not_at_all(bench: Bench) -> None:
    _assignment(bench)
    journal = Journal.create("test")
    append(journal, bench.journal, bench.state)
    whole = journal.size
    assert content(load(journal), bench.now) == content(bench.state, bench.now)
    os.ftruncate(journal.fd, os.fstat(journal.fd).st_size - 1)
    torn = Journal.open(os.dup(journal.fd))
    assert (torn.size, list(torn.records())) == (0, [])
    assert whole > 0
    journal.close()
    torn.close()


def test_after_a_failed_write_the_journal_is_whole_again(bench: Bench) -> None:
    def turn(name: str) -> list[bytes]:
        before = len(bench.journal)
        bench.call("workspace.create", {"name": name})
        return bench.journal[before:]

    journal = Journal.create("test")
    keeping = Keeping(journal, bench.state)
    keeping.write(list(bench.journal))
    failing = [bytes(PAYLOAD_MAX), *turn("first")]
    with pytest.raises(JournalError):
        keeping.write(failing)
    keeping.write(turn("second"))
    keeping.write(turn("third"))
    found = load(journal)
    assert found.history.last == bench.events[-1].seq
    assert content(found, bench.now) == content(bench.state, bench.now)
    journal.close()


@pytest.mark.parametrize("size", [30, 100, 10_000])
def test_what_is_too_large_for_one_payload_is_cut_between_records(size: int) -> None:
    records = [bytes([number]) * 10 for number in range(20)]
    payloads = list(pack(records, size))
    assert all(len(payload) <= size + 16 for payload in payloads)
    assert (len(payloads) == 1) == (size == 10_000)
