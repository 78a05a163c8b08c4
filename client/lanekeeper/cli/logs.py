"""`lane logs`: the end of a daemon's log, and what is added to it."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.loglines import Objects
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.watch import Watch
from lanekeeper.keeper.rundir import Rundir

EXAMPLES = """lane logs broker
lane logs keeper --follow
lane logs worker -n 200
lane logs worker --json | jq 'select(.level == "ERROR")'"""
ROLES: Final = ("keeper", "nursery", "broker", "collector", "worker")
BLOCK: Final = 64 * 1024
Show = Callable[[Iterable[bytes]], None]
"""Writes pieces of a log to stdout."""


def complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the roles that begin with what was typed; called by click."""
    del ctx, parameter
    return [CompletionItem(role) for role in ROLES if role.startswith(incomplete)]


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("role", type=click.Choice(ROLES), shell_complete=complete)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added.")
@click.option("-n", "--lines", type=click.IntRange(0), default=40, show_default=True)
@json_option("Print one JSON object a line.")
@pass_settings
def logs(settings: Settings, role: str, lines: int, *, follow: bool) -> None:
    """Show a daemon's log.

    With --json every line is an object: time, level, role, pid, logger, message, and lane,
    request, worker or stimulus where the line names them.
    """
    rundir = settings.rundir
    rundir.check()
    path = rundir.log_file(role)
    if not path.exists() and not follow:
        raise CliError("IO", f"{path} does not exist; {role} has not logged anything here")
    show = as_json(whole=not follow) if settings.json else as_is
    if follow:
        follow_file(rundir, path, lines, show)
    else:
        show(last_lines(path, lines)[0])


def last_lines(path: Path, count: int) -> tuple[list[bytes], int]:
    """Return the last lines of a file and the offset where they end; nothing of a missing one."""
    try:
        with path.open("rb") as file:
            kept = deque(file, maxlen=count)
            return list(kept), file.tell()
    except FileNotFoundError:
        return [], 0


def follow_file(rundir: Rundir, path: Path, count: int, show: Show) -> None:
    """Show the last lines and whatever is added; a file that was rotated is opened again."""
    with Watch(rundir.log) as watch:
        lines, offset = last_lines(path, count)
        show(lines)
        inode = identity(path)
        while True:
            watch.wait()
            if identity(path) != inode:
                inode, offset = identity(path), 0
            offset = show_from(path, offset, show)


def identity(path: Path) -> int:
    """Return the inode of a file; 0 when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def show_from(path: Path, offset: int, show: Show) -> int:
    """Show what a file holds after `offset` and return where it ends."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < offset:
                offset = 0
            file.seek(offset)
            while block := file.read(BLOCK):
                show([block])
            return file.tell()
    except FileNotFoundError:
        return 0


def as_is(pieces: Iterable[bytes]) -> None:
    """Write pieces of a log to stdout; the log itself has no control characters."""
    sys.stdout.buffer.writelines(pieces)
    sys.stdout.buffer.flush()


def as_json(*, whole: bool) -> Show:
    """Return what writes each line as a JSON object; with `whole` pieces end with a line."""
    objects = Objects()
    end = [b"\n"] if whole else []
    return lambda pieces: as_is([objects.take([*pieces, *end])])
