"""One person writes at a terminal: the second looks on, and taking over is a key away."""

import json
import re
import signal
import subprocess
from contextlib import ExitStack

from kit.cluster import LANE, Plane
from kit.typist import Typist
from kit.waiting import wait_until


def start(plane: Plane, name: str, *command: str) -> None:
    """Start a program nobody is attached to."""
    done = plane.lane("run", "-d", name, "--", *command)
    assert done.returncode == 0, done.stderr


def shown(plane: Plane, name: str) -> dict[str, object]:
    """Return a terminal as `terminal show` has it."""
    terminal = json.loads(plane.lane("terminal", "show", name, "--json").stdout)["terminal"]
    assert isinstance(terminal, dict)
    return terminal


def test_the_second_looks_on_and_takes_over_with_a_key(shared_plane: Plane) -> None:
    start(shared_plane, "two", "env", "PS1=in> ", "sh")
    with ExitStack() as leave:
        first = Typist([LANE, "attach", "two"], env=shared_plane.env, cols=70, rows=20)
        leave.enter_context(first)
        first.enter("stty size")
        first.expect("20 70")
        second = Typist([LANE, "attach", "two"], env=shared_plane.env, cols=90, rows=30)
        leave.enter_context(second)
        second.expect(re.compile(r"looking on.*ctrl-t takes over", re.DOTALL))
        second.enter("echo not-$((1))-this")
        second.resize(91, 31)
        first.enter("stty size; echo still-$((40+2))")
        second.expect("still-42")
        assert "not-1-this" not in second.received.decode("utf-8", "replace")
        assert (shown(shared_plane, "two")["cols"], shown(shared_plane, "two")["rows"]) == (70, 20)
        second.press("ctrl-t")
        second.expect("you write now")
        first.expect(re.compile(r"still-42.*looking on", re.DOTALL))
        # It is on the screen, not in it: what the program printed comes back.
        assert "still-42" in first.expect_gone("looking on")
        second.enter("stty size")
        second.expect("31 91")
        first.press("ctrl-t")
        first.expect("you write now")
        second.expect("looking on")
        first.press("ctrl-]")
        assert first.expect_exit() == 0
        second.press("ctrl-]")
        assert second.expect_exit() == 0
    assert shown(shared_plane, "two")["writer"] is None


def test_what_is_sent_and_resized_by_others_is_refused_with_a_reason(shared_plane: Plane) -> None:
    start(shared_plane, "held", "cat")
    with Typist([LANE, "attach", "held"], env=shared_plane.env) as person:
        person.expect_bytes(b"detaches")
        person.enter("hello")
        person.expect("hello")
        writer = shown(shared_plane, "held")["writer"]
        assert isinstance(writer, dict)
        assert writer["tty"] is True
        for verb in (("send", "held", "x", "--enter"), ("resize", "held", "99x9")):
            done = shared_plane.lane(*verb)
            assert done.returncode == 5
            assert "lane attach --take" in done.stderr
        assert "tty" in shared_plane.lane("terminal", "ls", "held").stdout
        lanes = json.loads(shared_plane.lane("ls", "--json").stdout)["lanes"]
        assert [lane["writers"] for lane in lanes if lane["name"] == "held"] == [1]
        person.press("ctrl-]")
        assert person.expect_exit() == 0
    assert shared_plane.lane("send", "held", "x", "--enter").returncode == 0


def test_take_takes_over_at_once(shared_plane: Plane) -> None:
    start(shared_plane, "taken", "cat")
    with Typist([LANE, "attach", "taken"], env=shared_plane.env) as first:
        first.enter("one")
        first.expect("one")
        with Typist([LANE, "attach", "taken", "--take"], env=shared_plane.env) as second:
            first.expect("looking on")
            second.enter("two")
            first.expect("two")


def test_a_person_whose_attach_was_stopped_writes_again(shared_plane: Plane) -> None:
    start(shared_plane, "stopped", "cat")
    with Typist([LANE, "attach", "stopped"], env=shared_plane.env) as person:
        person.expect_bytes(b"detaches")
        person.enter("before")
        person.expect("before")
        person.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: shown(shared_plane, "stopped")["writer"] is None, 20.0, "expired lease")
        person.process.send_signal(signal.SIGCONT)
        person.enter("after")
        person.expect("after")
        assert shown(shared_plane, "stopped")["writer"] is not None


def test_a_run_that_feeds_a_program_is_its_writer_until_the_end_of_its_input(
    shared_plane: Plane,
) -> None:
    command = [LANE, "run", "fed", "--", "sh", "-c", "cat; exec sleep 60"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=shared_plane.env
    ) as run:
        stdin, stdout = run.stdin, run.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"hello\n")
        stdin.flush()
        assert stdout.readline() == b"hello\n"
        refused = shared_plane.lane("send", "fed", "no")
        assert refused.returncode == 5, refused.stderr
        stdin.close()
        wait_until(lambda: shown(shared_plane, "fed")["writer"] is None, 20.0, "free lease")
        run.terminate()
        run.wait(20)


def test_an_interactive_run_is_the_writer_from_the_start(shared_plane: Plane) -> None:
    with Typist([LANE, "run", "mine", "--", "cat"], env=shared_plane.env) as person:
        person.enter("hello")
        person.expect(re.compile(r"hello.*hello", re.DOTALL))
        writer = shown(shared_plane, "mine")["writer"]
        assert isinstance(writer, dict)
        assert writer["tty"] is True
