"""The supervisor: the way up, backoff, peers, restarts, status."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.keeper import events
from lanekeeper.keeper.daemons import BACKOFF_MAX, backoff
from lanekeeper.keeper.states import Plane
from unit.keeper.supervised import PIDS, Run, of, sent


def test_plane_is_announced_when_all_serve_and_once() -> None:
    run = Run()
    assert of(events.Launch, run.do(events.Started())) == [
        events.Launch(role) for role in ("nursery", "broker", "collector")
    ]
    announced = [of(events.Announce, run.serve(role, pid)[1]) for role, pid in PIDS.items()]
    assert announced == [[], [], [events.Announce("ready")]]
    run.do(events.Ended(300, 1))
    run.wait()
    assert not of(events.Announce, run.serve("collector", 301)[1])


@given(st.integers(-3, 10_000))
def test_backoff_doubles_up_to_its_bound(failures: int) -> None:
    delay = backoff(failures)
    assert 0 <= delay <= BACKOFF_MAX
    if 1 <= failures <= 7:
        assert delay == pytest.approx(0.05 * 2 ** (failures - 1))


def test_dying_daemon_is_restarted_ever_later_until_it_holds() -> None:
    run = Run()
    run.up()
    delays = []
    pid = PIDS["broker"]
    for _ in range(9):
        ended = run.now
        assert not of(events.Launch, run.do(events.Ended(pid, None, 9)))
        assert of(events.Launch, run.wait()) == [events.Launch("broker", anew=True)]
        delays.append(round(run.now - ended, 3))
        pid += 1
        run.serve("broker", pid)
    assert delays == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    run.now += 10.5
    assert of(events.Launch, run.do(events.Ended(pid, 0))) == [events.Launch("broker", anew=True)]


def test_daemon_that_does_not_get_ready_is_killed() -> None:
    run = Run()
    run.up()
    run.do(events.Ended(200, 1))
    run.wait()
    run.do(events.Launched("broker", 201, 201))
    started = run.now
    assert of(events.Kill, run.wait()) == [events.Kill(201, signal.SIGKILL)]
    assert run.now == started + 15


def test_plane_that_does_not_come_up_is_given_up() -> None:
    run = Run()
    run.do(events.Started())
    run.serve("nursery", 100)
    run.serve("collector", 300)
    actions: list[events.Action] = []
    for pid in range(200, 205):
        run.do(events.Launched("broker", pid, pid))
        actions = run.do(events.Ended(pid, 3))
        if not of(events.Announce, actions):
            actions = run.wait()
    (announced,) = of(events.Announce, actions)
    assert announced.line.startswith("error broker does not start (broker ended: code 3)")
    assert run.core.state is not Plane.RUNNING


@pytest.mark.parametrize(
    ("role", "op", "fields", "code"),
    [
        ("client", "grant", {"lane": {"lane_id": "x"}}, "UNAUTHORIZED"),
        ("client", "hello", {"role": "client", "pid": 9, "start_time": 9}, "INVALID_ARGUMENT"),
        ("client", "restart", {"role": "client"}, "INVALID_ARGUMENT"),
        ("client", "restart", {}, "INVALID_ARGUMENT"),
        ("client", "nonsense", {}, "INVALID_ARGUMENT"),
        ("broker", "grant", {}, "INVALID_ARGUMENT"),
        ("broker", "grant", {"lane": {"lane_id": 7}}, "INVALID_ARGUMENT"),
        ("broker", "fence", {}, "INVALID_ARGUMENT"),
        ("broker", "ready", {}, "ALREADY_EXISTS"),
        ("nursery", "forked", {"id": "fork-1", "pid": True, "start_time": 1}, "INVALID_ARGUMENT"),
        ("nursery", "forked", {"id": [], "pid": 1, "start_time": 1}, "INVALID_ARGUMENT"),
        ("nursery", "failed", {"id": "fork-99"}, "INVALID_ARGUMENT"),
        ("nursery", "worker-exited", {"pid": "1"}, "INVALID_ARGUMENT"),
    ],
)
def test_wrong_message_is_answered(
    role: str, op: str, fields: dict[str, object], code: str
) -> None:
    run = Run()
    peers = run.up()
    peers["client"], _ = run.join("client", 9)
    actions = run.do(events.PeerSaid(peers[role], {"op": op, "id": "i", **fields}))
    ((peer, error),) = sent(actions, "error")
    assert (peer, error["code"]) == (peers[role], code)


@given(
    st.sampled_from(["hello", "ready", "beat", "grant", "fence", "forked", "failed", "status"]),
    st.dictionaries(
        st.sampled_from(["id", "role", "pid", "start_time", "lane", "lane_id"]),
        st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none()) | st.booleans(),
    ),
    st.sampled_from(["nursery", "broker", "collector", "client", "worker"]),
)
def test_no_message_of_a_peer_raises(op: str, fields: dict[str, object], role: str) -> None:
    run = Run()
    peers = run.up()
    peers["client"], _ = run.join("client", 9)
    peers["worker"], _ = run.worker(peers["nursery"], "fork-1", 501)
    run.do(events.PeerSaid(peers[role], {**fields, "op": op}))


def test_peer_that_does_not_say_who_it_is_is_closed() -> None:
    run = Run()
    run.up()
    run.do(events.PeerOpened(77))
    assert of(events.Close, run.wait()) == [events.Close(77)]
    run.do(events.PeerOpened(78))
    actions = run.say(78, "status", id=1)
    assert sent(actions, "error")
    assert of(events.Close, actions) == [events.Close(78)]


def test_idle_plane_has_no_deadline() -> None:
    run = Run(warm=1)
    peers = run.up()
    run.worker(peers["nursery"], "fork-1", 501)
    assert run.core.next_deadline() is None


def test_restart_answers_when_the_new_one_serves() -> None:
    run = Run()
    run.up()
    client, _ = run.join("client", 9)
    actions = run.say(client, "restart", id="r", role="broker")
    assert of(events.Kill, actions) == [events.Kill(200, signal.SIGTERM)]
    assert of(events.Launch, run.do(events.Ended(200, 0))) == [events.Launch("broker", anew=True)]
    _, actions = run.serve("broker", 201)
    assert sent(actions, "restarted") == [(client, {"op": "restarted", "id": "r", "pid": 201})]


def test_status_lists_every_process_in_pages() -> None:
    run = Run(warm=300)
    peers = run.up()
    for number in range(1, 301):
        run.worker(peers["nursery"], f"fork-{number}", 1000 + number)
    client, _ = run.join("client", 9)
    pages = [message for _, message in sent(run.say(client, "status", id="s"), "status")]
    assert [page["more"] for page in pages] == [True, False]
    processes = [process for page in pages for process in page["processes"]]
    assert len(processes) == 4 + 300
    assert processes[0] == {
        "role": "keeper",
        "pid": 1,
        "start_time": 10,
        "state": "ready",
        "restarts": 0,
    }
    assert pages[0]["degraded"] == []


def test_nursery_that_connects_again_is_asked_for_workers_again() -> None:
    run = Run(warm=1)
    peers = run.up()
    run.worker(peers["nursery"], "fork-1", 501)
    run.do(events.PeerGone(peers["nursery"]))
    run.do(events.Ended(501, 0))
    peer, _ = run.join("nursery", PIDS["nursery"])
    actions = run.say(peer, "ready")
    assert not sent(actions, "error")
    assert [(to, said["op"]) for to, said in sent(actions, "fork")] == [(peer, "fork")]
    _, actions = run.worker(peer, "fork-2", 502)
    assert not sent(actions, "error")
