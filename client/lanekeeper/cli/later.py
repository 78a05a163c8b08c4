"""Verbs of the contract that come with a later step: each names the step, and does nothing else."""

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.verbs import LATER

ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command(context_settings=ANYTHING, add_help_option=False)
@click.pass_context
def later(ctx: click.Context) -> None:
    """Say which step brings this verb."""
    name = ctx.info_name or ""
    raise CliError(
        "NOT_IMPLEMENTED",
        f"`lane {name}` comes with {LATER[name]}; this version does not have it",
        hint="`lane --help` lists what there is",
    )
