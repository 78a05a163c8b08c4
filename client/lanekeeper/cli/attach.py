"""`lane attach`: this terminal becomes the program's."""

import os
import sys
from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.keys import DEFAULT, DetachKey, detach_key
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, pass_settings
from lanekeeper.cli.pen import Pen
from lanekeeper.cli.plane import connected
from lanekeeper.cli.relay import Ends, Outcome, Relay, Way
from lanekeeper.cli.render import History
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import size_of
from lanekeeper.cli.text import how
from lanekeeper.client import LaneError, Plane, Terminal, returncode

EXAMPLES = """lane attach build
lane attach build --read-only
lane attach build --take
lane attach web/api:main.shell --detach-key ctrl-a"""
UNKNOWN: Final = 1
SIGNAL_BASE: Final = 128


class Options(TypedDict):
    """The options of the verb."""

    read_only: bool
    take: bool
    detach_key: DetachKey


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("-r", "--read-only", is_flag=True, help="Look on: no keys, no size.")
@click.option("--take", is_flag=True, help="Take over the writing from whoever does it now.")
@click.option(
    "--detach-key",
    type=detach_key,
    default=DEFAULT,
    show_default=True,
    metavar="KEY",
    help="ctrl-X or none.",
)
@pass_settings
def attach(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """Attach this terminal to a program.

    What the program wrote before is shown first, then it goes on live; the program gets the size
    of this terminal. One client writes at a time: while another does, this one looks on, until
    ctrl-t (or --take) takes the writing over. The detach key leaves the program running and ends
    with 0; when the program ends, this ends with its exit status.
    """
    key = options["detach_key"]
    stdin, stdout = sys.stdin.fileno(), sys.stdout.fileno()
    if not os.isatty(stdout) or not os.isatty(stdin):
        raise CliError(
            "INVALID_ARGUMENT",
            "attach needs a terminal at stdin and stdout",
            hint=f"`lane read {address} --follow` and `lane send {address}` work without one",
        )
    if options["read_only"] and options["take"]:
        raise click.UsageError("--read-only looks on, --take writes")
    mode = ", read-only" if options["read_only"] else ""
    ends = Ends(
        stdin=stdin,
        stdout=stdout,
        raw=True,
        follow_size=stdout,
        forward=False,
        detach_key=key,
        notice=settings.notice,
        greet=lambda: settings.notice(f"attached to {address}{mode}; {key.name} detaches\r"),
    )
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        ends.pen = Pen(terminal, read_only=options["read_only"])
        ends.pen.take(take_over=options["take"])
        outcome = stay(plane, terminal, ends)
    sys.exit(conclude(settings, address, outcome))


def stay(plane: Plane, terminal: Terminal, ends: Ends) -> Outcome:
    """Show history and go on live, until the program ends or the person leaves."""
    writes = ends.pen is None or ends.pen.writes
    if writes and ends.follow_size is not None and terminal.info.exit is None:
        size = size_of(ends.follow_size)
        try:
            terminal.resize(size.cols, size.rows)
        except LaneError as error:
            if error.code not in {"INVALID_TRANSITION", "NOT_WRITER"}:  # ended, or taken meanwhile
                raise
    head = terminal.refresh().head
    try:
        with terminal.output(None, policy="block") as stream:
            return Relay(plane, terminal, stream, ends, History(head)).run()
    finally:
        if ends.pen is not None:
            ends.pen.put_down()


def conclude(settings: Settings, address: str, outcome: Outcome) -> int:
    """Say how it ended and return the exit status."""
    if outcome.way is Way.DETACHED:
        settings.notice(f"\ndetached; `lane attach {address}` comes back")
        return 0
    if outcome.way is Way.SIGNALLED and outcome.caught is not None:
        settings.notice(f"\ndetached by {outcome.caught.name}; the program goes on")
        return SIGNAL_BASE + outcome.caught
    settings.notice(f"\nthe program has ended: {how(outcome.exit)}")
    status = None if outcome.exit is None else returncode(outcome.exit)
    return UNKNOWN if status is None else status
