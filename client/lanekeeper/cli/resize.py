"""`lane resize`: set the size of a terminal."""

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, connected, of_terminal
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import Size
from lanekeeper.cli.sizes import size as parse_size
from lanekeeper.wire.messages.terminal import Resize, TerminalResult

EXAMPLES = """lane resize build 120x40
lane resize web/api:main.shell 80x24"""


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.argument("size", type=parse_size, metavar="COLSxROWS")
@idempotency_key
@json_option()
@pass_settings
def resize(settings: Settings, address: str, size: Size, idempotency_key: str | None) -> None:
    """Set the size of a terminal, in columns and rows."""
    change = Change(settings, idempotency_key)
    with connected(settings) as plane:
        target = of_terminal(plane.terminal(address).info)
        payload = Resize(cols=size.cols, rows=size.rows)
        info = change.make(plane, "terminal.resize", payload, TerminalResult, target).terminal
    change.done(f"terminal {info.name} is {info.cols}x{info.rows}", {"terminal": fields(info)})
