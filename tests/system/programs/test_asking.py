"""Programs that ask their terminal get answers though nobody is attached, and each once."""

import ast
import sys

import pytest

from kit.cluster import Plane

ASKER = """\
import os, select, termios, time, tty
before = termios.tcgetattr(0)
tty.setraw(0)
answers = []
for question in {questions!r}:
    for piece in question:
        os.write(1, piece)
        time.sleep(0.02 * (len(question) > 1))
    answer = b""
    while select.select([0], [], [], 10 if not answer else 0.2)[0]:
        answer += os.read(0, 4096)
    answers.append(answer)
termios.tcsetattr(0, termios.TCSANOW, before)
print("\\nanswers", answers)
"""
QUESTIONS = [
    [b"\x1b[c"],
    [b"\x1b[6n"],
    [b"\x1b]11;?\x07"],
    [b"\x1b[?u"],
    [b"\x1b[>0q"],
    [b"\x1b[", b"5", b"n"],
    [b"\x1b[c\x1b[5n"],
]
ANSWERS = [
    b"\x1b[?62;22c",
    b"\x1b[1;1R",
    b"\x1b]11;rgb:0000/0000/0000\x07",
    b"\x1b[?0u",
    b"\x1bP>|lanekeeper(0.1.0)\x1b\\",
    b"\x1b[0n",
    b"\x1b[?62;22c\x1b[0n",
]


@pytest.mark.parametrize("watched", [False, True])
def test_a_program_is_answered_once(shared_plane: Plane, *, watched: bool) -> None:
    script = ASKER.format(questions=QUESTIONS)
    with shared_plane.connect() as plane:
        terminal = plane.lane("ask").spawn([sys.executable, "-c", script])
        if watched:
            with terminal.output(timeout=30) as output:
                list(output)
        found = terminal.wait_for(30, match=r"answers (.*)\r\n", offset=0)
        assert found.match is not None
        told = found.match.groups[0]
        assert told is not None
        assert ast.literal_eval(told.decode()) == ANSWERS


def test_history_is_not_asked_again(shared_plane: Plane) -> None:
    script = "import sys; print('\\x1b[5n' * 3, flush=True); sys.stdin.readline()"
    with shared_plane.connect() as plane:
        terminal = plane.lane("ask").spawn([sys.executable, "-c", script])
        assert terminal.wait_for(10, idle=0.3).reason == "idle"
        once = terminal.refresh().head
        for _ in range(3):
            with terminal.output(0, follow=False, timeout=10) as output:
                list(output)
        assert terminal.wait_for(10, idle=0.3).reason == "idle"
        assert terminal.refresh().head == once


def test_a_piped_program_gets_its_input_alone(shared_plane: Plane) -> None:
    script = "import sys; print('\\x1b[c', flush=True); print(repr(sys.stdin.read()))"
    with shared_plane.connect() as plane:
        done = plane.lane("ask").run([sys.executable, "-c", script], input=b"mine")
        assert done.output.split(b"\n")[1] == b"'mine'"


PLACES = """\
import os, select, sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
def places(output, count):
    os.write(1, output)
    answer = b""
    while answer.count(b"R") < count and select.select([0], [], [], 10)[0]:
        answer += os.read(0, 4096)
    return answer
told = [
    places(b"\\x1b[2J\\x1b[H" + b"word\\r\\n" * 3 + b"four\\x1b[6n", 1),
    places(b"\\x1b[8;1H\\xe2\\x96\\xbd\\x1b[6n\\r\\x1b[K\\x1b[1;1H", 1),
    places(b"\\x1b[9;9H\\x1b[6n\\x1b[c\\x1b[7;70H\\x1b[?6n\\x1b[1;1H", 2),
    places(b"\\x1b[999;999H\\x1b[6n\\x1b[5;5H", 1),
    places(b"line\\r\\n" * 200_000 + b"\\x1b[11;12H\\x1b[6n", 1),
]
termios.tcsetattr(0, termios.TCSANOW, before)
print("\\nplaces", told)
"""


@pytest.mark.parametrize("watched", [False, True])
def test_a_program_is_told_where_the_cursor_was_when_it_asked(
    shared_plane: Plane, *, watched: bool
) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("place").spawn([sys.executable, "-c", PLACES], cols=100, rows=30)
        if watched:
            with terminal.output(timeout=30) as output:
                list(output)
        found = terminal.wait_for(30, match=r"places (.*)\r\n", offset=0)
        assert found.match is not None
        told = found.match.groups[0]
        assert told is not None
        assert ast.literal_eval(told.decode()) == [
            b"\x1b[4;5R",
            b"\x1b[8;2R",
            b"\x1b[9;9R\x1b[?62;22c\x1b[?7;70;1R",
            b"\x1b[30;100R",
            b"\x1b[11;12R",
        ]


@pytest.mark.needs("vim")
def test_vim_learns_what_terminal_it_has(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        env = {"HOME": str(shared_plane.base), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        terminal = plane.lane("ask").spawn(["vim", "-u", "NONE", "-N"], env=env)
        terminal.wait_for(10, match="VIM - Vi IMproved", offset=0)
        terminal.wait_for(10, idle=0.5)
        terminal.send(":echo 'told ' . strtrans(v:termresponse)\r")
        found = terminal.wait_for(10, match=r"told (\^\[\[[>;0-9]*c)", offset=terminal.typed_at)
        assert found.match is not None
        assert found.match.groups == [b"^[[>1;10;0c"]
        terminal.send(":q!\r")
        assert terminal.wait(10).code == 0


def test_a_program_that_asks_and_never_reads_keeps_its_lane_well(shared_plane: Plane) -> None:
    script = "import sys, time\nprint('\\x1b[6n' * 100000, flush=True)\ntime.sleep(60)"
    with shared_plane.connect() as plane:
        terminal = plane.lane("ask").spawn([sys.executable, "-c", script], output="raw")
        assert terminal.wait_for(30, match="n\r?\n", offset=0).reason == "match"
        assert terminal.send("still there\n", timeout=5) == len("still there\n")
