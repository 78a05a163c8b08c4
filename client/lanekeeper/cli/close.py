"""`lane close`: end a terminal's program and forget the terminal."""

from typing import TypedDict, Unpack

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, grace, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, connected, of_terminal
from lanekeeper.cli.settings import Settings, confirm
from lanekeeper.cli.text import command_line, ended
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.terminal import Close

EXAMPLES = """lane close build
lane close web/api:main.shell --yes --grace 10"""


class Options(TypedDict):
    """The options of the verb."""

    yes: bool
    grace: float
    idempotency_key: str | None


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("-y", "--yes", is_flag=True, help="Do not ask when the program still runs.")
@grace
@idempotency_key
@json_option()
@pass_settings
def close(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """End a terminal's program with every descendant, and forget the terminal with its log."""
    change = Change(settings, options["idempotency_key"])
    with connected(settings) as plane:
        info = plane.terminal(address).info
        if info.exit is None and info.pid is not None:
            question = f"terminal {info.name} runs {command_line(info.argv, 60)}"
            confirm(question, yes=options["yes"])
        payload = Close(grace_s=options["grace"])
        result = change.make(plane, "terminal.close", payload, Ended, of_terminal(info))
    change.done(
        f"closed terminal {info.name}: {ended(result)}",
        {"terminal_id": info.id, "ended": fields(result)},
    )
