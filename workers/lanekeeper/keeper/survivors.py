"""What terminals left behind, for a keeper that ends a lane or goes down: found and killed.

Owns the searches by marker, brand, cgroup and descent, and the removal of cgroups. Refuses to
signal what is not a plane's own: strangers carry none of these. Called by the keeper's shell.
"""

import os
import signal
from typing import Final

from lanekeeper.keeper import cgroups, identity
from lanekeeper.keeper.rundir import Rundir

CLEANSE_SCANS: Final = 20
"""Passes over /proc for one lane; what survives this many forks faster than we look."""

GROUP_PATIENCE: Final = 0.5
"""Seconds for what was killed to leave its cgroup, so that this can be removed."""


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

    def cleanse(self, lane_id: str) -> int:
        """Kill what one lane left, and remove its cgroup; return how many processes it was.

        What was signalled may be between its signal and its end, or have forked: it looks again.
        """
        killed: set[identity.Process] = set()
        group = None if self._group is None else self._group / lane_id
        for _ in range(CLEANSE_SCANS):
            left = identity.lane_children(self._rundir, lane_id)
            left += [] if group is None else identity.in_group(group)
            if not left:
                break
            if group is not None:
                cgroups.kill(group)
            killed.update(process for process in left if process.signal(signal.SIGKILL))
        if group is not None:
            cgroups.remove(group, GROUP_PATIENCE)
        return len(killed)

    def tidy(self) -> None:
        """Remove the plane's cgroup, once nothing is left."""
        if self._group is not None:
            cgroups.remove(self._group, GROUP_PATIENCE)
