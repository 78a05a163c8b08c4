"""The Python client of a Lanekeeper plane: blocking here, for asyncio in `lanekeeper.client.aio`.

`connect` gives a `Plane`; from it come lanes, sessions, terminals, output and events. Errors are
one tree below `LaneError`, drawn in `errors`.
"""

from lanekeeper.client.blocking import Lane, Plane, connect
from lanekeeper.client.errors import BusyError as Busy
from lanekeeper.client.errors import ClosedError as Closed
from lanekeeper.client.errors import ConflictError as Conflict
from lanekeeper.client.errors import EventsLostError as EventsLost
from lanekeeper.client.errors import IndeterminateError as Indeterminate
from lanekeeper.client.errors import InternalError, LaneError
from lanekeeper.client.errors import NotFoundError as NotFound
from lanekeeper.client.errors import RefusedError as Refused
from lanekeeper.client.errors import SpawnFailedError as SpawnFailed
from lanekeeper.client.errors import TimedOutError as TimedOut
from lanekeeper.client.errors import UnreachableError as Unreachable
from lanekeeper.client.errors import WorkerLostError as WorkerLost
from lanekeeper.client.flows import Attachment, EventStream, OutputStream, Pending
from lanekeeper.client.handles import Session, Terminal
from lanekeeper.client.items import Completed, Data, Ended, Gap, Item, Resized, returncode
from lanekeeper.client.joining import CallOptions
from lanekeeper.client.programs import RunOptions, SpawnOptions
from lanekeeper.wire.envelope import Actor, Event
from lanekeeper.wire.messages.terminal import ExitStatus

__all__ = [
    "Actor",
    "Attachment",
    "Busy",
    "CallOptions",
    "Closed",
    "Completed",
    "Conflict",
    "Data",
    "Ended",
    "Event",
    "EventStream",
    "EventsLost",
    "ExitStatus",
    "Gap",
    "Indeterminate",
    "InternalError",
    "Item",
    "Lane",
    "LaneError",
    "NotFound",
    "OutputStream",
    "Pending",
    "Plane",
    "Refused",
    "Resized",
    "RunOptions",
    "Session",
    "SpawnFailed",
    "SpawnOptions",
    "Terminal",
    "TimedOut",
    "Unreachable",
    "WorkerLost",
    "connect",
    "returncode",
]
