"""A keeper that takes over, peers that fall silent, and a watcher that stood still."""

import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.keeper import events
from lanekeeper.keeper.clock import STALL, Clock
from lanekeeper.keeper.events import Found
from unit.keeper.supervised import PIDS, Run, grant, of, sent

AFTER = 15.0
LANE = {"lane_id": "lane_a", "generation": 3}


def taken_over(*more: Found) -> Run:
    """Return a keeper that found the three daemons and what else there is."""
    run = Run(hang_after=AFTER)
    daemons = [Found(role, pid, pid) for role, pid in PIDS.items()]
    run.do(events.Started((*daemons, *more)))
    return run


def back(run: Run, role: str, pid: int, **fields: object) -> tuple[int, list[events.Action]]:
    """Let a process come back to the new keeper."""
    run.peers += 1
    run.do(events.PeerOpened(run.peers))
    hello = {"role": role, "pid": pid, "start_time": pid, **fields}
    return run.peers, run.say(run.peers, "hello", **hello)


def daemons_back(run: Run) -> dict[str, int]:
    peers = {}
    for role, pid in PIDS.items():
        peers[role], _ = back(run, role, pid)
        run.say(peers[role], "ready")
    return peers


def deposit(run: Run, peer: int, name: str, kinds: list[str]) -> list[events.Action]:
    message = {"op": "deposit", "id": 1, "name": name, "kinds": kinds}
    return run.do(events.PeerSaid(peer, message, tuple(range(len(kinds)))))


def live_on(run: Run, peers: dict[str, int]) -> list[events.Action]:
    """Let time pass, in which the daemons beat and nobody else does."""
    actions: list[events.Action] = []
    end = run.now + 2 * AFTER
    while run.now < end:
        run.now += AFTER / 4
        for role, peer in peers.items():
            run.say(peer, "ping" if role == "nursery" else "beat")
        actions += run.do(events.Tick())
    return actions


def status(run: Run) -> dict[str, Any]:
    peer, _ = run.join("client", 900)
    ((_, page),) = sent(run.say(peer, "status", id=1), "status")
    return page


def test_nothing_is_started_twice_and_lanes_are_listed_once_all_is_back() -> None:
    run = taken_over(Found("worker", 7, 7))
    assert not of(events.Launch, run.do(events.Tick()))
    peers = daemons_back(run)
    assert "waiting for worker 7" in status(run)["degraded"][0]["reason"]
    worker, actions = back(run, "worker", 7, lane=LANE, held=3)
    assert not sent(actions, "workers")
    assert not sent(deposit(run, worker, "journal", ["journal"]), "workers")
    run.now += 0.25
    listed = sent(deposit(run, worker, "lane", ["output", "control"]), "workers")
    assert [(peer, page["lanes"][0]["lane"]) for peer, page in listed] == [(peers["broker"], LANE)]
    page = status(run)
    assert page["degraded"] == []
    assert page["readopted"] == {"processes": 4, "seconds": 0.25}


def test_daemon_that_died_meanwhile_is_started() -> None:
    run = Run(hang_after=AFTER)
    found = [Found(role, pid, pid) for role, pid in PIDS.items() if role != "broker"]
    assert of(events.Launch, run.do(events.Started(tuple(found)))) == [events.Launch("broker")]


def test_what_does_not_come_back_is_reported_and_left_alone() -> None:
    run = taken_over(Found("worker", 7, 7))
    peers = daemons_back(run)
    actions = live_on(run, peers)
    assert not of(events.Kill, actions)
    assert sent(actions, "workers"), "the broker hears of the others"
    assert "stuck" in status(run)["degraded"][0]["reason"]
    assert events.Kill(7, signal.SIGKILL) in run.say(peers["broker"], "down", id=1)


def test_worker_that_dies_on_its_way_back_is_not_waited_for() -> None:
    run = taken_over(Found("worker", 7, 7))
    daemons_back(run)
    assert sent(run.do(events.Ended(7, known=False)), "workers")
    assert status(run)["degraded"] == []


def test_broker_names_a_worker_that_nobody_found() -> None:
    run = taken_over()
    peers = daemons_back(run)
    named = {"lane_id": "lane_x", "pid": 70, "start_time": 70}
    assert of(events.Watch, run.say(peers["broker"], "named", workers=[named]))
    ((peer, died),) = sent(run.do(events.Ended(70, known=False)), "died")
    assert (peer, died["lane_id"], died["recovering"]) == (peers["broker"], "lane_x", False)


def granted(run: Run) -> tuple[dict[str, int], int]:
    """Return the peers of a plane with one lane, and its worker's."""
    peers = run.up()
    worker, _ = run.worker(peers["nursery"], "fork-1", 7)
    grant(run, peers["broker"], "lane_a")
    deposit(run, worker, "journal", ["journal"])
    return peers, worker


@pytest.mark.parametrize(("held", "killed"), [(1, [7]), (4, [])])
def test_silent_worker_is_ended_if_the_vault_holds_what_it_declared(
    held: int, killed: list[int]
) -> None:
    run = Run(hang_after=AFTER)
    peers, worker = granted(run)
    run.say(worker, "beat", held=held)
    actions = live_on(run, peers)
    kills = of(events.Kill, actions)
    assert [one.pid for one in kills if one.pid == 7] == killed
    stuck = [one for one in status(run)["degraded"] if "stuck" in one["reason"]]
    assert bool(stuck) is not bool(killed)
    run.say(worker, "beat", held=held)
    assert not [one for one in status(run)["degraded"] if "stuck" in one["reason"]]


def test_keeper_that_stood_still_gives_everybody_the_whole_time() -> None:
    run = Run(hang_after=AFTER)
    run.say(run.up()["broker"], "beat")
    run.now += 2 * AFTER
    run.do(events.Stalled())
    assert not of(events.Kill, run.do(events.Tick()))
    assert {one.pid for one in of(events.Kill, run.wait())} == set(PIDS.values())


def test_lane_is_restarted_without_counting_as_a_crash() -> None:
    run = Run(hang_after=AFTER)
    peers, worker = granted(run)
    client, _ = run.join("client", 900)
    ((_, refused),) = sent(
        run.say(client, "restart", id=1, role="worker", lane_id="lane_a"), "error"
    )
    assert refused["code"] == "INVALID_TRANSITION"
    for pid in range(8, 18):
        run.say(worker, "beat", held=1)
        asked = run.say(client, "restart", id=pid, role="worker", lane_id="lane_a")
        assert of(events.Kill, asked) == [events.Kill(pid - 1, signal.SIGKILL)]
        run.say(peers["nursery"], "forked", id=f"fork-{pid - 6}", pid=pid, start_time=pid)
        worker, _ = run.join("worker", pid)
        assert sent(run.do(events.Ended(pid - 1, None, 9)), "assign")
        ((_, done),) = sent(run.say(worker, "beat", held=1), "restarted")
        assert (done["id"], done["pid"]) == (pid, pid)


def test_keeper_retires_only_with_a_nursery_that_starts_the_next() -> None:
    run = Run(hang_after=AFTER)
    peers = run.up()
    client, _ = run.join("client", 900)
    assert of(events.Retire, run.say(client, "restart", id=1, role="keeper"))
    run.do(events.PeerGone(peers["nursery"]))
    run.do(events.Ended(PIDS["nursery"], None, 9))
    ((_, refused),) = sent(run.say(client, "restart", id=2, role="keeper"), "error")
    assert refused["code"] == "INVALID_TRANSITION"


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 60)), max_size=20))
def test_time_of_a_watcher_passes_only_while_it_turns(turns: list[tuple[float, float]]) -> None:
    machine = [100.0]
    clock = Clock(lambda: machine[0])
    allowed = 0.0
    for patience, took in turns:
        before = clock.now()
        clock.wait(patience)
        machine[0] += took
        stalled = clock.check()
        assert stalled == (took - patience > STALL)
        allowed += patience + STALL
        assert clock.now() - before <= patience + STALL + 1e-6
    assert clock.now() - 100.0 <= allowed + 1e-6


def test_sockets_of_a_lane_that_has_just_been_granted_are_not_missed() -> None:
    run = Run()
    peers = run.up()
    worker, _ = run.worker(peers["nursery"], "fork-1", 7)
    grant(run, peers["broker"], "lane_a")
    assert run.core.serving()[1] == []
    deposit(run, worker, "journal", ["journal", "output", "control"])
    assert run.core.serving()[1] == ["lane_a"]


def refused_restart(run: Run) -> str:
    """Return why a keeper does not retire."""
    client, _ = run.join("client", 900)
    actions = run.say(client, "restart", id=1, role="keeper")
    assert not of(events.Retire, actions), "the vault would go with it"
    ((_, refused),) = sent(actions, "error")
    assert refused["code"] == "INVALID_TRANSITION"
    return str(refused["message"])


def crash_looped() -> tuple[Run, dict[str, int]]:
    """Return a plane whose only lane is in a crash loop: nobody but the vault has it."""
    run = Run(hang_after=AFTER)
    peers, _ = granted(run)
    for pid in range(8, 13):
        run.worker(peers["nursery"], f"fork-{pid - 6}", pid)
        run.do(events.Ended(pid - 1, None, 9))
    assert status(run)["processes"]
    return run, peers


def test_keeper_does_not_retire_while_only_its_vault_has_a_lane() -> None:
    run, peers = crash_looped()
    assert "lane_a" in (reason := refused_restart(run))
    assert "lane recover" in reason
    assert "lane orphans clean" in reason, "the broker may have forgotten it"
    run.say(peers["broker"], "recover", id=2, lane_id="lane_a")
    client, _ = run.join("client", 901)
    assert of(events.Retire, run.say(client, "restart", id=1, role="keeper"))


def test_keeper_retires_when_the_nursery_has_what_a_crash_loop_left() -> None:
    run, peers = crash_looped()
    lane = {**LANE, "generation": 7}
    run.say(peers["nursery"], "kept", lane_id="lane_a", lane=lane, held=1)
    client, _ = run.join("client", 901)
    assert of(events.Retire, run.say(client, "restart", id=1, role="keeper"))


def test_keeper_does_not_retire_while_a_lane_waits_for_its_successor() -> None:
    run = Run(hang_after=AFTER)
    granted(run)
    run.do(events.Ended(7, None, 9))
    assert "wait" in refused_restart(run)


def test_keeper_does_not_retire_while_only_its_vault_has_the_journal_of_the_broker() -> None:
    run = Run(hang_after=AFTER)
    run.up()
    run.do(events.Ended(PIDS["broker"], None, 9))
    assert "broker" in refused_restart(run)


def test_second_process_of_a_role_is_left_alone_and_said() -> None:
    run = Run(hang_after=AFTER)
    found = [Found(role, pid, pid) for role, pid in PIDS.items()]
    by_hand = Found("collector", 900, 900)
    actions = run.do(events.Started((by_hand, *found)))
    assert 900 not in {one.pid for one in of(events.Watch, actions)}
    assert any("900" in one.text for one in of(events.Note, actions))
    daemons_back(run)
    page = status(run)
    assert page["degraded"] == []
    assert {one["pid"] for one in page["processes"]}.issuperset(PIDS.values())


def test_worker_that_comes_back_while_the_plane_goes_down_is_drained() -> None:
    run = taken_over(Found("worker", 7, 7))
    peers = daemons_back(run)
    down = run.say(peers["broker"], "down", id=1)
    assert not of(events.Kill, down), "the daemons wait for the worker"
    worker, actions = back(run, "worker", 7, lane=LANE, held=3)
    assert sent(actions, "drain") == [(worker, {"op": "drain"})]
    ended = run.do(events.Ended(7, 0))
    assert {one.pid for one in of(events.Kill, ended)} == {PIDS["nursery"], PIDS["broker"]}


def test_worker_that_does_not_come_back_does_not_outlive_the_plane() -> None:
    run = taken_over(Found("worker", 7, 7))
    peers = daemons_back(run)
    run.say(peers["broker"], "down", id=1)
    began = run.now
    assert of(events.Kill, run.wait()) == [events.Kill(7, signal.SIGKILL)]
    assert run.now - began == 10
    assert of(events.Kill, run.do(events.Ended(7, None, 9))), "it goes on with the daemons"


def test_force_ends_what_has_not_come_back() -> None:
    run = taken_over(Found("worker", 7, 7))
    daemons_back(run)
    run.do(events.Asked(signal.SIGINT))
    killed = of(events.Kill, run.do(events.Asked(signal.SIGINT)))
    assert {one.pid for one in killed} == {7, *PIDS.values()}


def test_worker_that_lets_go_of_something_on_its_way_back_is_back() -> None:
    run = taken_over(Found("worker", 7, 7))
    peers = daemons_back(run)
    worker, _ = back(run, "worker", 7, lane=LANE, held=3)
    deposit(run, worker, "journal", ["journal"])
    deposit(run, worker, "terminal", ["errors"])
    run.say(worker, "release", id=2, name="terminal")
    assert not sent(deposit(run, worker, "lane", ["output"]), "workers")
    listed = sent(run.say(worker, "beat", held=2), "workers")
    assert [peer for peer, _ in listed] == [peers["broker"]]
    assert status(run)["degraded"] == []
