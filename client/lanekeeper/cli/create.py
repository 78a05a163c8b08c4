"""`lane create`: a lane with its own worker."""

import click

from lanekeeper.cli.address import of_lane
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import idempotency_key, json_option, pass_settings, timeout
from lanekeeper.cli.plane import Change, Target, connected
from lanekeeper.cli.settings import Settings
from lanekeeper.wire.ids import DEFAULT_WORKSPACE
from lanekeeper.wire.messages.lane import LaneCreate, LaneResult

EXAMPLES = """lane create build
lane create web/api --ensure
lane create build --json | jq -r .lane.id"""
PATIENCE = 15.0
"""Seconds for a worker to start and register; the broker itself gives up after 10."""


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("name", metavar="[WORKSPACE/]NAME")
@click.option("--ensure", is_flag=True, help="Be content with a lane of that name.")
@timeout
@idempotency_key
@json_option()
@pass_settings
def create(
    settings: Settings,
    name: str,
    *,
    ensure: bool,
    timeout: float | None,
    idempotency_key: str | None,
) -> None:
    """Make a lane with its own worker.

    The workspace is made if it is not there.
    """
    address = of_lane(name)
    change = Change(settings, idempotency_key, timeout=timeout or PATIENCE)
    with connected(settings) as plane:
        space = plane.workspace(address.workspace or DEFAULT_WORKSPACE)
        made = change.make(
            plane,
            "lane.create",
            LaneCreate(name=address.lane, ensure=ensure),
            LaneResult,
            Target(space.id),
        )
    verb = "made" if made.created else "found"
    change.done(
        f"{verb} lane {made.lane.name} ({made.lane.id}), {made.lane.status}",
        {"lane": fields(made.lane), "created": made.created},
    )
