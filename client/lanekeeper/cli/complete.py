"""What the shell's completion offers for arguments: live names, signals, roles.

A completion that fails offers nothing: no error may land in the middle of a command line. The
plane is asked by `live`, which is imported only when somebody pressed tab.
"""

import contextlib
import importlib
import signal
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from lanekeeper.cli.settings import Settings


def addresses(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the addresses of what lives that begin with what was typed; called by click."""
    del parameter
    return _matching(_live(ctx, "addresses", incomplete), incomplete)


def workspaces(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of workspaces that begin with what was typed; called by click."""
    del parameter
    return _matching(_live(ctx, "workspaces", incomplete), incomplete)


def orphans(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the ids of orphans that begin with what was typed; called by click."""
    del parameter
    return _matching(_live(ctx, "orphans", incomplete), incomplete)


def signals(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of signals that begin with what was typed; called by click."""
    del ctx, parameter
    names = sorted(number.name.removeprefix("SIG") for number in signal.Signals)
    return _matching(names, incomplete.upper().removeprefix("SIG"))


def _live(ctx: click.Context, what: str, incomplete: str) -> list[str]:
    directory = ctx.find_root().params.get("runtime_dir")
    settings = Settings(runtime_dir=directory if isinstance(directory, str) else None)
    with contextlib.suppress(Exception):
        found = getattr(importlib.import_module("lanekeeper.cli.live"), what)
        return [str(name) for name in found(settings, incomplete)]
    return []


def _matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
