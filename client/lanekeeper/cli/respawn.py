"""`lane respawn`: start an ended program again."""

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, connected, of_terminal
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import command_line
from lanekeeper.wire.messages.terminal import Respawn, Spawned

EXAMPLES = """lane respawn build
lane respawn web/api:main.shell"""


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@idempotency_key
@json_option()
@pass_settings
def respawn(settings: Settings, address: str, idempotency_key: str | None) -> None:
    """Start an ended program again on its terminal; the log goes on where it ended."""
    change = Change(settings, idempotency_key)
    with connected(settings) as plane:
        target = of_terminal(plane.terminal(address).info)
        info = change.make(plane, "terminal.respawn", Respawn(), Spawned, target).terminal
    change.done(
        f"terminal {info.name} runs {command_line(info.argv, 60)} again, run {info.runs}",
        {"terminal": fields(info)},
    )
