"""What holds for one run of `lane`: where the plane is, how much to say, in which form.

Owns the decisions about colour and the two streams: data to stdout, everything else to stderr.
Every verb gets one `Settings` from click.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import IO, Final

import click
from msgspec import Struct

from lanekeeper.cli.config import Config
from lanekeeper.cli.errors import SCHEMA, CliError
from lanekeeper.keeper.rundir import Rundir, resolve

QUIET: Final = -1
VERBOSE: Final = 1
WIRE: Final = 2
"""Levels of `-q`, `-v` and `-vv`."""


class Settings(Struct):
    """One run's settings; `json` is set by the option of the verb."""

    runtime_dir: str | None = None
    color: str = "auto"
    verbosity: int = 0
    debug: bool = False
    json: bool = False
    config: Config = Config()

    @property
    def rundir(self) -> Rundir:
        """The runtime directory that applies, not checked."""
        return resolve(self.runtime_dir, os.environ, os.getuid())

    def colored(self, stream: IO[str] | None = None) -> bool:
        """Return whether to colour what goes to `stream` (stdout when not given)."""
        return wants_color(self.color, os.environ, tty=(stream or sys.stdout).isatty())

    def say(self, text: str) -> None:
        """Print the one line of an action on stdout, unless quiet or JSON was asked for."""
        if self.verbosity > QUIET and not self.json:
            click.echo(text)

    def notice(self, text: str) -> None:
        """Print progress or a hint on stderr, unless quiet."""
        if self.verbosity > QUIET:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        """Print on stderr what only `-v` shows."""
        if self.verbosity >= VERBOSE:
            click.echo(text, err=True)

    def emit(self, fields: Mapping[str, object]) -> None:
        """Print one JSON object, with its schema version, as one line on stdout."""
        click.echo(json_line(fields))


def json_line(fields: Mapping[str, object]) -> str:
    """Return one JSON object on one line; undecodable bytes in names become escapes."""
    return json.dumps({"schema": SCHEMA, **fields}, ensure_ascii=True, allow_nan=False)


def wants_color(choice: str, environ: Mapping[str, str], *, tty: bool) -> bool:
    """Return whether to colour: the option first, then NO_COLOR, FORCE_COLOR, TERM, the stream."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return tty and environ.get("TERM", "") not in {"", "dumb"}


def confirm(question: str, *, yes: bool, flag: str = "--yes") -> None:
    """Go on only with the person's consent: asked for on a terminal, given by a flag elsewhere.

    Raises:
        CliError: CONFIRMATION_NEEDED, there is nobody to ask, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CliError("CONFIRMATION_NEEDED", question, hint=f"give {flag} to go ahead")
    if not click.confirm(f"{question}; go ahead?", err=True):
        raise CliError("CONFIRMATION_NEEDED", "nothing was done")
