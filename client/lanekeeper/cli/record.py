"""`lane record`: a terminal's output as a recording that asciinema plays."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.cast import Cast, Subject, live_clock
from lanekeeper.cli.ends import Ends, Way
from lanekeeper.cli.errors import SIGNAL_BASE, CliError
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.relay import Relay
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import command_line

EXAMPLES = """lane record build -o build.cast && asciinema play build.cast
lane record agent --follow -o agent.cast
lane record build --from 4096 > build.cast"""
OWNER_ONLY: Final = 0o600
"""A recording may hold secrets that were shown."""

Options = TypedDict("Options", {"output": str | None, "from": int | None, "follow": bool})
"""The options of the verb; one has the name of a keyword."""


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to a new file.")
@click.option("--from", type=click.IntRange(0), metavar="OFFSET", help="Begin here.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the program ends.")
@pass_settings
def record(settings: Settings, address: str, **options: Unpack[Options]) -> None:
    """Record a terminal's output with its times and sizes, as an asciicast.

    What has been printed already is recorded as it came, from the oldest byte that is kept. Bytes
    that are gone are named in the header, in a marker and on stderr.
    """
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        info = terminal.info
        start = options["from"] or 0
        timeline = terminal.timeline(start)
        subject = Subject(start, f"{info.name} of {address}", command_line(info.argv))
        cast = Cast(timeline, subject, live_clock(timeline, time.time_ns(), time.monotonic_ns))
        follow = options["follow"]
        with (
            _target(options["output"]) as stdout,  # only now: a wrong address leaves no file
            terminal.output(start, follow=follow, policy="drop") as stream,
        ):
            ends = Ends(stdin=None, stdout=stdout, forward=False, follow=follow)
            outcome = Relay(plane, terminal, stream, ends, cast).run()
    if outcome.lost:
        settings.notice(f"lane: {outcome.lost} bytes of this output are gone from the log")
    if outcome.way is Way.SIGNALLED and outcome.caught is not None:
        sys.exit(SIGNAL_BASE + outcome.caught)


@contextlib.contextmanager
def _target(path: str | None) -> Iterator[int]:
    """Yield the descriptor to write to: a new file, or stdout."""
    if path is None:
        yield sys.stdout.fileno()
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, OWNER_ONLY)
    except FileExistsError:
        raise CliError(
            "ALREADY_EXISTS", f"{path} is there already", hint="give another name, or remove it"
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
