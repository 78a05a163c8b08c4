"""`lane ls`: the lanes of the plane."""

import click

from lanekeeper.cli.complete import workspaces
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected, fields
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import age, safe, table
from lanekeeper.wire.messages.lane import LaneInfo

EXAMPLES = """lane ls
lane ls --workspace web
lane ls --json | jq '.lanes[].name'"""


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("-w", "--workspace", shell_complete=workspaces, help="Only lanes of this one.")
@json_option()
@pass_settings
def ls(settings: Settings, workspace: str | None) -> None:
    """List lanes.

    PROGRAMS counts the terminals whose program runs, of all terminals of the lane.
    """
    with connected(settings) as plane:
        names = {space.id: space.name for space in plane.workspaces()}
        lanes = plane.lanes(workspace)
        complete = plane.listing_complete
    if settings.json:
        rows = [{**fields(lane), "workspace": names.get(lane.workspace_id)} for lane in lanes]
        settings.emit({"lanes": rows, "complete": complete})
        return
    if lanes:
        rows_of_text = [row(lane, names.get(lane.workspace_id, "?")) for lane in lanes]
        heads = ("LANE", "STATUS", "SESSIONS", "PROGRAMS", "AGE", "ID", "REASON")
        click.echo(table(heads, rows_of_text, color=settings.colored(), state=1))
    else:
        settings.notice("no lanes; `lane run NAME -- COMMAND` makes one")
    if not complete:
        settings.notice("some lanes are still coming back after a restart of the broker")


def row(lane: LaneInfo, workspace: str) -> tuple[str, ...]:
    """Return the cells of one lane."""
    return (
        safe(lane.name if workspace == "default" else f"{workspace}/{lane.name}"),
        lane.status,
        str(lane.sessions),
        f"{lane.running}/{lane.terminals}",
        age(lane.created),
        lane.id,
        safe(lane.reason or "", 40),
    )
