"""Asyncio streams of a terminal and of the plane, and the attachment to a session.

The twins of `flows`: the same, awaited. Made by the handles; closing the plane ends them all.
"""

from collections.abc import AsyncIterator

from lanekeeper.client import operations
from lanekeeper.client.aioshell import AsyncShell
from lanekeeper.client.closing import AsyncClosing
from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.client.flows import CLOSE_SECONDS
from lanekeeper.client.following import EventFlow, OutputFlow
from lanekeeper.client.items import Item
from lanekeeper.client.leases import Lease
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.messages.session import SessionAttached


class AsyncOutputStream(AsyncClosing, AsyncIterator[Item]):
    """One terminal's output, as `OutputStream` gives it."""

    def __init__(self, shell: AsyncShell, flow: OutputFlow, timeout: float | None) -> None:
        """Wrap a flow that is already tended; `timeout` bounds each wait of the iteration."""
        self._shell = shell
        self._flow = flow
        self._timeout = timeout

    async def __anext__(self) -> Item:
        """Return the next item, waiting for it; errors as `OutputStream.__next__`."""
        while True:
            item = self._flow.assembly.take()
            if item is not None:
                self._shell.kick()
                return item
            if self._flow.ended:
                await self.close()
                if self._flow.error is not None:
                    error, self._flow.error = self._flow.error, None
                    raise error
                raise StopAsyncIteration
            if not await self._shell.until(lambda: self._flow.ready, self._timeout):
                raise error_for(
                    "TIMEOUT", f"no output within {self._timeout:g} s; ask again", retryable=True
                )

    @property
    def position(self) -> int | None:
        """The offset after the last byte that has come in; None before the first."""
        return self._flow.assembly.position

    async def close(self) -> None:
        """Give the registration and the lease back; closing twice is fine."""
        self._flow.closed = True
        if not (self._flow.released or self._shell.hub.closed):
            await self._shell.until(lambda: self._flow.released, CLOSE_SECONDS)


class AsyncEventStream(AsyncClosing, AsyncIterator[Event]):
    """Lifecycle events in order, as `EventStream` gives them."""

    def __init__(self, shell: AsyncShell, flow: EventFlow) -> None:
        """Wrap a flow that is already followed."""
        self._shell = shell
        self._flow = flow

    async def __anext__(self) -> Event:
        """Return the next event, waiting for it."""
        while True:
            found = self._flow.story.take()
            if isinstance(found, LaneError):
                raise found
            if found is not None:
                self._shell.kick()
                return found
            if self._flow.ended:
                await self.close()
                if self._flow.error is not None:
                    error, self._flow.error = self._flow.error, None
                    raise error
                raise StopAsyncIteration
            await self._shell.until(lambda: self._flow.ready, None)

    async def close(self) -> None:
        """End the subscription; closing twice is fine."""
        self._flow.closed = True
        if not (self._flow.over or self._shell.hub.closed):
            await self._shell.until(lambda: self._flow.over, CLOSE_SECONDS)


class AsyncAttachment(AsyncClosing):
    """An attachment to a session; the running loop keeps its lease."""

    def __init__(self, shell: AsyncShell, lease: Lease, attached: SessionAttached) -> None:
        """Wrap a lease that is held."""
        self._shell = shell
        self._lease = lease
        self.info = attached.session
        self.attached = attached

    @property
    def lease_id(self) -> str:
        """The id of the lease."""
        return self._lease.lease_id

    async def detach(self) -> None:
        """Give the lease back; detaching twice is fine."""
        if self._lease.lost is None and not self._shell.hub.closed:
            await self._shell.perform(operations.detach(self._lease))
            self._lease.lost = self._lease.lost or error_for("CLOSED", "detached")

    async def close(self) -> None:
        """Detach."""
        await self.detach()
