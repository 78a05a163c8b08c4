"""Descriptors run out, in one process after the other, after every number of those it still gets.

A limit that leaves N free descriptors makes the N+1st call that needs one fail, so counting N up
meets each place in turn. Whatever fails, the program is refused at once with a reason, nothing that
runs is disturbed, nothing half-made stays, and it works again as soon as there is room.
"""

import contextlib
import resource
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.waiting import wait_until
from lanekeeper.client import LaneError, connect
from lanekeeper.soak import keeper, proc
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.subject import Subject

REFUSALS = {
    "worker": {"SPAWN_FAILED"},
    "nursery": {"SPAWN_FAILED"},
    "keeper": {"LIMIT_EXCEEDED"},
}
MOST_FREE = 12
"""More than any of them needs for one program."""
MORE = 2_000_000
"""Bytes after which output is taken to flow: a second of it."""

Drive = Callable[[Callable[[], bool], float], bool]


def spawn(cluster: Cluster) -> tuple[str, str]:
    """Start a program in the flooded lane; return "started", or the code and the refusal."""
    with connect(cluster.directory, timeout=10) as plane:
        try:
            terminal = plane.lane("flooded", create=False).spawn(["sleep", "1000"])
        except LaneError as error:
            return error.code, str(error)
        terminal.close(0)
        return "started", ""


def victim_of(cluster: Cluster, subject: Subject, role: str) -> proc.Seen:
    """Return the process of a role, the flooded lane's worker for a worker."""
    (found,) = cluster.status().of(role, subject.lane.id if role == "worker" else None)
    return found


@contextlib.contextmanager
def free(victim: proc.Seen, count: int) -> Iterator[None]:
    """Leave a process `count` descriptors that it may still open."""
    usual = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)
    used = {int(path.name) for path in Path(f"/proc/{victim.pid}/fd").iterdir()}
    limit = [number for number in range(len(used) + count + 1) if number not in used][count]
    resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (limit, usual[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, usual)


@pytest.mark.parametrize("role", list(REFUSALS))
def test_without_descriptors_programs_are_refused_and_nothing_is_lost(
    cluster: Cluster, subject: Subject, drive: Drive, role: str
) -> None:
    assert drive(lambda: subject.acknowledged > 0, 10.0)
    victim = victim_of(cluster, subject, role)
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        for count in range(MOST_FREE):
            with free(victim, count):
                asked = pool.submit(spawn, cluster)
                assert drive(asked.done, 15.0), f"no answer with {count} free"
            code, why = asked.result()
            seen.add(code)
            assert "ulimit -n" in why or code == "started", why
            again = pool.submit(spawn, cluster)
            assert drive(again.done, 15.0)
            assert again.result()[0] == "started", f"after {count} free"
    assert seen - {"started"} == REFUSALS[role]
    assert victim_of(cluster, subject, role) == victim
    left = set(proc.of_lane(subject.lane.id))
    assert left == {subject.child.pid}


def test_a_keeper_without_descriptors_still_has_a_successor_for_who_dies(
    cluster: Cluster, subject: Subject, drive: Drive
) -> None:
    assert drive(lambda: subject.acknowledged > 0, 10.0)
    keeping, broker, worker = (
        victim_of(cluster, subject, role) for role in ("keeper", "broker", "worker")
    )

    def replaced() -> bool:
        with contextlib.suppress(keeper.SilentError, ValueError):
            return victim_of(cluster, subject, "broker") != broker
        return False

    def whole() -> bool:
        with contextlib.suppress(keeper.SilentError):
            return cluster.status().degraded == ()
        return False

    with free(keeping, 0):
        proc.kill(worker.pid, signal.SIGKILL)
        since = subject.judge.offset
        assert drive(lambda: subject.judge.offset > since + MORE, 10.0)
        proc.kill(broker.pid, signal.SIGKILL)
        assert drive(lambda: not proc.lives(broker), 15.0)
    assert drive(replaced, 20.0)
    assert drive(whole, 20.0)
    assert victim_of(cluster, subject, "keeper") == keeping


def test_a_broker_without_descriptors_is_back_when_there_are_some(
    cluster: Cluster, subject: Subject, drive: Drive
) -> None:
    assert drive(lambda: subject.acknowledged > 0, 10.0)
    broker = victim_of(cluster, subject, "broker")
    with ThreadPoolExecutor(4) as pool:
        with free(broker, 2):
            # libzmq ends a process that cannot accept a connection; the keeper starts another.
            crowd = [pool.submit(spawn, cluster) for _ in range(4)]
            assert drive(lambda: all(one.done() for one in crowd), 30.0)
            since = subject.judge.offset
            assert drive(lambda: subject.judge.offset > since + MORE, 10.0)
        again = pool.submit(wait_until, lambda: spawn(cluster)[0] == "started", 20, "a program")
        assert drive(again.done, 25.0)
        assert again.result()
