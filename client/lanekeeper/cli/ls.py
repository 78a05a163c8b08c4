"""`lane ls`: the lanes of the plane."""

import click

from lanekeeper.cli.asking import asking
from lanekeeper.cli.complete import workspaces
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import age, safe, table
from lanekeeper.client.asking import Asker
from lanekeeper.client.errors import error_for
from lanekeeper.wire.messages.lane import LaneInfo, LaneList, LaneListRequest
from lanekeeper.wire.messages.plane import ListRequest, WorkspaceList

EXAMPLES = """lane ls
lane ls --workspace web
lane ls --json | jq '.lanes[].name'"""


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("-w", "--workspace", shell_complete=workspaces, help="Only lanes of this one.")
@json_option()
@pass_settings
def ls(settings: Settings, workspace: str | None) -> None:
    """List lanes.

    PROGRAMS counts the terminals whose program runs, of all terminals of the lane; WRITERS those
    that a client writes to, alone.
    """
    with asking(settings) as asker:
        names = _workspaces(asker)
        chosen = None if workspace is None else _chosen(names, workspace)
        lanes, complete = _lanes(asker, chosen)
    if settings.json:
        rows = [{**fields(lane), "workspace": names.get(lane.workspace_id)} for lane in lanes]
        settings.emit({"lanes": rows, "complete": complete})
        return
    if lanes:
        rows_of_text = [row(lane, names.get(lane.workspace_id, "?")) for lane in lanes]
        heads = ("LANE", "STATUS", "SESSIONS", "PROGRAMS", "WRITERS", "AGE", "ID", "REASON")
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
        str(lane.writers),
        age(lane.created),
        lane.id,
        safe(lane.reason or "", 40),
    )


def _workspaces(asker: Asker) -> dict[str, str]:
    names: dict[str, str] = {}
    after: str | None = None
    while True:
        page = asker.ask("workspace.list", WorkspaceList, ListRequest(after=after))
        names |= {space.id: space.name for space in page.workspaces}
        after = page.next
        if after is None:
            return names


def _chosen(names: dict[str, str], wanted: str) -> str:
    for known, name in names.items():
        if wanted in {known, name}:
            return known
    raise error_for(
        "WORKSPACE_NOT_FOUND", f"there is no workspace {wanted}; list them, or create it"
    )


def _lanes(asker: Asker, workspace_id: str | None) -> tuple[list[LaneInfo], bool]:
    lanes: list[LaneInfo] = []
    complete, after = True, None
    while True:
        request = LaneListRequest(after=after)
        page = asker.ask("lane.list", LaneList, request, workspace_id=workspace_id)
        lanes += page.lanes
        complete = complete and page.complete
        after = page.next
        if after is None:
            return lanes, complete
