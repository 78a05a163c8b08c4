"""One lane under test: the flooding child, the reader that must get every byte, the typist.

Owns a registered consumer, the history of inputs and what was found. Everything happens in `turn`,
from the one thread that owns the plane's client. Called by the driver.
"""

import sys
import time
from collections.abc import Iterator
from typing import Final

from lanekeeper.client import Data, Ended, Gap, LaneError, Pending, Plane
from lanekeeper.soak import oracle, proc
from lanekeeper.soak.chance import Chance
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.onlooker import Onlooker
from lanekeeper.soak.oracle import Finding, Input, Outcome
from lanekeeper.soak.stream import BLOCK, Judge, WrongByteError
from lanekeeper.wire.messages.terminal import ConsumerList

CAPACITY: Final = 1024 * 1024
"""The smallest log with holes punched into it every fraction of a second."""
ROUNDING: Final = CAPACITY // 2
"""A log is given back in pieces of a fraction of it: it may be that much longer for a while."""
DEPTH: Final = 4
"""Inputs on their way at a time."""
EVERY: Final = 0.005
"""Seconds between two inputs."""
LONG: Final = 0.1
"""Share of inputs that are longer than what a terminal takes at once while it is full."""
_UNKNOWN: Final = frozenset({"TIMEOUT", "INDETERMINATE", "UNREACHABLE", "WORKER_LOST", "CLOSED"})
_END_SECONDS: Final = 10.0
_LEASE_SECONDS: Final = 8.0
"""A lease that nobody renews expires after 6 s; then room."""


class Subject:
    """A lane with one terminal.

    Attributes:
        judge: of every byte that came.
        history: of the inputs.
        child: the program, as the kernel knows it.
        address: of the terminal.
        findings: what was found so far.
    """

    def __init__(
        self,
        plane: Plane,
        name: str,
        seed: int,
        rate: int,
        ledger: Ledger | None = None,
    ) -> None:
        """Start the child and read its output from the first byte.

        Raises:
            LaneError: it could not be started.
        """
        self._plane = plane
        self._ledger = ledger or Ledger()
        self._onlooker: Onlooker | None = None
        self._chance = Chance(seed)
        self._seed = seed
        self.judge = Judge(seed)
        self.history: list[Input] = []
        self.findings: list[Finding] = []
        self.lane = plane.create_lane(name)
        self.terminal = self.lane.spawn(
            command(seed, rate), capacity=CAPACITY, policy="forever", env=environment()
        )
        self.address = f"{name}.{self.terminal.info.name}"
        self._stream = self.terminal.output(0, policy="forever")
        self._pending: list[tuple[Input, Pending]] = []
        self._typed_at = 0.0
        self._exit: Ended | None = None
        self.broken = False
        # Asked after the start was told, its worker has closed what only the start needed.
        self.terminal.refresh()
        self.child = proc.Seen(self.terminal.info.pid or 0, self.terminal.info.start_time or 0)

    def observe(self, plane: Plane) -> None:
        """Have the terminal observed by a plain observer, through a client of its own."""
        self._onlooker = Onlooker(plane, self.address, self._seed, self._ledger)

    def turn(self, *, type_: bool = True) -> None:
        """Take what has come, note what was delivered, type the next input when it is time."""
        try:
            for item in self._stream.poll(0.0):
                if isinstance(item, Data):
                    self.judge.feed(item.data)
                elif isinstance(item, Gap):
                    self._find("I2", f"a gap from {item.start} to {item.end}")
                    self.judge.gap(item.start, item.end)
                elif isinstance(item, Ended):
                    self._exit = item
        except WrongByteError as error:
            self._find("I2", str(error))
            self.broken = True
        except LaneError as error:
            self._find("I1", f"the stream ended: {error}")
            self.broken = True
        self._collect()
        now = time.monotonic()
        if self._onlooker is not None:
            self._onlooker.turn(now)
        if type_ and self._raw and not self.broken and now >= self._typed_at + EVERY:
            self._typed_at = now
            self._type(now)

    @property
    def _raw(self) -> bool:
        """Whether the child has made its terminal raw: before its first byte it has not."""
        return self.judge.offset > 0

    @property
    def acknowledged(self) -> float:
        """When the newest input that was delivered had been sent; monotonic seconds."""
        return max((one.sent for one in self.history if one.outcome is Outcome.OK), default=0.0)

    def alive(self) -> Iterator[Finding]:
        """Judge that the same child lives."""
        self._ledger.check("I1")
        if not proc.lives(self.child):
            yield Finding("I1", f"the program {self.child} is gone")

    def finish(self, status: int) -> list[Finding]:
        """Tell the child to exit with `status`, take all there is, and judge the whole."""
        deadline = time.monotonic() + _END_SECONDS
        while (self._pending or not self._raw) and not self.broken and time.monotonic() < deadline:
            self._wait(type_=False)
        if not self.broken:
            self._send(b"q%d\n" % status)
        while self._exit is None and not self.broken and time.monotonic() < deadline:
            self._wait(type_=False)
        while self._pending and not self.broken and time.monotonic() < deadline:
            self._wait(type_=False)
        if not self.broken:
            self._judge_end(status)
        self._ledger.check("I2", self.judge.offset // BLOCK)
        self._ledger.check("I3", len(self.history))
        self.findings += oracle.judge_inputs(self.history, bytes(self.judge.echoed))
        if self._onlooker is not None:
            if not self.broken:
                self._onlooker.finish(self.judge.offset, _END_SECONDS)
            self.findings += self._onlooker.findings
        return self.findings

    def alone(self) -> Iterator[Finding]:
        """Judge that nobody but this reader is registered, once leases of the dead have expired."""
        deadline = time.monotonic() + _LEASE_SECONDS
        consumers = 0
        self._ledger.check("I6")
        try:
            while time.monotonic() < deadline:
                listed = self._plane.call(
                    "terminal.consumers", result=ConsumerList, terminal_id=self.terminal.id
                )
                consumers = len(listed.consumers)
                if consumers <= 1:
                    return
                self._wait(type_=True)
        except LaneError as error:
            yield Finding("I6", f"the consumers could not be listed: {error}")
            return
        yield Finding("I6", f"{consumers} consumers are registered; one lives")

    def close(self) -> None:
        """Give the registration back and end the lane; what fails is found."""
        self._ledger.check("I5")
        try:
            self._stream.close()
            if self._onlooker is not None:
                self._onlooker.close()
            self.lane.cleanup(0.5)
        except LaneError as error:
            self._find("I5", f"the lane could not be cleaned up: {error}")

    def _judge_end(self, status: int) -> None:
        if self._exit is None:
            self._find("I6", f"no end came within {_END_SECONDS:g} s")
            return
        self._ledger.check("I6")
        if self._exit.exit.kind != "exited" or self._exit.exit.code != status:
            self._find("I6", f"it exited with {status}; told was {self._exit.exit}")
        if self._exit.offset != self.judge.offset:
            self._find("I2", f"the end is at {self._exit.offset}, not at {self.judge.offset}")
        try:
            self.judge.finish()
            self._read_again()
        except WrongByteError as error:
            self._find("I2", str(error))

    def _read_again(self) -> None:
        """Read what the log still has, as somebody who comes late, and judge that too."""
        try:
            found = start = self.terminal.read()
            self._ledger.check("I4")
            if self.judge.offset - found.offset > CAPACITY + ROUNDING:
                self._find("I4", f"the log keeps {self.judge.offset - found.offset:,} bytes")
            late = Judge(self._seed, found.offset)
            while True:
                late.feed(found.data)
                if late.offset >= self.judge.offset or not found.data:
                    break
                found = self.terminal.read(late.offset)
        except LaneError as error:
            self._find("I2", f"the log could not be read again: {error}")
            return
        self._ledger.check("I2", (late.offset - start.offset) // BLOCK)
        if late.offset != self.judge.offset:
            self._find("I2", f"reading again ends at {late.offset}, not at {self.judge.offset}")

    def _wait(self, *, type_: bool) -> None:
        self.turn(type_=type_)
        self._plane.wait(timeout=0.01)

    def _type(self, now: float) -> None:
        if len(self._pending) >= DEPTH:
            return
        size = 1500 + self._chance.below(3000) if self._chance.between(0, 1) < LONG else 8
        noise = self._chance.bytes(size).hex().encode()
        one = Input(len(self.history), oracle.line(len(self.history), noise), now)
        self.history.append(one)
        self._pending.append((one, self.terminal.send_nowait(one.text)))

    def _send(self, text: bytes) -> None:
        one = Input(len(self.history), text, time.monotonic())
        self.history.append(one)
        self._pending.append((one, self.terminal.send_nowait(text)))

    def _collect(self) -> None:
        left = []
        for one, pending in self._pending:
            if not pending.done:
                left.append((one, pending))
                continue
            one.done = time.monotonic()
            if pending.error is None:
                one.outcome = Outcome.OK
                continue
            one.code = pending.error.code
            one.outcome = Outcome.INFO if one.code in _UNKNOWN else Outcome.FAIL
            self._find("I3", f"input {one.number} was not taken: {pending.error}")
            self.broken = True
        self._pending = left

    def _find(self, invariant: str, text: str) -> None:
        self.findings.append(Finding(invariant, text))


def command(seed: int, rate: int) -> list[str]:
    """Return the argument list of the flooding, echoing child."""
    return [sys.executable, "-P", "-m", "lanekeeper.soak.child", str(seed), "--rate", str(rate)]


def environment() -> dict[str, str]:
    """Return the little that the child needs."""
    return {"PATH": "/usr/bin:/bin", "TERM": "dumb"}
