"""`lane read`: a terminal's output, as bytes for a pipe, as safe text for a person."""

import os
import sys
from typing import TypedDict, Unpack

import click

from lanekeeper.cli.ends import Ends, Way
from lanekeeper.cli.errors import SIGNAL_BASE
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.relay import Relay
from lanekeeper.cli.render import Bytes, Lines, Renderer, Words
from lanekeeper.cli.settings import Settings

EXAMPLES = """lane read build
lane read build --follow | tee build.log
lane read build --from 4096 --json"""

Options = TypedDict("Options", {"from": int | None, "follow": bool, "raw": bool})
"""The options of the verb; one has the name of a keyword."""


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("--from", type=click.IntRange(0), metavar="OFFSET", help="Begin here.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the program ends.")
@click.option("--raw", is_flag=True, help="The bytes as they are, on a terminal too.")
@json_option("Print one JSON object a line: output (base64), gap, resized, exited.")
@pass_settings
def read(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """Read a terminal's output.

    A pipe or a file gets the exact bytes; a terminal gets text and colours, but nothing else that
    would act on it. Without --from it begins with the oldest byte that is kept. What is gone is
    reported on stderr.
    """
    stdout, follow = sys.stdout.fileno(), options["follow"]
    renderer: Renderer = Bytes(tty=False)
    if settings.json:
        renderer = Lines()
    elif os.isatty(stdout) and not options["raw"]:
        renderer = Words(color=settings.colored())
    ends = Ends(stdin=None, stdout=stdout, forward=False, follow=follow)
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        with terminal.output(options["from"], follow=follow, policy="drop") as stream:
            outcome = Relay(plane, terminal, stream, ends, renderer).run()
    if outcome.lost and not settings.json:
        settings.notice(f"lane: {outcome.lost} bytes of this output are gone from the log")
    if outcome.way is Way.SIGNALLED and outcome.caught is not None:
        sys.exit(SIGNAL_BASE + outcome.caught)
