"""What `-vv` shows: a line on stderr for every command that leaves and every answer that comes.

Shows methods, ids, sizes and times, never what a command carries: that may be a secret. Attached,
it shows them only where stderr is another file. Called by
the ways to the broker.
"""

import sys

import click

from lanekeeper.cli.settings import WIRE, Settings
from lanekeeper.cli.tty_mode import is_raw
from lanekeeper.client.session import Observer, Traffic

_ARROWS = {"sent": "->", "again": "=>", "one-way": "->"}


def observer(settings: Settings) -> Observer | None:
    """Return what is to see the traffic: nothing without `-vv`."""
    return show if settings.verbosity >= WIRE else None


def show(traffic: Traffic) -> None:
    """Print one line, unless it would land on a program's screen: stderr in raw mode."""
    if not is_raw(sys.stderr):
        click.echo(line(traffic), err=True)


def line(traffic: Traffic) -> str:
    """Return the line for one command or answer."""
    command = traffic.command
    path = "" if traffic.link is None else " (straight to the lane)"
    head = f"{_ARROWS.get(traffic.word, '<-')} {command.method} {command.id}"
    if traffic.word in _ARROWS:
        note = {"again": ", sent again", "one-way": ", no answer expected"}.get(traffic.word, "")
        return f"{head}: {traffic.size} bytes{path}{note}"
    took = f"{traffic.seconds * 1000:.1f} ms"
    if traffic.word == "late":
        return f"{head}: no answer in {took}"
    return f"{head}: {traffic.code or traffic.word} in {took}, {traffic.size} bytes{path}"
