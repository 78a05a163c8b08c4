"""`lane attach` as a person uses it, at a real terminal."""

import json
import signal

import pytest

from kit.cluster import LANE, Plane
from kit.typist import Typist


def start(plane: Plane, name: str, *command: str) -> None:
    """Start a program nobody is attached to."""
    done = plane.lane("run", "-d", name, "--", *command)
    assert done.returncode == 0, done.stderr


def test_history_then_live_then_detach_then_again(shared_plane: Plane) -> None:
    start(shared_plane, "sh", "env", "PS1=in> ", "sh")
    shared_plane.lane("send", "sh", "echo before", "--enter")
    for word in ("first", "second"):
        with Typist([LANE, "attach", "sh"], env=shared_plane.env, cols=70, rows=20) as person:
            modes = person.modes()
            person.expect_bytes(b"ctrl-] detaches")
            person.expect("before")
            person.enter(f"echo {word} $((2+3)); stty size")
            person.expect(f"{word} 5")
            person.expect("20 70")
            person.press("ctrl-]")
            assert person.expect_exit() == 0
            person.expect("detached")
            assert person.modes() == modes
    assert shared_plane.lane("terminal", "show", "sh", "--json").returncode == 0


def test_the_status_of_the_program_that_ends(shared_plane: Plane) -> None:
    start(shared_plane, "ends", "sh")
    with Typist([LANE, "attach", "ends"], env=shared_plane.env) as person:
        person.expect_bytes(b"detaches")
        person.enter("exit 6")
        assert person.expect_exit() == 6
        person.expect("exit 6")


def test_a_program_that_has_ended_is_shown_with_its_status(shared_plane: Plane) -> None:
    start(shared_plane, "over", "sh", "-c", "echo what it said; exit 3")
    shared_plane.lane("wait", "over", "--timeout", "20")
    with Typist([LANE, "attach", "over"], env=shared_plane.env) as person:
        assert person.expect_exit() == 3
        person.expect("what it said")


def test_read_only_sends_no_keys_and_no_size(shared_plane: Plane) -> None:
    start(shared_plane, "ro", "cat")
    with Typist([LANE, "attach", "ro", "-r"], env=shared_plane.env, cols=60, rows=15) as person:
        person.expect_bytes(b"read-only")
        person.enter("nobody hears this")
        shared_plane.lane("send", "ro", "somebody speaks", "--enter")
        person.expect("somebody speaks")
        person.press("ctrl-]")
        assert person.expect_exit() == 0
        assert b"nobody hears" not in person.received
    shown = json.loads(shared_plane.lane("terminal", "show", "ro", "--json").stdout)["terminal"]
    assert (shown["cols"], shown["rows"]) == (80, 24)


def test_old_questions_are_not_asked_again(shared_plane: Plane) -> None:
    start(shared_plane, "ask", "sh", "-c", r"printf 'a\033[6nb\033[cc\n'; exec cat")
    with Typist([LANE, "attach", "ask"], env=shared_plane.env) as person:
        person.expect("abc")
        person.press("ctrl-]")
        assert person.expect_exit() == 0
        assert person.answered == []


def test_a_program_on_the_alternate_screen_leaves_a_clean_terminal(shared_plane: Plane) -> None:
    start(
        shared_plane, "alt", "sh", "-c", r"printf '\033[?1049h\033[?25l\033[?1000hfull'; exec cat"
    )
    with Typist([LANE, "attach", "alt"], env=shared_plane.env) as person:
        person.expect("full")
        person.press("ctrl-]")
        assert person.expect_exit() == 0
        for undone in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
            assert undone in person.received


def test_another_detach_key(shared_plane: Plane) -> None:
    start(shared_plane, "key", "cat")
    command = [LANE, "attach", "key", "--detach-key", "ctrl-a"]
    with Typist(command, env=shared_plane.env) as person:
        person.expect_bytes(b"ctrl-a detaches")
        person.press("ctrl-]", "ctrl-a")
        assert person.expect_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal_and_leaves_the_program(
    shared_plane: Plane, number: signal.Signals
) -> None:
    start(shared_plane, "sig", "cat")
    with Typist([LANE, "attach", "sig"], env=shared_plane.env) as person:
        modes = person.modes()
        person.expect_bytes(b"detaches")
        person.enter("here")
        person.expect("here")
        person.process.send_signal(number)
        assert person.expect_exit() == 128 + number
        assert person.modes() == modes
    shown = json.loads(shared_plane.lane("terminal", "show", "sig", "--json").stdout)
    assert shown["terminal"]["exit"] is None


def test_a_closed_window_leaves_the_program(shared_plane: Plane) -> None:
    start(shared_plane, "win", "cat")
    with Typist([LANE, "attach", "win"], env=shared_plane.env) as person:
        person.expect_bytes(b"detaches")
        person.hang_up()
    shown = json.loads(shared_plane.lane("terminal", "show", "win", "--json").stdout)
    assert shown["terminal"]["exit"] is None


def test_a_program_whose_input_has_ended_is_left_by_the_key(shared_plane: Plane) -> None:
    with shared_plane.start_lane("run", "fed", "--", "sh", "-c", "cat; echo over; sleep 60") as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.close()
        assert run.stdout.readline() == b"over\n"
        with Typist([LANE, "attach", "fed"], env=shared_plane.env) as person:
            person.expect_bytes(b"detaches")
            person.type("nobody reads this")
            person.press("ctrl-]")
            assert person.expect_exit() == 0
        run.terminate()
        assert run.wait(10) == 143


def test_without_a_terminal_it_says_what_to_use(shared_plane: Plane) -> None:
    start(shared_plane, "pipe", "cat")
    done = shared_plane.lane("attach", "pipe")
    assert done.returncode == 3
    assert "lane read pipe --follow" in done.stderr


def test_the_end_of_the_plane_restores_the_terminal(plane: Plane) -> None:
    start(plane, "gone", "cat")
    with Typist([LANE, "attach", "gone"], env=plane.env) as person:
        modes = person.modes()
        person.expect_bytes(b"detaches")
        person.enter("here")
        person.expect("here")
        assert plane.lane("down", "--yes").returncode == 0
        assert person.expect_exit(30.0) != 0
        assert person.modes() == modes


def test_what_goes_over_the_wire_is_not_shown_on_the_programs_screen(shared_plane: Plane) -> None:
    start(shared_plane, "wire", "cat")
    with Typist([LANE, "-vv", "attach", "wire"], env=shared_plane.env) as person:
        person.expect_bytes(b"ctrl-] detaches")
        person.enter("typed")
        person.expect("typed")
        person.press("ctrl-]")
        assert person.expect_exit() == 0
        assert b"-> terminal.lease" in person.received
        assert b"terminal.input" not in person.received
