"""Asyncio handles of a session and a terminal.

The twins of `handles`: the same operations, awaited. Made by `AsyncPlane` and
`AsyncLane`; closing the plane ends them all.
"""

from typing import Unpack

from lanekeeper.client import operations, writing
from lanekeeper.client.aioflows import AsyncAttachment, AsyncOutputStream
from lanekeeper.client.aioshell import AsyncShell
from lanekeeper.client.aiowriters import AsyncWriter
from lanekeeper.client.awaiting import Patient, wait_for
from lanekeeper.client.effects import Ids
from lanekeeper.client.errors import error_for
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.following import tend
from lanekeeper.client.handles import INPUT_TIMEOUT, Form, Rows, Target
from lanekeeper.client.joining import Patience, Place, SendOptions
from lanekeeper.client.programs import Launched, output_flow
from lanekeeper.client.recording import timeline
from lanekeeper.client.starting import Policy
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.recording import TimelineResult
from lanekeeper.wire.messages.screen import Screen, ScreenRequest
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import (
    ConsumerInfo,
    ExitStatus,
    Read,
    ReadResult,
    Resize,
    Signal,
    TerminalInfo,
)
from lanekeeper.wire.messages.waiting import WaitResult


class AsyncSession:
    """One session of a lane."""

    def __init__(self, shell: AsyncShell, info: SessionInfo) -> None:
        """Wrap what the lane said of the session."""
        self._shell = shell
        self.info = info

    async def attach(self, *, restore: bool = False) -> AsyncAttachment:
        """Attach, with a lease that the running loop renews.

        With `restore`, `attached.restored` says of each terminal what a crash has left of it.
        """
        attaching = operations.attach_session(self._ids(), restore=restore)
        lease, attached = await self._shell.perform(attaching)
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

    @property
    def typed_at(self) -> int | None:
        """Where the output ended before the last input that was delivered; None before one."""
        return self._input.head

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
        link = self._place.endpoints.control
        operation = writing.hold_on(self._place.ids, link, events, tty=tty, take_over=take)
        return AsyncWriter(self._shell, self._input, await self._shell.perform(operation))

    async def resize(self, cols: int, rows: int) -> TerminalInfo:
        """Set the size in character cells."""
        body = Resize(cols=cols, rows=rows, writer_id=self._input.writer_id)
        return await self._simple("terminal.resize", body, self._place.endpoints.control)

    async def signal(self, signal: str | int, target: Target = "foreground") -> TerminalInfo:
        """Send a signal (`INT`, `SIGINT` or 2) to the foreground group, the leader or the tree."""
        body = Signal(signal=signal, target=target)
        return await self._simple("terminal.signal", body, self._place.endpoints.control)

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

    async def consumers(self) -> list[ConsumerInfo]:
        """Return the registered consumers; as `Terminal.consumers`."""
        link = self._place.endpoints.control
        return await self._shell.perform(operations.list_consumers(self.id, link))

    async def wait(self, **patience: Unpack[Patience]) -> ExitStatus:
        """Return how the program ended, waiting for it; as `Terminal.wait`."""
        operation = operations.wait_exit(self.id, patience.get("timeout"))
        return await self._shell.perform(operation)

    async def wait_for(self, **until: Unpack[Patient]) -> WaitResult:
        """Wait for what `until` names, at most `timeout` seconds; as `Terminal.wait_for`."""
        operation = wait_for(self.id, self._place.endpoints.control, until, until.get("timeout"))
        return await self._shell.perform(operation)

    async def timeline(self, offset: int | None = None) -> TimelineResult:
        """Return when output came and for which sizes; as `Terminal.timeline`."""
        return await self._shell.perform(timeline(self.id, offset, self._place.endpoints.control))

    async def respawn(self) -> TerminalInfo:
        """Start the same program again on the ended terminal; its log goes on."""
        self.info = (await self._shell.perform(operations.respawn(self._place.ids))).terminal
        return self.info

    async def close(self, grace_s: float = 3.0) -> Ended:
        """End the program with every descendant, and forget the terminal with its log."""
        return await self._shell.perform(operations.close_terminal(self._place.ids, grace_s))

    async def refresh(self) -> TerminalInfo:
        """Return the terminal as it is now."""
        return await self._simple("terminal.get", None, None)

    async def _simple(
        self, method: str, body: Resize | Signal | None, link: str | None
    ) -> TerminalInfo:
        self.info = await self._shell.perform(operations.simple(method, body, self.id, link))
        return self.info
