"""The writer lease of a terminal: at most one client types and sets the size, the others look on.

Owns taking it, taking it over, giving it back, and the refusal of everybody else's input. It lives
by a lease on the session; whoever loses it to another client is named in the event that says so.
Called by the core for its methods, by `terminal_commands` before input and sizes, and by
`session_commands` when a lease ends.
"""

from typing import TYPE_CHECKING, Any, Final

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.terminal import Unlease, Write, Writing
from lanekeeper.workers.records import Gone, TerminalIs, WriterIs
from lanekeeper.workers.turn import Pending, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore


def lease(_lane: "LaneCore", turn: Turn, pending: Pending, body: Write) -> Writing:
    """Take the writer lease; the holder gets the same one again."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    turn.state.lease(body.lease_id, terminal.info.session_id)
    held = turn.state.writers.get(terminal.info.id)
    if held is not None and held.lease_id != body.lease_id and not body.take:
        raise _held(terminal, held)
    writer_id = assign(turn, terminal, body, pending)
    return Writing(writer_id=writer_id, terminal=turn.current(terminal.info))


def assign(turn: Turn, terminal: TerminalIs, body: Write, pending: Pending) -> str:
    """Make a client the writer of a terminal, whoever was before, and return its token."""
    actor = pending.command.actor
    held = turn.state.writers.get(terminal.info.id)
    if held is not None and (held.lease_id, held.tty) == (body.lease_id, body.tty):
        return held.id
    loser = held if held is not None and held.lease_id != body.lease_id else None
    same = held is not None and loser is None
    writer_id = held.id if held is not None and same else turn.new_id("writer")
    since = turn.moment.ts
    turn.put(WriterIs(writer_id, terminal.info.id, body.lease_id, body.tty, since, actor))
    how = "taken" if loser is None else "taken over"
    _tell(turn, terminal, how, loser, pending.correlation)
    return writer_id


def unlease(_lane: "LaneCore", turn: Turn, pending: Pending, body: Unlease) -> Nothing:
    """Give the writer lease back."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    held = turn.state.writers.get(terminal.info.id)
    if held is None or held.id != body.writer_id:
        raise WireError("NOT_WRITER", f"{body.writer_id} is not terminal {terminal.info.name}'s")
    _give_up(turn, held, "given back", pending.correlation)
    return Nothing()


def end_of_lease(turn: Turn, lease_id: str, reason: str, cause: str) -> None:
    """Release every writer lease that lived by a lease which ends now."""
    for held in [w for w in turn.state.writers.values() if w.lease_id == lease_id]:
        _give_up(turn, held, reason, cause)


def check(turn: Turn, terminal: TerminalIs, writer_id: str | None) -> None:
    """Refuse input or a size of a client that is not the writer; NOT_WRITER says who is."""
    held = turn.state.writers.get(terminal.info.id)
    if held is None and writer_id is None:
        return
    if held is None:
        raise WireError(
            "NOT_WRITER",
            f"the writer lease {writer_id} of terminal {terminal.info.name} has ended; "
            "take a new one with terminal.lease, or go on without one",
        )
    if held.id != writer_id:
        raise _held(terminal, held)


def _give_up(turn: Turn, held: WriterIs, reason: str, cause: str) -> None:
    turn.put(Gone(held.id))
    terminal = turn.state.terminals.get(held.terminal_id)
    if terminal is not None:
        _tell(turn, terminal, reason, held, cause)


def _tell(
    turn: Turn, terminal: TerminalIs, reason: str, loser: WriterIs | None, cause: str
) -> None:
    happened = Happened(
        terminal=turn.current(terminal.info),
        reason=reason,
        lease_id=None if loser is None else loser.lease_id,
    )
    turn.report("terminal.writer.changed", cause, happened)


def _held(terminal: TerminalIs, held: WriterIs) -> WireError:
    who = "another client" if held.actor is None else f"{held.actor.kind} {held.actor.id}"
    return WireError(
        "NOT_WRITER",
        f"{who} writes to terminal {terminal.info.name} since {held.since}; "
        "look on, or take over: terminal.lease with take, lane attach --take",
        since=held.since,
        tty=held.tty,
        who=who,
    )


HANDLERS: Final[dict[str, Any]] = {
    "terminal.lease": lease,
    "terminal.unlease": unlease,
}
