"""The states of supervised processes and of the plane, and the only ways between them.

Owns the transition tables, as literal data. Refuses every change that is not in them: such a
change is our own bug and raises with its story. Used by the cores of the keeper.
"""

from enum import Enum, unique
from typing import Final, TypeVar


@unique
class Daemon(Enum):
    """Where a daemon stands."""

    WAITING = "waiting"
    """Not running; starts when its delay is over."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    """Asked to end, to be started again at once."""

    STOPPING = "stopping"
    ENDED = "ended"


@unique
class DaemonCause(Enum):
    """What moves a daemon."""

    LAUNCHED = "launched"
    SERVING = "serving"
    EXITED = "exited"
    RESTART = "restart"
    STOP = "stop"


@unique
class Worker(Enum):
    """Where a worker stands."""

    STARTING = "starting"
    WARM = "warm"
    GRANTED = "granted"
    DRAINING = "draining"
    ENDING = "ending"
    """Its end was seen, its status not yet."""

    ENDED = "ended"


@unique
class WorkerCause(Enum):
    """What moves a worker."""

    ARRIVED = "arrived"
    GRANT = "grant"
    DRAIN = "drain"
    VANISHED = "vanished"
    EXITED = "exited"


@unique
class Plane(Enum):
    """Where the plane stands on its way down."""

    RUNNING = "running"
    DRAINING = "draining"
    """Workers end what they started, then themselves."""

    STOPPING = "stopping"
    """The daemons end."""

    SWEEPING = "sweeping"
    """What terminals started and left behind is ended."""

    DONE = "done"


@unique
class PlaneCause(Enum):
    """What moves the plane."""

    DOWN = "down"
    WORKERS_GONE = "workers gone"
    DAEMONS_GONE = "daemons gone"
    SWEPT = "swept"


DAEMON_TABLE: Final = {
    (Daemon.WAITING, DaemonCause.LAUNCHED): Daemon.STARTING,
    (Daemon.WAITING, DaemonCause.RESTART): Daemon.WAITING,
    (Daemon.WAITING, DaemonCause.STOP): Daemon.ENDED,
    (Daemon.STARTING, DaemonCause.SERVING): Daemon.READY,
    (Daemon.STARTING, DaemonCause.EXITED): Daemon.WAITING,
    (Daemon.STARTING, DaemonCause.RESTART): Daemon.RESTARTING,
    (Daemon.STARTING, DaemonCause.STOP): Daemon.STOPPING,
    (Daemon.READY, DaemonCause.EXITED): Daemon.WAITING,
    (Daemon.READY, DaemonCause.RESTART): Daemon.RESTARTING,
    (Daemon.READY, DaemonCause.STOP): Daemon.STOPPING,
    (Daemon.RESTARTING, DaemonCause.EXITED): Daemon.WAITING,
    (Daemon.RESTARTING, DaemonCause.RESTART): Daemon.RESTARTING,
    (Daemon.RESTARTING, DaemonCause.STOP): Daemon.STOPPING,
    (Daemon.STOPPING, DaemonCause.EXITED): Daemon.ENDED,
    (Daemon.STOPPING, DaemonCause.STOP): Daemon.STOPPING,
    (Daemon.ENDED, DaemonCause.STOP): Daemon.ENDED,
}

WORKER_TABLE: Final = {
    (Worker.STARTING, WorkerCause.ARRIVED): Worker.WARM,
    (Worker.STARTING, WorkerCause.DRAIN): Worker.DRAINING,
    (Worker.STARTING, WorkerCause.VANISHED): Worker.ENDING,
    (Worker.STARTING, WorkerCause.EXITED): Worker.ENDED,
    (Worker.WARM, WorkerCause.GRANT): Worker.GRANTED,
    (Worker.WARM, WorkerCause.DRAIN): Worker.DRAINING,
    (Worker.WARM, WorkerCause.VANISHED): Worker.ENDING,
    (Worker.WARM, WorkerCause.EXITED): Worker.ENDED,
    (Worker.GRANTED, WorkerCause.DRAIN): Worker.DRAINING,
    (Worker.GRANTED, WorkerCause.VANISHED): Worker.ENDING,
    (Worker.GRANTED, WorkerCause.EXITED): Worker.ENDED,
    (Worker.DRAINING, WorkerCause.DRAIN): Worker.DRAINING,
    (Worker.DRAINING, WorkerCause.VANISHED): Worker.ENDING,
    (Worker.DRAINING, WorkerCause.EXITED): Worker.ENDED,
    (Worker.ENDING, WorkerCause.DRAIN): Worker.ENDING,
    (Worker.ENDING, WorkerCause.EXITED): Worker.ENDED,
}

PLANE_TABLE: Final = {
    (Plane.RUNNING, PlaneCause.DOWN): Plane.DRAINING,
    (Plane.DRAINING, PlaneCause.DOWN): Plane.DRAINING,
    (Plane.DRAINING, PlaneCause.WORKERS_GONE): Plane.STOPPING,
    (Plane.STOPPING, PlaneCause.DOWN): Plane.STOPPING,
    (Plane.STOPPING, PlaneCause.DAEMONS_GONE): Plane.SWEEPING,
    (Plane.SWEEPING, PlaneCause.DOWN): Plane.SWEEPING,
    (Plane.SWEEPING, PlaneCause.SWEPT): Plane.DONE,
}

State = TypeVar("State", bound=Enum)
Cause = TypeVar("Cause", bound=Enum)


class TransitionError(Exception):
    """A state was to change in a way that its table does not have."""


def follow(table: dict[tuple[State, Cause], State], state: State, cause: Cause) -> State:
    """Return the state after a cause.

    Raises:
        TransitionError: the table has no such change.
    """
    following = table.get((state, cause))
    if following is None:
        raise TransitionError(f"{type(state).__name__} {state.value} does not allow {cause.value}")
    return following
