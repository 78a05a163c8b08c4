"""What a successor makes of commands that its dead predecessor had not finished."""

import pytest

from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.records import InputIs, encode_records
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.turn import Surroundings

from .lanes import Lane, answer, only

SEVEN = ExitStatus(kind="exited", code=7)


@pytest.fixture
def lane() -> Lane:
    return Lane()


def succeed(lane: Lane, left: Left) -> list[actions.Action]:
    """Let a successor take over what the lane's journal says; return what it does."""
    around = Surroundings(bytes, lane.logs.get, Endpoints(output="ipc://out", control="ipc://in"))
    lane.core = LaneCore(lane.replayed(), around)
    done = lane.core.resume(left, lane.moment())
    for action in done:
        if isinstance(action, actions.Journal):
            lane.journal.append(encode_records([action.record]))
    return done


def test_input_for_a_program_that_has_ended_is_refused_to_who_asks_again(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    lane.command("terminal.input", {"data": b"word"}, terminal_id=terminal, id="typed")
    lane.journal.append(encode_records([InputIs("typed", terminal, 4, 4, 4, 0, 0)]))
    lane.give(actions.Exited(terminal, SEVEN))
    lane.give(actions.Drained(terminal))
    succeed(lane, Left())
    again = lane.command("terminal.input", {"data": b"word"}, terminal_id=terminal, id="typed")
    assert answer(again)["code"] == "INVALID_TRANSITION"
    assert not lane.core.pending
    assert not lane.replayed().inputs


def test_an_answer_to_a_program_that_was_not_accepted_is_forgotten(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    record = InputIs("", terminal, 5, 5, 5, 0, 0)
    lane.journal.append(encode_records([record]))
    succeed(lane, Left(refused=(record.name,)))
    assert lane.replayed().inputs_of(terminal) == []


def test_answers_to_the_questions_of_a_program_go_with_it(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    record = InputIs("", terminal, 5, 5, 5, 0, 0)
    lane.core.state.apply(record, lane.now)
    lane.journal.append(encode_records([record]))
    lane.give(actions.Exited(terminal, SEVEN))
    lane.give(actions.Drained(terminal))
    lane.command("terminal.respawn", terminal_id=terminal)
    # The new program has a new input log: a successor would cut what was accepted at offset 5.
    assert lane.core.state.inputs_of(terminal) == []
    assert lane.replayed().inputs_of(terminal) == []


@pytest.mark.parametrize("asked", [True, False])
def test_a_lane_that_has_ended_is_not_served_by_a_successor(lane: Lane, *, asked: bool) -> None:
    lane.run(lane.session())
    terminal = next(iter(lane.core.state.terminals))
    done = lane.command("lane.cleanup", id="end") if asked else lane.give(actions.Drain())
    ending = only(done, actions.End)
    lane.give(actions.Exited(terminal, SEVEN))
    lane.give(actions.Drained(terminal))
    assert not lane.replayed().ended
    lane.give(actions.Cleared(ending.ending_id, 1, 0))
    kept = encode_records(list(lane.replayed().snapshot()))
    for journal in (list(lane.journal), [kept]):
        lane.journal = journal
        done = succeed(lane, Left())
        assert isinstance(done[-1], actions.Leave)
        assert not any(isinstance(action, actions.Reply | actions.Report) for action in done)


def test_a_lane_whose_ending_was_not_complete_is_served(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    lane.command("lane.cleanup", id="end")
    done = succeed(lane, Left())
    assert not any(isinstance(action, actions.Leave) for action in done)
    assert only(lane.command("lane.cleanup", id="end"), actions.End).terminal_ids == (terminal,)
