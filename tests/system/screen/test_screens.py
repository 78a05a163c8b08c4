"""Screens of a real plane: through both clients, on the command line, in floods, after holes."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator

import pytest

from kit.cluster import LANE, Plane
from kit.screen import Screen as Emulator
from kit.typist import Typist
from kit.waiting import wait_until
from lanekeeper.cli.painted import Painted
from lanekeeper.client import Data, Ended, Gap, Lane, NotFound, Screen, Terminal, TimedOut
from lanekeeper.client import Plane as Connected
from lanekeeper.client.aio import connect as aio_connect

PICTURE = r"\033]0;words\007\033[1;31mred\033[0m \033[4mline\033[0m"
FLOOD = "import os\nwhile True: os.write(1, b'line of a flood %d\\n' * 400)"
HOSTILE = "import os\nwhile True: os.write(1, b'\\033#8a\\033[65535b\\033c\\033[65535S' * 300)"
PATIENCE_S = 3.0
"""Seconds for a key and its screen: without a neighbour it takes some milliseconds."""
COUNTER = """\
import os, sys
number = 0
while True:
    os.write(1, b"".join(b"\\033[%d;%dH%08d" % (n % 20 + 1, n % 60 + 1, n)
                         for n in range(number, number + 500)))
    number += 500
"""


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    with shared_plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("shown")


def shows(terminal: Terminal, text: str) -> bool:
    return any(text in line for line in terminal.screen().lines)


def test_a_program_that_is_started_again_finds_an_empty_screen(lane: Lane) -> None:
    script = r"printf '\033]0;title\007\033[?1049h\033[7mwords %d' $$; exec sleep 600"
    terminal = lane.spawn(["sh", "-c", script])
    wait_until(lambda: shows(terminal, "words"), 10.0, "the words")
    before = terminal.screen()
    terminal.signal("KILL")
    terminal.wait(10)
    assert terminal.screen().lines == before.lines
    terminal.respawn()
    wait_until(lambda: terminal.refresh().head > before.offset, 10.0, "more words")
    after = terminal.screen("cells")
    (line,) = [line for line in after.lines if line]
    assert line.count("words") == 1
    assert line != before.lines[0]
    assert after.exact


def test_both_clients_and_the_command_line_see_the_same(shared_plane: Plane, lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", f"printf '{PICTURE}'; exec sleep 600"])
    wait_until(lambda: shows(terminal, "red line"), 10.0, "the words")
    blocking = terminal.screen("cells")

    async def awaited() -> None:
        async with await aio_connect(shared_plane.dir) as plane:
            other = await plane.terminal("shown")
            assert await other.screen("cells") == blocking
            assert (await other.screen(first=0, count=1)).lines == ["red line"]

    asyncio.run(awaited())
    plain = shared_plane.lane("screen", "shown")
    assert plain.stdout == "red line\n" + "\n" * 23
    told = json.loads(shared_plane.lane("screen", "shown", "--json").stdout)["screen"]
    assert (told["title"], told["exact"], told["cells"]) == ("words", True, None)
    assert told["cursor"] == {"row": 0, "col": 8, "visible": True}
    cells = json.loads(shared_plane.lane("screen", "shown", "--cells", "--json").stdout)["screen"]
    assert cells["cells"][0][0]["foreground"] == 1
    colored = shared_plane.lane("--color", "always", "screen", "shown").stdout
    assert colored.startswith("\x1b[1;38;5;1mred\x1b[0m \x1b[4mline\x1b[0m\n")


def test_a_terminal_that_is_closed_meanwhile(lane: Lane) -> None:
    terminal = lane.spawn(["sleep", "600"])
    terminal.close(1.0)
    with pytest.raises(NotFound):
        terminal.screen()


def test_the_screen_of_a_program_that_has_ended(lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "echo its last words; exit 3"])
    terminal.wait(10.0)
    assert terminal.screen().lines[0] == "its last words"


def test_a_flood_is_shown_exactly_and_goes_on(lane: Lane) -> None:
    terminal = lane.spawn([sys.executable, "-c", FLOOD])
    wait_until(lambda: terminal.refresh().tail > 0, 20.0, "a log that is full")
    heads = []
    for _ in range(5):
        screen = terminal.screen()
        assert screen.exact
        assert all(line.startswith("line of a flood") for line in screen.lines[:-1])
        heads.append(screen.offset)
    assert heads == sorted(set(heads))


def test_output_that_is_gone_makes_a_screen_inexact_until_it_is_cleared(
    shared_plane: Plane, lane: Lane
) -> None:
    script = r"printf 'at the top\033[5;1H'; yes '.' | head -c 2000000 | tr '\n' '\r'; exec cat"
    terminal = lane.spawn(["sh", "-c", script], capacity=65536, output="raw", name="holes")
    wait_until(lambda: terminal.refresh().head > 2_000_000, 20.0, "all of the output")
    screen = terminal.screen()
    assert not screen.exact
    assert "at the top" not in screen.lines
    shown = shared_plane.lane("screen", "shown:main.holes")
    assert "may be missing" in shown.stderr
    assert '"exact": false' in shared_plane.lane("screen", "shown:main.holes", "--json").stdout
    terminal.send("\x1b[H\x1b[2Jnew\n")
    wait_until(lambda: terminal.screen().exact, 10.0, "a screen that is known")
    assert terminal.screen().lines[0] == "new"


def test_a_terminal_that_is_hard_to_draw_does_not_hold_up_its_neighbour(
    shared_plane: Plane,
) -> None:
    async def beside() -> None:
        async with await aio_connect(shared_plane.dir) as plane:
            lane = await plane.lane("uneven")
            hard = await lane.spawn([sys.executable, "-c", HOSTILE])
            easy = await lane.spawn(["cat"])
            drawing = asyncio.create_task(hard.screen())
            for number in range(3):
                began = time.monotonic()
                await easy.send(f"words {number}\r")
                while not any(f"words {number}" in row for row in (await easy.screen()).lines):
                    pass
                assert time.monotonic() - began < PATIENCE_S
            with contextlib.suppress(TimedOut):
                await drawing

    asyncio.run(beside())


def test_what_attach_shows_in_a_flood_is_what_the_terminal_shows(client: Connected) -> None:
    """Screen and stream join exactly, also where the log was faster and a new screen is painted."""
    terminal = client.lane("joined").spawn([sys.executable, "-c", COUNTER])
    wait_until(lambda: terminal.refresh().head > 500_000, 20.0, "output")
    for _ in range(5):
        painted = [terminal.screen("paint")]

        def again(painted: list[Screen] = painted) -> Screen:
            painted.append(terminal.screen("paint"))
            return painted[-1]

        shown = Painted(painted[0], again, "hint", 24)
        person = Emulator(80, 24)
        person.feed(shown.begin())
        place = painted[0].offset
        with terminal.output(place, policy="forever", timeout=10.0) as stream:
            while place < painted[-1].offset + 300_000:
                item = next(stream)
                assert isinstance(item, Data | Gap)
                person.feed(shown.render(item))
                place = item.end
            # So much rewrites every cell that this program ever writes to.
            old = b""
            start = place - 200_000
            while start + len(old) < place:
                at = start + len(old)
                old += terminal.read(at, min(65536, place - at)).data
        truth = Emulator(80, 24)
        truth.feed(old[old.index(b"\x1b") :])
        assert person.rows == truth.rows


def test_a_person_sees_a_full_screen_program_at_once_and_live(shared_plane: Plane) -> None:
    script = (
        r"printf '\033[?1049h\033[2J\033[3;5Hpanel\033[6n\033[10;1H'; stty -echo;"
        r' while read -r line; do printf "\033[12;3H%s" "$line"; done'
    )
    done = shared_plane.lane("run", "-d", "--size", "80x24", "tui", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    for words in ("one", "two"):
        with Typist([LANE, "attach", "tui"], env=shared_plane.env) as person:
            person.expect("panel")
            assert person.screen.rows[2] == "    panel"
            person.enter(words)
            person.expect(words)
            assert person.screen.rows[11].startswith(f"  {words}")
            person.press("ctrl-]")
            assert person.expect_exit() == 0
            assert person.answered == []
    assert b"\x1b[22;2t" in person.received
    assert b"\x1b[23;2t" in person.received


def test_the_stream_of_an_ended_program_follows_its_screen(lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "printf over"])
    terminal.wait(10.0)
    screen = terminal.screen("paint")
    with terminal.output(screen.offset, timeout=10.0) as stream:
        assert [type(item) for item in stream] == [Ended]
