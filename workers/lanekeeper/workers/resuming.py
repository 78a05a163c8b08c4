"""How a successor takes over what its dead predecessor had not finished.

Owns the second half of commands whose first half is in the journal: programs that were being
started, inputs that were not answered. Their callers ask again with the same id and get one
answer for one effect. Sans-IO; called by `core`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from lanekeeper.wire.envelope import EMPTY_MAP, Command
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.states import TerminalState
from lanekeeper.wire.version import VERSION
from lanekeeper.workers import closing
from lanekeeper.workers.actions import Start
from lanekeeper.workers.inputs import cut_short
from lanekeeper.workers.records import Gone, InputIs, TerminalIs
from lanekeeper.workers.terminal_commands import ENDED
from lanekeeper.workers.turn import Pending, Starting, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

LOST: Final = "its worker died before the vault had it; start it again with terminal.respawn"


@dataclass(frozen=True, slots=True)
class Left:
    """What the descriptors say of a predecessor's work.

    Attributes:
        done: commands whose input was delivered and not answered.
        refused: inputs that were not accepted, by what the journal knows them by.
        lost: terminals whose program the vault did not have.
    """

    done: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def resume(lane: "LaneCore", turn: Turn, left: Left) -> None:
    """Go on with everything that was begun."""
    for name in left.refused:
        turn.put(Gone(name))
    for terminal in list(turn.state.terminals.values()):
        if terminal.info.id in left.lost:
            _lose(lane, turn, terminal)
        elif terminal.info.state == TerminalState.SPAWNING:
            _start_again(lane, turn, terminal)
    for one in list(turn.state.inputs.values()):
        _go_on(lane, turn, one)


def _go_on(lane: "LaneCore", turn: Turn, one: InputIs) -> None:
    """Wait for an input to be delivered; where its program has ended it never will be."""
    ended = turn.state.terminals[one.terminal_id].info.state in ENDED
    if one.command_id and ended:
        turn.refuse(_input(turn, one), cut_short().info, keep=True)
    elif one.command_id:
        lane.pending[one.command_id] = _input(turn, one)


def _input(turn: Turn, one: InputIs) -> Pending:
    command = Command(
        v=VERSION,
        id=one.command_id,
        ts=turn.moment.ts,
        method="terminal.input",
        payload=EMPTY_MAP,
        terminal_id=one.terminal_id,
    )
    return Pending(command, METHODS[command.method], [], one.head)


def _start_again(lane: "LaneCore", turn: Turn, terminal: TerminalIs) -> None:
    """Wait for the program that was being started; without one, start it."""
    command = Command(
        v=VERSION,
        id=terminal.command_id,
        ts=turn.moment.ts,
        method="terminal.spawn",
        payload=EMPTY_MAP,
        session_id=terminal.info.session_id,
        terminal_id=terminal.info.id,
        correlation_id=terminal.correlation_id,
    )
    pending = Pending(command, METHODS[command.method], [])
    lane.pending[command.id] = pending
    lane.starting[terminal.info.id] = Starting(pending, terminal.consumer_id)
    if terminal.info.pid is None:
        turn.do(Start(terminal.info, terminal.spec))


def _lose(lane: "LaneCore", turn: Turn, terminal: TerminalIs) -> None:
    lost = turn.move(terminal, "lose", reason=LOST)
    turn.put(replace(lost, ended_at=turn.moment.now))
    lane.waits.end(lane, turn, lost.info)
    closing.ended(lane, turn, lost.info.id)
