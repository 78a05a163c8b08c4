"""A plain observer of the lane under test: registered nowhere, and too slow for a flood.

Owns one stream without a lease and the judge of what comes. Refuses to be served better than
anybody: it looks seldom, so that messages are dropped for it, and then must be told of each gap.
Called by `subject`.
"""

import time
from typing import Final

from lanekeeper.client import Data, Ended, Gap, LaneError, Plane
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.stream import Judge, WrongByteError

EVERY: Final = 0.05
"""Seconds between two looks; a flood overruns 64 messages in less."""


class Onlooker:
    """One observer, from the first byte of a terminal to its end.

    Attributes:
        findings: what was found so far.
    """

    def __init__(self, plane: Plane, address: str, seed: int, ledger: Ledger) -> None:
        """Observe a terminal through this client, which nobody else uses."""
        self._plane = plane
        self._stream = plane.terminal(address).output(0, policy="drop")
        self._judge = Judge(seed)
        self._ledger = ledger
        self._next = 0.0
        self._end: int | None = None
        self._broken = False
        self.findings: list[Finding] = []

    def turn(self, now: float) -> None:
        """Take what has come, if it is time to look."""
        if now < self._next or self._broken or self._end is not None:
            return
        self._next = now + EVERY
        try:
            self._take()
        except WrongByteError as error:
            self._find(str(error))
        except LaneError as error:
            self._find(f"the stream ended: {error}")

    def finish(self, end: int, seconds: float) -> None:
        """Take the rest and judge that all there was came, or was named as a gap."""
        deadline = time.monotonic() + seconds
        while self._end is None and not self._broken and time.monotonic() < deadline:
            self._next = 0.0
            self.turn(time.monotonic())
            self._plane.wait(timeout=0.01)
        if self._broken:
            return
        if self._end is None:
            self._find(f"no end came within {seconds:g} s, at {self._judge.offset} of {end}")
        elif not self._end == self._judge.offset == end:
            self._find(f"it was told of {self._judge.offset} bytes up to {self._end}, not of {end}")

    @property
    def gaps(self) -> int:
        """How many gaps it was told of."""
        return len(self._judge.gaps)

    def close(self) -> None:
        """Give the stream back."""
        self._stream.close()

    def _take(self) -> None:
        for item in self._stream.poll(0.0):
            if isinstance(item, Data):
                self._judge.feed(item.data)
            elif isinstance(item, Gap):
                self._judge.gap(item.start, item.end)
            elif isinstance(item, Ended):
                self._end = item.offset
            self._ledger.check("I8")

    def _find(self, text: str) -> None:
        self._broken = True
        self.findings.append(Finding("I8", f"a plain observer: {text}"))
