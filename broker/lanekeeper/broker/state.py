"""Everything of the broker that its journal brings back: index, events, answers.

One rule: a state changes only by `apply(record)`, live and in replay alike, so a replayed state
equals the live one. `snapshot` gives the few records that compaction keeps instead of the long
past. Sans-IO; the core decides which records there are, the shell stores them.
"""

from collections import OrderedDict
from collections.abc import Iterator

from lanekeeper.broker.budget import ADMITTED_KEPT
from lanekeeper.broker.records import (
    Admitted,
    Answered,
    ContextIs,
    Genesis,
    Happening,
    LaneIs,
    Past,
    Record,
    Registered,
    SessionIs,
    Taken,
    TerminalIs,
    WorkspaceIs,
)
from lanekeeper.broker.registry import Registry
from lanekeeper.broker.replay import History
from lanekeeper.wire.answers import Answers
from lanekeeper.wire.codec import decode_body, decode_event
from lanekeeper.wire.limits import ANSWER_SECONDS, ANSWERS_KEPT, TOMBSTONES_KEPT
from lanekeeper.wire.messages.events import Happened


class State:
    """The fold of a journal.

    Attributes:
        taken: the encoded commands that the broker works on, by lane and command id.
        admitted: ids of the spawns that the log budget has let pass.
    """

    def __init__(self) -> None:
        """Start empty: without an epoch, before any record."""
        self.registry = Registry()
        self.history = History()
        self.answers = Answers(ANSWERS_KEPT, ANSWER_SECONDS, TOMBSTONES_KEPT)
        self.taken: dict[tuple[str, str], bytes] = {}
        self.admitted: OrderedDict[str, None] = OrderedDict()

    def happen(self, data: bytes, topic: str, happened: Happened) -> None:
        """Apply a `Happening` whose event is already decoded."""
        self.history.add(data)
        self.registry.apply(topic, happened)

    def apply(self, record: Record) -> None:
        """Take in one record.

        Raises:
            WireError: an event in it cannot be decoded; the journal is of another version.
        """
        match record:
            case Happening(event=data):
                event = decode_event(data)
                self.happen(data, event.topic, decode_body(event.payload, Happened, event.topic))
            case Registered(registration=registration, workspace_id=workspace_id, ts=ts):
                self.registry.register(registration, workspace_id, ts)
            case Answered(command_id=command_id, response=response, at=at):
                self.answers.restore(command_id, response, at)
            case Taken(lane_id=lane_id, command=data, command_id=command_id):
                if data is not None:
                    self.taken[lane_id, command_id] = data
                elif command_id:
                    self.taken.pop((lane_id, command_id), None)
                else:
                    self.taken = {k: kept for k, kept in self.taken.items() if k[0] != lane_id}
            case Admitted(command_id=command_id):
                self.admitted[command_id] = None
                if len(self.admitted) > ADMITTED_KEPT:
                    self.admitted.popitem(last=False)
            case _:
                self._place(record)

    def snapshot(self) -> Iterator[Record]:
        """Yield the records that give an equal state."""
        registry = self.registry
        yield Genesis(self.history.epoch, self.history.last)
        yield from (Past(data) for data in self.history.all())
        yield from (WorkspaceIs(info) for info in registry.workspaces.values())
        for entry in registry.lanes.values():
            yield LaneIs(entry.info)
            yield from (SessionIs(info) for info in entry.sessions.values())
            yield from (TerminalIs(info) for info in entry.terminals.values())
        yield ContextIs(registry.context)
        for kept in self.answers.snapshot():
            yield Answered(kept.command_id, kept.response, kept.at)
        yield from (Taken(key[0], data, key[1]) for key, data in self.taken.items())
        yield from (Admitted(command_id) for command_id in self.admitted)

    def _place(self, record: Record) -> None:
        match record:
            case Genesis(epoch=epoch, seq=seq):
                self.history.begin(epoch, seq)
            case Past(event=data):
                self.history.keep(data)
            case WorkspaceIs(workspace=workspace):
                self.registry.put_workspace(workspace)
            case LaneIs(lane=lane):
                self.registry.put_lane(lane)
            case SessionIs(session=session):
                self.registry.put_session(session)
            case TerminalIs(terminal=terminal):
                self.registry.put_terminal(terminal)
            case ContextIs(context=context):
                self.registry.context = context
            case _:
                raise TypeError(f"no record: {type(record).__name__}")
