"""Blocking handles of a session and a terminal.

A handle keeps what it last heard (`info`) and asks again with `refresh`. Made by `Plane` and
`Lane`; everything goes through the plane's shell, so closing the plane ends them all.
"""

from typing import Literal, TypedDict, Unpack

from lanekeeper.client import operations, writing
from lanekeeper.client.awaiting import Until, wait_for
from lanekeeper.client.effects import Ids
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.flows import Attachment, OutputStream, Pending
from lanekeeper.client.following import tend
from lanekeeper.client.joining import Pasting, Place
from lanekeeper.client.programs import Launched, output_flow
from lanekeeper.client.recording import timeline
from lanekeeper.client.shell import Shell
from lanekeeper.client.starting import Policy
from lanekeeper.client.writers import Writer
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

Target = Literal["foreground", "leader", "tree"]
Form = Literal["text", "cells", "paint"]
INPUT_TIMEOUT = 30.0
"""Seconds `Terminal.send` waits for a program that does not read."""


class Rows(TypedDict, total=False):
    """Which rows of a screen are wanted: `count` of them from `first` on."""

    first: int
    count: int


class Session:
    """One session of a lane."""

    def __init__(self, shell: Shell, info: SessionInfo) -> None:
        """Wrap what the lane said of the session."""
        self._shell = shell
        self.info = info

    @property
    def id(self) -> str:
        """The session's id."""
        return self.info.id

    def attach(self, *, restore: bool = False) -> Attachment:
        """Attach, with a lease that is renewed in every wait of the plane.

        With `restore`, `attached.restored` says of each terminal what a crash has left of it.
        """
        attaching = operations.attach_session(self._ids(), restore=restore)
        lease, attached = self._shell.perform(attaching)
        self.info = attached.session
        return Attachment(self._shell, lease, attached)

    def terminate(self, grace_s: float = 3.0) -> Ended:
        """End everything in the session; `grace_s` is the time from SIGHUP to SIGKILL."""
        return self._shell.perform(operations.terminate_session(self._ids(), grace_s))

    def _ids(self) -> Ids:
        return Ids(self.info.workspace_id, self.info.lane_id, self.info.id)


class Terminal:
    """One terminal: a program on a PTY."""

    def __init__(self, shell: Shell, place: Place, launched: Launched | None = None) -> None:
        """Wrap what the lane said of the terminal.

        Args:
            shell: the plane's shell.
            place: the terminal and where its lane is.
            launched: a start whose registered consumer the first `output` takes over.
        """
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
    def unsent(self) -> int:
        """Bytes of input that wait in this client."""
        return self._input.waiting

    @property
    def typed_at(self) -> int | None:
        """Where the output ended before the last input that was delivered; None before one."""
        return self._input.head

    def send(
        self,
        data: bytes | str,
        *,
        eof: bool = False,
        timeout: float = INPUT_TIMEOUT,
        **how: Unpack[Pasting],
    ) -> int:
        """Deliver input and return the number of bytes; `eof` ends the program's input after it.

        Raises:
            TimedOutError: the program did not read it in time; `details` has `delivered`, the rest
                is withdrawn.
            ConflictError: NOT_WRITER, another client holds the writer lease.
        """
        parcel = self.send_nowait(data, eof=eof, **how)
        try:
            return parcel.wait(timeout)
        finally:
            parcel.withdraw()

    def send_nowait(
        self, data: bytes | str, *, eof: bool = False, **how: Unpack[Pasting]
    ) -> Pending:
        """Put input on its way, behind what is on its way already, and return at once.

        It moves on whenever the plane is stepped or waited for.

        Raises:
            BusyError: more than 16 MiB would wait; look at `unsent`.
        """
        raw = data.encode() if isinstance(data, str) else data
        parcel = self._input.put(raw, eof=eof, **how)
        if not self._input.running:
            link = self._place.endpoints.control
            self._shell.hub.start(operations.deliver(self._input, self.id, link))
            self._shell.hub.turn()
        return Pending(self._shell, self._input, parcel)

    def lease(self, *, tty: bool = False, take: bool = False) -> Writer:
        """Take the writer lease: from now on nobody else's input or size is accepted.

        Args:
            tty: this client is a terminal, and answers what programs ask of terminals.
            take: take it from whoever holds it, who is told and looks on.

        Raises:
            ConflictError: NOT_WRITER, another client holds it.
        """
        events = self._shell.hub.endpoints.events
        held, self._hold = self._hold, None
        if held is not None:
            self._shell.perform(writing.watch(held, events))
            return Writer(self._shell, self._input, held)
        link = self._place.endpoints.control
        operation = writing.hold_on(self._place.ids, link, events, tty=tty, take_over=take)
        return Writer(self._shell, self._input, self._shell.perform(operation))

    def resize(self, cols: int, rows: int) -> TerminalInfo:
        """Set the size in character cells."""
        body = Resize(cols=cols, rows=rows, writer_id=self._input.writer_id)
        return self._simple("terminal.resize", body, self._place.endpoints.control)

    def signal(self, signal: str | int, target: Target = "foreground") -> TerminalInfo:
        """Send a signal (`INT`, `SIGINT` or 2) to the foreground group, the leader or the tree."""
        body = Signal(signal=signal, target=target)
        return self._simple("terminal.signal", body, self._place.endpoints.control)

    def read(self, offset: int | None = None, size: int = MAX_CHUNK) -> ReadResult:
        """Return output from `offset` (None: the oldest kept byte), at most `size` bytes."""
        body = Read(offset=offset, max=size)
        return self._shell.perform(operations.read(self.id, body, self._place.endpoints.control))

    def screen(self, form: Form = "text", **rows: Unpack[Rows]) -> Screen:
        """Return what the terminal shows once all output there is now is drawn.

        Args:
            form: `text` for lines, `cells` for how they look too, `paint` for bytes that draw it.
            rows: `first` row and `count` of rows; all of them by default.
        """
        body = ScreenRequest(form=form, **rows)
        link = self._place.endpoints.control
        return self._shell.perform(operations.show(self.id, body, link))

    def output(
        self,
        offset: int | None = 0,
        *,
        follow: bool = True,
        policy: Policy = "block",
        timeout: float | None = None,
    ) -> OutputStream:
        """Return the output from `offset` on (None: from the oldest kept byte).

        Args:
            offset: where to begin; what is gone from there on is a `Gap`.
            follow: go on until the program has ended; otherwise stop where the log ends now.
            policy: `block` may hold the program back for a moment, `forever` as long as this
                client lives, `drop` never does (output may be retired before it is read: `Gap`).
            timeout: seconds each step of the iteration waits at most (None: for ever).
        """
        launched, self._launched = self._launched, None
        flow, spare = output_flow(self._place, launched, offset, follow=follow, policy=policy)
        if spare is not None:
            self._shell.hub.start(operations.detach(spare))
        self._shell.hub.start(tend(flow))
        return OutputStream(self._shell, flow, timeout)

    def consumers(self) -> list[ConsumerInfo]:
        """Return the registered consumers, oldest first: how many bytes each is behind is `lag`."""
        link = self._place.endpoints.control
        return self._shell.perform(operations.list_consumers(self.id, link))

    def wait(self, timeout: float | None = None) -> ExitStatus:
        """Return how the program ended, waiting for it.

        Raises:
            TimedOutError: it still runs after `timeout` seconds.
        """
        return self._shell.perform(operations.wait_exit(self.id, timeout))

    def wait_for(self, timeout: float | None = None, **until: Unpack[Until]) -> WaitResult:
        """Wait for what `until` names; `reason` of the result says which came first.

        Without an `offset` the search begins where the output ends now; `typed_at` is where it
        ended before the last input, so that nothing between the two is missed.

        Raises:
            TimedOutError: nothing of it has happened after `timeout` seconds.
        """
        link = self._place.endpoints.control
        return self._shell.perform(wait_for(self.id, link, until, timeout))

    def timeline(self, offset: int | None = None) -> TimelineResult:
        """Return when output came and for which sizes, from `offset` (None: all that is kept)."""
        return self._shell.perform(timeline(self.id, offset, self._place.endpoints.control))

    def respawn(self) -> TerminalInfo:
        """Start the same program again on the ended terminal; its log goes on."""
        self.info = self._shell.perform(operations.respawn(self._place.ids)).terminal
        return self.info

    def close(self, grace_s: float = 3.0) -> Ended:
        """End the program with every descendant, and forget the terminal with its log."""
        return self._shell.perform(operations.close_terminal(self._place.ids, grace_s))

    def refresh(self) -> TerminalInfo:
        """Return the terminal as it is now."""
        return self._simple("terminal.get", None, None)

    def _simple(self, method: str, body: Resize | Signal | None, link: str | None) -> TerminalInfo:
        self.info = self._shell.perform(operations.simple(method, body, self.id, link))
        return self.info
