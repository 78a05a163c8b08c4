"""`lane screen`: what a terminal's screen shows, as text, in colour, or as JSON."""

import sys
from typing import Final

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.wire.messages.screen import Color, Run

EXAMPLES = """lane screen build
lane screen build --cells --json | jq .screen.cursor
lane --color always screen build | head -3"""
_RESET: Final = "\x1b[0m"
_ATTRIBUTES: Final = (
    ("bold", "1"),
    ("faint", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("blink", "5"),
    ("inverse", "7"),
    ("strikethrough", "9"),
)


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("--cells", is_flag=True, help="With --json: the look of every cell too.")
@json_option("Print the screen as JSON: lines, cursor, title, size, offset, exact.")
@pass_settings
def screen(settings: Settings, address: str, *, cells: bool) -> None:
    """Show what a terminal's screen shows.

    All rows from the top, without blanks at their ends. Where output that may still be on the
    screen is gone from the log, this is reported on stderr (`exact` is false in JSON).
    """
    look = cells if settings.json else settings.colored()
    with connected(settings) as plane:
        shown = plane.terminal(address).screen("cells" if look else "text")
    if settings.json:
        settings.emit({"screen": fields(shown)})
        return
    lines = shown.lines if shown.cells is None else [painted(runs) for runs in shown.cells]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if not shown.exact:
        settings.notice("lane: output before what is kept may be missing from this screen")


def painted(runs: list[Run]) -> str:
    """Return one row with its colours and attributes."""
    return "".join(f"{sgr}{run.text}{_RESET}" if (sgr := look(run)) else run.text for run in runs)


def look(run: Run) -> str:
    """Return the sequence that makes text look like a run; nothing for plain text."""
    codes = [code for name, code in _ATTRIBUTES if getattr(run, name)]
    codes += color(run.foreground, "38") + color(run.background, "48")
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def color(value: Color | None, ground: str) -> list[str]:
    """Return the parameters that set a colour of the palette or a `#rrggbb`."""
    if value is None:
        return []
    if isinstance(value, int):
        return [ground, "5", str(value)]
    red, green, blue = bytes.fromhex(value.removeprefix("#"))
    return [ground, "2", str(red), str(green), str(blue)]
