"""What the worker noticed of a terminal's output: questions, when it came, whether it is held back.

Questions and times are journalled first, so that a successor asks and answers nothing twice. Called
by the core's one door.
"""

from typing import TYPE_CHECKING, Final

from lanekeeper.wire.messages.terminal import TerminalInfo
from lanekeeper.workers import life, records
from lanekeeper.workers.actions import (
    Answer,
    Demoted,
    Locate,
    Located,
    Queried,
    Throttle,
    Timed,
)
from lanekeeper.workers.queries import Cursor, Question, reply
from lanekeeper.workers.turn import Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

LOCATING_MAX: Final = 16
"""Times a terminal's cursor is sought at once; a program that asks more often is not answered."""
LOCATING_SECONDS: Final = 2.0
"""How long a program waits for the cursor before it is told the upper left corner."""


def noticed(
    lane: "LaneCore", turn: Turn, stimulus: Queried | Timed | Located | Throttle | Demoted
) -> None:
    """Take note; answer what a program asked unless a client's terminal does."""
    if isinstance(stimulus, Located):
        _located(lane, turn, stimulus)
        return
    terminal = turn.state.terminals.get(stimulus.terminal_id)
    if terminal is None:
        return
    match stimulus:
        case Queried():
            _asked(lane, turn, stimulus, terminal.info)
        case Timed():
            turn.put(records.Timed(terminal.info.id, stimulus.samples))
            log = turn.around.log(terminal.info.id)
            if log is not None:
                turn.state.timelines[terminal.info.id].forget(log.tail)
        case Throttle() | Demoted():
            life.flow(turn, stimulus)


def _asked(lane: "LaneCore", turn: Turn, stimulus: Queried, info: TerminalInfo) -> None:
    turn.put(records.Queried(info.id, stimulus.offset))
    if lane.tty_writer(info.id):
        return
    waiting = lane.locating[info.id]
    if not waiting and not any(question.seeks for question in stimulus.questions):
        _answer(turn, info, stimulus.questions, ())
    elif waiting < LOCATING_MAX:
        # What is asked behind a question for the cursor is answered behind it.
        lane.locating[info.id] += 1
        deadline = turn.moment.now + LOCATING_SECONDS
        turn.do(Locate(info.id, info.runs, stimulus.questions, deadline))


def _located(lane: "LaneCore", turn: Turn, stimulus: Located) -> None:
    """Answer what waited for the cursor, if the program that asked still runs."""
    lane.locating[stimulus.terminal_id] -= 1
    if not lane.locating[stimulus.terminal_id]:
        del lane.locating[stimulus.terminal_id]
    terminal = turn.state.terminals.get(stimulus.terminal_id)
    if terminal is not None and terminal.info.runs == stimulus.run:
        _answer(turn, terminal.info, stimulus.questions, stimulus.places)


def _answer(
    turn: Turn, info: TerminalInfo, questions: tuple[Question, ...], places: tuple[Cursor, ...]
) -> None:
    size, found = (info.cols, info.rows), iter(places)
    answers = [reply(q, size, next(found, None) if q.seeks else None) for q in questions]
    turn.around.tally.queries_answered += len(answers)
    turn.do(Answer(info.id, b"".join(answers)))
