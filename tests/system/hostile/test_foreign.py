"""Ids that exist and belong to somebody else, and names that nothing may have."""

from typing import Any, Final

import pytest

from kit.standing import Standing, Target, add_terminal, make_target
from kit.wire_client import RefusedError, command

PATHS: Final = pytest.mark.parametrize("hot", [False, True], ids=["broker", "lane"])


@pytest.fixture
def stranger(standing: Standing) -> Target:
    """Another lane of the same plane."""
    return make_target(standing.wire, "stranger")


@pytest.fixture
def sibling(standing: Standing) -> Target:
    """Another session of the bystander's lane, with its own terminal."""
    mine = standing.target
    return add_terminal(standing.wire, mine.workspace_id, mine.lane_id, "sibling", ("cat",))


def path_of(standing: Standing, *, hot: bool) -> str:
    return standing.hot if hot else "broker.sock"


def refused(standing: Standing, path: str, method: str, payload: Any, **ids: str) -> str:
    answer = standing.wire.exchange(command(method, payload, **ids), path)
    assert answer["status"] == "error", answer
    return str(answer["error"]["code"])


def lease_on(standing: Standing, target: Target) -> str:
    ids = target.ids("workspace_id", "lane_id", "session_id")
    return str(standing.wire.call("session.attach", {}, **ids)["lease_id"])


CHANGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("terminal.input", {"data": b"stolen\n"}),
    ("terminal.resize", {"cols": 50, "rows": 50}),
    ("terminal.signal", {"signal": "KILL"}),
    ("terminal.read", {}),
    ("terminal.get", {}),
    ("terminal.close", {"grace_s": 0}),
    ("terminal.wait", {}),
    ("terminal.consumers", {}),
)


@PATHS
@pytest.mark.parametrize(("method", "payload"), CHANGES)
def test_a_terminal_of_another_lane_is_not_found(
    standing: Standing, stranger: Target, method: str, payload: Any, *, hot: bool
) -> None:
    mine = standing.target.ids("workspace_id", "lane_id", "session_id")
    ids = mine | stranger.ids("terminal_id")
    assert (
        refused(standing, path_of(standing, hot=hot), method, payload, **ids)
        == "TERMINAL_NOT_FOUND"
    )
    only = standing.target.ids("lane_id") | stranger.ids("terminal_id")
    assert (
        refused(standing, path_of(standing, hot=hot), method, payload, **only)
        == "TERMINAL_NOT_FOUND"
    )
    found = standing.wire.call("terminal.get", **stranger.ids("terminal_id"))["terminal"]
    assert (found["state"], found["cols"]) == ("active", 80)


@PATHS
def test_a_terminal_of_another_session_is_not_found(
    standing: Standing, sibling: Target, *, hot: bool
) -> None:
    ids = standing.target.ids() | sibling.ids("terminal_id")
    assert (
        refused(standing, path_of(standing, hot=hot), "terminal.get", {}, **ids)
        == "TERMINAL_NOT_FOUND"
    )


@PATHS
@pytest.mark.parametrize("method", ["session.attach", "session.terminate", "terminal.spawn"])
def test_a_session_of_another_lane_is_not_found(
    standing: Standing, stranger: Target, method: str, *, hot: bool
) -> None:
    ids = standing.target.ids("workspace_id", "lane_id") | stranger.ids("session_id")
    payload = {"argv": ["true"]} if method == "terminal.spawn" else {}
    assert (
        refused(standing, path_of(standing, hot=hot), method, payload, **ids) == "SESSION_NOT_FOUND"
    )


@PATHS
def test_a_lane_and_a_workspace_that_are_not_there(standing: Standing, *, hot: bool) -> None:
    ids = standing.target.ids() | {"lane_id": "lane_aaaaaaaaaaaaaaaa"}
    code = refused(standing, path_of(standing, hot=hot), "terminal.get", {}, **ids)
    assert code == ("LANE_NOT_FOUND" if hot else "TERMINAL_NOT_FOUND")
    ids = standing.target.ids() | {"workspace_id": "ws_bbbbbbbbbbbbbbbb"}
    code = refused(standing, path_of(standing, hot=hot), "terminal.get", {}, **ids)
    assert code == ("WORKSPACE_NOT_FOUND" if hot else "TERMINAL_NOT_FOUND")


MISMATCHES: Final[tuple[tuple[tuple[str, ...], str, str, str], ...]] = (
    (("lane_id",), "workspace_id", "LANE_NOT_FOUND", "WORKSPACE_NOT_FOUND"),
    (("lane_id", "session_id"), "workspace_id", "SESSION_NOT_FOUND", "WORKSPACE_NOT_FOUND"),
    (("session_id", "terminal_id"), "workspace_id", "TERMINAL_NOT_FOUND", "WORKSPACE_NOT_FOUND"),
    (("session_id",), "lane_id", "SESSION_NOT_FOUND", "LANE_NOT_FOUND"),
    (("session_id", "terminal_id"), "lane_id", "TERMINAL_NOT_FOUND", "LANE_NOT_FOUND"),
    (("lane_id", "terminal_id"), "session_id", "TERMINAL_NOT_FOUND", "SESSION_NOT_FOUND"),
    (("lane_id",), "session_id", "SESSION_NOT_FOUND", "SESSION_NOT_FOUND"),
    (("lane_id", "session_id"), "terminal_id", "TERMINAL_NOT_FOUND", "TERMINAL_NOT_FOUND"),
)
"""Ids of the bystander, the one of another lane beside them, and the code on either path."""


def test_ids_that_do_not_belong_together_have_the_codes_of_the_protocol(
    standing: Standing, stranger: Target
) -> None:
    for mine, wrong, through_broker, on_the_lane in MISMATCHES:
        other = stranger.ids(wrong) if wrong != "workspace_id" else {wrong: "ws_of_nobody"}
        ids = standing.target.ids(*mine) | other
        if "terminal_id" in ids:
            method = "terminal.get"
        else:
            method = "session.terminate" if "session_id" in ids else "session.create"
            ids = standing.target.ids("lane_id") | ids
        for path, code in (("broker.sock", through_broker), (standing.hot, on_the_lane)):
            assert refused(standing, path, method, {}, **ids) == code, (path, method, ids)


@PATHS
def test_a_lease_is_good_for_its_own_session_only(
    standing: Standing, sibling: Target, stranger: Target, *, hot: bool
) -> None:
    mine = standing.target
    for other in (sibling, stranger):
        foreign = lease_on(standing, other)
        ids = mine.ids()
        body = {"lease_id": foreign, "policy": "forever"}
        assert (
            refused(standing, path_of(standing, hot=hot), "terminal.consume", body, **ids)
            == "INVALID_ARGUMENT"
        )
        body = {"lease_id": foreign}
        assert (
            refused(standing, path_of(standing, hot=hot), "session.detach", body, **ids)
            == "INVALID_ARGUMENT"
        )
        assert (
            refused(standing, path_of(standing, hot=hot), "lease.renew", body, **ids)
            == "INVALID_ARGUMENT"
        )
        spawn = {"argv": ["true"], "consume": {"lease_id": foreign}}
        place = mine.ids("workspace_id", "lane_id", "session_id")
        assert (
            refused(standing, path_of(standing, hot=hot), "terminal.spawn", spawn, **place)
            == "INVALID_ARGUMENT"
        )
    listed = standing.wire.call("terminal.consumers", **mine.ids("terminal_id"))
    assert listed["consumers"] == []


@PATHS
def test_a_consumer_of_another_terminal_is_refused(
    standing: Standing, sibling: Target, *, hot: bool
) -> None:
    body = {"lease_id": lease_on(standing, sibling), "policy": "forever"}
    made = standing.wire.call("terminal.consume", body, **sibling.ids("terminal_id"))
    mine = standing.target.ids("lane_id", "terminal_id")
    ack = {"consumer_id": made["consumer_id"], "offset": 0}
    assert (
        refused(standing, path_of(standing, hot=hot), "terminal.ack", ack, **mine)
        == "INVALID_ARGUMENT"
    )
    release = {"consumer_id": made["consumer_id"]}
    assert (
        refused(standing, path_of(standing, hot=hot), "terminal.release", release, **mine)
        == "INVALID_ARGUMENT"
    )
    # An id of another kind is no consumer either.
    for wrong in (sibling.session_id, sibling.terminal_id, body["lease_id"]):
        code = refused(
            standing, path_of(standing, hot=hot), "terminal.release", {"consumer_id": wrong}, **mine
        )
        assert code == "INVALID_ARGUMENT"
    listed = standing.wire.call("terminal.consumers", **sibling.ids("terminal_id"))
    assert [one["id"] for one in listed["consumers"]] == [made["consumer_id"]]


NAMES: Final = (
    "",
    ".",
    "..",
    "/",
    "a/b",
    "a.b",
    "a:b",
    "-rf",
    " ",
    "a b",
    "a\0",
    "a\n",
    "\x1b[2J",
    "\u202eabc",
    "žluť",
    "x" * 65,
    "x" * 5000,
)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_nothing_may_have(standing: Standing, name: str) -> None:
    mine = standing.target
    asked: tuple[tuple[str, dict[str, Any], dict[str, str]], ...] = (
        ("workspace.create", {"name": name}, {}),
        ("lane.create", {"name": name}, mine.ids("workspace_id")),
        ("session.create", {"name": name}, mine.ids("lane_id")),
        (
            "terminal.spawn",
            {"argv": ["true"], "name": name},
            mine.ids("workspace_id", "lane_id", "session_id"),
        ),
    )
    for method, payload, ids in asked:
        with pytest.raises(RefusedError) as caught:
            standing.wire.call(method, payload, **ids)
        assert caught.value.code == "INVALID_ARGUMENT", (method, caught.value)
        assert len(str(caught.value)) < 500
    typed = standing.plane.lane("lane", "create", "--", name.replace("\0", ""))
    assert typed.returncode in {2, 3}
    assert "\x1b" not in typed.stderr + typed.stdout


ESCAPES: Final = "\x1b]0;owned\x07\x1b[2J\u202e\nsecond line"


def test_what_clients_choose_freely_does_not_reach_a_terminal_raw(standing: Standing) -> None:
    mine = standing.target
    body = {"name": "odd", "project": ESCAPES, "provider": ESCAPES[:60]}
    standing.wire.call("lane.create", body, workspace_id=mine.workspace_id)
    agent = {"name": "agent", "codex_session_id": ESCAPES, "provider": ESCAPES[:60]}
    standing.wire.call("session.create", agent, lane_id=mine.lane_id)
    program = {"argv": ["sleep", "600", ESCAPES], "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/"}
    place = mine.ids("workspace_id", "lane_id", "session_id")
    standing.wire.call("terminal.spawn", program, correlation_id=ESCAPES, **place)
    for words in (
        ("ls",),
        ("lane", "ls"),
        ("session", "ls"),
        ("terminal", "ls"),
        ("status",),
        ("events", "--since", "0", "--no-follow"),
    ):
        shown = standing.plane.lane(*words)
        assert not set(shown.stdout + shown.stderr) & set("\x1b\x07\u202e"), words


def test_errors_quote_what_was_wrong_without_raw_controls(standing: Standing) -> None:
    for words in (
        ("terminal", "show", "\x1b[2J"),
        ("lane", "attach", "a\x1b[2Jb"),
        ("read", "\x1b]0;x\x07.t1"),
        ("cleanup", "\x1b[2J", "--yes"),
    ):
        shown = standing.plane.lane(*words)
        assert shown.returncode != 0
        assert "\x1b" not in shown.stdout + shown.stderr, words
