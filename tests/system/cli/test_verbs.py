"""The verbs about lanes, sessions, terminals and events, against a real plane."""

import json
from typing import Any

from kit.cluster import Plane
from kit.waiting import wait_line


def told(plane: Plane, *words: str) -> dict[str, Any]:
    """Run a verb with --json and return its object."""
    done = plane.lane(words[0], *with_json(words[1:]))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["schema"] == 1
    return found


def with_json(words: tuple[str, ...]) -> list[str]:
    """Return the words of a verb with --json, before the command of a program."""
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], "--json", *words[end:]]


def refused(plane: Plane, status: int, code: str, *words: str) -> dict[str, Any]:
    """Run a verb with --json that is refused and return the error."""
    done = plane.lane(words[0], *with_json(words[1:]))
    error: dict[str, Any] = json.loads(done.stderr)
    assert (done.returncode, error["code"], done.stdout) == (status, code, "")
    return error


def test_a_lane_from_create_to_cleanup(shared_plane: Plane) -> None:
    made = told(shared_plane, "create", "one")
    assert made["created"]
    assert made["command_id"].startswith("cmd_")
    refused(shared_plane, 5, "ALREADY_EXISTS", "create", "one")
    assert not told(shared_plane, "create", "one", "--ensure")["created"]
    listed = told(shared_plane, "ls")
    assert [lane["name"] for lane in listed["lanes"]] == ["one"]
    assert listed["complete"]
    assert "one" in shared_plane.lane("ls").stdout
    told(shared_plane, "cleanup", "one")
    refused(shared_plane, 4, "LANE_NOT_FOUND", "cleanup", "one")


def test_a_repeated_key_is_answered_and_not_done_again(shared_plane: Plane) -> None:
    first = told(shared_plane, "create", "two", "--idempotency-key", "my-key")
    second = told(shared_plane, "create", "two", "--idempotency-key", "my-key")
    assert first == second
    assert first["command_id"] == "my-key"


def test_running_programs_are_not_ended_without_consent(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "busy", "--", "cat")
    refused(shared_plane, 3, "CONFIRMATION_NEEDED", "cleanup", "busy")
    refused(shared_plane, 3, "CONFIRMATION_NEEDED", "close", "busy")
    refused(shared_plane, 3, "CONFIRMATION_NEEDED", "down")
    assert told(shared_plane, "cleanup", "busy", "--dry-run")["dry_run"]
    assert told(shared_plane, "cleanup", "busy", "--yes")["ended"]["processes"] >= 1


def test_an_ambiguous_address_lists_the_choices(shared_plane: Plane) -> None:
    for _ in range(2):
        told(shared_plane, "run", "-d", "amb", "--", "cat")
    error = refused(shared_plane, 3, "INVALID_ARGUMENT", "read", "amb")
    assert len(error["details"]["choices"]) == 2


def test_a_terminal_by_hand(shared_plane: Plane) -> None:
    info = told(shared_plane, "terminal", "spawn", "hand", "--name", "sh", "--", "cat")["terminal"]
    assert info["name"] == "sh"
    assert told(shared_plane, "resize", "hand.sh", "100x30")["terminal"]["cols"] == 100
    assert told(shared_plane, "send", "hand", "hello", "--enter")["delivered"] == 6
    told(shared_plane, "send", "hand", "--eof")
    assert told(shared_plane, "wait", "hand", "--timeout", "20")["exit"]["code"] == 0
    assert "hello" in shared_plane.lane("read", "hand").stdout
    assert told(shared_plane, "respawn", "hand")["terminal"]["runs"] == 2
    told(shared_plane, "signal", "hand", "KILL", "--target", "leader")
    assert told(shared_plane, "wait", "hand", "--timeout", "20")["exit"]["signal"] == 9
    rows = told(shared_plane, "terminal", "ls", "hand")["terminals"]
    assert [row["state"] for row in rows] == ["stopped"]
    assert "SIGKILL" in shared_plane.lane("terminal", "ls").stdout
    told(shared_plane, "close", "hand.sh")
    refused(shared_plane, 4, "TERMINAL_NOT_FOUND", "read", "hand")


def test_waiting_too_long_is_told(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "slow", "--", "cat")
    error = refused(shared_plane, 8, "TIMEOUT", "wait", "slow", "--timeout", "0.3")
    assert "still runs" in error["message"]


def test_standard_input_is_typed_in(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "in", "--", "sh", "-c", "read a; read b; echo $b-$a")
    done = shared_plane.lane("send", "in", "--stdin", stdin="one\ntwo\n")
    assert done.returncode == 0
    followed = shared_plane.lane("read", "in", "--follow")
    assert followed.stdout.endswith("two-one\r\n")


def test_reading_what_is_there_does_not_wait_for_more(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "live", "--", "sh", "-c", "echo there; exec cat")
    found = ""
    while not found:
        found = shared_plane.lane("read", "live", "--raw").stdout
    assert found == "there\r\n"
    lines = shared_plane.lane("read", "live", "--from", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [2]


def test_sessions(shared_plane: Plane) -> None:
    told(shared_plane, "create", "ses")
    made = told(shared_plane, "session", "create", "ses:review", "--provider", "codex")
    assert made["session"]["provider"] == "codex"
    assert not told(shared_plane, "session", "create", "ses:review")["created"]
    names = [s["name"] for s in told(shared_plane, "session", "ls", "ses")["sessions"]]
    assert names == ["review"]
    holder = shared_plane.start_lane("session", "attach", "ses:review")
    with holder:
        assert holder.stdout is not None
        assert "attached" in wait_line(holder.stdout.fileno(), 10.0, "the attachment")
        listed = told(shared_plane, "session", "ls", "ses")["sessions"]
        assert listed[0]["status"] == "attached"
        holder.terminate()
        assert holder.wait(10) == 143
    told(shared_plane, "session", "terminate", "ses:review")
    assert "review" not in shared_plane.lane("session", "ls").stdout


def test_workspaces_and_context(shared_plane: Plane) -> None:
    told(shared_plane, "workspace", "create", "web", "--ensure", "--root", ".")
    told(shared_plane, "create", "web/api")
    assert "web/api" in shared_plane.lane("ls", "-w", "web").stdout
    space = told(shared_plane, "workspace", "open", "web")["workspace"]
    assert told(shared_plane, "context")["context"]["workspace_id"] == space["id"]
    assert "web" in shared_plane.lane("workspace", "ls").stdout
    refused(shared_plane, 4, "WORKSPACE_NOT_FOUND", "ls", "-w", "nowhere")


def test_events_tell_what_happened_in_order(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "ev", "--", "true")
    told(shared_plane, "wait", "ev", "--timeout", "20")
    done = shared_plane.lane("events", "--json")
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    numbers = [event["seq"] for event in seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(event["correlation_id"] for event in seen)
    assert "terminal.spawned" in {event["topic"] for event in seen}
    later = shared_plane.lane("events", "--since", str(numbers[-2])).stdout
    assert later.strip().startswith(str(numbers[-1]))


def test_following_events(shared_plane: Plane) -> None:
    follower = shared_plane.start_lane("events", "--follow", "--topic", "lane.created", "--json")
    with follower:
        assert follower.stdout is not None
        told(shared_plane, "create", "fol")
        while True:
            line = wait_line(follower.stdout.fileno(), 10.0, "lane.created", limit=65_536)
            if json.loads(line)["payload"]["lane"]["name"] == "fol":
                break
        follower.terminate()


def test_live_names_complete(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "complete", "--", "cat")
    environ = {"_LANE_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    done = shared_plane.lane(env={**environ, "COMP_WORDS": "lane attach comp"})
    assert "complete" in done.stdout
    done = shared_plane.lane(env={**environ, "COMP_WORDS": "lane attach complete:"})
    assert "complete:main" in done.stdout


def test_names_of_the_programs_cannot_paint_the_listing(shared_plane: Plane) -> None:
    told(shared_plane, "run", "-d", "esc", "--", "sh", "-c", "exec cat #\x1b]0;evil\x07")
    listed = shared_plane.lane("terminal", "ls").stdout
    assert "\x1b" not in listed
    assert "\\x1b]0;evil\\x07" in listed


def test_vv_shows_what_goes_over_the_wire_and_v_only_the_ids(shared_plane: Plane) -> None:
    quiet = shared_plane.lane("-v", "create", "seen")
    loud = shared_plane.lane("-vv", "create", "seen")
    assert quiet.returncode == 0
    assert [line.split()[0] for line in quiet.stderr.splitlines()] == ["lane.create:"]
    assert loud.returncode == 5
    lines = loud.stderr.splitlines()
    sent = next(line for line in lines if line.startswith("-> lane.create cmd_"))
    answer = next(line for line in lines if line.startswith("<- lane.create cmd_"))
    assert sent.split()[2] == answer.split()[2]
    assert " ALREADY_EXISTS in " in answer
    assert " ms" in answer
    listing = shared_plane.lane("-vv", "ls")
    assert "<- lane.list cmd_" in listing.stderr
    assert "->" not in listing.stdout
    shown = shared_plane.lane("-vv", "run", "seen", "--", "echo", "a secret word")
    assert shown.stdout == "a secret word\n"
    assert "<- terminal.spawn cmd_" in shown.stderr
    assert "secret" not in shown.stderr


def test_doctor_asks_a_plane_that_runs(shared_plane: Plane) -> None:
    report = json.loads(shared_plane.lane("doctor", "--json").stdout)
    grades = {finding["name"]: finding["grade"] for finding in report["findings"]}
    assert [grades[name] for name in ("plane", "version", "metrics")] == ["ok", "ok", "ok"]
