"""What a worker counts where it happens: plain numbers, cheap enough for every byte and key.

Owns totals since this process began, which never fall; what a successor rebuilds from the journal
is not counted again. Refuses clocks and sockets. Written by the core and by the shell around it,
read by `figures` once per sample.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.metrics import COMMAND_SECONDS, UNKNOWN_METHOD, UNTIMED

ECHO_SECONDS: Final = 1.0
"""Output that comes later than this after an input is not its echo."""

ECHO: Final = "lanekeeper_echo_seconds"
CHUNKS: Final = "lanekeeper_output_backlog_chunks"

Observe = Callable[[float], None]
"""Takes one observation."""

_TIMED: Final = {method: method for method in METHODS if method not in UNTIMED}
"""The label of each method that is timed."""


def _deaf(_name: str, *_labels: str) -> Observe:
    """Return what observes nothing: a core without a shell has no meter."""
    return lambda _seconds: None


@dataclass(slots=True)
class Tally:
    """Totals of one worker process.

    Attributes:
        spread: returns what takes the observations of a histogram, by name and labels.
        published_bytes: output given to subscribers.
        published_messages: messages on the output socket, of every kind.
        logged_bytes: output of programs taken into their logs.
        input_bytes: input of clients that programs were given.
        throttles: times a program was held back by its consumers.
        throttled_seconds: for how long, over all terminals.
        demotions: consumers that used up their grace.
        gaps: reads of output that the log no longer had.
        gap_bytes: how much of it.
        repaired_bytes: output given from a log.
        queries_answered: questions of programs that were answered for want of a viewer.
        ended: programs that ended, by status.
        arrived: when the command in hand arrived (monotonic seconds).
        answered: commands of clients that were answered and not yet timed: method and status, and
            arrival.
    """

    spread: Callable[..., Observe] = _deaf
    published_bytes: int = 0
    published_messages: int = 0
    logged_bytes: int = 0
    input_bytes: int = 0
    throttles: int = 0
    throttled_seconds: float = 0.0
    demotions: int = 0
    gaps: int = 0
    gap_bytes: int = 0
    repaired_bytes: int = 0
    queries_answered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    arrived: float = 0.0
    answered: list[tuple[tuple[str, str], float]] = field(default_factory=list)
    _spreads: dict[tuple[str, ...], Observe] = field(default_factory=dict)

    def command(self, method: str, status: str, came: float | None) -> None:
        """Note that a command was answered that `came` from a client; None: from the broker."""
        if came is None:
            return
        label = _TIMED.get(method)
        if label is None:
            if method in UNTIMED:
                return
            label = UNKNOWN_METHOD
        self.answered.append(((label, status), came))

    def timed(self, now: float) -> None:
        """Observe how long the commands took that have been answered."""
        for labels, came in self.answered:
            self.observe(now - came, COMMAND_SECONDS, *labels)
        self.answered.clear()

    def observe(self, value: float, *series: str) -> None:
        """Note one observation of a series: a histogram's name, and labels."""
        spread = self._spreads.get(series)
        if spread is None:
            spread = self._spreads[series] = self.spread(*series)
        spread(value)

    def read(self, asked: int, start: int, size: int) -> None:
        """Note a read of a log from `asked` on, of which `size` bytes from `start` are there."""
        if start > asked:
            self.gaps += 1
            self.gap_bytes += start - asked
        self.repaired_bytes += size

    def program_ended(self, status: ExitStatus) -> None:
        """Note how a program ended."""
        if status.kind == "signaled":
            self.ended["signal"] += 1
        elif status.kind == "exited":
            self.ended["error" if status.code else "ok"] += 1
        else:
            self.ended["unknown"] += 1
