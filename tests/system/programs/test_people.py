"""Real programs in lanes, as a person sees them: shells, prompts, editors, pagers, monitors."""

import re
import sys
from collections.abc import Iterator

import pytest

from kit.cluster import LANE, Plane
from kit.typist import Typist

PROMPT = "%_ "
BASH = ("bash", "--norc", "--noprofile", "-i")

JOB = """\
import os, select, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
was = None
while True:
    now = "front" if os.tcgetpgrp(0) == os.getpgrp() else "back"
    if now != was:
        print(now, flush=True)
    was = now
    select.select([], [], [], 0.1)
"""
"""Says itself when it has the terminal: a key typed earlier is the shell's, or nobody's.

It starts nothing: a shell that is stopped within a vfork never stops for its own parent.
"""


def run(plane: Plane, *command: str, cols: int = 80, rows: int = 24) -> Typist:
    quiet = {"LESSHISTFILE": "-", "HOME": str(plane.base), "LC_ALL": "C.UTF-8", "PS1": PROMPT}
    return Typist(
        [LANE, "run", "real", "--", *command],
        env=plane.env | quiet | {"HISTFILE": ""},
        cwd=plane.base,
        cols=cols,
        rows=rows,
    )


@pytest.fixture
def rows_of_text(shared_plane: Plane) -> Iterator[str]:
    path = shared_plane.base / "long.txt"
    path.write_text("".join(f"row {number}\n" for number in range(500)), "utf-8")
    yield str(path)
    path.unlink()


@pytest.mark.needs("bash")
def test_bash_has_job_control(shared_plane: Plane) -> None:
    job = shared_plane.base / "job.py"
    job.write_text(JOB, "utf-8")
    with run(shared_plane, *BASH) as person:
        person.expect(PROMPT.strip())
        person.enter(f"{sys.executable} job.py")
        person.expect("front")
        person.press("ctrl-z")
        person.expect(re.compile(r"\[1\]\+\s+Stopped\s+\S+ job.py"))
        person.enter("bg")
        person.expect(re.compile(r"\[1\]\+ \S+ job.py &"))
        person.expect("back")
        person.enter("clear; jobs")
        person.expect(re.compile(r"\[1\]\+\s+Running\s+\S+ job.py &"))
        person.enter("clear; fg")
        person.expect(re.compile(r"^front$", re.MULTILINE))
        person.press("ctrl-c")
        person.enter("echo status=$?")
        person.expect("status=130")
        person.enter("jobs; exit 9")
        assert person.expect_exit() == 9
    job.unlink()


@pytest.mark.needs("bash")
def test_an_interrupt_ends_the_program_and_not_the_shell(shared_plane: Plane) -> None:
    with run(shared_plane, *BASH) as person:
        person.expect(PROMPT.strip())
        person.enter("sh -c 'echo $((50 + 5)); exec sleep 60'")
        person.expect(re.compile(r"^55$", re.MULTILINE))
        person.press("ctrl-c")
        person.enter("echo status=$?")
        person.expect(re.compile(r"^status=130\n%_", re.MULTILINE))  # it edits lines again
        person.press("ctrl-d")
        assert person.expect_exit() == 0


@pytest.mark.needs("bash")
def test_the_shell_learns_the_size_of_the_window(shared_plane: Plane) -> None:
    with run(shared_plane, *BASH, cols=91, rows=17) as person:
        person.enter("shopt -s checkwinsize; (:); echo at $LINES by $COLUMNS")
        person.expect("at 17 by 91")
        person.resize(110, 35)
        person.enter("until [ $(stty size | cut -c 1-2) = 35 ]; do sleep 0.05; done")
        person.enter("(:); echo at $LINES by $COLUMNS")
        person.expect("at 35 by 110")
        person.enter("exit")
        assert person.expect_exit() == 0


@pytest.mark.needs("bash")
def test_line_editing_and_history_work(shared_plane: Plane) -> None:
    with run(shared_plane, *BASH) as person:
        person.enter("echo one-$((1 + 1))")
        person.expect("one-2")
        # Keys that edit a line are for a shell that reads keys, which it does when it prompts.
        person.enter(r"printf '\033[H\033[2Jcleared\n'")
        person.expect(re.compile(rf"^cleared\n{PROMPT.strip()}", re.MULTILINE))
        person.press("up", "up", "backspace", "backspace", "backspace", "backspace")
        person.enter("+ 40))")
        person.expect(re.compile(r"^one-41$", re.MULTILINE))
        person.enter("exit")
        assert person.expect_exit() == 0


def test_the_python_prompt_takes_many_lines_and_exits_with_a_code(shared_plane: Plane) -> None:
    with run(shared_plane, sys.executable, "-q", "-i") as person:
        person.expect(">>>")
        person.enter("'žluť 日本 🙂'.upper()")
        person.expect("'ŽLUŤ 日本 🙂'")
        person.enter("def twice(n):")
        person.expect("...")
        person.enter("    return 2 * n")
        person.enter("")
        person.enter("twice(21)")
        person.expect(re.compile(r"^42$", re.MULTILINE))
        person.enter("exit(3)")
        assert person.expect_exit() == 3


def test_colours_arrive_as_they_were_written(shared_plane: Plane) -> None:
    script = (
        "printf '\\033[1;31mred\\033[0m \\033[38;5;208morange\\033[0m "
        "\\033[38;2;10;200;30mgreen\\033[0m\\n'; tput setaf 4 2>/dev/null; echo done"
    )
    with run(shared_plane, "sh", "-c", script) as person:
        assert person.expect_exit() == 0
        assert b"\x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[0m" in person.received
        assert b"\x1b[38;2;10;200;30mgreen\x1b[0m\r\n" in person.received
        assert person.screen.rows[0] == "red orange green"


def test_wide_characters_take_two_columns(shared_plane: Plane) -> None:
    script = "printf '日本語|\\n🙂|\\ne\\314\\201|\\nžluťoučký kůň\\n'; printf '12345678日'"
    with run(shared_plane, "sh", "-c", script, cols=40, rows=10) as person:
        assert person.expect_exit() == 0
        assert [row.replace(" ", "") for row in person.screen.rows[:2]] == ["日本語|", "🙂|"]
        assert person.screen.rows[3] == "žluťoučký kůň"
        assert "e\u0301|\r\n".encode() in person.received
        assert "12345678日".encode() in person.received


@pytest.mark.needs("vim")
def test_vim_edits_a_file(shared_plane: Plane) -> None:
    path = shared_plane.base / "poem.txt"
    with run(shared_plane, "vim", "-u", "NONE", "-N", str(path)) as person:
        person.expect("poem.txt")
        person.type("ifirst line")
        person.press("enter")
        person.type("second line")
        person.press("escape")
        person.expect("second line")
        person.type("gg:s/first/best/")
        person.press("enter")
        person.expect("best line")
        person.enter(":wq")
        assert person.expect_exit() == 0
    assert path.read_text("utf-8") == "best line\nsecond line\n"
    path.unlink()


@pytest.mark.needs("vim")
def test_vim_draws_itself_anew_after_a_resize(shared_plane: Plane) -> None:
    with run(shared_plane, "vim", "-u", "NONE", "-N", "-n", "new.txt") as person:
        person.expect("new.txt")
        person.resize(60, 40)
        person.expect(re.compile(r"(^~$\n){37}", re.MULTILINE))
        person.resize(100, 12)
        person.expect(re.compile(r"^(?:~\n){10}$|\A\n(?:~\n?){10}\Z", re.MULTILINE))
        person.enter("i" + "x" * 90)
        person.expect("x" * 90)
        person.press("escape")
        person.enter(":q!")
        assert person.expect_exit() == 0


@pytest.mark.needs("less")
def test_less_pages_and_searches(shared_plane: Plane, rows_of_text: str) -> None:
    with run(shared_plane, "less", rows_of_text) as person:
        person.expect("row 22")
        assert person.screen.rows[0] == "row 0"
        person.type(" ")
        person.expect("row 45")
        assert person.screen.rows[0] == "row 23"
        person.type("/row 300")
        person.press("enter")
        person.expect("row 301")
        assert person.screen.rows[0] == "row 300"
        person.type("q")
        assert person.expect_exit() == 0


@pytest.mark.needs("less")
def test_a_pager_follows_the_size_of_the_window(shared_plane: Plane, rows_of_text: str) -> None:
    with run(shared_plane, "less", rows_of_text) as person:
        person.expect("row 22")
        person.resize(100, 40)
        person.expect("row 38")
        person.resize(60, 12)
        person.expect(re.compile(r"\Arow 0\n(row \d+\n)*row 10\n:"))  # it has drawn anew
        person.type("q")
        assert person.expect_exit() == 0


@pytest.mark.needs("htop")
@pytest.mark.parametrize("key", ["q", "\x1b[21~"], ids=["q", "F10"])
def test_htop_draws_and_leaves(shared_plane: Plane, key: str) -> None:
    with run(shared_plane, "htop", cols=100, rows=30) as person:
        person.expect(re.compile(r"Tasks.*Load average", re.DOTALL))
        person.expect("F10")
        person.type(key)
        assert person.expect_exit() == 0


@pytest.mark.needs("tmux", "bash")
def test_tmux_runs_inside_a_lane(shared_plane: Plane) -> None:
    socket = shared_plane.base / "t"
    shell = " ".join(["exec", *BASH])
    with run(shared_plane, "tmux", "-S", str(socket), "-f", "/dev/null", "new", shell) as person:
        person.expect("[0]")
        person.enter("echo left=$((6 * 7))")
        person.expect("left=42")
        person.press("ctrl-b")
        person.type("%")
        person.expect("│")
        person.enter("echo right=$((6 * 8))")
        person.expect("right=48")
        assert "left=42" in person.screen.text
        person.press("ctrl-b")
        person.type("d")
        person.expect("detached")
        assert person.expect_exit() == 0
    # Its server is a daemon in its own session: the end of the lane, in the fixture, ends it too.
