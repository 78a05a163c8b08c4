"""`lane cleanup`: end everything in a lane, then forget it."""

from typing import TypedDict, Unpack

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, grace, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, Target, connected
from lanekeeper.cli.settings import Settings, confirm
from lanekeeper.cli.text import count, ended
from lanekeeper.wire.messages.lane import Ended, LaneCleanup

EXAMPLES = """lane cleanup build
lane cleanup build --yes --grace 10
lane cleanup web/api --dry-run"""


class Options(TypedDict):
    """The options of the verb."""

    yes: bool
    dry_run: bool
    grace: float
    idempotency_key: str | None


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("-y", "--yes", is_flag=True, help="Do not ask when programs still run.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and end nothing.")
@grace
@idempotency_key
@json_option()
@pass_settings
def cleanup(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """End everything in a lane and forget it.

    Asks first when programs run in it; without a terminal to ask on it needs --yes.
    """
    change = Change(settings, options["idempotency_key"])
    with connected(settings) as plane:
        lane = plane.resolve(address).lane
        running = f"lane {lane.name} has {count(lane.running, 'running program')}"
        if options["dry_run"]:
            change.done(f"{running}; nothing was ended", {"lane": fields(lane), "dry_run": True})
            return
        if lane.running:
            confirm(running, yes=options["yes"])
        result = change.make(
            plane,
            "lane.cleanup",
            LaneCleanup(grace_s=options["grace"]),
            Ended,
            Target(lane.workspace_id, lane.id),
        )
    change.done(
        f"cleaned lane {lane.name}: {ended(result)}",
        {"lane_id": lane.id, "ended": fields(result)},
    )
