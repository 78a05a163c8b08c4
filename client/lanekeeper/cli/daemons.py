"""`lane keeper`, `broker`, `collector`, `worker NAME`: one process of a plane in the foreground.

Each becomes `python -m lanekeeper.ROLE`; for service managers and for looking at one process.
`up` starts the keeper with the same arguments and environment.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

import click

from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.keeper.identity import PLANE_MARKER, ROLE_MARKER
from lanekeeper.keeper.rundir import Rundir

ANYTHING: Final = {"ignore_unknown_options": True}
"""What follows the verb is the daemon's own business."""

KEEPER_EXAMPLES = """lane keeper
lane --runtime-dir /run/lanekeeper keeper --log-format json"""
BROKER_EXAMPLES = """lane broker
lane --runtime-dir /tmp/plane broker --log-level debug"""
COLLECTOR_EXAMPLES = """lane collector"""
WORKER_EXAMPLES = """lane worker build
lane worker web/api"""


def arguments(module: str, rundir: Rundir, words: Sequence[str]) -> list[str]:
    """Return the command line of a daemon.

    -P keeps the caller's working directory off the module path: a plane started in a directory
    with a `click.py` must not run it.
    """
    return [sys.executable, "-P", "-m", module, "--runtime-dir", str(rundir.path), *words]


def environment(
    role: str, rundir: Rundir, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a daemon: the caller's, with the plane's markers.

    The names that a terminal of a plane gives its programs are left out: a plane that is started
    from a lane of another one is not part of that lane.
    """
    kept = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name not in {"LANEKEEPER_LANE", "LANEKEEPER_SESSION", "LANEKEEPER_TERMINAL"}
        and name != "LANEKEEPER_DIR"
    }
    return {**kept, PLANE_MARKER: str(rundir.path), ROLE_MARKER: role}


def become(settings: Settings, role: str, module: str, words: Sequence[str]) -> NoReturn:
    """Become a daemon of this plane."""
    rundir = settings.rundir
    rundir.create()
    command = arguments(module, rundir, words)
    os.execve(command[0], command, environment(role, rundir))


@click.command(cls=Verb, epilog=KEEPER_EXAMPLES, context_settings=ANYTHING)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE KEEPER]")
@pass_settings
def keeper(settings: Settings, words: tuple[str, ...]) -> None:
    """Run the keeper, which starts and supervises everything else; `lane up` is the same."""
    become(settings, "keeper", "lanekeeper.keeper", words)


@click.command(cls=Verb, epilog=BROKER_EXAMPLES, context_settings=ANYTHING)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE BROKER]")
@pass_settings
def broker(settings: Settings, words: tuple[str, ...]) -> None:
    """Run a broker without a keeper; its lanes come from `lane worker`."""
    become(settings, "broker", "lanekeeper.broker", words)


@click.command(cls=Verb, epilog=COLLECTOR_EXAMPLES, context_settings=ANYTHING)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE COLLECTOR]")
@pass_settings
def collector(settings: Settings, words: tuple[str, ...]) -> None:
    """Run a collector, which gathers the plane's figures."""
    become(settings, "collector", "lanekeeper.collector", words)


@click.command(cls=Verb, epilog=WORKER_EXAMPLES, context_settings=ANYTHING)
@click.argument("name", metavar="[WORKSPACE/]NAME")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE WORKER]")
@pass_settings
def worker(settings: Settings, name: str, words: tuple[str, ...]) -> None:
    """Run the worker of one lane by hand; the broker takes the lane in."""
    become(settings, "worker", "lanekeeper.workers", [name, *words])
