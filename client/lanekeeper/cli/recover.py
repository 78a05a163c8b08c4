"""`lane recover`: give a lane whose workers died too often another one."""

from typing import TypedDict, Unpack

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, Target, connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import count
from lanekeeper.wire.messages.lane import LaneRecover, LaneResult

EXAMPLES = """lane recover build
lane recover build --without-screen"""
SECONDS = 15.0
"""For the new worker to take everything over; it takes milliseconds, or fails."""


class Options(TypedDict):
    """The options of the verb."""

    without_screen: bool
    idempotency_key: str | None


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option(
    "--without-screen",
    is_flag=True,
    help="Draw no screens any more: for output that kills what draws it.",
)
@idempotency_key
@json_option()
@pass_settings
def recover(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """Bring back a lane whose workers died too often.

    Its programs live on meanwhile. The lane gets a new worker, which goes on where the last one
    died.
    """
    change = Change(settings, options["idempotency_key"], timeout=SECONDS)
    with connected(settings) as plane:
        lane = plane.resolve(address).lane
        result = change.make(
            plane,
            "lane.recover",
            LaneRecover(without_screen=options["without_screen"]),
            LaneResult,
            Target(lane.workspace_id, lane.id),
        )
    found = result.lane
    running = count(found.running, "running program")
    change.done(f"recovered lane {found.name}: {running}", {"lane": fields(found)})
