"""The descriptors of one terminal and what moves through them.

A thin shell: the log splices, the input queue bounds, the consumers decide; this moves bytes
between them. Publishing is a cursor over the log.
"""

from collections.abc import Mapping
from typing import Final

from lanekeeper.wire.limits import BEACON_SECONDS, MAX_CHUNK
from lanekeeper.workers.backlog import Depth, Marks, depth, slowest
from lanekeeper.workers.consumers import Consumers
from lanekeeper.workers.echo import Typed
from lanekeeper.workers.output_log import OutputLog
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.queries import Questions
from lanekeeper.workers.tally import ECHO_SECONDS
from lanekeeper.workers.terminal_input import Lost, TerminalInput
from lanekeeper.workers.timeline import Sampler

TURN_BYTES: Final = 128 * 1024
"""Output taken from one terminal in one turn: a flood never starves input or other terminals."""

SAMPLES: Final = 32
"""Times of output that are journalled together."""

QUIET: Final = 0.2
"""Silence after the exit that means the output is complete although somebody holds the slave open.
"""
QUIET_BOUND: Final = 5.0
"""The longest time after the exit that output of those left behind is waited for."""


class TerminalIO:
    """One terminal's log, PTY, input and publishing cursor.

    Attributes:
        published: the offset up to which output was published.
        reading: whether the master is polled for output.
        exited: when the program's exit was seen (monotonic seconds), None while it runs.
        last_output: when the program last wrote something (monotonic seconds).
        asked_at: when the input arrived that nothing was published after yet; 0 without one.
        looked_at: when the backlog was last looked at.
        marks: where the messages end that were published of it.
    """

    def __init__(self, terminal_id: str, capacity: int, log: OutputLog | None = None) -> None:
        """Use a log, or make one; OSError when descriptors run out."""
        self.terminal_id = terminal_id
        self.log = log or OutputLog.create(f"lanekeeper-log-{terminal_id}", capacity)
        self.pty: Pty | None = None
        self.input = TerminalInput(f"lanekeeper-input-{terminal_id}")
        self.typed = Typed()
        self.questions = Questions()
        self.samples: list[tuple[int, int]] = []
        self.sampler = Sampler()
        self.published = 0
        self.reading = False
        self.exited: float | None = None
        self.throttle_told = False
        self.consumers_changed = False
        self.closing = False
        self.last_output = 0.0
        self.asked_at = 0.0
        self.looked_at = 0.0
        self.marks = Marks()
        self._charged_at = 0.0
        self._held = False
        self._held_at = 0.0
        self._beacon: float | None = None
        self._hung_up = False

    @classmethod
    def inherit(cls, terminal_id: str, capacity: int, fds: Mapping[str, int]) -> "TerminalIO":
        """Go on with the log that a dead worker left; OSError when memory ran out.

        What was published of it nobody knows: whoever listens is told the head, and asks.
        """
        io = cls(terminal_id, capacity, OutputLog(fds, capacity))
        io.published = io.log.head
        io.marks = Marks(io.published)
        return io

    def open(self, pty: Pty, stdin: int) -> None:
        """Take over a fresh PTY, and the write end of a pipe for the program's input (or -1).

        Raises:
            OSError: descriptors ran out; nothing was taken over.
        """
        self.input.open(pty, stdin, self.log.head)
        self.pty = pty
        self.exited = None
        self._hung_up = False
        self.reading = True

    def go_on(self, pty: Pty, now: float) -> None:
        """Take over the PTY of a program that runs, or ran, under another worker."""
        self.pty = pty
        self.reading = True
        self.last_output = now

    @property
    def fds(self) -> dict[str, int]:
        """The descriptors that a successor needs, by kind."""
        master = {} if self.master < 0 else {"master": self.master}
        return {**self.log.fds, **self.input.fds, **master}

    @property
    def master(self) -> int:
        """The PTY master, -1 when it is closed."""
        return self.pty.master if self.pty is not None else -1

    def fill(self, now: float, time_ns: int) -> bool:
        """Take what the program wrote; return whether there was any."""
        head = self.log.head
        moved, ended = self.log.fill(self.master, TURN_BYTES)
        if moved:
            self.last_output = now
            sample = self.sampler.take(now, time_ns)
            if sample is not None:
                self.samples.append((head, sample))
        if ended and not self._comes_back():
            self._hung_up = True
            self.reading = False
        return moved > 0

    def program_exited(self, now: float) -> None:
        """Note the exit; from here on the end of the output is the end.

        Told again after the end, it changes nothing.
        """
        if self.pty is not None:
            self.exited = now
            self.pty.close_slave()

    def next_chunk(self) -> tuple[int, bytes] | None:
        """Return offset and bytes of the next message to publish, None when all is published."""
        self.published = max(self.published, self.log.tail)
        if self.published >= self.log.head:
            return None
        offset = self.published
        data = self.log.read(offset, MAX_CHUNK)
        self.published += len(data)
        self.marks.add(self.published)
        return offset, data

    def look(self) -> None:
        """Look for questions in output that nobody subscribes to."""
        start = max(self.questions.position, self.log.tail)
        while start < self.log.head:
            data = self.log.read(start, MAX_CHUNK)
            self.questions.feed(start, data)
            start += len(data)

    def take_samples(self) -> list[tuple[int, int]]:
        """Return when output came, once."""
        samples, self.samples = self.samples, []
        return samples

    def skip(self) -> None:
        """Nobody listens: let the cursor follow the head."""
        if self.published < self.log.head:
            self.published = self.log.head
            self.marks.add(self.published)

    def asked(self, arrived: float) -> None:
        """Note when an input arrived; until output follows, the first one counts for a second."""
        if arrived - self.asked_at > ECHO_SECONDS:
            self.asked_at = arrived

    def charge(self, now: float) -> float:
        """Return the seconds since this was asked last."""
        since, self._charged_at = self._charged_at, now
        return now - since

    def backlog(self, consumers: Consumers | None) -> Depth:
        """Return what the slowest of its consumers has not acknowledged."""
        last = None if consumers is None else slowest(consumers.each())
        return depth(self.marks, self.published, (self.log.tail, self.log.head), last)

    def arm_beacon(self, now: float) -> None:
        """Have the head told after a while of silence."""
        self._beacon = now + BEACON_SECONDS

    def beacon_due(self, now: float) -> bool:
        """Whether the head must be told now; once per silence."""
        if self._beacon is None or now < self._beacon:
            return False
        self._beacon = None
        return True

    def hold(self, now: float, *, held: bool) -> None:
        """Note whether a consumer holds reading back: the PTY may have more until it goes on."""
        if held or self._held:
            self._held_at = now
        self._held = held

    def drained(self, now: float) -> bool:
        """Whether the program has ended and its last byte is in the log."""
        if self.exited is None or self._held:
            return False
        if self._hung_up:
            return True
        return self.reading and now >= self._quiet_at()

    def deadline(self) -> float | None:
        """When this terminal needs a turn although no descriptor is ready."""
        times = [] if self._beacon is None else [self._beacon]
        if self.exited is not None and self.reading and not self._held:
            times.append(self._quiet_at())
        wipe = self.input.deadline()
        times += [] if wipe is None else [wipe]
        return min(times, default=None)

    def close_pty(self) -> list[Lost]:
        """Close what led to the program; the log stays.

        Returns the input that was not delivered.
        """
        self.reading = False
        lost = self.input.close()
        if self.pty is not None:
            self.pty.close()
            self.pty = None
        return lost

    def close(self) -> list[Lost]:
        """Close everything."""
        dropped = self.close_pty()
        self.log.close()
        return dropped

    def _comes_back(self) -> bool:
        """Whether a program that closed its terminal lives on and may open it again."""
        return self.exited is None and self.pty is not None and self.pty.hold_slave()

    def _quiet_at(self) -> float:
        since = max(self.exited or 0.0, self._held_at)
        return min(max(self.last_output, since) + QUIET, since + QUIET_BOUND)
