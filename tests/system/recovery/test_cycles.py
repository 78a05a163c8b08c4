"""Lanes that are made, killed, recovered and ended again and again leave nothing behind."""

import os
import signal
import statistics
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.keeper_client import KeeperClient
from kit.standing import Standing
from kit.waiting import wait_until
from lanekeeper.client import Lane
from lanekeeper.client import Plane as Connected

ROLES = ("keeper", "nursery", "broker", "collector")
MIB = 1024 * 1024
GROWN_MOST = {"keeper": MIB, "nursery": MIB, "collector": 3 * MIB, "broker": 16 * MIB}
"""Bytes between the first and the last third of a thousand cycles.

Measured were 0.2, 0.5, 1.5 and 9 MB. The collector keeps 8,192 processes apart, 1.5 KB each; the
broker 10,000 events, full after 500 cycles, and ten minutes of answers.
"""


def killed(plane: Plane, lane: Lane) -> int:
    """Kill the worker of a lane and return its successor."""
    (before,) = plane.pids("worker", lane.id)
    os.kill(before, signal.SIGKILL)
    found = wait_until(
        lambda: [pid for pid in plane.pids("worker", lane.id) if pid != before], 10, "a successor"
    )
    return int(found[0])


def vaulted(plane: Plane) -> int:
    """Return how many descriptors the vault holds."""
    with KeeperClient(plane.dir / "keeper.sock") as keeper:
        return keeper.vaulted()


def cycle(plane: Plane, client: Connected, number: int) -> None:
    """Make a lane with a program, kill its worker, see the program live on, and end it."""
    lane = client.lane(f"guest-{number % 7}")
    terminal = lane.spawn(["cat"])
    pid = terminal.info.pid
    killed(plane, lane)
    terminal.send("again\n", timeout=10)
    assert terminal.refresh().pid == pid
    lane.cleanup(0)


def sizes(plane: Plane) -> dict[str, int]:
    """Return the resident bytes of every process that lives as long as the plane does."""
    found = {}
    for one in plane.processes():
        if one["role"] in ROLES:
            path = Path("/proc", str(one["pid"]), "status")
            values = dict(line.partition(":\t")[::2] for line in path.read_text().splitlines())
            found[str(one["role"])] = int(values["VmRSS"].split()[0]) * 1024
    return found


def growth(samples: list[dict[str, int]]) -> dict[str, int]:
    """Return by how many bytes the last third of a run is above the first, by role."""
    third = len(samples) // 3
    return {
        role: int(
            statistics.median(one[role] for one in samples[-third:])
            - statistics.median(one[role] for one in samples[:third])
        )
        for role in samples[0]
    }


@pytest.mark.parametrize(
    "cycles",
    [6, pytest.param(1000, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])],
)
def test_lives_cut_short_leave_nothing(plane: Plane, cycles: int) -> None:
    with plane.connect() as client, Standing(plane) as standing:
        held, samples = vaulted(plane), []
        for number in range(cycles):
            cycle(plane, client, number)
            samples.append(sizes(plane))
        # The first fifth fills what is bounded: histories of events and answers, arenas.
        grown = growth(samples[cycles // 5 :])
        assert all(more <= GROWN_MOST[role] for role, more in grown.items()), grown
        wait_until(lambda: vaulted(plane) == held, 10, f"{held} descriptors in the vault again")
        assert [lane.name for lane in client.lanes()] == ["bystander"]
        assert sorted(path.suffix for path in (plane.dir / "lanes").iterdir()) == [".in", ".out"]
        standing.check()
