"""A flood with a fast consumer, a slow observer and one that stops: exact, accounted, bounded."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.viewers import MIB, Viewer, flood, log_memory, peak_memory
from kit.waiting import wait_until
from lanekeeper.client import Plane as Connected
from lanekeeper.wire.limits import LOG_CAPACITY, MAX_CHUNK, SEND_HIGH_WATER

SEED = 8
BEFORE = 4096
SLOW = 8 * MIB
"""Bytes in a second."""
QUEUE = SEND_HIGH_WATER * MAX_CHUNK
"""What ZeroMQ may keep for a subscriber, on either side."""
VIEWER = QUEUE + 2 * MIB
"""A queue of ZeroMQ's, and what lies ahead of a hole or waits for the caller (a MiB each)."""
SLACK = 4 * MIB
"""Allocators, frames on their way through the kernel, a page more of everything."""
PATIENCE = 900.0


def sizes() -> list[object]:
    """Return 200 MB, and 2 GB for the night."""
    night = [pytest.mark.nightly, pytest.mark.timeout(1200)]
    return [200_000_000, pytest.param(2_000_000_000, marks=night)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("size", sizes())
def test_a_flood_is_exact_accounted_and_bounded(
    shared_plane: Plane, client: Connected, tmp_path: Path, size: int
) -> None:
    program = flood(tmp_path, client.lane("flooded"), SEED, size, before=BEFORE)
    terminal = program.terminal
    roles = {
        role: pid for role in ("broker", "keeper", "worker") for pid in pids(shared_plane, role)
    }
    with ExitStack() as stack:
        fast, slow, stopped = (
            stack.enter_context(Viewer(shared_plane, terminal, SEED, *options))
            for options in (
                ("--policy", "forever"),
                ("--rate", str(SLOW)),
                ("--policy", "block"),
            )
        )
        base = {role: peak_memory(pid) for role, pid in roles.items()}
        stopped.stop()
        program.open()
        # Later it is gone from the list: who is stopped does not renew its lease either.
        wait_until(
            lambda: [one.policy for one in terminal.consumers()] == ["forever", "drop"],
            10.0,
            "demotion of the one that stopped",
        )
        assert terminal.wait(PATIENCE).code == 0
        assert log_memory(roles["worker"]) <= LOG_CAPACITY + SLACK
        stopped.go_on()
        reports = [viewer.done(PATIENCE) for viewer in (fast, slow, stopped)]
    grown = {role: peak_memory(pid) - base[role] for role, pid in roles.items()}

    assert terminal.refresh().head == size
    for report in reports:
        assert report["delivered"] + report["missed"] == report["end"] == size
        assert report["grown"] <= VIEWER + SLACK
    assert reports[0]["gaps"] == []
    assert reports[1]["gaps"]
    assert reports[2]["gaps"]
    assert grown.pop("worker") <= 3 * QUEUE + SLACK
    assert max(grown.values()) <= SLACK


def pids(plane: Plane, role: str) -> list[int]:
    """Return the pids of a role; the worker is that of the only lane."""
    return [
        int(one["pid"])
        for one in plane.processes()
        if one["role"] == role and (role != "worker" or one.get("lane"))
    ]
