"""`lane top` without a live view: a plain table, or one JSON object, a look.

Owns the waiting between two looks, in which SIGINT ends it as it ends any verb.
"""

import os
import sys
import time
from datetime import UTC, datetime

import click

from lanekeeper.cli.board import Board
from lanekeeper.cli.columns import COLUMNS
from lanekeeper.cli.errors import no_broker
from lanekeeper.cli.fields import fields, moment
from lanekeeper.cli.looks import PATIENCE, diagnosing, listing
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.summary import health, lanes_line, load_line
from lanekeeper.cli.text import paint_state, table
from lanekeeper.cli.traffic import observer
from lanekeeper.client import joining
from lanekeeper.client.errors import LaneError
from lanekeeper.client.shell import Shell
from lanekeeper.wire.envelope import Actor

MOST: frozenset[str] = frozenset({"TIMEOUT", "UNREACHABLE"})


class Periodic:
    """One look after the other."""

    def __init__(self, settings: Settings, board: Board, workspace: str | None) -> None:
        """Look at the plane of these settings, or at one workspace of it."""
        self._settings = settings
        self._board = board
        self._workspace = workspace

    def run(self, interval: float, count: int | None) -> None:
        """Print `count` looks (None: for ever), one every `interval` seconds.

        Raises:
            CliError: UNREACHABLE, no broker answers.
            LaneError: it refuses, as a workspace that there is not.
        """
        actor = Actor(kind="operator", id=f"uid:{os.getuid()}")
        hub = joining.open_hub(self._settings.rundir, PATIENCE, actor, observer(self._settings))
        shell = Shell(hub)
        try:
            while count is None or count > 0:
                due = time.monotonic() + interval
                self._look(shell)
                self._print()
                sys.stdout.flush()
                count = None if count is None else count - 1
                if count != 0:
                    shell.wait((), (), 0.0)
                    shell.until(lambda: False, max(0.0, due - time.monotonic()))
        finally:
            hub.close()

    def _look(self, shell: Shell) -> None:
        now = datetime.now(UTC)
        try:
            self._board.listed(shell.perform(listing(self._workspace)), now)
        except LaneError as error:
            if error.code not in MOST:
                raise
            raise no_broker(self._settings.rundir) from None
        try:
            found = shell.perform(diagnosing(self._board.by.order), PATIENCE)
        except LaneError as error:
            self._board.undiagnosed(error.message, now)
        else:
            self._board.diagnosed(found, now)

    def _print(self) -> None:
        if self._settings.json:
            self._settings.emit(as_json(self._board))
        else:
            click.echo(as_text(self._board, color=self._settings.colored()))


def as_text(board: Board, *, color: bool) -> str:
    """Return the lines for people: health, and a table of the lanes."""
    found, why = health(board.diagnostics, board.missing)
    rows = [[column.text(row) for column in COLUMNS] for row in board.rows]
    return "\n".join(
        [
            lanes_line(board.everything, complete=board.complete),
            f"health: {paint_state(found, color=color)}  {why}",
            load_line(board.load),
            table([column.head for column in COLUMNS], rows, color=color, state=1),
        ]
    )


def as_json(board: Board) -> dict[str, object]:
    """Return the object of one look."""
    diagnostics = board.diagnostics
    at = board.listed_at
    return {
        "time": None if at is None else moment(at),
        "complete": board.complete,
        "status": "unknown" if diagnostics is None else diagnostics.status,
        "missing": board.missing or None,
        "processes": [] if diagnostics is None else [fields(one) for one in diagnostics.processes],
        "sort": board.by.name,
        "lanes_total": len(board.everything),
        "lanes": [fields(row) for row in board.rows],
    }
