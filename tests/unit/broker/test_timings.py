"""What the broker times: commands, lanes that are made, sessions that are restored."""

from typing import Any

from lanekeeper.wire.errors import ErrorInfo

from .bench import DEFAULT, Bench

Seen = tuple[str, float, tuple[str, ...]]


def timed(bench: Bench, *names: str) -> list[Seen]:
    """Return what is observed of that which is done now, under these names."""
    seen: list[Seen] = []

    def observe(name: str, seconds: float, *labels: str) -> None:
        short = name.removeprefix("lanekeeper_").removesuffix("_seconds")
        if short in (names or {short}):
            seen.append((short, round(seconds, 9), labels))

    bench.core.desk.timings.take(bench.now, observe)
    return seen


def attach(bench: Bench, lane_id: str, route: bytes) -> str:
    """Begin to attach to a session of a lane; return the command's id."""
    bench.spawned(lane_id, route)
    ids: dict[str, Any] = {"lane_id": lane_id, "session_id": "sess_term", "workspace_id": DEFAULT}
    assert not bench.send(bench.command("session.attach", {}, **ids))
    return bench.last_sent().id


def test_a_lane_counts_from_its_command_to_its_readiness(bench: Bench) -> None:
    assignment = bench.grant()
    assert timed(bench) == []
    bench.now += 0.004
    bench.register(assignment)
    assert timed(bench) == [
        ("lane_create", 0.004, ("ok",)),
        ("command", 0.004, ("lane.create", "ok")),
    ]


def test_a_lane_that_cannot_be_made_counts_as_an_error(bench: Bench) -> None:
    lane_id = bench.grant()["lane_id"]
    bench.now += 1
    bench.keeper(op="refused", id=f"grant:{lane_id}", code="SPAWN_FAILED", message="no")
    assert timed(bench, "lane_create") == [("lane_create", 1.0, ("error",))]


def test_a_lane_that_was_there_or_may_not_be_is_none_that_was_made(bench: Bench) -> None:
    bench.lane("build")
    timed(bench)
    bench.call("lane.create", {"name": "build", "ensure": True}, workspace_id=DEFAULT)
    bench.refusal("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    assert timed(bench) == [
        ("command", 0.0, ("lane.create", "ok")),
        ("command", 0.0, ("lane.create", "error")),
    ]


def test_the_time_for_which_a_lane_waits_for_the_keeper_counts() -> None:
    bench = Bench(keeper=False)
    bench.keeper_can_be_reached = True
    bench.core.desk.keeper, bench.core.desk.listed = True, False
    assert not bench.send(bench.command("lane.create", {"name": "late"}, workspace_id=DEFAULT))
    bench.now += 0.5
    bench.keeper_comes()
    bench.now += 0.5
    bench.register(bench.asked[-1]["lane"])
    assert timed(bench, "lane_create") == [("lane_create", 1.0, ("ok",))]


def test_a_reattach_counts_from_its_command_to_its_answer(bench: Bench) -> None:
    lane_id, route = bench.lane()
    command_id = attach(bench, lane_id, route)
    timed(bench)
    bench.now += 0.02
    bench.respond(route, command_id, {})
    assert timed(bench) == [
        ("command", 0.02, ("session.attach", "ok")),
        ("session_restore", 0.02, ("reattach", "ok")),
    ]


def test_a_reattach_that_is_refused_counts_as_an_error(bench: Bench) -> None:
    lane_id, route = bench.lane()
    command_id = attach(bench, lane_id, route)
    bench.respond(route, command_id, error=ErrorInfo(code="LIMIT_EXCEEDED", message="full"))
    restored = timed(bench, "session_restore")
    assert restored == [("session_restore", 0.0, ("reattach", "error"))]


def test_a_crash_counts_from_its_news_until_the_lane_serves_again(bench: Bench) -> None:
    assignment = bench.grant()
    bench.register(assignment)
    timed(bench)
    bench.now += 5
    died = {"op": "died", "lane_id": assignment["lane_id"], "generation": 1}
    bench.keeper(**died, recovering=True)
    bench.now += 0.1
    bench.keeper(**died, recovering=True, signal=9)
    bench.now += 0.2
    bench.register({**assignment, "generation": 2}, b"heir", pid=43)
    assert timed(bench) == [("session_restore", 0.3, ("crash", "ok"))]
    bench.register({**assignment, "generation": 2}, b"heir", pid=43)
    assert timed(bench) == []


def test_a_lane_that_fails_instead_counts_as_an_error(bench: Bench) -> None:
    lane_id, _ = bench.lane()
    timed(bench)
    died = {"op": "died", "lane_id": lane_id, "generation": 1}
    bench.keeper(**died, recovering=True)
    bench.now += 2
    bench.keeper(**died, recovering=False, reason="crash loop", kept=True)
    assert timed(bench) == [("session_restore", 2.0, ("crash", "error"))]


def test_a_successor_that_is_the_first_to_tell_says_nothing_about_the_time(bench: Bench) -> None:
    assignment = bench.grant()
    bench.register(assignment)
    timed(bench)
    bench.now += 5
    bench.register({**assignment, "generation": 2}, b"heir", pid=43)
    assert timed(bench) == []


def test_a_command_counts_once_however_often_it_is_repeated(bench: Bench) -> None:
    command = bench.command("workspace.create", {"name": "w"})
    for _ in range(3):
        bench.send(command)
    assert timed(bench) == [("command", 0.0, ("workspace.create", "ok"))]


def test_a_command_that_took_too_long_counts_once_although_it_is_done_later(bench: Bench) -> None:
    command = bench.command("lane.create", {"name": "late"}, workspace_id=DEFAULT, deadline_ms=1000)
    bench.send(command)
    bench.wait(1.0)
    assert timed(bench, "command") == [("command", 1.0, ("lane.create", "error"))]
    bench.register(bench.asked[-1]["lane"])
    assert timed(bench, "command") == []


def test_a_dispatch_counts_as_what_is_in_it(bench: Bench) -> None:
    bench.call("boundary.local.dispatch", {"method": "workspace.list", "payload": {}})
    assert timed(bench) == [("command", 0.0, ("workspace.list", "ok"))]


def test_what_is_no_command_or_no_method_counts_as_unknown(bench: Bench) -> None:
    bench.raw_bytes(b"\xc1")
    bench.refusal("workspace.spam")
    assert timed(bench) == [("command", 0.0, ("unknown", "error"))] * 2


def test_a_successor_of_the_broker_does_not_time_what_another_received(bench: Bench) -> None:
    assignment = bench.grant()
    bench.restart(assignment)
    bench.now += 1
    bench.register(assignment)
    assert timed(bench) == []
