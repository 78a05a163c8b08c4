"""`lane signal`: send a signal to a terminal's program."""

from typing import Literal

import click

from lanekeeper.cli.complete import signals as complete_signals
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, connected, of_terminal
from lanekeeper.cli.settings import Settings
from lanekeeper.wire.messages.terminal import Signal, TerminalResult

EXAMPLES = """lane signal build INT
lane signal build KILL --target tree
lane signal web/api 1 --target leader"""


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.argument("name", metavar="SIGNAL", shell_complete=complete_signals)
@click.option(
    "--target",
    type=click.Choice(["foreground", "leader", "tree"]),
    default="foreground",
    show_default=True,
    help="The foreground process group, the program itself, or it with every descendant.",
)
@idempotency_key
@json_option()
@pass_settings
def signal(
    settings: Settings,
    address: str,
    name: str,
    target: Literal["foreground", "leader", "tree"],
    idempotency_key: str | None,
) -> None:
    """Send a signal, by name or number, to a terminal's program."""
    change = Change(settings, idempotency_key)
    wanted = int(name) if name.isdecimal() else name.upper()
    with connected(settings) as plane:
        ids = of_terminal(plane.terminal(address).info)
        payload = Signal(signal=wanted, target=target)
        info = change.make(plane, "terminal.signal", payload, TerminalResult, ids).terminal
    change.done(f"sent {wanted} to terminal {info.name}", {"terminal": fields(info)})
