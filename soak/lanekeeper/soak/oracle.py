"""Judges what happened: inputs, identities, states, leftovers.

Owns the verdicts; every finding names the invariant it breaks. Refuses to know how the plane works:
it holds what a user was told against what the program itself saw and what the kernel says. Shares
no code with the product. Called by the driver.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What a client was told of one input."""

    OK = "ok"
    """It was delivered."""
    FAIL = "fail"
    """It was refused: it must never arrive."""
    INFO = "info"
    """Nobody knows: it may arrive once."""


@dataclass(slots=True)
class Input:
    """One input: a line that occurs only once, and what its sender was told."""

    number: int
    text: bytes
    sent: float
    outcome: Outcome = Outcome.INFO
    done: float | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant."""

    invariant: str
    text: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.invariant}: {self.text}"


def line(number: int, noise: bytes) -> bytes:
    """Return the text of input `number`; `noise` makes it longer and has no line ends."""
    return b"i%08d %s\n" % (number, noise)


def judge_inputs(history: Iterable[Input], echoed: bytes) -> Iterator[Finding]:
    """Hold what was told of each input against what the program got, in its order."""
    known = {one.text: one for one in history}
    *lines, rest = echoed.split(b"\n")
    counts: dict[int, int] = {}
    newest = -1
    for got in lines:
        one = known.get(got + b"\n")
        if one is None:
            yield Finding("I3", f"the program got what nobody typed: {got[:80]!r}")
            continue
        counts[one.number] = counts.get(one.number, 0) + 1
        if one.number < newest:
            yield Finding("I3", f"input {one.number} came after input {newest}")
        newest = max(newest, one.number)
    if rest and not any(
        one.outcome is Outcome.INFO and one.text.startswith(rest) for one in known.values()
    ):
        yield Finding("I3", f"the program got a part that nobody typed: {rest[:80]!r}")
    for one in known.values():
        yield from _judge_one(one, counts.get(one.number, 0))


def _judge_one(one: Input, count: int) -> Iterator[Finding]:
    allowed = {Outcome.OK: (1,), Outcome.FAIL: (0,), Outcome.INFO: (0, 1)}[one.outcome]
    if count not in allowed:
        told = f"{one.outcome.value} {one.code}".strip()
        yield Finding("I3", f"input {one.number} ({told}) arrived {count} times")
