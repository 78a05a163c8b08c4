"""What the processes of a plane may use at most, and how long a recovery may take: wide bands.

Owns the numbers. A band is several times what was measured on two busy cores: what leaves it is
not slow but wrong. Refuses to compare two runs: that is the benchmark's. Called by `bystanders`
and by `recovery`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.plan import Victim
from lanekeeper.soak.proc import Size

MIB: Final = 1024 * 1024

RECOVERY_SECONDS: Final[dict[Victim, float]] = {
    Victim.WORKER: 3.0,
    Victim.BROKER: 8.0,
    Victim.KEEPER: 6.0,
    Victim.NURSERY: 9.0,
    Victim.COLLECTOR: 8.0,
    Victim.CLIENT: 6.0,
}
"""From the death until what the victim does is done again. Measured were 0.2 to 2.2 s, and up to
4.8 s with 15 other processes on two cores."""

FENCE_SECONDS: Final = 32.0
"""From the standstill of a process to its end: 15 s of silence after a beat, which is up to 10 s
old, and the time in which a busy machine comes to it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one process may have."""

    memory: int
    descriptors: int
    threads: int


BUDGETS: Final[dict[str, Budget]] = {
    "keeper": Budget(48 * MIB, 256, 1),
    "nursery": Budget(64 * MIB, 128, 1),
    "broker": Budget(96 * MIB, 128, 3),
    "collector": Budget(64 * MIB, 128, 3),
    "worker": Budget(96 * MIB, 192, 3),
}
"""By role; 24 to 31 MB, 16 to 38 descriptors and these threads were measured."""


def judge_size(role: str, pid: int, size: Size) -> Iterator[Finding]:
    """Hold what a process has against its budget."""
    budget = BUDGETS[role]
    for name in ("memory", "descriptors", "threads"):
        has, most = getattr(size, name), getattr(budget, name)
        if has > most:
            yield Finding("I4", f"{role} {pid} has {has:,} {name}, at most {most:,} is right")


def judge_recovery(victim: Victim, seconds: float) -> Iterator[Finding]:
    """Hold the time of a recovery against its band."""
    most = RECOVERY_SECONDS[victim]
    if seconds > most:
        yield Finding("I4", f"the {victim.value} was back after {seconds:.2f} s, {most:g} is right")
