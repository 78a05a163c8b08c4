"""The rendered screen of a terminal: asked for here, drawn by the shell, answered when it is."""

from typing import TYPE_CHECKING, Any, Final

from lanekeeper.wire.envelope import raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import (
    DEFAULT_DEADLINE_MS,
    MAX_FRAME,
    MAX_SCREEN_CELLS,
    MAX_WAITERS,
)
from lanekeeper.wire.messages.screen import ScreenRequest
from lanekeeper.workers.actions import Draw, Drawn
from lanekeeper.workers.turn import Pending, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

MAX_ANSWER: Final = MAX_FRAME - 4096
"""Bytes of a screen that one frame holds, with room for its envelope."""


def screen(lane: "LaneCore", turn: Turn, pending: Pending, body: ScreenRequest) -> None:
    """Have the screen drawn; the answer comes when all output there is now is on it."""
    info = turn.state.terminal(pending.command.terminal_id).info
    if info.cols * info.rows > MAX_SCREEN_CELLS:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"a screen of {info.cols} by {info.rows} has more than {MAX_SCREEN_CELLS} cells and is "
            "not drawn; make it smaller with terminal.resize, or read the output",
            limit=MAX_SCREEN_CELLS,
        )
    waiting = sum(one.command.method == "terminal.screen" for one in lane.pending.values())
    if waiting >= MAX_WAITERS:
        raise WireError(
            "LIMIT_EXCEEDED", f"{MAX_WAITERS} screens are being drawn in this lane; ask again"
        )
    milliseconds = pending.command.deadline_ms or DEFAULT_DEADLINE_MS
    deadline = turn.moment.now + milliseconds / 1000
    turn.do(Draw(info.id, pending.command.id, body, deadline))


def drawn(lane: "LaneCore", turn: Turn, stimulus: Drawn) -> None:
    """Give a screen, or the reason why there is none, to whoever asked."""
    pending = lane.pending.pop(stimulus.command_id, None)
    if pending is None:
        return
    error = stimulus.error
    if stimulus.screen is None:
        error = error or WireError("INTERNAL", "nothing was drawn")
    elif len(raw(stimulus.screen)) > MAX_ANSWER:
        error = WireError(
            "LIMIT_EXCEEDED",
            f"this screen does not fit into {MAX_ANSWER} bytes; ask for some of its rows with "
            "first and count",
            limit=MAX_ANSWER,
        )
    if error is not None or stimulus.screen is None:
        turn.refuse(pending, (error or WireError("INTERNAL", "nothing was drawn")).info)
    else:
        turn.answer(pending, stimulus.screen)


HANDLERS: Final[dict[str, Any]] = {"terminal.screen": screen}
