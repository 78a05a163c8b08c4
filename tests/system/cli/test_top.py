"""`lane top` as a person uses it at a terminal, and as a script does."""

import json
import re
import signal

import pytest

from kit.cluster import LANE, Plane
from kit.typist import Typist

TOP = [LANE, "top"]


def start(plane: Plane, *names: str) -> None:
    """Make lanes with a shell each."""
    for name in names:
        done = plane.lane("run", "-d", name, "--", "env", "PS1=in> ", "sh")
        assert done.returncode == 0, done.stderr


def test_lanes_are_shown_filtered_and_visited(shared_plane: Plane) -> None:
    start(shared_plane, "alpha", "beta")
    with Typist(TOP, env=shared_plane.env) as person:
        modes = person.modes()
        person.expect(">alpha")
        person.expect("lanes: 2 (2 running)")
        person.press("down")
        person.expect(">beta")
        person.type("/alp")
        person.expect_gone("beta")
        person.press("enter")
        person.expect("(1 match)")
        person.press("enter")
        person.expect("in>")
        person.enter("echo $((40+2))")
        person.expect("42")
        person.press("ctrl-]")
        person.expect("detached from alpha")
        person.expect(">alpha")
        person.type("q")
        assert person.expect_exit() == 0
        assert person.modes() == modes
        assert person.screen.cursor_visible
        assert person.received.count(b"\x1b[?1049h") == person.received.count(b"\x1b[?1049l")
    shown = shared_plane.lane("terminal", "show", "alpha", "--json")
    assert json.loads(shown.stdout)["terminal"]["exit"] is None


def test_one_of_several_terminals_is_picked(shared_plane: Plane) -> None:
    start(shared_plane, "many")
    assert shared_plane.lane("terminal", "spawn", "many", "--", "cat").returncode == 0
    with Typist(TOP, env=shared_plane.env) as person:
        person.expect("2/2")
        person.press("enter")
        person.expect("which one?")
        person.press("down", "enter")
        person.expect_gone("which one?")
        person.enter("to the cat")
        person.expect("to the cat")
        person.press("ctrl-]")
        person.expect("detached from default/many:main.t2")
        person.press("ctrl-c")
        assert person.expect_exit() == 130


def test_commands_in_words(shared_plane: Plane) -> None:
    start(shared_plane, "alpha", "beta")
    with Typist([*TOP, "--interval", "3600"], env=shared_plane.env, cols=100) as person:
        modes = person.modes()
        person.expect(">alpha")
        person.type(":so")
        person.expect("sort COLUMN")
        person.press("tab")
        person.enter("nme")
        person.expect("no column 'nme'")
        person.press("ctrl-w")
        person.type("na")
        person.press("tab", "enter")
        person.expect("LANE^")
        person.enter(":reverse")
        person.expect(">beta")
        person.enter(":filter alp")
        person.expect_gone("beta")
        person.enter(":interval 0.5")
        person.expect("a look every 0.5 s")
        start(shared_plane, "alpine")
        person.expect("alpine")
        person.type(":attach b")
        person.press("tab", "enter")
        person.expect("in>")
        person.enter("echo $((40+2))")
        person.expect("42")
        person.press("ctrl-]")
        person.expect("detached from beta")
        person.enter(":attach nobody")
        person.expect(re.compile("no lane.*nobody"))
        person.type(":")
        person.press("escape")
        person.expect("q quit")
        person.enter(":q")
        assert person.expect_exit() == 0
        assert person.modes() == modes


def test_a_program_that_ends_brings_the_person_back_with_its_status(shared_plane: Plane) -> None:
    start(shared_plane, "ends")
    with Typist(TOP, env=shared_plane.env) as person:
        person.expect(">ends")
        person.press("enter")
        person.expect("in>")
        person.enter("exit 6")
        person.expect("the program has ended: exit 6")
        person.type("q")
        assert person.expect_exit() == 0


def test_a_window_that_changes_its_size(shared_plane: Plane) -> None:
    start(shared_plane, *(f"lane{number}" for number in range(4)))
    with Typist([*TOP, "--sort", "name"], env=shared_plane.env) as person:
        person.expect("lanes: 4")
        person.resize(130, 30)
        person.expect("HELD")
        person.resize(40, 9)
        person.expect_gone("HELD")
        person.expect(">lane0")
        person.press("down", "down", "down")
        person.expect(">lane3")
        person.resize(80, 24)
        person.expect("BACKLOG")
        person.type("q")
        assert person.expect_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was(
    shared_plane: Plane, number: signal.Signals
) -> None:
    with Typist(TOP, env=shared_plane.env) as person:
        modes = person.modes()
        person.expect("lanes: 0")
        person.process.send_signal(number)
        assert person.expect_exit() == 128 + number
        assert person.modes() == modes
        assert person.screen.cursor_visible


def test_stopped_and_continued_it_draws_again(shared_plane: Plane) -> None:
    with Typist(TOP, env=shared_plane.env) as person:
        person.expect("lanes: 0")
        modes = person.modes()
        person.process.send_signal(signal.SIGSTOP)
        person.process.send_signal(signal.SIGCONT)
        person.expect_bytes(b"\x1b[?1049l")
        person.expect("q quit")
        assert person.modes() == modes
        person.type("q")
        assert person.expect_exit() == 0


def test_a_plane_that_dies_is_said_and_seen_again_when_it_is_back(plane: Plane) -> None:
    start(plane, "before")
    with Typist(TOP, env=plane.env) as person:
        modes = person.modes()
        person.expect(">before")
        assert plane.lane("down", "--yes").returncode == 0
        person.expect("no answer", 15.0)
        person.expect(">before")
        person.type("?")  # the keys are not held up
        person.expect("any key goes back")
        person.type("x")
        assert plane.lane("up", "--detach").returncode == 0
        person.expect("answers", 15.0)
        person.expect("no lanes")
        person.type("q")
        assert person.expect_exit() == 0
        assert person.modes() == modes


def test_without_a_terminal_it_is_a_table(shared_plane: Plane) -> None:
    start(shared_plane, "one", "two")
    done = shared_plane.lane("top", "--sort", "name")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "lanes: 2 (2 running)"
    assert [line.split()[0] for line in lines[3:]] == ["LANE", "one", "two"]
    assert "\x1b" not in done.stdout
    done = shared_plane.lane("top", "--filter", "^t", "--count", "2", "--interval", "0.5")
    assert done.stdout.count("\ntwo ") == 2
    assert "\none " not in done.stdout


def test_json_is_one_object_a_look(shared_plane: Plane) -> None:
    start(shared_plane, "one")
    done = shared_plane.lane("top", "--json", "--count", "2", "--interval", "0.5")
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) == 2
    assert looks[0]["schema"] == 1
    assert looks[0]["lanes_total"] == 1
    assert looks[0]["lanes"][0]["address"] == "one"
    assert looks[0]["time"] < looks[1]["time"]


def test_what_is_wrong_is_refused(shared_plane: Plane) -> None:
    for options, status, word in (
        (["--filter", "("], 2, "no pattern"),
        (["--sort", "nothing"], 2, "--sort"),
        (["--workspace", "nowhere"], 4, "nowhere"),
    ):
        done = shared_plane.lane("top", *options)
        assert done.returncode == status
        assert word in done.stderr
