"""`lane wait`: wait for a terminal's program to end."""

from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, json_option, pass_settings, timeout
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import how
from lanekeeper.client import TimedOut
from lanekeeper.wire.limits import MAX_DEADLINE_MS
from lanekeeper.wire.messages.waiting import Wait, WaitResult

EXAMPLES = """lane wait build
lane wait build --exit --timeout 60
lane wait build --json | jq .exit.code"""
LATER: Final = "the output path step"
MARGIN: Final = 1.0
"""Seconds of the longest deadline that the answer may travel."""


class Options(TypedDict):
    """The options of the verb."""

    exit: bool
    match: str | None
    idle: float | None
    timeout: float | None


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("--exit", is_flag=True, help="Wait until the program has ended (the default).")
@click.option("--match", metavar="RE", hidden=True)
@click.option("--idle", type=float, metavar="SECONDS", hidden=True)
@timeout
@json_option()
@pass_settings
@click.pass_context
def wait(ctx: click.Context, settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """Wait for a terminal's program to end.

    Ends with 0 whatever the program's status was, which is printed; with 8 after --timeout.
    """
    for name in ("match", "idle"):
        if ctx.params.get(name) is not None:
            raise CliError("NOT_IMPLEMENTED", f"`lane wait --{name}` comes with {LATER}")
    limit = options["timeout"] or MAX_DEADLINE_MS / 1000 - MARGIN
    with connected(settings) as plane:
        info = plane.terminal(address).info
        try:
            result = plane.call(
                "terminal.wait", Wait(), result=WaitResult, terminal_id=info.id, timeout=limit
            )
        except TimedOut:
            raise CliError(
                "TIMEOUT", f"terminal {info.name} still runs after {limit:g} s", retryable=True
            ) from None
    if settings.json:
        settings.emit({"terminal_id": info.id, **fields(result)})
    else:
        settings.say(f"terminal {info.name}: {how(result.exit)}")
