"""`lane context`: what every view shows as current."""

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings

EXAMPLES = """lane context
lane context --json | jq -r .context.lane_id"""


@click.command(cls=Verb, epilog=EXAMPLES)
@json_option()
@pass_settings
def context(settings: Settings) -> None:
    """Show the active context: the workspace, lane, session and terminal that were used last."""
    with connected(settings) as plane:
        found = fields(plane.context())
    if settings.json:
        settings.emit({"context": found})
        return
    for name, value in found.items():
        click.echo(f"{name.removesuffix('_id'):<10} {value or '-'}")
