"""`lane run` as a pipe and as a person sees it: bytes, ends, statuses, signals."""

import base64
import json
import os
import re
import signal
from pathlib import Path

from kit.cluster import LANE, Plane
from kit.typist import Typist
from kit.waiting import wait_until


def test_the_exit_status_is_the_programs_own(shared_plane: Plane) -> None:
    assert shared_plane.lane("run", "a", "--", "sh", "-c", "exit 7").returncode == 7
    assert shared_plane.lane("run", "a", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert shared_plane.lane("run", "a", "--", "true").returncode == 0


def test_bytes_pass_unchanged_both_ways(shared_plane: Plane) -> None:
    data = os.urandom(1_500_000) + bytes(range(256)) * 16
    done = shared_plane.lane_bytes("run", "pipe", "--", "cat", stdin=data)
    assert done.returncode == 0
    assert done.stdout == data


def test_a_program_that_reads_nothing_does_not_hang_the_run(shared_plane: Plane) -> None:
    done = shared_plane.lane_bytes("run", "deaf", "--", "true", stdin=b"x" * 3_000_000)
    assert done.returncode == 0


def test_a_closed_stdout_ends_the_run_quietly(shared_plane: Plane) -> None:
    with shared_plane.start_lane("run", "--rm", "head", "--", "sh", "-c", "yes") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4) == b"y\ny\n"
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr.read() == b""
    wait_until(lambda: not lanes_of(shared_plane), 10.0, "end of the lane that --rm made")


def lanes_of(plane: Plane) -> list[str]:
    """Return the names of the lanes."""
    found = json.loads(plane.lane("ls", "--json").stdout)
    return [str(lane["name"]) for lane in found["lanes"]]


def test_signals_go_to_the_program_each_time(shared_plane: Plane) -> None:
    script = (
        "trap 'echo got INT' INT; trap 'echo bye; exit 9' TERM; echo up; while :; do read x; done"
    )
    process = shared_plane.start_lane("run", "sig", "--stdin", "none", "--", "sh", "-c", script)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline().endswith(b"got INT\n")
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline().endswith(b"bye\n")
        assert process.wait(10) == 9


def test_the_program_takes_over_directory_environment_umask_and_limits(
    shared_plane: Plane, tmp_path: Path
) -> None:
    script = 'pwd; echo "$COLOUR" "$LANEKEEPER_LANE" "$LANEKEEPER_MINE"; umask; ulimit -c'
    done = shared_plane.lane(
        "run",
        "env",
        "--env",
        "COLOUR=green",
        "--",
        "sh",
        "-c",
        script,
        cwd=tmp_path,
        env={"LANEKEEPER_MINE": "plane's own", "COLOUR": "red"},
    )
    where, words, umask, cores = done.stdout.splitlines()
    assert where == str(tmp_path)
    assert words.startswith("green lane_")
    assert "own" not in words
    mine = os.umask(0o022)
    os.umask(mine)
    assert int(umask, 8) == mine
    assert cores


def test_detached_prints_ids_and_comes_back_at_once(shared_plane: Plane) -> None:
    done = shared_plane.lane("run", "-d", "--json", "bg", "--", "sh", "-c", "echo out; exit 3")
    info = json.loads(done.stdout)["terminal"]
    assert done.returncode == 0
    waited = shared_plane.lane("wait", "bg", "--json", "--timeout", "20")
    assert json.loads(waited.stdout)["exit"]["code"] == 3
    assert shared_plane.lane("read", f"bg.{info['name']}", "--raw").stdout == "out\r\n"


def test_json_lines(shared_plane: Plane) -> None:
    done = shared_plane.lane("run", "--json", "jl", "--", "sh", "-c", "echo hi; exit 4")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 4
    assert [told[0]["event"], told[-1]["event"]] == ["started", "exited"]
    output = b"".join(base64.b64decode(t["data"]) for t in told if t["event"] == "output")
    assert output == b"hi\n"
    assert told[-1]["exit"]["code"] == 4


def test_a_repeated_idempotency_key_joins_the_first_run(
    shared_plane: Plane, tmp_path: Path
) -> None:
    words = (
        "run",
        "once",
        "--idempotency-key",
        "k-1",
        "--",
        "sh",
        "-c",
        "echo ran >> log; echo $$",
    )
    first = shared_plane.lane(*words, cwd=tmp_path)
    second = shared_plane.lane(*words, cwd=tmp_path)
    assert first.stdout == second.stdout != ""
    assert (tmp_path / "log").read_text() == "ran\n"


def test_a_missing_program_is_told(shared_plane: Plane) -> None:
    done = shared_plane.lane("run", "none", "--", "/no/such/program")
    assert done.returncode == 1
    assert "SPAWN_FAILED" in done.stderr


def test_a_person_runs_a_shell(shared_plane: Plane) -> None:
    command = [LANE, "run", "shell", "--", "env", "PS1=in> ", "sh"]
    with Typist(command, env=shared_plane.env, cols=90, rows=20) as person:
        before = person.modes()
        person.expect("in>")
        assert person.modes() != before, "raw mode"
        person.enter("stty size")
        person.expect(re.compile(r"20 90\s+in>"))
        person.resize(100, 30)
        person.enter("stty size")
        person.expect(re.compile(r"30 100\s+in>"))
        person.enter("cat")
        person.enter("twice")
        person.expect(re.compile(r"twice\s+twice"))
        person.press("ctrl-c")
        person.expect(re.compile(r"\^C\s+in>"))
        person.enter("echo still $((40+2))")
        person.expect("still 42")
        person.enter("exit 5")
        assert person.expect_exit() == 5
        assert person.modes() == before


def test_detaching_from_a_run_with_rm_leaves_the_program(shared_plane: Plane) -> None:
    command = [LANE, "run", "--rm", "--detach-key", "ctrl-a", "stays", "--", "cat"]
    with Typist(command, env=shared_plane.env) as person:
        person.enter("hello")
        person.expect(re.compile(r"hello\s+hello"))
        person.press("ctrl-a")
        assert person.expect_exit() == 0
        person.expect("lane attach stays")
    shown = json.loads(shared_plane.lane("terminal", "show", "stays", "--json").stdout)
    assert shown["terminal"]["exit"] is None


def test_a_closed_window_says_that_the_program_goes_on(shared_plane: Plane, tmp_path: Path) -> None:
    program = [LANE, "run", "shut", "--", "sh", "-c", "trap '' HUP; echo up; exec cat"]
    command = ["sh", "-c", 'exec "$@" 2>told', "sh", *program]
    with Typist(command, env=shared_plane.env, cwd=tmp_path) as person:
        person.expect("up")
        person.hang_up()
    assert person.process.returncode == 128 + signal.SIGHUP
    assert "detached by SIGHUP; the program goes on" in (tmp_path / "told").read_text()
    shown = json.loads(shared_plane.lane("terminal", "show", "shut", "--json").stdout)
    assert shown["terminal"]["exit"] is None


def test_a_pager_that_waits_loses_nothing(shared_plane: Plane) -> None:
    """Longer than a lease without renewal lives, nobody reads stdout; then everything is there."""
    script = "i=0; while [ $i -lt 30000 ]; do echo line $i of a long output; i=$((i+1)); done"
    process = shared_plane.start_lane("run", "pager", "--", "sh", "-c", script)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        first = process.stdout.readline()
        renewed = shared_plane.lane("wait", "pager", "--timeout", "7")
        rest = process.stdout.read()
        assert process.wait(20) == 0
    assert renewed.returncode in {0, 8}
    lines = (first + rest).decode().splitlines()
    assert lines == [f"line {i} of a long output" for i in range(30_000)]
