"""`lane restart`: replace one of the plane's processes."""

from typing import Final

import click
from click.shell_completion import CompletionItem

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.keeper_link import demand
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings

EXAMPLES = """lane restart broker
lane restart collector --json"""
ROLES: Final = ("broker", "collector", "nursery")
PATIENCE: Final = 20.0
"""Seconds for the old process to end (5 s, then it is killed) and the new one to be ready."""


def complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the roles that begin with what was typed; called by click."""
    del ctx, parameter
    return [CompletionItem(role) for role in ROLES if role.startswith(incomplete)]


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("role", metavar="ROLE", shell_complete=complete)
@json_option()
@pass_settings
def restart(settings: Settings, role: str) -> None:
    """Restart the broker, the collector or the nursery; programs go on meanwhile."""
    if role not in ROLES:
        raise CliError(
            "NOT_IMPLEMENTED",
            f"restarting {role!r} comes with the recovery step",
            hint=f"possible now: {', '.join(ROLES)}",
        )
    with demand(settings.rundir) as link:
        answer = link.ask({"op": "restart", "role": role}, PATIENCE)
    if settings.json:
        settings.emit({"role": role, "pid": answer.get("pid")})
    settings.say(f"restarted {role}: pid {answer.get('pid')}")
