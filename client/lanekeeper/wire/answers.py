"""The answers a process has already given to mutating commands: a retry is answered, not repeated.

Owns the rule "once per command id". Bounded by count, bytes and age; what is dropped leaves a
tombstone, so that a late retry is refused as INDETERMINATE rather than run a second time. Sans-IO:
time is an argument. Used by the broker and by every worker, each for what it executes, and rebuilt
by both from their journals.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from lanekeeper.wire.errors import WireError

ANSWERS_BYTES: Final = 16 * 1024 * 1024
"""Bytes of all kept answers together; most have a few hundred, one with a long argv 64 KiB."""


class Kept(Struct, frozen=True):
    """One answer: the encoded response, and when it was kept; a tombstone has no response."""

    command_id: str
    response: bytes | None
    at: float


class AnswerStatistics(Struct, frozen=True):
    """What the table holds and has done."""

    kept: int
    tombstones: int
    bytes: int
    repeated: int
    indeterminate: int


class Answers:
    """Answers by command id; the oldest leave first."""

    def __init__(
        self, kept: int, seconds: float, tombstones: int, size: int = ANSWERS_BYTES
    ) -> None:
        """Make an empty table.

        Args:
            kept: answers kept at most.
            seconds: how long an answer is kept.
            tombstones: ids remembered after their answer was dropped.
            size: bytes of all kept answers together.
        """
        self._limits = (kept, seconds, tombstones, size)
        self._answers: OrderedDict[str, Kept] = OrderedDict()
        self._tombstones: OrderedDict[str, float] = OrderedDict()
        self._bytes = 0
        self._repeated = 0
        self._indeterminate = 0

    def find(self, command_id: str, now: float) -> bytes | None:
        """Return the encoded response that `command_id` got, or None when the id is new.

        Raises:
            WireError: INDETERMINATE, the id was executed and its answer is no longer kept.
        """
        self._expire(now)
        kept = self._answers.get(command_id)
        if kept is not None:
            self._repeated += 1
            return kept.response
        if command_id in self._tombstones:
            self._indeterminate += 1
            raise WireError(
                "INDETERMINATE",
                f"command {command_id} was executed and its answer is no longer kept; "
                "look at the present state and give a new command with a new id",
            )
        return None

    def keep(self, command_id: str, response: bytes, now: float) -> None:
        """Keep the first answer to `command_id`; the answer to a known id is not replaced."""
        self.restore(command_id, response, now)
        self._expire(now)

    def restore(self, command_id: str, response: bytes | None, at: float) -> None:
        """Put back what `snapshot` or a journal gave, in the same order; None is a tombstone.

        Nothing expires here: replaying the same records gives the same table whenever it is done.
        """
        if command_id in self._answers or command_id in self._tombstones:
            return
        if response is None:
            self._bury(command_id, at)
            return
        self._answers[command_id] = Kept(command_id, response, at)
        self._bytes += len(response)
        kept, _, _, size = self._limits
        while len(self._answers) > kept or self._bytes > size:
            self._drop_oldest()

    def snapshot(self) -> Iterator[Kept]:
        """Yield tombstones, then answers, oldest first: `restore` each for an equal table."""
        for command_id, at in self._tombstones.items():
            yield Kept(command_id, None, at)
        yield from self._answers.values()

    def statistics(self) -> AnswerStatistics:
        """Return what the table holds and has done."""
        return AnswerStatistics(
            len(self._answers),
            len(self._tombstones),
            self._bytes,
            self._repeated,
            self._indeterminate,
        )

    def _expire(self, now: float) -> None:
        seconds = self._limits[1]
        while self._answers and next(iter(self._answers.values())).at + seconds <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        command_id, kept = self._answers.popitem(last=False)
        self._bytes -= len(kept.response or b"")
        self._bury(command_id, kept.at)

    def _bury(self, command_id: str, at: float) -> None:
        self._tombstones[command_id] = at
        if len(self._tombstones) > self._limits[2]:
            self._tombstones.popitem(last=False)
