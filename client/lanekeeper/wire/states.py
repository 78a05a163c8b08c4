"""The three state machines of the plane as literal tables; anything not in a table is refused.

    lane       the broker's view of one worker process and what it is doing
    session    the worker's view of one piece of work in a lane
    terminal   the worker's view of one PTY and its program

`step` is the only way a state changes. `docs/states.md` is drawn from these tables.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from lanekeeper.wire.errors import WireError


class LaneState(StrEnum):
    """States of a lane."""

    NEW = "new"
    PROVISIONING = "provisioning"
    READY = "ready"
    RUNNING = "running"
    BLOCKED = "blocked"
    SHARED = "shared"
    RECOVERING = "recovering"
    FAILED = "failed"
    CLEANING = "cleaning"
    CLOSED = "closed"


class SessionState(StrEnum):
    """States of a session."""

    DETACHED = "detached"
    ATTACHING = "attaching"
    ATTACHED = "attached"
    RESTORING = "restoring"
    TERMINATED = "terminated"


class TerminalState(StrEnum):
    """States of a terminal."""

    IDLE = "idle"
    SPAWNING = "spawning"
    ACTIVE = "active"
    THROTTLED = "throttled"
    STOPPED = "stopped"
    ERRORED = "errored"


S = TypeVar("S", bound=StrEnum)
Table = Mapping[S, Mapping[str, S]]

_L = LaneState
LANE: Final[Table[LaneState]] = {
    _L.NEW: {"provision": _L.PROVISIONING},
    _L.PROVISIONING: {"ready": _L.READY, "fail": _L.FAILED, "clean": _L.CLEANING},
    _L.READY: {
        "busy": _L.RUNNING,
        "lost": _L.RECOVERING,
        "fail": _L.FAILED,
        "clean": _L.CLEANING,
    },
    _L.RUNNING: {
        "quiet": _L.READY,
        "block": _L.BLOCKED,
        "share": _L.SHARED,
        "lost": _L.RECOVERING,
        "fail": _L.FAILED,
        "clean": _L.CLEANING,
    },
    _L.BLOCKED: {
        "unblock": _L.RUNNING,
        "quiet": _L.READY,
        "lost": _L.RECOVERING,
        "fail": _L.FAILED,
        "clean": _L.CLEANING,
    },
    _L.SHARED: {
        "unshare": _L.RUNNING,
        "quiet": _L.READY,
        "lost": _L.RECOVERING,
        "fail": _L.FAILED,
        "clean": _L.CLEANING,
    },
    _L.RECOVERING: {
        "ready": _L.READY,
        "busy": _L.RUNNING,
        "fail": _L.FAILED,
        "clean": _L.CLEANING,
    },
    _L.FAILED: {"recover": _L.RECOVERING, "clean": _L.CLEANING},
    _L.CLEANING: {"close": _L.CLOSED, "fail": _L.FAILED},
    _L.CLOSED: {},
}

_S = SessionState
SESSION: Final[Table[SessionState]] = {
    _S.DETACHED: {"attach": _S.ATTACHING, "restore": _S.RESTORING, "terminate": _S.TERMINATED},
    _S.ATTACHING: {"attached": _S.ATTACHED, "fail": _S.DETACHED, "terminate": _S.TERMINATED},
    _S.ATTACHED: {"detach": _S.DETACHED, "restore": _S.RESTORING, "terminate": _S.TERMINATED},
    _S.RESTORING: {
        "attached": _S.ATTACHED,
        "fail": _S.DETACHED,
        "restored": _S.DETACHED,
        "terminate": _S.TERMINATED,
    },
    _S.TERMINATED: {},
}

_T = TerminalState
TERMINAL: Final[Table[TerminalState]] = {
    _T.IDLE: {"spawn": _T.SPAWNING, "lose": _T.ERRORED},
    _T.SPAWNING: {"started": _T.ACTIVE, "fail": _T.ERRORED, "exit": _T.STOPPED, "lose": _T.ERRORED},
    _T.ACTIVE: {"throttle": _T.THROTTLED, "exit": _T.STOPPED, "lose": _T.ERRORED},
    _T.THROTTLED: {"resume": _T.ACTIVE, "exit": _T.STOPPED, "lose": _T.ERRORED},
    _T.STOPPED: {"spawn": _T.SPAWNING},
    _T.ERRORED: {"spawn": _T.SPAWNING},
}


def step(table: Table[S], state: S, event: str, what: str) -> S:
    """Return the state that follows `state` on `event`.

    Args:
        table: `LANE`, `SESSION` or `TERMINAL`.
        state: where the machine is.
        event: an event of the table.
        what: the thing in words, for the message ("lane build").

    Raises:
        WireError: INVALID_TRANSITION, when the table has no such edge.
    """
    following = table[state].get(event)
    if following is None:
        possible = ", ".join(sorted(table[state])) or "nothing: this state is final"
        raise WireError(
            "INVALID_TRANSITION",
            f"{what} is {state}: {event} is not possible now; possible: {possible}",
            state=str(state),
            event=event,
        )
    return following
