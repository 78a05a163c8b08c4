"""How often each invariant was checked: a verdict of nothing found is worth what was looked at.

Owns the list of the invariants in words and the counts of one run. Refuses to judge. Pure; counted
by whoever checks, shown by `report`.
"""

from collections import Counter
from typing import Final

INVARIANTS: Final[dict[str, str]] = {
    "I1": "the same programs live; who was hit, and only that one, is replaced and recovers",
    "I2": "every reader's bytes are the program's (blocks of 2,048 bytes)",
    "I3": "what was typed arrived once and in order, what was refused never (inputs)",
    "I4": "memory, descriptors, threads, logs and recovery times stay within their budgets",
    "I5": "no program, process, socket, cgroup or vault entry is left over",
    "I6": "nothing false is told: states, sizes, exit codes, `degraded`, complete listings",
    "I7": "the echo of another lane goes on (keys), and takes no longer than is allowed",
    "I8": "a plain observer gets every byte, or a gap that says which not (messages)",
}


class Ledger:
    """Counts of checks by invariant."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.counts: Counter[str] = Counter()

    def check(self, invariant: str, count: int = 1) -> None:
        """Note that something was held against an invariant so many times."""
        if invariant not in INVARIANTS:
            raise KeyError(invariant)
        self.counts[invariant] += count

    def add(self, other: "Ledger") -> None:
        """Take over the counts of another one."""
        self.counts += other.counts
