"""The index of the plane: workspaces, lanes, sessions, terminals and the active context.

Owns what exists and where it belongs. It changes only by `apply` (a published event), `register` (a
worker's truth) and the restoring calls of a compacted journal, so that the same records always give
the same index. Refuses nothing: who may do what is decided before an event is made. Sans-IO; called
by `state`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from lanekeeper.wire.limits import MAX_SESSIONS_PER_LANE, MAX_TERMINALS_PER_LANE
from lanekeeper.wire.messages.events import Happened, Registration
from lanekeeper.wire.messages.lane import LaneInfo
from lanekeeper.wire.messages.plane import Context, WorkspaceInfo
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import TerminalInfo
from lanekeeper.wire.states import LaneState, SessionState, TerminalState

LOST: Final = "lost"
"""The reason of a session or terminal whose worker died; it stays listed until clean-up."""

_RUNNING: Final = frozenset({str(TerminalState.ACTIVE), str(TerminalState.THROTTLED)})
_REMOVING: Final = frozenset({"lane.create.failed", "lane.cleaned"})
_SESSIONS_MAX: Final = 2 * MAX_SESSIONS_PER_LANE
_TERMINALS_MAX: Final = 2 * MAX_TERMINALS_PER_LANE
"""Entries of one lane that are indexed; a worker that claims more is broken."""


@dataclass(slots=True)
class LaneEntry:
    """One lane with what is in it."""

    info: LaneInfo
    sessions: dict[str, SessionInfo] = field(default_factory=dict)
    terminals: dict[str, TerminalInfo] = field(default_factory=dict)

    @property
    def state(self) -> LaneState:
        """The lane's state."""
        return LaneState(self.info.status)

    def live_sessions(self) -> list[SessionInfo]:
        """Return the sessions that are not terminated."""
        return [s for s in self.sessions.values() if s.status != SessionState.TERMINATED]

    def running_terminals(self) -> list[TerminalInfo]:
        """Return the terminals whose program runs."""
        return [t for t in self.terminals.values() if t.state in _RUNNING]

    def view(self) -> LaneInfo:
        """Return the lane as it is told to clients, with its counts."""
        return replace(
            self.info,
            sessions=len(self.live_sessions()),
            terminals=len(self.terminals),
            running=len(self.running_terminals()),
        )


class Registry:
    """The index."""

    def __init__(self) -> None:
        """Start empty."""
        self.workspaces: dict[str, WorkspaceInfo] = {}
        self.lanes: dict[str, LaneEntry] = {}
        self.lane_of_session: dict[str, str] = {}
        self.lane_of_terminal: dict[str, str] = {}
        self.context = Context()
        self._workspace_names: dict[str, str] = {}
        self._lane_names: dict[tuple[str, str], str] = {}

    def workspace_named(self, name: str) -> WorkspaceInfo | None:
        """Return the workspace of that name."""
        return self.workspaces.get(self._workspace_names.get(name, ""))

    def lane_named(self, workspace_id: str, name: str) -> LaneEntry | None:
        """Return the lane of that name in a workspace."""
        return self.lanes.get(self._lane_names.get((workspace_id, name), ""))

    def lanes_of(self, workspace_id: str | None) -> Iterator[LaneEntry]:
        """Yield the lanes of a workspace, or all."""
        for entry in self.lanes.values():
            if workspace_id is None or entry.info.workspace_id == workspace_id:
                yield entry

    def terminals(self) -> Iterator[TerminalInfo]:
        """Yield every terminal."""
        for entry in self.lanes.values():
            yield from entry.terminals.values()

    def workspace_view(self, workspace_id: str) -> WorkspaceInfo:
        """Return the workspace as it is told to clients, with its count of lanes."""
        count = sum(1 for _ in self.lanes_of(workspace_id))
        return replace(self.workspaces[workspace_id], lanes=count)

    def apply(self, topic: str, happened: Happened) -> None:
        """Take in one published event."""
        if happened.workspace is not None:
            self.put_workspace(happened.workspace)
        if happened.context is not None:
            self.context = happened.context
        if happened.lane is not None:
            self._apply_lane(topic, happened.lane)
        if happened.session is not None:
            self._apply_session(topic, happened.session, happened.reason)
        if happened.terminal is not None:
            self._apply_terminal(topic, happened.terminal)

    def register(self, registration: Registration, workspace_id: str, ts: str) -> None:
        """Take in a worker's truth; an unknown lane is `provisioning` until an event says more."""
        assignment = registration.assignment
        entry = self.lanes.get(assignment.lane_id)
        info = (
            entry.info
            if entry is not None
            else LaneInfo(
                id=assignment.lane_id,
                workspace_id=workspace_id,
                name=assignment.name,
                status=LaneState.PROVISIONING,
                project=assignment.project,
                provider=assignment.provider,
                created=assignment.created,
                updated=ts,
            )
        )
        info = replace(
            info,
            generation=assignment.generation,
            pid=registration.pid,
            start_time=registration.start_time,
            endpoints=registration.endpoints,
            updated=ts,
        )
        if entry is not None:
            self._forget_contents(entry)
        self.put_lane(info)
        for session in registration.sessions:
            self.put_session(session)
        for terminal in registration.terminals:
            self.put_terminal(terminal)

    def put_workspace(self, info: WorkspaceInfo) -> None:
        """Add or update a workspace."""
        info = replace(info, lanes=0)
        self.workspaces[info.id] = info
        self._workspace_names[info.name] = info.id

    def put_lane(self, info: LaneInfo) -> None:
        """Add or update a lane."""
        info = replace(info, sessions=0, terminals=0, running=0)
        entry = self.lanes.get(info.id)
        if entry is None:
            self.lanes[info.id] = LaneEntry(info)
        else:
            entry.info = info
        self._lane_names[info.workspace_id, info.name] = info.id

    def put_session(self, info: SessionInfo) -> None:
        """Add or update a session, in the workspace that its lane is in here."""
        entry = self.lanes.get(info.lane_id)
        if entry is None or _full(entry.sessions, info.id, _SESSIONS_MAX):
            return
        entry.sessions[info.id] = replace(info, workspace_id=entry.info.workspace_id)
        self.lane_of_session[info.id] = info.lane_id

    def put_terminal(self, info: TerminalInfo) -> None:
        """Add or update a terminal, in the workspace that its lane is in here."""
        entry = self.lanes.get(info.lane_id)
        if entry is None or _full(entry.terminals, info.id, _TERMINALS_MAX):
            return
        entry.terminals[info.id] = replace(info, workspace_id=entry.info.workspace_id)
        self.lane_of_terminal[info.id] = info.lane_id

    def _apply_lane(self, topic: str, info: LaneInfo) -> None:
        if topic not in _REMOVING:
            self.put_lane(info)
            return
        entry = self.lanes.pop(info.id, None)
        if entry is not None:
            self._forget_contents(entry)
            self._lane_names.pop((entry.info.workspace_id, entry.info.name), None)

    def _apply_session(self, topic: str, info: SessionInfo, reason: str | None) -> None:
        if topic != "session.terminated" or reason == LOST:
            self.put_session(info)
            return
        entry = self.lanes.get(info.lane_id)
        if entry is not None:
            entry.sessions.pop(info.id, None)
            self.lane_of_session.pop(info.id, None)

    def _apply_terminal(self, topic: str, info: TerminalInfo) -> None:
        if topic != "terminal.closed":
            self.put_terminal(info)
            return
        entry = self.lanes.get(info.lane_id)
        if entry is not None:
            entry.terminals.pop(info.id, None)
            self.lane_of_terminal.pop(info.id, None)

    def _forget_contents(self, entry: LaneEntry) -> None:
        for session_id in entry.sessions:
            self.lane_of_session.pop(session_id, None)
        for terminal_id in entry.terminals:
            self.lane_of_terminal.pop(terminal_id, None)
        entry.sessions.clear()
        entry.terminals.clear()


def _full(entries: Mapping[str, object], entry_id: str, limit: int) -> bool:
    return entry_id not in entries and len(entries) >= limit
