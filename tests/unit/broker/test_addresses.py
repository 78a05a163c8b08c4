"""What an address means, and which one means nothing."""

import pytest

from lanekeeper.wire.messages.events import Happened
from unit.broker.bench import DEFAULT, Bench, a_session, a_terminal


def test_addresses_mean_lanes_sessions_and_terminals(bench: Bench) -> None:
    lane_id, route = bench.lane()
    bench.spawned(lane_id, route, "a")

    def resolve(address: str) -> tuple[str, str | None, str | None]:
        found = bench.call("address.resolve", {"address": address})
        session, terminal = found.get("session"), found.get("terminal")
        return (found["lane"]["id"], session and session["id"], terminal and terminal["id"])

    whole = (lane_id, "sess_a", "term_a")
    for address in (
        "build",
        "default/build",
        f"{DEFAULT}/{lane_id}",
        lane_id,
        "build:a",
        "build:sess_a.term_a",
        "build.a",
        "default/build:a.a",
    ):
        assert resolve(address) == whole
    bench.spawned(lane_id, route, "b")
    assert resolve("build") == (lane_id, None, None)
    assert resolve("build:b") == (lane_id, "sess_b", "term_b")
    assert resolve("build.a") == whole
    ended = a_terminal(lane_id, "sess_b", "term_b", state="stopped")
    bench.report(route, "terminal.state.changed", Happened(terminal=ended))
    assert resolve("build") == (lane_id, None, "term_a")
    listed = bench.call("address.resolve", {"address": "build"})
    assert [t["id"] for t in listed["terminals"]] == ["term_a", "term_b"]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("no", "LANE_NOT_FOUND"),
        ("no/build", "WORKSPACE_NOT_FOUND"),
        ("build:no", "SESSION_NOT_FOUND"),
        ("build.no", "TERMINAL_NOT_FOUND"),
        ("build:a.no", "TERMINAL_NOT_FOUND"),
        ("", "INVALID_ARGUMENT"),
        ("/build", "INVALID_ARGUMENT"),
        ("build:", "INVALID_ARGUMENT"),
        ("build.", "INVALID_ARGUMENT"),
        (":a", "INVALID_ARGUMENT"),
        ("a/b/c", "INVALID_ARGUMENT"),
        ("a b", "INVALID_ARGUMENT"),
        ("build:a:b", "INVALID_ARGUMENT"),
    ],
)
def test_an_address_that_means_nothing_is_refused(bench: Bench, address: str, code: str) -> None:
    lane_id, route = bench.lane()
    bench.spawned(lane_id, route, "a")
    assert bench.refusal("address.resolve", {"address": address}).code == code


def test_an_ambiguous_address_lists_the_choices(bench: Bench) -> None:
    lane_id, route = bench.lane()
    for n in ("1", "2"):
        bench.report(route, "session.created", Happened(session=a_session(lane_id, f"sess_{n}")))
        terminal = a_terminal(lane_id, f"sess_{n}", f"term_{n}", name="shell")
        bench.report(route, "terminal.spawned", Happened(terminal=terminal))
    error = bench.refusal("address.resolve", {"address": "build.shell"})
    assert error.code == "INVALID_ARGUMENT"
    assert error.details == {"choices": ["term_1", "term_2"]}
    found = bench.call("address.resolve", {"address": "build:2.shell"})
    assert found["terminal"]["id"] == "term_2"
    ended = a_terminal(lane_id, "sess_1", "term_1", name="shell", state="stopped")
    bench.report(route, "terminal.state.changed", Happened(terminal=ended))
    found = bench.call("address.resolve", {"address": "build.shell"})
    assert found["terminal"]["id"] == "term_2"
