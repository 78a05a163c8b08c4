"""Where programs come from, as the kernel keeps it: their brands and their cgroups.

Owns what a child is given of both before it runs, and how an ending tells what came from its
terminals. Refuses nothing: without a cgroup the brand does the work. Called by `spawner` and
`effects`.
"""

import os
from functools import lru_cache
from pathlib import Path

from lanekeeper.keeper import cgroups, scopes
from lanekeeper.keeper.identity import LANE_MARKER
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.terminal import TerminalInfo
from lanekeeper.workers.actions import End
from lanekeeper.workers.sweep import Origin


class Origins:
    """Brands and cgroups of one plane's terminals."""

    def __init__(self, rundir: Rundir) -> None:
        """Find out where cgroups of this plane go, the first time; nothing is made yet."""
        self._directory = str(rundir.path)
        self._group = _group(self._directory, os.environ.get(cgroups.SWITCH, ""))

    def given(self, info: TerminalInfo) -> dict[str, object]:
        """Return brand and cgroup for the specification of a child, the latter made for it."""
        top, directory = self._group, self._directory
        group = None if top is None else cgroups.make(top, directory, info.lane_id, info.id)
        return {
            "brand": scopes.terminal(self._directory, info.lane_id, info.id).value,
            "cgroup": None if group is None else str(group),
        }

    def of(self, lane_id: str, ending: End) -> Origin:
        """Return how to tell what the terminals of an ending have started."""
        around = () if self._group is None else (self._group / lane_id,)
        if ending.marker[0] == LANE_MARKER:
            return Origin(ending.marker, (scopes.lane(self._directory, lane_id),), around)
        brands = (scopes.terminal(self._directory, lane_id, one) for one in ending.terminal_ids)
        groups = (lane / one for lane in around for one in ending.terminal_ids)
        return Origin(ending.marker, tuple(brands), tuple(groups))

    def forget(self, lane_id: str, terminal_id: str) -> None:
        """Remove the cgroup of a terminal that is forgotten, if nothing is in it."""
        if self._group is not None:
            cgroups.remove(self._group / lane_id / terminal_id)


@lru_cache(maxsize=1)
def _group(directory: str, switch: str) -> Path | None:
    """Return where cgroups of a plane go: reading the mounts was a third of a lane's start."""
    return cgroups.plane(directory, {cgroups.SWITCH: switch})
