"""The state of one lane, changed by records alone.

Theory: every change is a record that was journalled first, so `apply` over a journal gives the
state back and a compacted journal is `snapshot()`. What is not in a record (routes of waiting
callers, endings under way) is not state: callers ask again with the same command id.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lanekeeper.wire.answers import Answers
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import ANSWER_SECONDS, ANSWERS_KEPT, LEASE_SECONDS, TOMBSTONES_KEPT
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers.consumers import Consumer, Consumers
from lanekeeper.workers.records import (
    Answered,
    ConsumerIs,
    Gone,
    InputIs,
    LaneIs,
    LeaseIs,
    PasteIs,
    Queried,
    Record,
    Resized,
    SessionIs,
    TerminalIs,
    Timed,
    WriterIs,
)
from lanekeeper.workers.timeline import Timeline

SIZES_KEPT: Final = 256
"""Changes of size that are remembered for each terminal."""


@dataclass(slots=True)
class Lease:
    """A client's hold on a session; `expires` is monotonic seconds."""

    session_id: str
    expires: float


class LaneState:
    """Sessions, terminals, leases, consumers, writers, inputs and answers of one lane.

    `ended` is set when all of it was ended and the lane is to be served no more.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Make the state of a lane in which nothing has happened yet."""
        self.assignment = assignment
        self.sessions: dict[str, SessionInfo] = {}
        self.terminals: dict[str, TerminalIs] = {}
        self.leases: dict[str, Lease] = {}
        self.consumers: dict[str, Consumers] = {}
        self.writers: dict[str, WriterIs] = {}
        self.inputs: dict[str, InputIs] = {}
        self.pastes: dict[str, PasteIs] = {}
        self.sizes: dict[str, list[Resized]] = {}
        self.queried: dict[str, int] = {}
        self.timelines: dict[str, Timeline] = {}
        self.ended = False
        self.answers = Answers(ANSWERS_KEPT, ANSWER_SECONDS, TOMBSTONES_KEPT)

    def apply(self, record: Record, now: float) -> None:
        """Make the change that `record` stands for."""
        match record:
            case InputIs() | Answered():
                self._apply_input(record)
            case LaneIs():
                self.assignment = record.assignment
            case SessionIs():
                self.sessions[record.info.id] = record.info
            case TerminalIs():
                self._apply_terminal(record)
            case LeaseIs():
                self.leases[record.id] = Lease(record.session_id, now + LEASE_SECONDS)
            case ConsumerIs() | WriterIs():
                self._apply_client(record)
            case Gone():
                self._apply_gone(record.id)
            case Resized():
                self._apply_resized(record)
            case Queried() | Timed():
                self._apply_noticed(record)

    def snapshot(self) -> Iterator[Record]:
        """Yield the records that make this state from nothing."""
        yield LaneIs(self.assignment)
        for info in self.sessions.values():
            yield SessionIs(info)
        yield from self.terminals.values()
        for sizes in self.sizes.values():
            yield from sizes
        for terminal_id, offset in self.queried.items():
            yield Queried(terminal_id, offset)
        for terminal_id, timeline in self.timelines.items():
            yield Timed(terminal_id, timeline.samples())
        for lease_id, lease in self.leases.items():
            yield LeaseIs(lease_id, lease.session_id)
        for terminal_id, consumers in self.consumers.items():
            for one in consumers.all():
                yield ConsumerIs(one.id, terminal_id, one.lease_id, one.policy, one.offset)
        yield from self.writers.values()
        for kept in self.answers.snapshot():
            yield Answered(kept.command_id, kept.response, kept.at)
        yield from self.inputs.values()
        yield from self.pastes.values()
        if self.ended:
            yield Gone(self.assignment.lane_id)

    def session(self, session_id: str | None) -> SessionInfo:
        """Return a session; WireError SESSION_NOT_FOUND."""
        found = self.sessions.get(session_id or "")
        if found is None:
            raise WireError(
                "SESSION_NOT_FOUND",
                f"no session {session_id} in lane {self.assignment.name}; see lane session ls",
            )
        return found

    def terminal(self, terminal_id: str | None) -> TerminalIs:
        """Return a terminal; WireError TERMINAL_NOT_FOUND."""
        found = self.terminals.get(terminal_id or "")
        if found is None:
            raise WireError(
                "TERMINAL_NOT_FOUND",
                f"no terminal {terminal_id} in lane {self.assignment.name}; see lane terminal ls",
            )
        return found

    def tty_writer(self, terminal_id: str) -> bool:
        """Whether a client that is a terminal holds the writer lease: it answers queries then."""
        writer = self.writers.get(terminal_id)
        return writer is not None and writer.tty

    def terminals_of(self, session_id: str | None) -> list[TerminalIs]:
        """Return the terminals of one session, or of the whole lane without one."""
        return [t for t in self.terminals.values() if session_id in {None, t.info.session_id}]

    def lease(self, lease_id: str, session_id: str | None = None) -> Lease:
        """Return a lease; with `session_id` it must be one on that session.

        Raises:
            WireError: INVALID_ARGUMENT; it has expired, never was, or is on another session.
        """
        found = self.leases.get(lease_id)
        if found is None:
            raise WireError(
                "INVALID_ARGUMENT",
                f"no lease {lease_id}: it has expired; attach to the session again",
            )
        if session_id not in {None, found.session_id}:
            raise WireError("INVALID_ARGUMENT", f"lease {lease_id} is on another session")
        return found

    def _apply_terminal(self, record: TerminalIs) -> None:
        self.terminals[record.info.id] = record
        if record.info.state == TerminalState.SPAWNING:
            # Its input log begins anew: what was left of the old one has no place in it.
            self.pastes.pop(record.info.id, None)
            for one in self.inputs_of(record.info.id):
                del self.inputs[one.name]
        if record.info.id not in self.consumers:
            self.consumers[record.info.id] = Consumers(record.spec.capacity)

    def _apply_client(self, record: ConsumerIs | WriterIs) -> None:
        consumers = self.consumers.get(record.terminal_id)
        match record:
            case WriterIs():
                self.writers[record.terminal_id] = record
            case ConsumerIs() if consumers is not None:
                consumers.put(Consumer(record.id, record.lease_id, record.policy, record.offset))

    def _apply_input(self, record: InputIs | Answered) -> None:
        """Remember an input; an answer to the program is nobody's, and goes when it is through."""
        if isinstance(record, Answered):
            self.inputs.pop(record.command_id, None)
            self.answers.restore(record.command_id, record.response, record.at)
            return
        if not record.command_id:
            past = [
                name
                for name, one in self.inputs.items()
                if not one.command_id
                and one.terminal_id == record.terminal_id
                and one.end <= record.cursor
            ]
            for name in past:
                del self.inputs[name]
        self.inputs[record.name] = record

    def inputs_of(self, terminal_id: str) -> list[InputIs]:
        """Return the inputs of a terminal that are not answered, in their order."""
        own = (one for one in self.inputs.values() if one.terminal_id == terminal_id)
        return sorted(own, key=lambda one: one.end)

    def _apply_resized(self, record: Resized) -> None:
        """Keep the sizes that output was written for: of several at one offset the last."""
        sizes = self.sizes.setdefault(record.terminal_id, [])
        if sizes and sizes[-1].offset == record.offset:
            sizes.pop()
        sizes.append(record)
        del sizes[:-SIZES_KEPT]

    def _apply_noticed(self, record: Queried | Timed) -> None:
        if isinstance(record, Queried):
            self.queried[record.terminal_id] = record.offset
        else:
            self.timelines.setdefault(record.terminal_id, Timeline()).add(record.samples)

    def _apply_gone(self, gone: str) -> None:
        self.ended |= gone == self.assignment.lane_id
        self.sessions.pop(gone, None)
        self.leases.pop(gone, None)
        self.terminals.pop(gone, None)
        self.sizes.pop(gone, None)
        self.queried.pop(gone, None)
        self.timelines.pop(gone, None)
        self.consumers.pop(gone, None)
        self.writers.pop(gone, None)
        self.pastes.pop(gone, None)
        self.inputs = {
            name: one
            for name, one in self.inputs.items()
            if gone not in {name, one.command_id, one.terminal_id}
        }
        for terminal_id in [t for t, one in self.writers.items() if one.id == gone]:
            del self.writers[terminal_id]
        for consumers in self.consumers.values():
            consumers.release(gone)
