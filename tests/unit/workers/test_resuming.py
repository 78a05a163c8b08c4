"""What a successor makes of commands that its dead predecessor had not finished."""

import pytest

from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.records import InputIs, encode_records
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.turn import Surroundings

from .lanes import Lane, answer

SEVEN = ExitStatus(kind="exited", code=7)


@pytest.fixture
def lane() -> Lane:
    return Lane()


def succeed(lane: Lane, left: Left) -> None:
    """Let a successor take over what the lane's journal says."""
    around = Surroundings(bytes, lane.logs.get, Endpoints(output="ipc://out", control="ipc://in"))
    lane.core = LaneCore(lane.replayed(), around)
    for action in lane.core.resume(left, lane.moment()):
        if isinstance(action, actions.Journal):
            lane.journal.append(encode_records([action.record]))


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
