"""Screens of real programs against xterm.js: text, cursor, looks, and what attach paints.

Each program runs in a lane and is driven by keys; the very bytes that it printed are given to both.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.waiting import WaitedTooLongError, wait_until
from kit.xterm import Step, xterm
from lanekeeper.client import Lane, Screen, Terminal
from lanekeeper.client import Plane as Connected

pytestmark = pytest.mark.needs("node", "xterm")

AGENT = Path(__file__).with_name("agent.py")
ATTRIBUTES = (
    ("bold", "b"),
    ("faint", "f"),
    ("italic", "i"),
    ("underline", "u"),
    ("blink", "k"),
    ("inverse", "r"),
    ("strikethrough", "s"),
)


@dataclass
class Driven:
    """A program in a lane, typed at, with the sizes it had."""

    terminal: Terminal
    cols: int
    rows: int
    sizes: list[tuple[int, int, int]] = field(default_factory=list)

    def keys(self, text: str) -> None:
        """Type."""
        self.terminal.send(text)

    def expect(self, text: str) -> Screen:
        """Wait until the screen shows a text; return the screen, with its cells."""
        shown: list[Screen] = []

        def there() -> bool:
            shown[:] = [self.terminal.screen("cells")]
            return any(text in line for line in shown[0].lines)

        try:
            wait_until(there, 15.0, repr(text))
        except WaitedTooLongError as error:
            raise WaitedTooLongError("\n".join([str(error), *shown[0].lines])) from None
        return shown[0]

    def resize(self, cols: int, rows: int) -> None:
        """Change the size."""
        info = self.terminal.resize(cols, rows)
        self.sizes.append((info.head, cols, rows))

    def steps(self, until: int) -> list[Step]:
        """Return everything that was printed and every size up to an offset."""
        data = b""
        while len(data) < until:
            data += self.terminal.read(len(data)).data
        steps: list[Step] = []
        place = 0
        for offset, cols, rows in self.sizes:
            steps += [data[place:offset], (cols, rows)]
            place = offset
        return [*steps, data[place:until]]

    def agree(self, screen: Screen) -> None:
        """Check a screen, and the paint of it, against xterm.js."""
        seen = xterm(self.steps(screen.offset), self.cols, self.rows)
        assert screen.lines == seen.lines
        assert (screen.cursor.row, screen.cursor.col) == seen.cursor
        assert screen.alternate == seen.alternate
        assert screen.exact
        for ours, theirs in zip(looks(screen), seen.looks, strict=True):
            assert ours == theirs
        painted = self.terminal.screen("paint")
        assert painted.paint is not None
        truth = xterm(self.steps(painted.offset), self.cols, self.rows)
        again = xterm([painted.paint], painted.cols, painted.rows)
        assert again.lines == truth.lines
        assert again.looks == truth.looks
        assert again.cursor == truth.cursor
        assert again.alternate == truth.alternate


def looks(screen: Screen) -> list[list[str]]:
    """Return how every cell looks, in the words of `kit.xterm`."""
    assert screen.cells is not None
    found = []
    for runs in screen.cells:
        row: list[str] = []
        for run in runs:
            letters = "".join(letter for name, letter in ATTRIBUTES if getattr(run, name))
            tints = ["-" if c is None else str(c) for c in (run.foreground, run.background)]
            row += ["/".join([*tints, letters])] * (len(run.text) * run.width)
        found.append(row + ["-/-/"] * (screen.cols - len(row)))
    return found


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    with shared_plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("screens")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.txt"
    words = "Příliš žluťoučký kůň úpěl ďábelské ódy. 漢字と仮名。\t"
    path.write_text("".join(f"row {n} {words * (n % 3)}\n" for n in range(200)), "utf-8")
    return path


def drive(lane: Lane, home: Path, *argv: str, cols: int = 80, rows: int = 24) -> Driven:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8", "LESSHISTFILE": "-"}
    return Driven(lane.spawn([*argv], env=env, cwd=str(home), cols=cols, rows=rows), cols, rows)


@pytest.mark.needs("vim")
def test_vim(lane: Lane, page: Path, tmp_path: Path) -> None:
    vim = drive(lane, tmp_path, "vim", "-u", "NONE", "-N", str(page))
    vim.agree(vim.expect("row 1 "))
    vim.keys(":set number hlsearch list\r/row 1\r")
    vim.agree(vim.expect("row 10"))
    vim.keys("50G:split\r:syntax on\r10dd")
    vim.agree(vim.expect("fewer lines"))
    vim.resize(100, 31)
    vim.keys("gg\x0c")
    vim.agree(vim.expect("1 row 0"))
    vim.keys(":qall!\r")
    vim.terminal.wait(10.0)
    vim.agree(vim.terminal.screen("cells"))


@pytest.mark.needs("less")
def test_less(lane: Lane, page: Path, tmp_path: Path) -> None:
    less = drive(lane, tmp_path, "less", str(page))
    less.agree(less.expect("row 1 "))
    less.keys("  b/row 20\r")
    less.agree(less.expect("row 30"))
    less.keys("G")
    less.agree(less.expect("row 199"))
    less.resize(60, 18)
    less.keys("gF")
    less.agree(less.expect("Waiting for data"))


@pytest.mark.needs("htop")
def test_htop(lane: Lane, tmp_path: Path) -> None:
    htop = drive(lane, tmp_path, "htop", "-d", "5", cols=100, rows=30)
    htop.agree(htop.expect("F10"))
    htop.keys("tH")
    htop.agree(htop.expect("F10"))
    htop.resize(120, 40)
    htop.agree(htop.expect("F10"))


@pytest.mark.needs("tmux")
def test_tmux(lane: Lane, tmp_path: Path) -> None:
    socket = str(tmp_path / "tm")
    tmux = drive(lane, tmp_path, "tmux", "-u", "-S", socket, "-f", "/dev/null", "new", "sh")
    tmux.expect("0:sh")
    tmux.keys("echo in-$((20+3))\r")
    tmux.agree(tmux.expect("in-23"))
    tmux.keys('\x02"')
    tmux.expect("───")
    tmux.keys("seq 1 50; echo -$((6*7))-\r")
    tmux.agree(tmux.expect("-42-"))
    tmux.resize(90, 33)
    tmux.keys("\x02%")
    tmux.agree(tmux.expect("│"))
    tmux.keys("tmux kill-server\r")
    tmux.terminal.wait(20.0)
    Path(socket).unlink(missing_ok=True)


def test_a_program_that_draws_like_an_agent(lane: Lane, tmp_path: Path) -> None:
    agent = drive(lane, tmp_path, sys.executable, str(AGENT), cols=90, rows=28)
    screen = agent.expect("What shall we build?")
    agent.agree(screen)
    assert screen.title == "agent: ready"
    agent.keys("tests for the parser\r")
    agent.agree(agent.expect("parser: 11 12 tests passed"))
    agent.resize(70, 20)
    agent.keys("again\r")
    screen = agent.expect("again: 11 12 tests passed")
    agent.agree(screen)
    assert screen.title == "agent: done"
