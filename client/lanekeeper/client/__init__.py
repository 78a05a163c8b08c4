"""The Python client of a Lanekeeper plane: blocking here, for asyncio in `lanekeeper.client.aio`.

`connect` gives a `Plane`; from it come lanes, sessions, terminals, output and events. Errors are
one tree below `LaneError`, drawn in `errors`. A name is imported when it is first used, so that a
program that asks one question does not load what streams output.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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
    from lanekeeper.client.starting import RunOptions, SpawnOptions, StartOptions
    from lanekeeper.client.writers import Writer
    from lanekeeper.wire.envelope import Actor, Event
    from lanekeeper.wire.messages.screen import Screen
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
    "Screen",
    "Session",
    "SpawnFailed",
    "SpawnOptions",
    "StartOptions",
    "Terminal",
    "TimedOut",
    "Unreachable",
    "WorkerLost",
    "Writer",
    "connect",
    "returncode",
]

_PLACES: Final = {
    "Actor": ("lanekeeper.wire.envelope", "Actor"),
    "Attachment": ("lanekeeper.client.flows", "Attachment"),
    "Busy": ("lanekeeper.client.errors", "BusyError"),
    "CallOptions": ("lanekeeper.client.joining", "CallOptions"),
    "Closed": ("lanekeeper.client.errors", "ClosedError"),
    "Completed": ("lanekeeper.client.items", "Completed"),
    "Conflict": ("lanekeeper.client.errors", "ConflictError"),
    "Data": ("lanekeeper.client.items", "Data"),
    "Ended": ("lanekeeper.client.items", "Ended"),
    "Event": ("lanekeeper.wire.envelope", "Event"),
    "EventStream": ("lanekeeper.client.flows", "EventStream"),
    "EventsLost": ("lanekeeper.client.errors", "EventsLostError"),
    "ExitStatus": ("lanekeeper.wire.messages.terminal", "ExitStatus"),
    "Gap": ("lanekeeper.client.items", "Gap"),
    "Indeterminate": ("lanekeeper.client.errors", "IndeterminateError"),
    "InternalError": ("lanekeeper.client.errors", "InternalError"),
    "Item": ("lanekeeper.client.items", "Item"),
    "Lane": ("lanekeeper.client.blocking", "Lane"),
    "LaneError": ("lanekeeper.client.errors", "LaneError"),
    "NotFound": ("lanekeeper.client.errors", "NotFoundError"),
    "OutputStream": ("lanekeeper.client.flows", "OutputStream"),
    "Pending": ("lanekeeper.client.flows", "Pending"),
    "Plane": ("lanekeeper.client.blocking", "Plane"),
    "Refused": ("lanekeeper.client.errors", "RefusedError"),
    "Resized": ("lanekeeper.client.items", "Resized"),
    "RunOptions": ("lanekeeper.client.starting", "RunOptions"),
    "Screen": ("lanekeeper.wire.messages.screen", "Screen"),
    "Session": ("lanekeeper.client.handles", "Session"),
    "SpawnFailed": ("lanekeeper.client.errors", "SpawnFailedError"),
    "SpawnOptions": ("lanekeeper.client.starting", "SpawnOptions"),
    "StartOptions": ("lanekeeper.client.starting", "StartOptions"),
    "Terminal": ("lanekeeper.client.handles", "Terminal"),
    "TimedOut": ("lanekeeper.client.errors", "TimedOutError"),
    "Unreachable": ("lanekeeper.client.errors", "UnreachableError"),
    "WorkerLost": ("lanekeeper.client.errors", "WorkerLostError"),
    "Writer": ("lanekeeper.client.writers", "Writer"),
    "connect": ("lanekeeper.client.blocking", "connect"),
    "returncode": ("lanekeeper.client.items", "returncode"),
}


if not TYPE_CHECKING:  # a type checker is to know a wrong name

    def __getattr__(name: str) -> object:
        """Import a public name from the module that defines it."""
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(place[0]), place[1])
