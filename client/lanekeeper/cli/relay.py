"""Between a person and a program: keys, signals and sizes one way, output the other, in one wait.

Owns the loop of `run` and `attach`. Nothing in it blocks, so that leases are renewed while a pager
holds stdout or a program does not read its input. Refuses to buffer without bound: stdin is read
only while the lane takes it, output only while stdout does.
"""

import contextlib
import os
import signal
import time
from typing import Final

from lanekeeper.cli.ends import Ends, Outcome, Way
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.pen import OURS_NO_MORE, TAKE_KEY
from lanekeeper.cli.render import Renderer
from lanekeeper.cli.sink import Sink
from lanekeeper.cli.sizes import size_of
from lanekeeper.cli.text import safe
from lanekeeper.cli.tty_mode import RawMode
from lanekeeper.cli.wakeups import Wakeups, stop_here
from lanekeeper.client import Ended, Gap, LaneError, OutputStream, Pending, Plane, Terminal
from lanekeeper.wire.messages.terminal import ExitStatus

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
CAUGHT: Final = (*FORWARDED, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
INPUT: Final = 64 * 1024
INPUT_AHEAD: Final = 512 * 1024
"""Bytes of stdin that may be on their way; more is read when the program has taken some."""
LEAVE_SECONDS: Final = 1.0
"""How long a reader that stands still may keep us from leaving."""
OVER: Final = frozenset({"INVALID_TRANSITION", "TERMINAL_NOT_FOUND", "CLOSED"})
"""Refusals of input that mean that the program has ended."""


class Relay:
    """One terminal connected to one person or pipe."""

    def __init__(
        self, plane: Plane, terminal: Terminal, stream: OutputStream, ends: Ends, renderer: Renderer
    ) -> None:
        """Connect; nothing flows before `run`."""
        self._plane = plane
        self._terminal = terminal
        self._stream = stream
        self._ends = ends
        self._renderer = renderer
        self._sink = Sink(ends.stdout)
        self._raw = RawMode(ends.stdin if ends.stdin is not None else -1, wanted=ends.raw)
        self._wakeups = Wakeups(CAUGHT)
        self._input: list[Pending] = []
        self._stdin = ends.stdin
        self._outcome: Outcome | None = None
        self._failure: LaneError | CliError | None = None
        self._told: LaneError | None = None
        self._lost = 0

    def run(self) -> Outcome:
        """Let everything flow until the program has ended or the person leaves.

        The program's end, or that of its output, is reported when everything is written; a person
        who leaves does not wait for that.

        Raises:
            OSError: stdout has gone.
            LaneError: the output ended before its time.
        """
        with self._wakeups:
            try:
                self._raw.enter()
                if self._ends.greet is not None:
                    self._ends.greet()
                self._sink.put(self._renderer.begin())
                while self._outcome is None or (
                    self._outcome.way is Way.ENDED and self._sink.waiting
                ):
                    self._turn()
            finally:
                self._finish()
        if self._failure is not None and self._outcome.way is Way.ENDED:
            raise self._failure
        return self._outcome

    def _turn(self) -> None:
        self._watch_pen()
        more = self._take_output()
        if self._outcome is not None and not self._sink.waiting:
            return
        readers = [self._wakeups.fileno()]
        wants_input = self._wants_input()
        if wants_input is not None:
            readers.append(wants_input)
        writers = [self._sink.fileno()] if self._sink.waiting else []
        note = self._ends.note
        patience = None if note is None else note.left(time.monotonic())
        ready = self._plane.wait(readers, 0.0 if more else patience, writers=writers)
        # Always: a poll that a signal ends may have seen the keys typed after it and not the
        # signal's own byte, and a new size must reach the program before those keys.
        self._take_signals()
        if wants_input is not None and wants_input in ready:
            self._take_input(wants_input)
        if self._sink.waiting:
            self._sink.flush()

    def _take_output(self) -> bool:
        """Write what has come; return whether there may be more already."""
        if self._outcome is not None or self._sink.full:
            return False
        try:
            items = self._stream.poll(0.0)
        except LaneError as error:
            self._failure = error
            self._outcome = Outcome(Way.ENDED, lost=self._lost)
            return False
        for item in items:
            if isinstance(item, Gap):
                self._lost += item.end - item.start
            self._sink.put(self._renderer.render(item))
            if isinstance(item, Ended):
                self._outcome = Outcome(Way.ENDED, item.exit, lost=self._lost)
        if not items and self._stream.ended and self._outcome is None:
            self._outcome = Outcome(Way.ENDED, lost=self._lost)
            if self._ends.follow:
                text = "the output ended without its end"
                self._failure = CliError("WORKER_LOST", text, retryable=True)
        return bool(items)

    def _wants_input(self) -> int | None:
        """Return the descriptor to read input from, while the program takes it."""
        sent, self._input = self._input, []
        pen = self._ends.pen
        if pen is not None and any(_not_ours(pending) for pending in sent):
            pen.refused()
        self._input += [pending for pending in sent if not self._over(pending)]
        if pen is not None and self._stdin is None and not (self._input or self._ends.raw):
            pen.put_down()  # all of it was sent: from now on anybody may type
            self._ends.pen = None
        if self._stdin is None or self._terminal.unsent >= INPUT_AHEAD:
            return None
        return self._stdin

    def _over(self, pending: Pending) -> bool:
        """Return whether input needs no more watching; a program that has ended takes none.

        A person is told what was refused, and goes on.

        Raises:
            LaneError: the input of a pipe was refused for another reason, or for now.
        """
        error, pen = pending.error, self._ends.pen
        if pen is not None and _not_ours(pending):
            if pen.writes:  # the lease had expired, and nobody else has taken it
                data, eof = pending.rest
                self._send(data, eof=eof)
        elif error is not None and error.code in OVER:
            if not self._ends.raw:  # a person keeps the way out: the detach key
                self._stdin = None
        elif error is not None:
            if error.retryable or not self._ends.raw:
                raise error
            if error is not self._told:  # what waited behind it is refused by the same error
                self._tell(error.message)
            self._told = error
        return pending.done

    @property
    def _writes(self) -> bool:
        return self._ends.pen is None or self._ends.pen.writes or not self._ends.raw

    def _watch_pen(self) -> None:
        """Tell the person when another client writes now."""
        pen = self._ends.pen
        if pen is None or self._outcome is not None:
            return
        pen.check()
        note = pen.said()
        if note and not self._ends.raw:
            raise CliError(OURS_NO_MORE, f"the rest of the input was not sent: {note}")
        if note:
            self._tell(note)
        if self._ends.note is not None:
            self._sink.put(self._ends.note.clear(time.monotonic()))

    def _tell(self, text: str) -> None:
        if self._ends.note is not None:
            size = size_of(self._ends.stdout)
            self._sink.put(self._ends.note.show(text, size, time.monotonic()))
        elif self._ends.notice is not None:
            shown = safe(text)
            self._ends.notice(f"\r\n[{shown}]\r" if self._ends.raw else f"lane: {shown}")

    def _take_over(self, data: bytes) -> None:
        """Take the writing over when its key is among what a person who looks on has typed."""
        pen = self._ends.pen
        if pen is not None and pen.may_take and TAKE_KEY.find(data) is not None:
            if pen.take_again(take_over=True):
                self._tell("you write now")
            self._resize()

    def _take_input(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, INPUT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # a terminal that was hung up
            data = b""
        before = self._ends.detach_key.find(data)
        if before is not None:
            self._outcome = Outcome(Way.DETACHED, lost=self._lost)
        text = data if before is None else before
        if not data:
            self._stdin = None
            if self._ends.raw:  # the person's terminal has gone
                self._outcome = Outcome(Way.SIGNALLED, caught=signal.SIGHUP, lost=self._lost)
        pen = self._ends.pen
        if data and pen is not None and not (pen.writes or self._ends.raw):
            pen.take()
        if self._writes:
            self._send(text, eof=not data and not self._ends.raw)
        elif text:
            self._take_over(text)

    def _send(self, data: bytes, *, eof: bool) -> None:
        if data or eof:
            self._input.append(self._terminal.send_nowait(data, eof=eof))

    def _take_signals(self) -> None:
        for number in self._wakeups.take():
            if number == signal.SIGWINCH:
                self._resize()
            elif number == signal.SIGTSTP:
                self._stop()
            elif number == signal.SIGCONT:
                self._raw.enter()
            elif self._ends.forward and self._outcome is None:
                self._forward(number)
            else:  # the program may have ended, and only the reader of its output stands still
                status = None if self._outcome is None else self._outcome.exit
                self._outcome = Outcome(Way.SIGNALLED, status, number, self._lost)

    def _forward(self, number: signal.Signals) -> None:
        try:
            self._terminal.signal(number.name)
        except LaneError as error:
            if error.code not in OVER:
                self._excuse(f"{number.name} was not sent", error)
            elif self._sink.waiting:  # it has ended, and its end waits behind this
                self._outcome = Outcome(
                    Way.SIGNALLED, ExitStatus(kind="unknown"), number, self._lost
                )

    def _resize(self) -> None:
        if self._ends.follow_size is None or not self._writes:
            return
        size = size_of(self._ends.follow_size)
        try:
            self._terminal.resize(size.cols, size.rows)
        except LaneError as error:
            if error.code not in {*OVER, OURS_NO_MORE}:
                self._excuse("the program does not know the new size", error)

    def _excuse(self, what: str, error: LaneError) -> None:
        """Tell what a plane that cannot answer now has not done; anything else is an error."""
        if not error.retryable:
            raise error
        self._tell(f"{what}: {error.code}")

    def _stop(self) -> None:
        self._raw.leave()
        stop_here()
        self._raw.enter()
        self._resize()

    def _finish(self) -> None:
        self._raw.leave()
        with contextlib.suppress(OSError):
            self._sink.leave(self._renderer.undo(), LEAVE_SECONDS)
        self._sink.close()


def _not_ours(pending: Pending) -> bool:
    """Whether input was refused because this client is not the writer."""
    return pending.error is not None and pending.error.code == OURS_NO_MORE
