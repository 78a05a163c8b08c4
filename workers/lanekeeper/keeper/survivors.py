"""What terminals left behind, for a keeper that ends a lane or goes down: found and killed.

Owns the searches by marker, brand, cgroup and descent, and the removal of cgroups. Refuses to
signal what is not a plane's own: strangers carry none of these. Called by the keeper's shell.
"""

import math
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lanekeeper.keeper import cgroups, identity
from lanekeeper.keeper.events import Cleanse
from lanekeeper.keeper.rundir import Rundir

CLEANSE_SCANS: Final = 20
"""Passes over /proc for one lane; what survives this many forks faster than we look."""

GROUP_PATIENCE: Final = 0.5
"""Seconds for what was killed to leave its cgroup, so that this can be removed."""

GROUP_AGAIN: Final = 0.01
"""Seconds between two attempts to remove a cgroup."""


class Survivors:
    """Everything that the terminals of one plane started and that lives."""

    def __init__(self, rundir: Rundir) -> None:
        """Search for what came from this plane."""
        self._rundir = rundir
        self._group = cgroups.plane(str(rundir.path), os.environ)

    def everybody(self) -> set[identity.Process]:
        """Return all of them, with whatever else hangs below the calling process."""
        found = {*identity.plane_children(self._rundir), *identity.descendants(os.getpid())}
        return found if self._group is None else found | set(identity.in_group(self._group))

    def cleansing(self, request: Cleanse) -> "Cleansing":
        """Return the way to kill what one lane left, and to remove its cgroup."""
        group = None if self._group is None else self._group / request.lane_id
        return Cleansing(self._rundir, request, group)

    def tidy(self) -> None:
        """Remove the plane's cgroup, once nothing is left."""
        if self._group is not None:
            cgroups.remove(self._group, GROUP_PATIENCE)


@dataclass(slots=True)
class Cleansing:
    """What one lane left, on its way out: a look for it in each turn, never all in one."""

    rundir: Rundir
    request: Cleanse
    group: Path | None
    killed: set[identity.Process] = field(default_factory=set)
    scans: int = 0
    remove_until: float = math.inf
    deadline: float = -math.inf
    """When to go on."""

    def step(self, now: float) -> bool:
        """Go on; return whether it is over.

        What was signalled may be between its signal and its end, or have forked: it looks again.
        """
        if self.remove_until == math.inf:
            if self._scan():
                return False
            self.remove_until = now + GROUP_PATIENCE
        if self.group is None or cgroups.remove(self.group) or now >= self.remove_until:
            return True
        self.deadline = now + GROUP_AGAIN
        return False

    def _scan(self) -> bool:
        """Kill what there is; return whether to look again."""
        left = identity.lane_children(self.rundir, self.request.lane_id)
        left += [] if self.group is None else identity.in_group(self.group)
        if self.group is not None and left:
            cgroups.kill(self.group)
        reached = [process for process in left if process.signal(signal.SIGKILL)]
        self.killed.update(reached)
        self.scans += 1
        return bool(reached) and self.scans < CLEANSE_SCANS


class Cleansings:
    """Those that are under way."""

    def __init__(self, survivors: Survivors) -> None:
        """Start with none."""
        self._survivors = survivors
        self._under_way: list[Cleansing] = []

    @property
    def deadline(self) -> float:
        """When to call `due`."""
        return min((one.deadline for one in self._under_way), default=math.inf)

    def begin(self, request: Cleanse) -> None:
        """Kill what a lane left, from the next call of `due` on."""
        self._under_way.append(self._survivors.cleansing(request))

    def due(self, now: float) -> list[Cleansing]:
        """Go one step on with each whose time it is; return those that are over."""
        over = [one for one in self._under_way if one.deadline <= now and one.step(now)]
        self._under_way = [one for one in self._under_way if one not in over]
        return over
