"""What goes into one terminal: the queue decides, the input log holds, the kernel delivers.

A thin shell. An input is planned (refused before anything has changed), then taken, so that its
acceptance can be journalled in between; after a kill the journal says which bytes of the log have
an owner. Owned by `TerminalIO`; called by `effects` and `flow`.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from lanekeeper.keeper import hooks
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.workers.actions import Deliver
from lanekeeper.workers.input_log import InputLog
from lanekeeper.workers.inputs import Entry, InputQueue, cut_line, cut_short
from lanekeeper.workers.output_log import OutputLog
from lanekeeper.workers.paste import Bracketing, Paste
from lanekeeper.workers.pty import Modes, Pty
from lanekeeper.workers.records import InputIs, PasteIs

WIPE_SECONDS: Final = 0.1
"""Delivered input stays in memory for this long after the last key, to be erased in one go."""


ANSWER_ROOM: Final = 4096
"""Bytes of input that may wait for a program that is still answered."""


class Planned(Struct, frozen=True):
    """An input that can be taken; `end` is the offset in the input log after it.

    `shown` says whether what is typed may be seen (it is no password).
    """

    entry: Entry
    data: bytes
    ends: bytes | None
    end: int
    following: Paste
    shown: bool


@dataclass(frozen=True, slots=True)
class Inherited:
    """What became of a predecessor's inputs that were not answered: all there, or not accepted.

    Those that were not are given by what the journal knows them by.
    """

    done: list[Entry]
    refused: list[str]


@dataclass(frozen=True, slots=True)
class Lost:
    """An input that will never be delivered, and why."""

    entry: Entry
    error: WireError


class TerminalInput:
    """The way to one program."""

    def __init__(self, name: str) -> None:
        """Make one that leads nowhere; `name` shows in /proc/PID/fd."""
        self.queue = InputQueue()
        self.log: InputLog | None = None
        self._name = name
        self._pty: Pty | None = None
        self._stdin = -1
        self.paste = Paste()
        self._bracketing = Bracketing(0)
        self._wipe: float | None = None

    def open(self, pty: Pty, stdin: int, head: int) -> None:
        """Lead to a fresh program, whose output begins at `head`; `stdin` is a pipe to it or -1.

        Raises:
            OSError: descriptors ran out.
        """
        if self.log is None:
            self.log = InputLog.create(self._name)
        self.queue = InputQueue()
        self._pty, self._stdin = pty, stdin
        self.paste, self._bracketing = Paste(), Bracketing(head)

    def inherit(
        self,
        fds: Mapping[str, int],
        pty: Pty,
        inputs: Iterable[InputIs],
        pasting: PasteIs | None,
    ) -> Inherited:
        """Go on where a dead worker stopped; its descriptors `input` and `stdin` are taken over.

        Of `inputs`, in their order, those that are whole in the input log wait again unless they
        have left; an unfinished one is cut off, and is no input.
        """
        self._pty, self._stdin = pty, fds.get("stdin", -1)
        self.log = InputLog(fds["input"])
        done: list[Entry] = []
        waiting: list[Entry] = []
        refused: list[str] = []
        unfinished: int | None = None
        for one in inputs:
            entry = Entry(one.command_id, one.length, one.size, one.marked, one.close)
            if one.end <= self.log.cursor and (one.length or not one.close):
                done.append(entry)
            elif one.end <= self.log.head:
                waiting.append(entry)
            else:
                refused.append(one.name)
                self.log.cut(max(one.end - one.length, self.log.cursor))
                unfinished = one.end
        if pasting is not None:
            self.paste = pasting.before if pasting.end == unfinished else pasting.after
        left = self.log.head - self.log.cursor
        self.queue.inherit(waiting, sum(entry.length for entry in waiting) - left)
        if any(entry.close for entry in done):
            self._close_stdin()
        return Inherited(done, refused)

    @property
    def fds(self) -> dict[str, int]:
        """The descriptors that a successor needs, by kind."""
        own = {} if self.log is None else {"input": self.log.fd}
        return own if self._stdin < 0 else {**own, "stdin": self._stdin}

    @property
    def waiting(self) -> bool:
        """Whether there is something to deliver."""
        return self.queue.waiting

    @property
    def sink(self) -> int:
        """Where input goes, -1 when it cannot go anywhere."""
        if self._stdin >= 0:
            return self._stdin
        return self._pty.master if self._pty is not None else -1

    @property
    def cursor(self) -> int:
        """The offset in the input log up to which input has left."""
        return 0 if self.log is None else self.log.cursor

    @property
    def piped(self) -> bool:
        """Whether the program reads from a pipe and not from its terminal."""
        return self._stdin >= 0

    @property
    def answerable(self) -> bool:
        """Whether the program can be given what a terminal would answer.

        One whose input is a pipe, that lets input lie, or into which a paste goes, cannot.
        """
        open_ = self._pty is not None and not self.piped and not self.paste.open
        return open_ and len(self.queue) <= ANSWER_ROOM

    def plan(self, action: Deliver, output: OutputLog) -> Planned:
        """Return what taking an input means; WireError when it cannot be delivered whole."""
        pty = self._pty
        if pty is None or pty.master < 0:
            raise WireError("INVALID_TRANSITION", "the program has ended; nothing can follow")
        piped = self._stdin >= 0
        modes = Modes(None, shown=False) if piped else pty.modes()
        data, following = action.data, self.paste
        if not piped and (action.paste or following.open):
            wanted = action.paste and not following.open and self._wanted(output)
            data, following = following.wrap(
                data, paste=action.paste, more=action.more, wanted=wanted
            )
        marked = action.eof and not piped
        if marked:
            data += self._marks(data)
        size = len(action.data)
        entry = Entry(action.command_id, len(data), size, marked, close=action.eof and piped)
        self.queue.check(entry, data, ends=modes.ends)
        head = self.log.head if self.log is not None else 0
        return Planned(entry, data, modes.ends, head + len(data), following, modes.shown)

    def take(self, planned: Planned) -> None:
        """Take what was planned just now; OSError when memory ran out."""
        if planned.data and self.log is not None:
            self.log.append(planned.data)
        self.queue.accept(planned.entry, planned.data, ends=planned.ends)
        self.paste = planned.following

    def write(self, now: float, *, waited: bool) -> tuple[list[Entry], list[Lost]]:
        """Deliver what waits; return the entries that are done and those that never will be.

        `waited` says that some of it was accepted earlier: the terminal's mode may have changed.
        """
        done: list[Entry] = []
        lost = self._settle() if waited else []
        while self.queue.waiting:
            wanted = min(len(self.queue), MAX_CHUNK)
            try:
                count = self.log.move(self.sink) if wanted and self.log is not None else 0
            except BlockingIOError:
                break
            except OSError:  # EIO, EPIPE: nobody reads any more
                self._close_stdin()
                return done, [*lost, *self._abandon()]
            hooks.at("worker.input.written")
            ended = self.queue.taken(count)
            done += ended
            if any(entry.close for entry in ended):
                self._close_stdin()
            if count < wanted:
                break
        if self.log is not None and not self.log.clean:
            self._wipe = now + WIPE_SECONDS
        return done, lost

    def wipe_due(self, now: float) -> None:
        """Erase what was delivered, when it is time."""
        if self._wipe is not None and now >= self._wipe:
            self._wipe = None
            if self.log is not None:
                self.log.wipe()

    def deadline(self) -> float | None:
        """When `wipe_due` has something to do."""
        return self._wipe

    def keep_up(self, output: OutputLog, now: float) -> None:
        """Look at output that will be given back, for requests to bracket pastes."""
        if output.head - output.tail > output.capacity // 2:
            self._bracketing.keep_up(output.read, output.tail, output.head, now)

    def close(self) -> list[Lost]:
        """Lead nowhere any more; return the input that was not delivered."""
        lost = self._abandon()
        self._close_stdin()
        if self.log is not None:
            self.log.close()
            self.log = None
        self._pty, self._wipe = None, None
        return lost

    def _wanted(self, output: OutputLog) -> bool:
        return self._bracketing.wanted(output.read, output.tail, output.head)

    def _settle(self) -> list[Lost]:
        """Give up what canonical mode would cut, if the program has gone over to it meanwhile."""
        log, pty = self.log, self._pty
        if not self.queue.unchecked or log is None or pty is None or self._stdin >= 0:
            return []
        ends = pty.modes().ends
        if ends is None:
            return []
        dropped = self.queue.settle(log.peek(), ends)
        log.cut(log.cursor + len(self.queue))
        return [Lost(entry, cut_line()) for entry in dropped]

    def _abandon(self) -> list[Lost]:
        if self.log is not None:
            self.log.cut(self.log.cursor)
        return [Lost(entry, cut_short()) for entry in self.queue.abandon()]

    def _marks(self, data: bytes) -> bytes:
        """Return the end-of-file marks after `data`: two when a line is open."""
        mark = self._pty.end_of_file() if self._pty is not None else None
        if mark is None:
            raise WireError(
                "INVALID_ARGUMENT",
                "the program reads keys raw: there is no end of input; send the key it expects",
            )
        open_line = not data.endswith((b"\n", b"\r")) if data else self.queue.line_is_open()
        return mark * 2 if open_line else mark

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1
