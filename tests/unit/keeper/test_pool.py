"""The pool: warm workers, grants in order, fences, how workers end."""

import signal

import pytest

from lanekeeper.keeper import events
from unit.keeper.supervised import Run, grant, granted, of, sent


def test_warm_workers_are_kept_and_replaced() -> None:
    run = Run(warm=2)
    run.do(events.Started())
    nursery, actions = run.serve("nursery", 100)
    forks = [message["id"] for _, message in sent(actions, "fork")]
    assert len(forks) == 2
    broker, _ = run.serve("broker", 200)
    first, actions = run.worker(nursery, forks[0], 501)
    assert of(events.Watch, actions) == [events.Watch(501, 501)]
    actions = grant(run, broker, "lane_a")
    assert [peer for peer, _ in sent(actions, "assign")] == [first]
    ((_, granted),) = sent(actions, "granted")
    assert (granted["id"], granted["pid"]) == ("lane_a", 501)
    assert not sent(actions, "fork")
    granted_at = run.now
    assert len(sent(run.wait(), "fork")) == 1
    assert run.now - granted_at == pytest.approx(0.05)


def test_the_last_warm_worker_is_replaced_at_once() -> None:
    run = Run(warm=1)
    peers = run.up()
    run.worker(peers["nursery"], "fork-1", 501)
    assert len(sent(grant(run, peers["broker"], "lane_a"), "fork")) == 1


def test_hello_before_the_nurserys_word_is_the_same_worker() -> None:
    run = Run(warm=1)
    peers = run.up()
    _, actions = run.join("worker", 501)
    assert sent(actions, "welcome")
    assert not sent(grant(run, peers["broker"], "lane_a"), "granted")
    actions = run.say(peers["nursery"], "forked", id="fork-1", pid=501, start_time=501)
    assert [message["pid"] for _, message in sent(actions, "granted")] == [501]


def test_grants_wait_in_order_and_for_five_seconds() -> None:
    run = Run(warm=0)
    peers = run.up()
    asked = run.now
    assert len(sent(grant(run, peers["broker"], "lane_a"), "fork")) == 1
    grant(run, peers["broker"], "lane_b")
    _, actions = run.worker(peers["nursery"], "fork-1", 501)
    assert [message["id"] for _, message in sent(actions, "granted")] == ["lane_a"]
    actions = run.wait()
    ((_, refused),) = sent(actions, "refused")
    assert (refused["id"], refused["code"], run.now) == ("lane_b", "SPAWN_FAILED", asked + 5)


def test_failing_forks_are_tried_again_ever_later() -> None:
    run = Run(warm=1)
    peers = run.up()
    delays = []
    for number in range(1, 4):
        failed = run.now
        run.say(peers["nursery"], "failed", id=f"fork-{number}", errno=11, message="again")
        assert len(sent(run.wait(), "fork")) == 1
        delays.append(round(run.now - failed, 3))
    assert delays == [0.05, 0.1, 0.2]


def test_granted_worker_that_ends_is_reported_with_the_nurserys_word() -> None:
    run = Run(warm=1)
    peers = run.up()
    granted(run, peers)
    assert not sent(run.do(events.Ended(501, known=False)), "died")
    actions = run.say(peers["nursery"], "worker-exited", pid=501, code=None, signal=11)
    ((peer, died),) = sent(actions, "died")
    assert peer == peers["broker"]
    assert (died["lane_id"], died["pid"], died["code"], died["signal"]) == ("lane_a", 501, None, 11)
    assert not died["recovering"]
    assert "nothing to go on with" in died["reason"]
    assert not sent(run.do(events.Ended(501, known=False)), "died")


def test_status_that_nobody_tells_is_unknown_and_never_zero() -> None:
    run = Run(warm=1)
    peers = run.up()
    granted(run, peers)
    run.do(events.Ended(501, known=False))
    ((_, died),) = sent(run.wait(), "died")
    assert (died["code"], died["signal"]) == (None, None)


def test_status_of_a_worker_that_ended_with_its_nursery_is_looked_for() -> None:
    run = Run(warm=1)
    peers = run.up()
    granted(run, peers)
    run.do(events.Ended(501, known=False))
    assert events.Watch(501, 501) in run.do(events.Ended(100, None, 9))
    ((_, died),) = sent(run.do(events.Ended(501, 4)), "died")
    assert died["code"] == 4


def test_fence_is_answered_after_the_end() -> None:
    run = Run(warm=1)
    peers = run.up()
    granted(run, peers)
    actions = run.say(peers["broker"], "fence", id="f", lane_id="lane_a")
    assert of(events.Kill, actions) == [events.Kill(501, signal.SIGKILL)]
    assert not sent(actions, "fenced")
    ops = [action.message["op"] for action in of(events.Send, run.do(events.Ended(501, None, 9)))]
    assert ops[:2] == ["died", "fenced"]


def test_new_broker_is_told_the_lanes_and_workers_of_the_broker() -> None:
    run = Run(warm=1)
    peers = run.up()
    worker = granted(run, peers)
    run.do(events.Ended(200, None, 9))
    run.do(events.PeerGone(peers["broker"]))
    run.wait()
    broker, actions = run.serve("broker", 201)
    ((peer, listed),) = sent(actions, "workers")
    assert peer == broker
    assert [one["pid"] for one in listed["lanes"]] == [501]
    assert listed["more"] is False
    assert (worker, {"op": "broker"}) in sent(actions, "broker")


def test_long_list_of_lanes_comes_in_parts() -> None:
    run = Run(warm=0)
    peers = run.up()
    for number in range(30):
        lane = {"lane_id": f"lane_{number}", "text": "x" * 4000}
        run.say(peers["broker"], "grant", id=number, lane=lane)
        run.worker(peers["nursery"], f"fork-{number + 1}", 1000 + number)
    run.do(events.PeerGone(peers["broker"]))
    run.do(events.Ended(200, 0))
    run.wait()
    _, actions = run.serve("broker", 201)
    pages = [message for _, message in sent(actions, "workers")]
    assert [page["more"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert sum(len(page["lanes"]) for page in pages) == 30


def test_a_new_broker_hears_of_the_lanes_that_were_given_up_before_those_that_live() -> None:
    run = Run(warm=1)
    peers = run.up()
    worker, pid = granted(run, peers), 501
    journal = {"op": "deposit", "id": 1, "name": "journal", "kinds": ["journal"]}
    run.do(events.PeerSaid(worker, journal, (7,)))
    for death in range(5):
        run.do(events.Ended(pid + death, None, 9))
        run.worker(peers["nursery"], f"fork-{death + 2}", pid + death + 1)
    run.do(events.Ended(200, None, 9))
    _, actions = run.serve("broker", 201)
    told = [dict(one.message) for one in of(events.Send, actions)]
    (died,) = [one for one in told if one["op"] == "died"]
    assert (died["lane_id"], died["generation"]) == ("lane_a", 5)
    assert (died["recovering"], died["kept"]) == (False, True)
    assert "crash loop" in died["reason"]
    ops = [one["op"] for one in told]
    assert ops.index("welcome") < ops.index("died") < ops.index("workers")
