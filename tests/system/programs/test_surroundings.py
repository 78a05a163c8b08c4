"""What a program finds when it starts, and what is said at once when it cannot start."""

import os
import resource
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import processes
from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import wait_until
from lanekeeper.client import Lane, LaneError, SpawnFailed
from lanekeeper.client import Plane as Connected

OWN = {"LANEKEEPER_DIR", "LANEKEEPER_LANE", "LANEKEEPER_SESSION", "LANEKEEPER_TERMINAL"}


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    with shared_plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("starts")


def open_files(pid: int) -> set[str]:
    return {entry.name for entry in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.mark.parametrize("kind", ["tty", "pipe"])
def test_a_program_has_three_descriptors_and_no_more(lane: Lane, kind: str) -> None:
    others = [lane.spawn(["sleep", "600"], stdin="pipe") for _ in range(3)]
    terminal = lane.spawn(["sleep", "600"], stdin="pipe" if kind == "pipe" else "tty")
    for one in (*others, terminal):
        pid = one.info.pid
        assert pid is not None
        assert open_files(pid) == {"0", "1", "2"}
    target = Path(f"/proc/{terminal.info.pid}/fd/0").readlink()
    assert str(target).startswith("pipe:" if kind == "pipe" else "/dev/pts/")


def test_a_program_knows_where_it_runs_and_nothing_of_the_plane(lane: Lane) -> None:
    terminal = lane.spawn(["sleep", "600"], env={"PATH": os.environ["PATH"], "WORD": "žluť"})
    pid = terminal.info.pid
    assert pid is not None
    seen = processes.look(pid)
    assert seen is not None
    environ = dict(seen.environ)
    # Under coverage every exec carries the settings of the measurement along.
    assert environ.keys() - {"COVERAGE_PROCESS_CONFIG"} == OWN | {"PATH", "WORD", "TERM"}
    assert environ["LANEKEEPER_LANE"] == lane.id
    assert environ["LANEKEEPER_SESSION"] == terminal.info.session_id
    assert environ["LANEKEEPER_TERMINAL"] == terminal.id
    assert environ["TERM"] == "xterm-256color"
    assert environ["WORD"] == "žluť"


def test_the_planes_own_names_never_reach_a_program(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = {"LANEKEEPER_PLANE": "x", "LANEKEEPER_ROLE": "broker", "LANEKEEPER_LANE": "lane_x"}
    done = lane.run(["/usr/bin/env"], env={"KEPT": "1", "TERM": "dumb", **forged})
    lines = done.output.decode().splitlines()
    assert "KEPT=1" in lines
    assert "TERM=dumb" in lines
    assert f"LANEKEEPER_LANE={lane.id}" in lines
    assert not [line for line in lines if line.startswith(("LANEKEEPER_PL", "LANEKEEPER_RO"))]
    monkeypatch.setenv("LANEKEEPER_PLANE", "y")
    assert b"LANEKEEPER_PLANE" not in lane.run(["/usr/bin/env"]).output


def test_a_program_leads_its_own_session_with_its_terminal(lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "ps -o pid=,pgid=,sid=,tpgid= -p $$; tty; exec sleep 600"])
    with Observer(terminal) as seen:
        seen.until(b"/dev/pts/")
    pid = terminal.info.pid
    assert bytes(seen.data).splitlines()[0].split()[:3] == [str(pid).encode()] * 3


def test_the_callers_surroundings_arrive(
    shared_plane: Plane, lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a place with ž"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("LK_TEST_VALUE", "two words\nand a line")
    before = os.umask(0o037)
    try:
        script = 'pwd; umask; printf "%s" "$LK_TEST_VALUE"; touch made'
        done = lane.run(["sh", "-c", script])
    finally:
        os.umask(before)
    assert done.output.decode() == f"{place}\n0037\ntwo words\nand a line"
    assert stat.S_IMODE((place / "made").stat().st_mode) == 0o640
    monkeypatch.delenv("LK_TEST_VALUE")
    typed = shared_plane.lane("run", "starts", "--", "pwd", cwd=place)
    assert typed.stdout == f"{place}\n"


def test_limits_are_set_as_asked(lane: Lane) -> None:
    script = (
        "import resource as r\n"
        "print(*r.getrlimit(r.RLIMIT_NOFILE), *r.getrlimit(r.RLIMIT_CORE),"
        " *r.getrlimit(r.RLIMIT_FSIZE))"
    )
    limits = [
        (resource.RLIMIT_NOFILE, 123, 456),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 1 << 40, -1),
    ]
    done = lane.run([sys.executable, "-c", script], limits=limits)
    assert done.output.split() == [b"123", b"456", b"0", b"0", str(1 << 40).encode(), b"-1"]
    plain = lane.run([sys.executable, "-c", script])
    # The daemons raise their own limit; a program gets that of who started the plane.
    expected = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert plain.output.split()[:2] == [str(number).encode() for number in expected]


def test_words_that_are_not_utf8_arrive(lane: Lane, tmp_path: Path) -> None:
    script = b"import os, sys; sys.stdout.buffer.write(os.fsencode(sys.argv[1]) + b'|' + "
    script += b"os.environb[b'RAW'])"
    done = lane.run(
        [sys.executable, "-c", script, b"\xff\xfe"],
        env={"RAW": b"\x80", "PATH": "/usr/bin:/bin"},
        cwd=os.fsencode(tmp_path),
    )
    assert done.output == b"\xff\xfe|\x80"


def refused_programs(folder: Path) -> dict[str, tuple[list[str], dict[str, str], str]]:
    plain = folder / "plain"
    plain.write_text("no program", "utf-8")
    script = folder / "script"
    script.write_text("#!/no/such/interpreter\n", "utf-8")
    garbage = folder / "garbage"
    garbage.write_bytes(b"\x7fELF garbage")
    for path in (script, garbage):
        path.chmod(0o755)
    missing = str(folder / "absent")
    return {
        "not there": ([missing], {}, "exec: No such file or directory (errno 2)"),
        "not on PATH": (["no-such-program-9"], {}, "exec: No such file or directory (errno 2)"),
        "not executable": ([str(plain)], {}, "exec: Permission denied (errno 13)"),
        "a directory": ([str(folder)], {}, "exec: Permission denied (errno 13)"),
        "no interpreter": ([str(script)], {}, "exec: No such file or directory (errno 2)"),
        "not a binary": ([str(garbage)], {}, "exec: Exec format error (errno 8)"),
        "cwd not there": (["true"], {"cwd": missing}, "chdir: No such file or directory (errno 2)"),
        "cwd a file": (["true"], {"cwd": str(plain)}, "chdir: Not a directory (errno 20)"),
    }


CASES = (
    "not there",
    "not on PATH",
    "not executable",
    "a directory",
    "no interpreter",
    "not a binary",
    "cwd not there",
    "cwd a file",
)


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_run_is_refused_with_the_systems_reason(
    shared_plane: Plane, lane: Lane, tmp_path: Path, case: str
) -> None:
    argv, options, reason = refused_programs(tmp_path)[case]
    lane.run(["true"])  # the session and the nursery's channel are there now
    worker = lane.refresh().pid
    assert worker is not None
    before = len(open_files(worker))  # one that is just being closed may be among them
    for _ in range(3):
        with pytest.raises(SpawnFailed) as caught:
            lane.spawn(argv, cwd=options.get("cwd"))
        assert reason in str(caught.value)
    wait_until(lambda: len(open_files(worker)) <= before, 5, "descriptors as they were")
    left = [s for s in processes.everybody() if s.variable("LANEKEEPER_LANE") == lane.id]
    assert [str(one) for one in left] == []
    listed = shared_plane.lane("terminal", "ls", "starts", "--json")
    assert listed.stdout.count('"runs"') == 1
    assert lane.run(["echo", "fine"]).output == b"fine\n"


@pytest.mark.parametrize(
    ("limit", "reason"),
    [((resource.RLIMIT_NOFILE, 20, 10), "limits:"), ((99, 1, 1), "limits:")],
)
def test_limits_that_cannot_be_set_are_refused(
    lane: Lane, limit: tuple[int, int, int], reason: str
) -> None:
    for _ in range(15):  # the child ends before, while and after the lane hears that it exists
        with pytest.raises(SpawnFailed, match=reason):
            lane.spawn(["true"], limits=[limit])


def test_the_command_line_says_why_a_program_did_not_start(shared_plane: Plane) -> None:
    done = shared_plane.lane("run", "starts", "--", "/no/such/program")
    assert done.returncode != 0
    assert "No such file or directory" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("argv", "env", "code"),
    [
        ([""], {}, "INVALID_ARGUMENT"),
        (["echo", "nul\0inside"], {}, "INVALID_ARGUMENT"),
        (["echo"], {"A=B": "1"}, "INVALID_ARGUMENT"),
        (["echo"], {"": "1"}, "INVALID_ARGUMENT"),
        (["echo", "x" * 70_000], {}, "LIMIT_EXCEEDED"),
        (["echo"], {"BIG": "x" * 100_000}, "LIMIT_EXCEEDED"),
        (["echo", *["x"] * 300], {}, "INVALID_ARGUMENT"),
    ],
    ids=["empty", "NUL", "equals", "nameless", "long", "large", "many"],
)
def test_words_no_program_can_have_are_refused(
    lane: Lane, argv: list[str], env: dict[str, str], code: str
) -> None:
    with pytest.raises(LaneError) as caught:
        lane.spawn(argv, env=env)
    assert caught.value.code == code
