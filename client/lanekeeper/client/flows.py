"""Blocking streams: a terminal's output, the plane's events, input on its way, an attachment.

Owns the iteration and the giving back; what is delivered is decided by `stream` and `story`.
Made by `Plane` and its handles; every one is a context manager.
"""

import time
from collections.abc import Iterator
from typing import Final

from lanekeeper.client.closing import Closing
from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.client.feeding import InputQueue, Parcel
from lanekeeper.client.following import EventFlow, OutputFlow
from lanekeeper.client.items import Item
from lanekeeper.client.leases import Lease
from lanekeeper.client.operations import detach
from lanekeeper.client.shell import Shell
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.messages.session import SessionAttached

CLOSE_SECONDS: Final = 1.5
"""How long giving back may take before it is left to the lease's expiry."""
BATCH: Final = 256
"""Items that one `poll` returns at most."""


class OutputStream(Closing, Iterator[Item]):
    """One terminal's output: `Data`, `Gap`, `Resized` and at last `Ended`, in order, once.

    An item counts as processed (and is acknowledged) when the next one is asked for. The lease is
    renewed whenever the plane is used or waited for; a caller who does neither for 6 s loses it
    and gets it back at the next step, with a `Gap` where output was retired meanwhile.
    """

    def __init__(self, shell: Shell, flow: OutputFlow, timeout: float | None) -> None:
        """Wrap a flow that is already tended; `timeout` bounds each wait of the iteration."""
        self._shell = shell
        self._flow = flow
        self._timeout = timeout

    def __next__(self) -> Item:
        """Return the next item, waiting for it.

        Raises:
            TimedOutError: nothing came within the timeout; the stream is still good.
            LaneError: the stream ended before its time (the lane is lost, the plane is down).
        """
        while True:
            item = self._flow.assembly.take()
            if item is not None:
                return item
            if self._flow.ended:
                self._finish()
                raise StopIteration
            if not self._shell.until(lambda: self._flow.ready, self._timeout):
                raise error_for(
                    "TIMEOUT", f"no output within {self._timeout:g} s; ask again", retryable=True
                )

    def poll(self, timeout: float | None = 0.0) -> list[Item]:
        """Return what is there now, waiting at most `timeout` seconds (None: for ever) for it.

        An empty list means nothing yet; look at `ended` then. Never loses an item.

        Raises:
            LaneError: the stream ended before its time.
        """
        found: list[Item] = []
        self._flow.assembly.take_nothing()
        self._shell.until(lambda: self._flow.ready, timeout)
        while len(found) < BATCH and (item := self._flow.assembly.take()) is not None:
            found.append(item)
        if not found and self._flow.ended:
            self._finish()
        return found

    def filenos(self) -> list[int]:
        """Return the descriptors to wait for (edge-triggered: `poll(0)` right before waiting)."""
        return self._shell.hub.sockets.descriptors()

    @property
    def ended(self) -> bool:
        """Whether everything was delivered and nothing more will come."""
        return self._flow.ended and self._flow.assembly.pending == 0

    @property
    def position(self) -> int | None:
        """The offset after the last byte that has come in; None before the first."""
        return self._flow.assembly.position

    def close(self) -> None:
        """Give the registration and the lease back; closing twice is fine."""
        self._flow.closed = True
        if not (self._flow.released or self._shell.hub.closed):
            self._shell.until(lambda: self._flow.released, CLOSE_SECONDS)

    def _finish(self) -> None:
        self.close()
        if self._flow.error is not None:
            error, self._flow.error = self._flow.error, None
            raise error


class EventStream(Closing, Iterator[Event]):
    """Lifecycle events in order, without holes.

    Where events are gone an EventsLostError is raised once, in their place; the iteration can go
    on after it.
    """

    def __init__(self, shell: Shell, flow: EventFlow) -> None:
        """Wrap a flow that is already followed."""
        self._shell = shell
        self._flow = flow

    def __next__(self) -> Event:
        """Return the next event, waiting for it."""
        while True:
            event = self._take()
            if event is not None:
                return event
            if self._flow.ended:
                self._finish()
                raise StopIteration
            self._shell.until(lambda: self._flow.ready, None)

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """Return what is there now, waiting at most `timeout` seconds (None: for ever) for it.

        Raises:
            EventsLostError: the next events are gone; ask again for those after them.
        """
        self._shell.until(lambda: self._flow.ready, timeout)
        found: list[Event] = []
        while len(found) < BATCH and not self._flow.story.troubled:
            event = self._take()
            if event is None:
                break
            found.append(event)
        if not found:
            event = self._take()
            if event is not None:
                found.append(event)
            elif self._flow.ended:
                self._finish()
        return found

    @property
    def ended(self) -> bool:
        """Whether everything was delivered and nothing more will come."""
        return self._flow.ended and self._flow.story.pending == 0

    def close(self) -> None:
        """End the subscription; closing twice is fine."""
        self._flow.closed = True
        if not (self._flow.over or self._shell.hub.closed):
            self._shell.until(lambda: self._flow.over, CLOSE_SECONDS)

    def _take(self) -> Event | None:
        found = self._flow.story.take()
        if isinstance(found, LaneError):
            raise found
        return found

    def _finish(self) -> None:
        self.close()
        if self._flow.error is not None:
            error, self._flow.error = self._flow.error, None
            raise error


class Pending:
    """Input that is on its way."""

    def __init__(self, shell: Shell, queue: InputQueue, parcel: Parcel) -> None:
        """Wrap a piece of input in the queue of its terminal."""
        self._shell = shell
        self._queue = queue
        self._parcel = parcel

    @property
    def done(self) -> bool:
        """Whether it was delivered or refused; moves on when the plane is stepped."""
        return self._parcel.done

    @property
    def error(self) -> LaneError | None:
        """Why it was not delivered."""
        return self._parcel.error

    @property
    def delivered(self) -> int:
        """Bytes that have reached the program's terminal."""
        return self._parcel.sent

    @property
    def rest(self) -> tuple[bytes, bool]:
        """What of it has not been delivered, and whether the program's input ends with it."""
        return self._parcel.data[self._parcel.sent :], self._parcel.eof

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it is delivered and return the number of bytes.

        Raises:
            TimedOutError: it was not within `timeout` seconds; it is still on its way.
            LaneError: it was refused.
        """
        if not self._shell.until(lambda: self._parcel.done, timeout):
            raise self._parcel.late()
        if self._parcel.error is not None:
            raise self._parcel.error
        return self._parcel.sent

    def withdraw(self) -> None:
        """Give up what has not left this client yet; a chunk on its way may still arrive."""
        self._queue.withdraw(self._parcel, error_for("CLOSED", "this input was withdrawn"))


class Attachment(Closing):
    """An attachment to a session: its lease lives while the plane is used or waited for."""

    def __init__(self, shell: Shell, lease: Lease, attached: SessionAttached) -> None:
        """Wrap a lease that is held."""
        self._shell = shell
        self._lease = lease
        self.info = attached.session
        self.attached = attached

    @property
    def lease_id(self) -> str:
        """The id of the lease."""
        return self._lease.lease_id

    @property
    def lost(self) -> LaneError | None:
        """Why the lease is no longer valid; None while it is."""
        return self._lease.lost

    def renew(self) -> None:
        """Renew the lease now; otherwise it is renewed every 2 s in any wait."""
        self._lease.due = time.monotonic()
        self._shell.hub.turn()

    def detach(self) -> None:
        """Give the lease back; detaching twice is fine."""
        if self._lease.lost is None and not self._shell.hub.closed:
            self._shell.perform(detach(self._lease))
            self._lease.lost = self._lease.lost or error_for("CLOSED", "detached")

    def close(self) -> None:
        """Detach."""
        self.detach()
