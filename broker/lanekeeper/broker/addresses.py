"""Finding things: by the ids of an envelope, and by an address that a person wrote.

Owns the rule that given ids must agree: an id that exists elsewhere is refused as not found here,
under the code of the narrowest id. An id that the index has not heard of yet is left to the worker
when its lane is given: the worker is the truth, the index follows its events. Sans-IO.
"""

from dataclasses import dataclass
from typing import Final, NoReturn

from lanekeeper.broker.registry import LaneEntry, Registry
from lanekeeper.wire.envelope import Command
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import DEFAULT_WORKSPACE, NAME_RULE, is_name
from lanekeeper.wire.messages.plane import WorkspaceInfo
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import TerminalInfo

ADDRESS_FORM: Final = "[workspace/]lane[:session][.terminal]"


@dataclass(frozen=True, slots=True)
class Place:
    """What an address means; session and terminal only if it names them."""

    workspace: WorkspaceInfo
    lane: LaneEntry
    session: SessionInfo | None = None
    terminal: TerminalInfo | None = None


def check_name(name: str, what: str) -> None:
    """Refuse what cannot be a name.

    Raises:
        WireError: INVALID_ARGUMENT.
    """
    if not is_name(name):
        raise WireError("INVALID_ARGUMENT", f"{what} {name!r} is not possible: {NAME_RULE}")


def workspace_by_id(registry: Registry, workspace_id: str) -> WorkspaceInfo:
    """Return the workspace.

    Raises:
        WireError: WORKSPACE_NOT_FOUND.
    """
    workspace = registry.workspaces.get(workspace_id)
    if workspace is None:
        raise WireError(
            "WORKSPACE_NOT_FOUND",
            f"no workspace {workspace_id}; workspace.list gives those there are",
        )
    return workspace


def locate(registry: Registry, command: Command) -> LaneEntry:
    """Return the lane a command is for.

    Raises:
        WireError: WORKSPACE_NOT_FOUND, LANE_NOT_FOUND, SESSION_NOT_FOUND or TERMINAL_NOT_FOUND,
            when nothing has that id or the ids do not belong together.
    """
    lane_id = command.lane_id
    if command.terminal_id is not None:
        lane_id = registry.lane_of_terminal.get(command.terminal_id, lane_id)
    elif command.session_id is not None:
        lane_id = registry.lane_of_session.get(command.session_id, lane_id)
    entry = registry.lanes.get(lane_id) if lane_id is not None else None
    if entry is None:
        _not_found(command, "does not exist")
    if not _agree(registry, command, entry):
        _not_found(command, "does not belong to the other ids of this command")
    return entry


def resolve(registry: Registry, address: str) -> Place:
    """Return what an address means.

    Raises:
        WireError: INVALID_ARGUMENT for what is no address or is ambiguous, with the choices;
            otherwise the NOT_FOUND of the first part that means nothing.
    """
    head, _, rest = address.rpartition("/")
    rest, _, terminal = rest.partition(".")
    lane, _, session = rest.partition(":")
    for part in (head, lane, session, terminal):
        if part and not is_name(part):
            raise WireError(
                "INVALID_ARGUMENT", f"{address!r} is not an address {ADDRESS_FORM}: {part!r}"
            )
    if not lane or address.endswith((":", ".")) or address.startswith("/"):
        raise WireError("INVALID_ARGUMENT", f"{address!r} is not an address {ADDRESS_FORM}")
    workspace, entry = _find_lane(registry, head, lane)
    found_session = _find_session(entry, session) if session else None
    found = _find_terminal(entry, found_session, terminal) if terminal else None
    if found is not None and found_session is None:
        found_session = entry.sessions.get(found.session_id)
    return Place(workspace, entry, found_session, found)


def _agree(registry: Registry, command: Command, entry: LaneEntry) -> bool:
    info = entry.info
    if command.workspace_id is not None and command.workspace_id != info.workspace_id:
        return False
    if command.lane_id is not None and command.lane_id != info.id:
        return False
    session_id = command.session_id
    if session_id is None:
        return True
    if registry.lane_of_session.get(session_id, info.id) != info.id:
        return False
    terminal = entry.terminals.get(command.terminal_id) if command.terminal_id else None
    return terminal is None or terminal.session_id == session_id


def _not_found(command: Command, why: str) -> NoReturn:
    for kind, given in (
        ("terminal", command.terminal_id),
        ("session", command.session_id),
        ("lane", command.lane_id),
    ):
        if given is not None:
            raise WireError(
                f"{kind.upper()}_NOT_FOUND",
                f"{kind} {given} {why}; {kind}.list gives those there are",
            )
    raise WireError("INVALID_ENVELOPE", "the envelope needs a lane_id, session_id or terminal_id")


def _find_lane(registry: Registry, workspace: str, lane: str) -> tuple[WorkspaceInfo, LaneEntry]:
    if not workspace and lane in registry.lanes:
        entry = registry.lanes[lane]
        return registry.workspaces[entry.info.workspace_id], entry
    name = workspace or DEFAULT_WORKSPACE
    found = registry.workspaces.get(name) or registry.workspace_named(name)
    if found is None:
        raise WireError(
            "WORKSPACE_NOT_FOUND", f"no workspace {name}; workspace.list gives those there are"
        )
    by_id = registry.lanes.get(lane)
    if by_id is not None and by_id.info.workspace_id == found.id:
        return found, by_id
    by_name = registry.lane_named(found.id, lane)
    if by_name is None:
        raise WireError(
            "LANE_NOT_FOUND",
            f"no lane {lane} in workspace {found.name}; lane.list gives those there are",
        )
    return found, by_name


def _find_session(entry: LaneEntry, session: str) -> SessionInfo:
    named = [s for s in entry.live_sessions() if s.name == session]
    found = entry.sessions.get(session) or (named[0] if named else None)
    if found is None:
        raise WireError(
            "SESSION_NOT_FOUND",
            f"no session {session} in lane {entry.info.name}; session.list gives those there are",
        )
    return found


def _find_terminal(entry: LaneEntry, session: SessionInfo | None, terminal: str) -> TerminalInfo:
    inside = [t for t in entry.terminals.values() if session is None or t.session_id == session.id]
    found = [t for t in inside if t.id == terminal] or [t for t in inside if t.name == terminal]
    if len(found) > 1:
        running = {t.id for t in entry.running_terminals()}
        found = [t for t in found if t.id in running] or found
    if not found:
        raise WireError(
            "TERMINAL_NOT_FOUND",
            f"no terminal {terminal} in lane {entry.info.name}; "
            "terminal.list gives those there are",
        )
    if len(found) > 1:
        raise WireError(
            "INVALID_ARGUMENT",
            f"terminal {terminal} is in several sessions of lane {entry.info.name}; "
            "give its id or name its session",
            choices=[t.id for t in found],
        )
    return found[0]
