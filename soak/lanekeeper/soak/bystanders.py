"""Who else there is while one process is hit: the same afterwards, within budget, in the vault.

Owns the look before a fault and the comparison after it. Refuses to trust what the plane says of
itself without looking: that a process is the same the kernel says, and that nothing is missing the
vault's own list. Called by `faults`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lanekeeper.soak import budget, keeper, proc
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.plan import Victim

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole plane: its daemons and lanes' workers by role and lane, the vault by owner."""

    processes: dict[Key, proc.Seen]
    held: dict[str, int]


def look(directory: Path) -> Scene:
    """Return what there is; SilentError when no keeper answers."""
    status = keeper.status(directory)
    found = {
        (str(one["role"]), str(one.get("lane", ""))): proc.Seen(
            int(one["pid"]), int(one["start_time"])
        )
        for one in status.processes
        if one["role"] != "worker" or one.get("lane")
    }
    return Scene(found, keeper.vault(directory))


def same(before: Scene, after: Scene, victim: Victim, lane_id: str) -> Iterator[Finding]:
    """Find who was replaced although nobody had hit it."""
    hit = (victim.value, lane_id if victim is Victim.WORKER else "")
    for key, seen in before.processes.items():
        if key == hit:
            continue
        now = after.processes.get(key)
        # A lane beside the tested one may have been ended by its client meanwhile.
        if now != seen and (now is not None or key[0] != "worker" or key[1] == lane_id):
            role, lane = key
            where = f" of {lane}" if lane else ""
            yield Finding("I1", f"{role} {seen.pid}{where} was replaced by {now}, and not hit")


def vaulted(before: Scene, after: Scene, lane_id: str) -> Iterator[Finding]:
    """Find what the vault of a plane that calls itself whole has lost."""
    had, has = before.held.get(lane_id, 0), after.held.get(lane_id, 0)
    if has < had:
        yield Finding("I6", f"the plane says it is whole; the vault holds {has} of {had} of a lane")


def sizes(scene: Scene, ledger: Ledger) -> Iterator[Finding]:
    """Hold what every process uses against its budget."""
    for (role, _), seen in scene.processes.items():
        size = proc.measure(seen.pid)
        if size is not None and role in budget.BUDGETS:
            ledger.check("I4", 3)
            yield from budget.judge_size(role, seen.pid, size)
