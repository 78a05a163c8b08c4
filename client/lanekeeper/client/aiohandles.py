"""Asyncio handles of a session and a terminal, and their streams.

The twins of `handles` and `flows`: the same operations, awaited. Made by `AsyncPlane` and
`AsyncLane`; closing the plane ends them all.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, Unpack

from lanekeeper.client import operations, writing
from lanekeeper.client.aioshell import AsyncShell
from lanekeeper.client.aiowriters import AsyncWriter
from lanekeeper.client.effects import Ids
from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.flows import CLOSE_SECONDS
from lanekeeper.client.following import EventFlow, OutputFlow, tend
from lanekeeper.client.handles import INPUT_TIMEOUT, Form, Rows, Target
from lanekeeper.client.items import Item
from lanekeeper.client.joining import Patience, Place, SendOptions
from lanekeeper.client.leases import Lease
from lanekeeper.client.programs import Launched, Policy, output_flow
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.screen import Screen, ScreenRequest
from lanekeeper.wire.messages.session import SessionAttached, SessionInfo
from lanekeeper.wire.messages.terminal import (
    ExitStatus,
    Read,
    ReadResult,
    Resize,
    Signal,
    TerminalInfo,
)


class AsyncOutputStream(AsyncIterator[Item]):
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

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()


class AsyncEventStream(AsyncIterator[Event]):
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

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()


class AsyncAttachment:
    """An attachment to a session; the running loop keeps its lease."""

    def __init__(self, shell: AsyncShell, lease: Lease, attached: SessionAttached) -> None:
        """Wrap a lease that is held."""
        self._shell = shell
        self._lease = lease
        self.info = attached.session

    @property
    def lease_id(self) -> str:
        """The id of the lease."""
        return self._lease.lease_id

    async def detach(self) -> None:
        """Give the lease back; detaching twice is fine."""
        if self._lease.lost is None and not self._shell.hub.closed:
            await self._shell.perform(operations.detach(self._lease))
            self._lease.lost = self._lease.lost or error_for("CLOSED", "detached")

    async def __aenter__(self) -> Self:
        """Return the attachment itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Detach."""
        await self.detach()


class AsyncSession:
    """One session of a lane."""

    def __init__(self, shell: AsyncShell, info: SessionInfo) -> None:
        """Wrap what the lane said of the session."""
        self._shell = shell
        self.info = info

    async def attach(self) -> AsyncAttachment:
        """Attach, with a lease that the running loop renews."""
        lease, attached = await self._shell.perform(operations.attach_session(self._ids()))
        self.info = attached.session
        return AsyncAttachment(self._shell, lease, attached)

    async def terminate(self, grace_s: float = 3.0) -> Ended:
        """End everything in the session; `grace_s` is the time from SIGHUP to SIGKILL."""
        return await self._shell.perform(operations.terminate_session(self._ids(), grace_s))

    def _ids(self) -> Ids:
        return Ids(self.info.workspace_id, self.info.lane_id, self.info.id)


class AsyncTerminal:
    """One terminal: a program on a PTY."""

    def __init__(self, shell: AsyncShell, place: Place, launched: Launched | None = None) -> None:
        """Wrap what the lane said of the terminal, and a start whose consumer waits for it."""
        self._shell = shell
        self._place = place
        self._launched = launched if launched and launched.lease else None
        self._input = InputQueue()
        self._hold = launched.hold if launched else None
        self._input.writer_id = self._hold.writer_id if self._hold else None
        self.info: TerminalInfo = place.info

    @property
    def id(self) -> str:
        """The terminal's id."""
        return self.info.id

    async def send(
        self, data: bytes | str, *, eof: bool = False, **how: Unpack[SendOptions]
    ) -> int:
        """Deliver input in order and return the number of bytes; as `Terminal.send`."""
        timeout = how.get("timeout", INPUT_TIMEOUT)
        raw = data.encode() if isinstance(data, str) else data
        parcel = self._input.put(
            raw, eof=eof, paste=how.get("paste", False), more=how.get("more", False)
        )
        if not self._input.running:
            link = self._place.endpoints.control
            self._shell.begin(operations.deliver(self._input, self.id, link))
        withdrawn = error_for("CLOSED", "this input was withdrawn")
        try:
            if not await self._shell.until(lambda: parcel.done, timeout):
                raise parcel.late()
        finally:
            self._input.withdraw(parcel, withdrawn)
        if parcel.error is not None:
            raise parcel.error
        return parcel.sent

    async def lease(self, *, tty: bool = False, take: bool = False) -> AsyncWriter:
        """Take the writer lease; as `Terminal.lease`."""
        events = self._shell.hub.endpoints.events
        held, self._hold = self._hold, None
        if held is not None:
            await self._shell.perform(writing.watch(held, events))
            return AsyncWriter(self._shell, self._input, held)
        operation = writing.hold_on(self._place.ids, events, tty=tty, take_over=take)
        return AsyncWriter(self._shell, self._input, await self._shell.perform(operation))

    async def resize(self, cols: int, rows: int) -> TerminalInfo:
        """Set the size in character cells."""
        body = Resize(cols=cols, rows=rows, writer_id=self._input.writer_id)
        return await self._simple("terminal.resize", body)

    async def signal(self, signal: str | int, target: Target = "foreground") -> TerminalInfo:
        """Send a signal (`INT`, `SIGINT` or 2) to the foreground group, the leader or the tree."""
        return await self._simple("terminal.signal", Signal(signal=signal, target=target))

    async def read(self, offset: int | None = None, size: int = MAX_CHUNK) -> ReadResult:
        """Return output from `offset` (None: the oldest kept byte), at most `size` bytes."""
        body = Read(offset=offset, max=size)
        link = self._place.endpoints.control
        return await self._shell.perform(operations.read(self.id, body, link))

    async def screen(self, form: Form = "text", **rows: Unpack[Rows]) -> Screen:
        """Return what the terminal shows; arguments as `Terminal.screen`."""
        body = ScreenRequest(form=form, **rows)
        link = self._place.endpoints.control
        return await self._shell.perform(operations.show(self.id, body, link))

    def output(
        self,
        offset: int | None = 0,
        *,
        follow: bool = True,
        policy: Policy = "block",
        timeout: float | None = None,
    ) -> AsyncOutputStream:
        """Return the output from `offset` on; arguments as `Terminal.output`."""
        launched, self._launched = self._launched, None
        flow, spare = output_flow(self._place, launched, offset, follow=follow, policy=policy)
        if spare is not None:
            self._shell.begin(operations.detach(spare))
        self._shell.begin(tend(flow))
        return AsyncOutputStream(self._shell, flow, timeout)

    async def wait(self, **patience: Unpack[Patience]) -> ExitStatus:
        """Return how the program ended, waiting for it; as `Terminal.wait`."""
        operation = operations.wait_exit(self.id, patience.get("timeout"))
        return await self._shell.perform(operation)

    async def respawn(self) -> TerminalInfo:
        """Start the same program again on the ended terminal; its log goes on."""
        self.info = (await self._shell.perform(operations.respawn(self.id))).terminal
        return self.info

    async def close(self, grace_s: float = 3.0) -> Ended:
        """End the program with every descendant, and forget the terminal with its log."""
        return await self._shell.perform(operations.close_terminal(self.id, grace_s))

    async def refresh(self) -> TerminalInfo:
        """Return the terminal as it is now."""
        return await self._simple("terminal.get", None)

    async def _simple(self, method: str, body: Resize | Signal | None) -> TerminalInfo:
        self.info = await self._shell.perform(operations.simple(method, body, self.id))
        return self.info
