"""Clients that misbehave with proper messages: they vanish, repeat themselves, flood, subscribe."""

from typing import Any, Final

import msgpack
import pytest

from kit import processes
from kit.standing import Standing, Target, make_target
from kit.waiting import wait_until
from kit.wire_client import RefusedError, WireClient, command

PATHS: Final = pytest.mark.parametrize("hot", [False, True], ids=["broker", "lane"])
SLEEP: Final = {"argv": ["sleep", "600"], "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/"}
PLACE: Final = ("workspace_id", "lane_id", "session_id")


@pytest.fixture
def victim(standing: Standing) -> Target:
    """Another lane, whose program a test may treat badly."""
    return make_target(standing.wire, "victim", ("sleep", "600"))


def path_to(target: Target, *, hot: bool) -> str:
    return f"lanes/{target.lane_id}.in" if hot else "broker.sock"


def deliver_and_vanish(standing: Standing, path: str, *messages: dict[str, Any]) -> None:
    """Send, see by another answer that all has arrived, and go without reading the rest."""
    with WireClient(standing.plane.dir) as client:
        for message in messages:
            client.send(msgpack.packb(message), to=path)
        last = command("terminal.get", **standing.target.ids("terminal_id"))
        if path not in {standing.hot, "broker.sock"}:
            last = command("plane.hello")
        client.send(msgpack.packb(last), to=path)
        while client.receive(to=path)["id"] != last["id"]:
            pass


def terminals(standing: Standing, target: Target) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = standing.wire.call("terminal.list", **target.ids("lane_id"))[
        "terminals"
    ]
    return found


def test_a_client_that_vanishes_while_it_spawns(standing: Standing, victim: Target) -> None:
    message = command("terminal.spawn", SLEEP, **victim.ids(*PLACE))
    deliver_and_vanish(standing, "broker.sock", message)
    wait_until(lambda: len(terminals(standing, victim)) == 2, 5, "the terminal it asked for")
    # Who comes back with the same command gets its answer, from whom it asks.
    for hot in (False, True):
        again = standing.wire.exchange(message, path_to(victim, hot=hot))
        assert again["status"] == "ok"
    assert len(terminals(standing, victim)) == 2


def test_a_client_that_vanishes_with_a_registration(standing: Standing, victim: Target) -> None:
    lease = standing.wire.call("session.attach", {}, **victim.ids(*PLACE))["lease_id"]
    body = SLEEP | {"argv": ["yes"], "consume": {"lease_id": lease, "policy": "forever"}}
    message = command("terminal.spawn", body, **victim.ids(*PLACE))
    deliver_and_vanish(standing, "broker.sock", message)

    def states() -> list[str]:
        return [str(one["state"]) for one in terminals(standing, victim) if one["argv"] == ["yes"]]

    wait_until(lambda: states() == ["throttled"], 5, "throttling by one who is gone")
    wait_until(lambda: states() == ["active"], 8, "end of its lease")


@PATHS
def test_clients_that_vanish_while_they_wait(
    standing: Standing, victim: Target, *, hot: bool
) -> None:
    waits = [
        command("terminal.wait", deadline_ms=60_000, **victim.ids("lane_id", "terminal_id"))
        for _ in range(100)
    ]
    deliver_and_vanish(standing, path_to(victim, hot=hot), *waits)
    ended = standing.wire.call("terminal.close", {"grace_s": 0}, **victim.ids("terminal_id"))
    assert ended["processes"] == 1


@PATHS
def test_a_client_that_vanishes_while_it_types(
    standing: Standing, victim: Target, *, hot: bool
) -> None:
    ids = victim.ids("lane_id", "terminal_id")
    typing = [command("terminal.input", {"data": b"x\n" * 900}, **ids) for _ in range(200)]
    deliver_and_vanish(standing, path_to(victim, hot=hot), *typing)
    state = standing.wire.call("terminal.get", **victim.ids("terminal_id"))["terminal"]["state"]
    assert state == "active"


def test_a_client_that_vanishes_while_it_cleans_up(standing: Standing, victim: Target) -> None:
    message = command("lane.cleanup", {"grace_s": 0.2}, **victim.ids("lane_id"))
    straight = standing.wire.exchange(message, path_to(victim, hot=True))
    assert straight["error"]["code"] == "INVALID_ARGUMENT"
    deliver_and_vanish(standing, "broker.sock", message)

    def state() -> str:
        lanes = standing.wire.call("lane.list")["lanes"]
        return next((str(o["status"]) for o in lanes if o["id"] == victim.lane_id), "gone")

    wait_until(lambda: state() == "gone", 10, "end of the lane")
    left = [s for s in processes.everybody() if s.variable("LANEKEEPER_LANE") == victim.lane_id]
    assert [str(one) for one in left if not one.zombie] == []


@pytest.mark.parametrize("scope", ["lane.cleanup", "session.terminate"])
def test_what_is_being_started_is_ended_too(standing: Standing, victim: Target, scope: str) -> None:
    path = "broker.sock"
    standing.wire.call("terminal.close", {"grace_s": 0}, **victim.ids("terminal_id"))
    ids = victim.ids(*PLACE)
    start = command("terminal.spawn", SLEEP, **ids)
    # Both arrive together: the ending begins while the program is still being forked.
    for message in (start, command(scope, {"grace_s": 0.3}, **ids)):
        standing.wire.send(msgpack.packb(message), to=path)
    answers = {answer["id"]: answer for answer in (standing.wire.receive(to=path) for _ in "12")}
    started = answers.pop(start["id"])
    assert started["status"] == "ok" or started["error"]["code"] in {
        "SPAWN_FAILED",
        "TERMINAL_NOT_FOUND",
    }
    (ended,) = answers.values()
    assert (ended["status"], ended["result"]["terminals"]) == ("ok", 1)
    marker = "LANEKEEPER_SESSION"
    left = [s for s in processes.everybody() if s.variable(marker) == victim.session_id]
    assert [str(one) for one in left if not one.zombie] == []


@PATHS
def test_a_thousand_commands_in_flight(standing: Standing, *, hot: bool) -> None:
    path = standing.hot if hot else "broker.sock"
    ids = standing.target.ids("lane_id", "terminal_id")
    messages = [command("terminal.get", **ids) for _ in range(1000)]
    for message in messages:
        standing.wire.send(msgpack.packb(message), to=path)
    standing.echo()
    answers = [standing.wire.receive(to=path) for _ in messages]
    assert {answer["id"] for answer in answers} == {message["id"] for message in messages}
    codes = {(answer.get("error") or {}).get("code") for answer in answers}
    assert codes <= {None, "BACKPRESSURE"}
    assert None in codes


@pytest.mark.parametrize("hot", [(True, True), (False, False), (True, False), (False, True)])
def test_one_id_has_one_effect_and_one_answer(
    standing: Standing, victim: Target, hot: tuple[bool, bool]
) -> None:
    message = command("session.create", {"name": "once"}, **victim.ids("workspace_id", "lane_id"))
    paths = [path_to(victim, hot=one) for one in hot]
    with WireClient(standing.plane.dir) as other:
        standing.wire.send(msgpack.packb(message), to=paths[0])
        other.send(msgpack.packb(message), to=paths[1])
        first = standing.wire.receive(to=paths[0])
        second = other.receive(to=paths[1])
    late = standing.wire.exchange(message, paths[1])
    assert first["result"] == second["result"] == late["result"]
    assert first["status"] == "ok"
    listed = standing.wire.call("session.list", **victim.ids("lane_id"))["sessions"]
    assert [one["name"] for one in listed].count("once") == 1


def test_one_id_of_a_lane_makes_one_lane(standing: Standing) -> None:
    message = command("lane.create", {"name": "once"}, workspace_id=standing.target.workspace_id)
    with WireClient(standing.plane.dir) as other:
        standing.wire.send(msgpack.packb(message))
        other.send(msgpack.packb(message))
        first, second = standing.wire.receive(), other.receive()
    assert first["status"] == "ok", first
    assert first["result"] == second["result"]
    assert standing.wire.exchange(message)["result"] == first["result"]


@PATHS
def test_one_id_types_once(standing: Standing, victim: Target, *, hot: bool) -> None:
    path = path_to(victim, hot=hot)
    body = {"data": b"once\n"}
    message = command("terminal.input", body, **victim.ids("lane_id", "terminal_id"))
    for _ in range(20):
        standing.wire.send(msgpack.packb(message), to=path)
    assert standing.wire.receive(to=path)["result"] == {"delivered": 5}
    typed = b""

    def echoed() -> bool:
        nonlocal typed
        typed = standing.wire.call("terminal.read", **victim.ids("terminal_id"))["data"]
        return b"once" in typed and b"last" in typed

    body = {"data": b"last\n"}
    last = command("terminal.input", body, **victim.ids("lane_id", "terminal_id"))
    standing.wire.send(msgpack.packb(last), to=path)
    while (answer := standing.wire.receive(to=path))["id"] != last["id"]:
        assert answer["result"] == {"delivered": 5}
    wait_until(echoed, 5, "echo of what was typed")
    assert typed.count(b"once") == 1


def test_two_endings_of_one_terminal_are_both_answered(standing: Standing, victim: Target) -> None:
    path = path_to(victim, hot=True)
    ids = victim.ids("lane_id", "terminal_id")
    endings = [command("terminal.close", {"grace_s": 0.3}, **ids) for _ in range(3)]
    for message in endings:
        standing.wire.send(msgpack.packb(message), to=path)
    answers = [standing.wire.receive(to=path) for _ in endings]
    assert {answer["id"] for answer in answers} == {message["id"] for message in endings}
    # One that comes when the first is over finds nothing to end.
    codes = {answer["error"]["code"] for answer in answers if answer["status"] != "ok"}
    assert answers[0]["status"] == "ok"
    assert codes <= {"TERMINAL_NOT_FOUND"}
    standing.wire.send(msgpack.packb(command("terminal.get", **ids)), to=path)
    assert standing.wire.receive(to=path)["error"]["code"] == "TERMINAL_NOT_FOUND"


def test_tiny_inputs_that_nobody_reads_are_bounded_too(standing: Standing, victim: Target) -> None:
    body = SLEEP | {"stdin": "pipe"}
    spawned = standing.wire.call("terminal.spawn", body, **victim.ids(*PLACE))
    ids = {"lane_id": victim.lane_id, "terminal_id": spawned["terminal"]["id"]}
    path = path_to(victim, hot=True)
    fill = command("terminal.input", {"data": b"x" * 65536}, **ids)
    assert standing.wire.exchange(fill, path)["status"] == "ok"
    refused = 0
    for _ in range(1100):
        standing.wire.send(msgpack.packb(command("terminal.input", {"data": b"x"}, **ids)), to=path)
    last = command("terminal.get", **ids)
    standing.wire.send(msgpack.packb(last), to=path)
    while (answer := standing.wire.receive(to=path))["id"] != last["id"]:
        assert answer["error"]["code"] == "BACKPRESSURE"
        refused += 1
    assert 0 < refused < 200


def test_a_refusal_is_not_an_effect(standing: Standing, victim: Target) -> None:
    before = standing.wire.call("terminal.get", **victim.ids("terminal_id"))["terminal"]
    for payload in ({"cols": 0, "rows": 1}, {"cols": 5}, {"cols": 10, "rows": 10, "x": 1}):
        with pytest.raises(RefusedError):
            standing.wire.call("terminal.resize", payload, **victim.ids("terminal_id"))
    after = standing.wire.call("terminal.get", **victim.ids("terminal_id"))["terminal"]
    assert before == after
