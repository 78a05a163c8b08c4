"""A lane in a crash loop survives its keeper: the nursery has duplicates for the next one."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lanekeeper.keeper import events
from lanekeeper.keeper.events import Found
from lanekeeper.keeper.framing import Received
from lanekeeper.keeper.wards import ENTRIES_MAX, Wards
from unit.keeper.supervised import PIDS, Run, grant, of, sent

LANE = {"lane_id": "lane_a", "generation": 6}
"""As its next worker would have it."""


def deposit(run: Run, peer: int, fds: tuple[int, ...], **more: str) -> list[events.Action]:
    kinds = ["journal", "log"][: len(fds)]
    message = {"op": "deposit", "id": 1, "name": "journal", "kinds": kinds, **more}
    return run.do(events.PeerSaid(peer, message, fds))


def crash_looped() -> tuple[Run, dict[str, int], list[events.Action]]:
    """Return a plane, its peers, and what the keeper did at the last of five deaths."""
    run = Run(warm=2)
    peers = run.up()
    worker, _ = run.worker(peers["nursery"], "fork-1", 7)
    grant(run, peers["broker"], "lane_a")
    deposit(run, worker, (41, 42))
    actions: list[events.Action] = []
    for pid in range(8, 13):
        run.worker(peers["nursery"], f"fork-{pid - 6}", pid)
        actions = run.do(events.Ended(pid - 1, None, 9))
    return run, peers, actions


def taken_over(*more: Found) -> tuple[Run, dict[str, int]]:
    """Return the next keeper, to which the daemons have come back."""
    run = Run(warm=2)
    daemons = [Found(role, pid, pid) for role, pid in PIDS.items()]
    run.do(events.Started((*daemons, *more)))
    peers = {}
    for role, pid in PIDS.items():
        peers[role], _ = run.join(role, pid)
        run.say(peers[role], "ready")
    return run, peers


def offer(run: Run, nursery: int, held: int = 2) -> list[events.Action]:
    """Let the nursery say what it has kept."""
    first = deposit(run, nursery, (51, 52), lane_id="lane_a")
    return [*first, *run.say(nursery, "kept", lane_id="lane_a", lane=LANE, held=held)]


def recover(run: Run, peers: dict[str, int], fork: str) -> list[events.Action]:
    run.worker(peers["nursery"], fork, 30)
    return run.say(peers["broker"], "recover", id="r", lane_id="lane_a")


def fds(actions: list[events.Action], op: str) -> list[tuple[int, ...]]:
    return [one.fds for one in of(events.Send, actions) if one.message["op"] == op and one.fds]


def test_nursery_is_given_what_a_crash_loop_leaves() -> None:
    run, peers, actions = crash_looped()
    assert [peer for peer, _ in sent(actions, "keep")] == [peers["nursery"]] * 2
    assert fds(actions, "keep") == [(41, 42)]
    (_, entry), (_, whole) = sent(actions, "keep")
    assert (entry["lane_id"], entry["kinds"]) == ("lane_a", ["journal", "log"])
    assert (whole["lane"], whole["held"]) == (LANE, 2)
    assert not sent(run.wait(), "keep"), "once"


def test_nursery_lets_go_of_it_when_it_has_a_worker_again() -> None:
    run, peers, _ = crash_looped()
    actions = run.say(peers["broker"], "recover", id="r", lane_id="lane_a")
    assert sent(actions, "assign")
    assert [said["lane_id"] for _, said in sent(actions, "unkeep")] == ["lane_a"]


def test_nursery_has_it_while_it_waits_for_its_worker() -> None:
    run, peers, _ = crash_looped()
    for pid in (12,):
        run.do(events.Ended(pid, None, 9))
    actions = run.say(peers["broker"], "recover", id="r", lane_id="lane_a")
    assert not sent(actions, "assign")
    assert not sent(actions, "unkeep")


def test_nursery_lets_go_of_it_when_it_is_cleaned_up() -> None:
    run, peers, _ = crash_looped()
    assert sent(run.say(peers["broker"], "sweep", id="s", lane_id="lane_a"), "unkeep")


def test_next_nursery_is_given_it_too() -> None:
    run, peers, _ = crash_looped()
    run.do(events.PeerGone(peers["nursery"]))
    run.do(events.Ended(PIDS["nursery"], None, 9))
    run.wait()
    peer, actions = run.serve("nursery", 101)
    assert fds(actions, "keep") == [(41, 42)]
    assert {to for to, _ in sent(actions, "keep")} == {peer}


def test_next_keeper_gets_it_from_the_nursery_and_it_can_be_recovered() -> None:
    run, peers = taken_over()
    assert not sent(offer(run, peers["nursery"]), "error")
    actions = recover(run, peers, "fork-1")
    assert fds(actions, "inherit") == [(51, 52)]
    ((_, assigned),) = sent(actions, "assign")
    assert assigned["lane"]["generation"] == 6
    assert sent(actions, "unkeep")


def test_worker_that_had_got_it_already_comes_before_the_nursery() -> None:
    run, peers = taken_over(Found("worker", 30, 30))
    hello: dict[str, Any] = {"role": "worker", "pid": 30, "start_time": 30, "lane": LANE, "held": 2}
    run.peers += 1
    run.do(events.PeerOpened(run.peers))
    run.say(run.peers, "hello", **hello)
    actions = offer(run, peers["nursery"])
    assert of(events.Discard, actions) == [events.Discard((51, 52))]
    assert sent(actions, "unkeep")
    assert not sent(recover(run, peers, "fork-1"), "assign")


def test_worker_that_had_got_it_already_comes_behind_the_nursery() -> None:
    run, peers = taken_over(Found("worker", 30, 30))
    offer(run, peers["nursery"])
    run.peers += 1
    run.do(events.PeerOpened(run.peers))
    actions = run.say(run.peers, "hello", role="worker", pid=30, start_time=30, lane=LANE, held=2)
    assert of(events.Discard, actions) == [events.Discard((51, 52))]
    assert sent(actions, "unkeep")
    deposited = deposit(run, run.peers, (61, 62))
    assert sent(deposited, "deposited")
    assert not of(events.Discard, deposited)


def test_half_of_a_lane_is_not_taken_over_and_stays_with_the_nursery() -> None:
    run, peers = taken_over()
    actions = offer(run, peers["nursery"], held=3)
    assert of(events.Discard, actions) == [events.Discard((51, 52))]
    assert not sent(actions, "unkeep")
    assert not sent(recover(run, peers, "fork-1"), "assign")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    yield read, write
    os.close(read)
    os.close(write)


def keep(wards: Wards, name: str, *fds: int, short: bool = False) -> None:
    entry = {"op": "keep", "lane_id": "lane_a", "name": name, "kinds": list(map(str, fds))}
    assert wards.take(Received(entry, fds, short=short)) is None


def whole(wards: Wards, held: int) -> dict[str, Any] | None:
    message = {"op": "keep", "lane_id": "lane_a", "lane": LANE, "held": held}
    return wards.take(Received(message))


def test_nursery_keeps_duplicates_that_outlive_the_keepers(pipe: tuple[int, int]) -> None:
    wards = Wards()
    read, write = pipe
    keep(wards, "journal", read, write)
    assert list(wards.offer()) == [], "the word that this is all is missing"
    kept = whole(wards, 2)
    assert kept == {"op": "kept", "lane_id": "lane_a", "lane": LANE, "held": 2}
    (entry, copies), (last, none) = wards.offer()
    assert (last, none) == (kept, ())
    assert (entry["op"], entry["name"], entry["kinds"]) == (
        "deposit",
        "journal",
        [str(read), str(write)],
    )
    assert all(fcntl.fcntl(copy, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for copy in copies)
    os.write(copies[1], b"x")
    assert os.read(read, 1) == b"x"
    wards.drop("lane_a")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copies[0])
    assert list(wards.offer()) == []


def test_nursery_does_not_offer_what_it_has_not_wholly(pipe: tuple[int, int]) -> None:
    wards = Wards()
    before = len(list(Path("/proc/self/fd").iterdir()))
    keep(wards, "journal", pipe[0])
    keep(wards, "lost", short=True)
    assert whole(wards, 2) is None
    assert list(wards.offer()) == []
    for number in range(ENTRIES_MAX + 1):
        keep(wards, f"terminal-{number}", pipe[0])
    assert whole(wards, ENTRIES_MAX + 1) is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before
