"""What the worker noticed in the output of a terminal: questions to it, and when it came.

Both are journalled first, so that a successor asks and answers nothing twice. Called by the core's
one door.
"""

from typing import TYPE_CHECKING

from lanekeeper.workers import records
from lanekeeper.workers.actions import Answer, Queried, Timed
from lanekeeper.workers.queries import reply
from lanekeeper.workers.turn import Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore


def noticed(lane: "LaneCore", turn: Turn, stimulus: Queried | Timed) -> None:
    """Take note; answer what a program asked unless a client's terminal does."""
    terminal = turn.state.terminals.get(stimulus.terminal_id)
    if terminal is None:
        return
    info = terminal.info
    if isinstance(stimulus, Timed):
        turn.put(records.Timed(info.id, stimulus.samples))
        log = turn.around.log(info.id)
        if log is not None:
            turn.state.timelines[info.id].forget(log.tail)
        return
    turn.put(records.Queried(info.id, stimulus.offset))
    if lane.tty_writer(info.id):
        return
    size = (info.cols, info.rows)
    answers = [reply(q, size, lambda: turn.around.cursor(info.id)) for q in stimulus.questions]
    turn.do(Answer(info.id, b"".join(answers)))
