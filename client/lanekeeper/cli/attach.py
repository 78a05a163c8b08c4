"""`lane attach`: this terminal becomes the program's."""

import os
import sys
from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.ends import Ends, Outcome, Way
from lanekeeper.cli.errors import SIGNAL_BASE, UNKNOWN, CliError
from lanekeeper.cli.keys import DEFAULT, DetachKey, detach_key
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.note import Note
from lanekeeper.cli.options import address, pass_settings
from lanekeeper.cli.painted import Painted
from lanekeeper.cli.pen import Pen
from lanekeeper.cli.plane import connected
from lanekeeper.cli.relay import Relay
from lanekeeper.cli.render import History, Renderer
from lanekeeper.cli.settings import QUIET, Settings
from lanekeeper.cli.sizes import size_of
from lanekeeper.cli.text import how, safe
from lanekeeper.client import LaneError, Plane, Terminal, returncode

EXAMPLES = """lane attach build
lane attach build --read-only
lane attach build --take
lane attach web/api:main.shell --detach-key ctrl-a"""
NO_SCREEN: Final = frozenset({"INTERNAL", "LIMIT_EXCEEDED", "TIMEOUT", "INVALID_TRANSITION"})
"""Refusals of a screen after which a person is still shown the output."""


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

    The program's screen is painted first, then it goes on live; the program gets the size of this
    terminal. What it printed earlier is there with `lane read`. One client writes at a time: while
    another does, this one looks on, until ctrl-t (or --take) takes the writing over. The detach
    key leaves the program running and ends with 0; when the program ends, this ends with its exit
    status.
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
    ends = ends_of(settings, address, key, (stdin, stdout), read_only=options["read_only"])
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        ends.pen = Pen(terminal, read_only=options["read_only"])
        ends.pen.take(take_over=options["take"])
        outcome = stay(plane, terminal, ends, f"{address} ({key.name} detaches)")
    sys.exit(conclude(settings, address, outcome))


def ends_of(
    settings: Settings,
    address: str,
    key: DetachKey,
    terminal: tuple[int, int],
    *,
    read_only: bool = False,
) -> Ends:
    """Return the person's side: a terminal by its descriptors for keys and for output."""
    mode = ", read-only" if read_only else ""
    return Ends(
        stdin=terminal[0],
        stdout=terminal[1],
        raw=True,
        follow_size=terminal[1],
        forward=False,
        detach_key=key,
        notice=settings.notice if settings.verbosity > QUIET else None,
        greet=lambda: settings.notice(f"attached to {address}{mode}; {key.name} detaches\r"),
    )


def stay(plane: Plane, terminal: Terminal, ends: Ends, hint: str) -> Outcome:
    """Paint the screen and go on live, until the program ends or the person leaves.

    Without a screen (it is too large, the emulator failed) all the output that is kept is shown.
    """
    writes = ends.pen is None or ends.pen.writes
    if writes and ends.follow_size is not None and terminal.info.exit is None:
        size = size_of(ends.follow_size)
        try:
            terminal.resize(size.cols, size.rows)
        except LaneError as error:
            if error.code not in {"INVALID_TRANSITION", "NOT_WRITER"}:  # ended, or taken meanwhile
                raise
    renderer, start = _renderer(terminal, hint, size_of(ends.stdout).rows)
    if isinstance(renderer, Painted) and ends.notice is not None:
        ends.note = Note(renderer.repaint)
    try:
        with terminal.output(start, policy="block") as stream:
            return Relay(plane, terminal, stream, ends, renderer).run()
    finally:
        if ends.pen is not None:
            ends.pen.put_down()


def _renderer(terminal: Terminal, hint: str, rows: int) -> tuple[Renderer, int | None]:
    """Return what shows the output, and the offset from which it wants it."""
    try:
        screen = terminal.screen("paint")
    except LaneError as error:
        if error.code not in NO_SCREEN:
            raise
        return History(terminal.refresh().head), None
    return Painted(screen, lambda: terminal.screen("paint"), safe(hint), rows), screen.offset


def conclude(settings: Settings, address: str, outcome: Outcome) -> int:
    """Say how it ended and return the exit status.

    It is 0 after the detach key, 128 + N when signal N ended us, else the program's own.
    """
    if outcome.way is Way.DETACHED:
        settings.notice(f"\ndetached; `lane attach {address}` comes back")
        return 0
    if outcome.way is Way.SIGNALLED and outcome.caught is not None:
        settings.notice(f"\ndetached by {outcome.caught.name}; the program goes on")
        return SIGNAL_BASE + outcome.caught
    settings.notice(f"\nthe program has ended: {how(outcome.exit)}")
    status = None if outcome.exit is None else returncode(outcome.exit)
    return UNKNOWN if status is None else status
