"""What the keeper counts of deaths and recoveries, and when it tells the broker."""

from typing import Any

import pytest

from lanekeeper.keeper import events
from lanekeeper.keeper.bulletin import PAUSE
from lanekeeper.keeper.figures import BOUNDS, LAG_BOUNDS, RECENT_MAX, Figures
from lanekeeper.wire.metrics import METRICS
from lanekeeper.wire.sample import RECENT_MAX as SAMPLE_RECENT
from unit.keeper.supervised import Run, grant, granted, of, sent

RESTARTS = "lanekeeper_process_restarts_total"
RECOVERY = "lanekeeper_recovery_seconds"
LAG = "lanekeeper_loop_lag_seconds"


class Told(Run):
    """A supervisor whose figures are kept as its brokers hear them."""

    def __init__(self, **options: Any) -> None:
        """Nothing was told yet."""
        super().__init__(**options)
        self.told: list[dict[str, Any]] = []

    def do(self, event: events.Event) -> list[events.Action]:
        """Hand in one event, and hear what is told after it."""
        actions = super().do(event)
        self.told += [message for _, message in sent(actions, "figures")]
        return actions

    def news(self, peers: dict[str, int]) -> dict[str, Any]:
        """Let the pause pass and somebody beat; return what was told last."""
        self.now += PAUSE
        self.say(peers["nursery"], "beat")
        return self.told[-1]

    def observed(self, name: str) -> dict[tuple[str, ...], list[float]]:
        """Return every observation that was ever told, each once."""
        seen: dict[tuple[str, ...], list[float]] = {}
        counted: dict[tuple[str, ...], int] = {}
        for given, labels, counts, _, recent in (s for m in self.told for s in m["spreads"]):
            if given == name:
                seen.setdefault(tuple(labels), []).extend(recent)
                counted[tuple(labels)] = sum(counts)
        assert {labels: len(each) for labels, each in seen.items()} == counted
        return seen


def values(figures: dict[str, Any], name: str) -> dict[tuple[str, ...], float]:
    return {tuple(labels): value for given, labels, value in figures["values"] if given == name}


def deposit(run: Run, peer: int) -> None:
    message = {"op": "deposit", "id": 1, "name": "journal", "kinds": ["journal"]}
    run.do(events.PeerSaid(peer, message, (70 + peer,)))


def succeeded(run: Run, peers: dict[str, int], pid: int, after: float) -> None:
    """Let a worker arrive to which the lane is given, and beat when it serves."""
    peer, _ = run.worker(peers["nursery"], "fork-2", pid)
    run.now += after
    run.say(peer, "beat", held=1)
    run.say(peer, "beat", held=1)


def test_buckets_are_those_of_the_table() -> None:
    for name in (RECOVERY, "lanekeeper_keeper_redeposit_seconds"):
        assert METRICS[name].buckets == BOUNDS
    assert METRICS[LAG].buckets == LAG_BOUNDS
    assert RECENT_MAX == SAMPLE_RECENT


def test_how_late_keeper_and_nursery_are_is_told_with_the_next_news() -> None:
    run = Told(warm=1)
    peers = run.up()
    for lag in (0.002, "long", float("inf"), -1.0):
        run.say(peers["nursery"], "ping", lag=lag)
    run.do(events.Tick(0.004))
    run.say(peers["nursery"], "failed", id="fork-1", message="EAGAIN")
    run.news(peers)
    assert run.observed(LAG) == {("nursery",): [0.002], ("keeper",): [0.004]}


def test_everything_that_is_told_is_in_the_table() -> None:
    figures = Figures()
    figures.failed_forks = figures.crash_loops = 1
    figures.replaced("worker", 7, None, 9, asked=False)
    figures.died("lane_a", 1.0)
    figures.serves("lane_a", "worker", 1.5)
    figures.redeposited(0.25)
    names = [each[0] for each in (*figures.values(), *figures.spreads())]
    assert len(names) == 5
    assert all("keeper" in METRICS[name].by for name in names)


def test_a_broker_that_serves_is_told_at_once_and_then_after_a_pause() -> None:
    run = Told()
    peers = run.up()
    assert sent(run.say(peers["nursery"], "beat"), "figures") == []
    run.now += PAUSE
    assert sent(run.say(peers["nursery"], "beat"), "figures") == []
    worker = granted(run, peers)
    deposit(run, worker)
    assert values(run.news(peers), "lanekeeper_vault_entries") == {(): 1}
    run.now += PAUSE
    assert sent(run.say(peers["nursery"], "beat"), "figures") == []


def test_a_daemon_that_does_not_serve_is_told_without_a_pause() -> None:
    run = Told()
    peers = run.up()
    down = sent(run.do(events.Ended(300, None, 9)), "figures")
    assert [message["degraded"] for _, message in down] == [["collector"]]
    run.wait()
    up = sent(run.serve("collector", 301)[1], "figures")
    assert [(peer, message["degraded"]) for peer, message in up] == [(peers["broker"], [])]


def test_a_daemons_recovery_lasts_from_its_death_to_its_readiness() -> None:
    run = Told()
    peers = run.up()
    run.do(events.Ended(300, None, 9))
    run.now += 0.125
    run.serve("collector", 301)
    figures = run.news(peers)
    assert values(figures, RESTARTS) == {("collector", "signal"): 1}
    assert run.observed(RECOVERY) == {("collector",): [0.125]}


def test_a_recovery_begins_with_the_first_of_several_deaths() -> None:
    run = Told()
    peers = run.up()
    run.do(events.Ended(300, 1, None))
    run.now += 0.5
    run.do(events.Launched("collector", 301, 301))
    run.do(events.Ended(301, 1, None))
    run.now += 0.5
    run.serve("collector", 302)
    figures = run.news(peers)
    assert values(figures, RESTARTS) == {("collector", "exit"): 2}
    assert run.observed(RECOVERY) == {("collector",): [1.0]}


def test_a_lanes_recovery_lasts_until_its_successor_beats_and_counts_once() -> None:
    run = Told(warm=1)
    peers = run.up()
    deposit(run, granted(run, peers))
    run.do(events.Ended(501, None, 9))
    succeeded(run, peers, 502, 0.25)
    figures = run.news(peers)
    assert values(figures, RESTARTS) == {("worker", "signal"): 1}
    assert run.observed(RECOVERY) == {("worker",): [0.25]}


def test_the_reason_is_known_although_the_nursery_tells_it_later() -> None:
    run = Told(warm=1)
    peers = run.up()
    deposit(run, granted(run, peers))
    run.do(events.Ended(501, known=False))
    run.now += 0.125
    run.say(peers["nursery"], "worker-exited", pid=501, start_time=501, code=70)
    succeeded(run, peers, 502, 0.125)
    figures = run.news(peers)
    assert values(figures, RESTARTS) == {("worker", "exit"): 1}
    assert run.observed(RECOVERY) == {("worker",): [0.25]}


def test_a_restart_that_somebody_asked_for_says_so() -> None:
    run = Told()
    peers = run.up()
    client, _ = run.join("client", 900)
    run.say(client, "restart", id="r", role="collector")
    run.do(events.Ended(300, 0, None))
    run.serve("collector", 301)
    assert values(run.news(peers), RESTARTS) == {("collector", "asked"): 1}


def test_one_that_is_ended_because_it_hangs_says_so() -> None:
    run = Told(hang_after=15.0)
    peers = run.up()
    while not of(events.Kill, run.wait()):
        for role in ("nursery", "broker"):
            run.say(peers[role], "beat")
    run.do(events.Ended(300, None, 9))
    run.serve("collector", 301)
    assert values(run.news(peers), RESTARTS) == {("collector", "hang"): 1}


def test_an_end_in_order_is_no_restart() -> None:
    run = Told(warm=1)
    peers = run.up()
    worker = granted(run, peers)
    deposit(run, worker)
    run.say(worker, "closed")
    run.do(events.Ended(501, 0, None))
    grant(run, peers["broker"], "lane_b")
    succeeded(run, peers, 502, 0.25)
    deposit(run, run.peers)
    assert values(run.news(peers), RESTARTS) == {}


def test_a_fork_that_failed_is_counted() -> None:
    run = Told(warm=1)
    peers = run.up()
    run.say(peers["nursery"], "failed", id="fork-1", message="EAGAIN")
    assert values(run.news(peers), "lanekeeper_incidents_total") == {("fork.failed",): 1}


def test_a_lane_that_is_given_up_is_counted() -> None:
    run = Told(warm=1)
    peers = run.up()
    worker, pid = granted(run, peers), 501
    deposit(run, worker)
    for death in range(5):
        run.do(events.Ended(pid + death, None, 9))
        run.worker(peers["nursery"], f"fork-{death + 2}", pid + death + 1)
    figures = run.news(peers)
    assert values(figures, "lanekeeper_crash_loops_total") == {(): 1}
    assert values(figures, RESTARTS) == {("worker", "signal"): 4}


def test_a_lane_that_is_recovered_long_after_it_was_given_up_was_not_awaited_meanwhile() -> None:
    run = Told(warm=1)
    peers = run.up()
    deposit(run, granted(run, peers))
    for death in range(5):
        run.do(events.Ended(501 + death, None, 9))
        run.worker(peers["nursery"], f"fork-{death + 2}", 502 + death)
    run.now += 7200
    run.say(peers["broker"], "recover", id="r", lane_id="lane_a")
    deposit(run, run.peers)
    run.say(run.peers, "beat")
    run.news(peers)
    assert run.observed(RECOVERY) == {}


def test_a_lane_that_is_not_wanted_any_more_is_not_awaited() -> None:
    run = Told(warm=1)
    peers = run.up()
    deposit(run, granted(run, peers))
    run.do(events.Ended(501, None, 9))
    run.say(peers["broker"], "fence", id="f", lane_id="lane_a")
    grant(run, peers["broker"], "lane_b")
    succeeded(run, peers, 502, 0.25)
    run.news(peers)
    assert run.observed(RECOVERY) == {}


def test_a_new_broker_is_told_everything_again() -> None:
    run = Told()
    peers = run.up()
    run.do(events.Ended(300, None, 9))
    run.serve("collector", 301)
    run.news(peers)
    run.do(events.Ended(200, None, 9))
    _, actions = run.serve("broker", 201)
    assert sent(actions, "figures")
    assert values(run.told[-1], RESTARTS) == {("collector", "signal"): 1, ("broker", "signal"): 1}


@pytest.mark.parametrize(("asked", "reason"), [(True, "asked"), (False, "unknown")])
def test_a_keeper_that_was_to_be_replaced_is_no_fault(*, asked: bool, reason: str) -> None:
    run = Told()
    run.do(events.Started((events.Found("nursery", 100, 100),), asked=asked))
    peer, _ = run.serve("broker", 200)
    assert values(run.news({"nursery": peer}), RESTARTS) == {("keeper", reason): 1}


def test_a_new_keeper_counts_the_one_before_and_how_long_it_took_to_be_whole() -> None:
    run = Told()
    found = tuple(
        events.Found(role, pid, pid)
        for role, pid in (("nursery", 100), ("broker", 200), ("collector", 300), ("worker", 501))
    )
    run.do(events.Started(found))
    peers: dict[str, int] = {}
    for role, pid in (("nursery", 100), ("broker", 200), ("collector", 300)):
        peers[role], _ = run.join(role, pid)
        run.say(peers[role], "ready")
    run.now += 0.0625
    run.peers += 1
    run.do(events.PeerOpened(run.peers))
    lane = {"lane_id": "lane_a", "generation": 1}
    hello = {"role": "worker", "pid": 501, "start_time": 501, "lane": lane, "held": 1}
    run.say(run.peers, "hello", **hello)
    deposit(run, run.peers)
    figures = run.news(peers)
    assert values(figures, RESTARTS) == {("keeper", "unknown"): 1}
    assert run.observed("lanekeeper_keeper_redeposit_seconds") == {(): [0.0625]}


def test_everybody_who_measures_hears_of_a_collector_that_begins() -> None:
    run = Told(warm=1)
    peers = run.up()
    worker = granted(run, peers)
    run.do(events.Ended(300, None, 9))
    _, actions = run.serve("collector", 301)
    heard = {peer for peer, _ in sent(actions, "collector")}
    assert {worker, peers["broker"]} <= heard
    assert peers["nursery"] not in heard


@pytest.mark.parametrize("role", ["broker", "worker"])
def test_who_comes_back_to_a_new_keeper_hears_of_the_collector_it_started(role: str) -> None:
    run = Told()
    found = (events.Found("nursery", 100, 100), events.Found(role, 200, 200))
    run.do(events.Started(found))
    run.serve("collector", 300)
    run.peers += 1
    run.do(events.PeerOpened(run.peers))
    lane = {"lane": {"lane_id": "lane_a", "generation": 1}} if role == "worker" else {}
    hello = {"role": role, "pid": 200, "start_time": 200, "held": 0, **lane}
    assert sent(run.say(run.peers, "hello", **hello), "collector")
