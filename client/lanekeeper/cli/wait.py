"""`lane wait`: wait for a terminal's program to end, for its output to match, or for silence."""

from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import Seconds, address, json_option, pass_settings, timeout
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import how, safe
from lanekeeper.client import TimedOut
from lanekeeper.client.awaiting import Until
from lanekeeper.wire.messages.waiting import WaitResult

EXAMPLES = """lane wait build
lane wait build --exit --timeout 60 --json | jq .exit.code
lane wait shell --match 'tests passed|FAILED' --timeout 60
lane wait shell --match '\\$ $' --from 4096
lane wait agent --idle 2"""
SHOWN: Final = 200
"""Characters of a match that a person is shown."""

Options = TypedDict(
    "Options",
    {
        "exit": bool,
        "match": str | None,
        "idle": float | None,
        "from": int | None,
        "echo": bool,
        "timeout": float | None,
    },
)
"""The options of the verb; one has the name of a keyword."""


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("--exit", is_flag=True, help="Wait until the program has ended (the default).")
@click.option("--match", metavar="RE", help="Wait until the output matches (RE2 syntax).")
@click.option("--idle", type=Seconds(), metavar="SECONDS", help="Wait for this much silence.")
@click.option(
    "--from", type=click.IntRange(0), metavar="OFFSET", help="Match from here (default: now)."
)
@click.option("--echo", is_flag=True, help="Match the echo of what was typed, too.")
@timeout
@json_option()
@pass_settings
def wait(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """Wait for a program to end, for its output to match, or for silence.

    The first that happens ends the wait. Ends with 0 then, whatever the program's own status; with
    8 after --timeout; with 5 when the program ended before what was asked for happened. `lane send
    --json` prints the offset to match from as `head`.
    """
    until = _until(options)
    limit = options["timeout"]
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        info = terminal.info
        try:
            result = terminal.wait_for(limit, **until)
        except TimedOut as error:
            if limit is None:
                raise
            raise CliError(
                "TIMEOUT",
                f"terminal {info.name}: {_missed(options)} after {limit:g} s",
                retryable=True,
                details=error.details,
            ) from None
    if settings.json:
        settings.emit({"terminal_id": info.id, **fields(result)})
    else:
        settings.say(f"terminal {info.name}: {_told(result)}")
    if result.gap is not None and not settings.json:
        lost = result.gap.end - result.gap.start
        settings.notice(f"lane: {lost} bytes were gone before they could be searched")
    if until and result.reason == "exit" and not options["exit"]:
        raise CliError(
            "INVALID_TRANSITION", "the program ended before that", details={"end": result.end}
        )


def _until(options: Options) -> Until:
    until = Until()
    if options["match"] is not None:
        until["match"] = options["match"]
    if options["idle"] is not None:
        until["idle"] = options["idle"]
    if options["match"] is None and (options["from"] is not None or options["echo"]):
        raise click.UsageError("--from and --echo go with --match")
    if options["from"] is not None:
        until["offset"] = options["from"]
    if options["echo"]:
        until["echo"] = True
    return until


def _missed(options: Options) -> str:
    if options["match"] is not None:
        return "nothing matched"
    return "still runs" if options["idle"] is None else "was never silent for so long"


def _told(result: WaitResult) -> str:
    if result.match is not None:
        found = result.match
        return f"matched at {found.start}..{found.end}: {safe(found.text, SHOWN)}"
    return "silent" if result.reason == "idle" else how(result.exit)
