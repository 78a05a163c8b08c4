"""What a `lane run` leaves behind, and what is there for one that is repeated."""

import json

from kit.cluster import Plane


def lanes_of(plane: Plane) -> list[str]:
    """Return the names of the lanes of all workspaces."""
    found = json.loads(plane.lane("ls", "--json").stdout)
    return [str(lane["name"]) for lane in found["lanes"]]


def test_rm_leaves_no_lane_in_another_workspace_either(shared_plane: Plane) -> None:
    shared_plane.lane("workspace", "create", "web")
    done = shared_plane.lane("run", "--rm", "web/job", "--", "echo", "done")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "job" not in lanes_of(shared_plane)
