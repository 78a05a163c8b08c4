"""`lane top`: the lanes by what they take, live, or as a plain table."""

import importlib
import os
import sys
from typing import TypedDict, Unpack

import click

from lanekeeper.cli.board import Board
from lanekeeper.cli.columns import COLUMNS
from lanekeeper.cli.commandline import LONGEST, SHORTEST
from lanekeeper.cli.complete import workspaces
from lanekeeper.cli.keyboard import BadPatternError, Keyboard
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.patterns import matcher
from lanekeeper.cli.periodic import Periodic
from lanekeeper.cli.settings import Settings

EXAMPLES = """lane top
lane top --sort memory --filter '^build'
lane top --once | head -20
lane top --interval 10 --count 6 --json >>load.jsonl"""


class Options(TypedDict):
    """The options of the verb."""

    workspace: str | None
    sort: str
    reverse: bool
    pattern: str
    interval: float | None
    count: int | None
    once: bool


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("-w", "--workspace", shell_complete=workspaces, help="Only lanes of this one.")
@click.option(
    "--sort",
    type=click.Choice([column.name for column in COLUMNS]),
    default="cpu",
    show_default=True,
    help="The column to sort by.",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "--filter", "pattern", default="", metavar="PATTERN", help="Only lanes whose address matches."
)
@click.option(
    "--interval",
    type=click.FloatRange(SHORTEST, LONGEST),
    metavar="SECONDS",
    help="From one look to the next; 2 when not given.",
)
@click.option(
    "--count", type=click.IntRange(1), metavar="N", help="End after so many looks; no live view."
)
@click.option("--once", is_flag=True, help="The same as --count 1.")
@json_option("Print one JSON object a look.")
@pass_settings
def top(settings: Settings, **options: Unpack[Options]) -> None:
    """Show the lanes by what they take.

    At a terminal this is a live view: `?` shows its keys, Enter attaches to the selected lane and
    the detach key comes back, `:` takes commands (sort, filter, attach, interval, reverse, help,
    quit), which Tab completes. Elsewhere, and with --count, --once or --json, it is a plain table:
    one look, or one in every --interval.

    CPU% and MEM are those of a lane's worker and the programs in it together; BACKLOG is what its
    slowest registered consumer has not acknowledged.
    """
    settings.rundir.check()
    board = Board(options["sort"], reverse=options["reverse"])
    keyboard = Keyboard(board, matcher)
    try:
        keyboard.narrow(options["pattern"])
    except BadPatternError as error:
        raise click.BadParameter(str(error), param_hint="--filter") from None
    count = 1 if options["once"] else options["count"]
    if count is None and not settings.json and is_live():
        # not imported at the top: the table does without what draws
        dashboard = importlib.import_module("lanekeeper.cli.dashboard")
        live = dashboard.Dashboard(settings, board, keyboard, options["workspace"])
        ends = sys.stdin.fileno(), sys.stdout.fileno()
        sys.exit(live.run(*ends, options["interval"] or 2.0))
    if count is None and options["interval"] is None:
        count = 1
    Periodic(settings, board, options["workspace"]).run(options["interval"] or 2.0, count)


def is_live() -> bool:
    """Return whether there is a person at a terminal that can be drawn on."""
    ends = sys.stdin.isatty() and sys.stdout.isatty()
    return ends and os.environ.get("TERM", "") not in {"", "dumb"}
