"""Names of what lives, for the completion: asked of the plane within a second or not at all."""

from typing import Final

from lanekeeper.cli.listing import sessions_of, terminals_of
from lanekeeper.cli.orphans import look
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings

PATIENCE: Final = 1.0
"""Seconds a person waits for a completion."""
DEFAULT: Final = "default"


def workspaces(settings: Settings, incomplete: str) -> list[str]:
    """Return the names of all workspaces."""
    del incomplete
    with connected(settings, timeout=PATIENCE) as plane:
        return sorted(workspace.name for workspace in plane.workspaces())


def addresses(settings: Settings, incomplete: str) -> list[str]:
    """Return addresses of lanes; of sessions and terminals when what was typed goes that far."""
    with connected(settings, timeout=PATIENCE) as plane:
        names = {workspace.id: workspace.name for workspace in plane.workspaces()}
        lanes = {
            lane.id: lane.name
            if names.get(lane.workspace_id) == DEFAULT
            # another workspace is part of the address
            else f"{names.get(lane.workspace_id, lane.workspace_id)}/{lane.name}"
            for lane in plane.lanes()
        }
        found = list(lanes.values())
        if ":" in incomplete:
            sessions = sessions_of(plane)
            found += [f"{lanes[s.lane_id]}:{s.name}" for s in sessions if s.lane_id in lanes]
        if "." in incomplete:
            terminals = terminals_of(plane)
            found += [f"{lanes[t.lane_id]}.{t.name}" for t in terminals if t.lane_id in lanes]
        return sorted(found)


def orphans(settings: Settings, incomplete: str) -> list[str]:
    """Return the ids of what is left over."""
    del incomplete
    return [one.id for one in look(settings).orphans]
