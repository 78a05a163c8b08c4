"""`lane down`: stop the plane with everything in it; without a keeper, do the keeper's work."""

import contextlib
from typing import Any, Final

import click

from lanekeeper.cli.ending import end_all, leftovers, remove, remove_groups
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.keeper_link import KeeperLink, reach
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings, confirm
from lanekeeper.cli.text import count
from lanekeeper.keeper import cgroups
from lanekeeper.keeper.identity import plane_children, plane_processes
from lanekeeper.keeper.rundir import Rundir

EXAMPLES = """lane down
lane down --yes
lane --runtime-dir /tmp/plane down --yes --json"""
PATIENCE: Final = 45.0
"""Seconds: workers drain for 10, daemons for 5, what remains is killed after 2 more; then room."""

BROKER: Final = "broker"
"""The owner of the broker's own journal; every other one in the vault is a lane."""


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("-y", "--yes", is_flag=True, help="Do not ask when lanes live.")
@click.option("--dry-run", is_flag=True, help="Say what would be stopped, and stop nothing.")
@json_option()
@pass_settings
def down(settings: Settings, *, yes: bool, dry_run: bool) -> None:
    """Stop the plane: every program, every lane, every process of its own.

    Asks first when lanes live; without a terminal to ask on it needs --yes. When the keeper is
    dead, this does its work: it ends everything that carries the plane's marks.
    """
    rundir = settings.rundir
    rundir.check()
    link = reach(rundir)
    if link is None:
        without_keeper(settings, rundir, yes=yes, dry_run=dry_run)
        return
    with link:
        status = link.status()
        lanes = living(status["processes"], link.owners())
        if dry_run:
            plan = {"by": "keeper", "processes": status["processes"], "lanes": lanes}
            text = f"{count(len(status['processes']), 'process')}, {count(len(lanes), 'lane')}"
            tell_plan(settings, rundir, plan, f"{text} alive in {rundir.path}")
            return
        if lanes:
            confirm(f"{count(len(lanes), 'lane')} alive in {rundir.path}", yes=yes)
        by_keeper(settings, rundir, link)
        remove_groups(rundir)
    tell(
        settings,
        rundir,
        {"by": "keeper", "lanes": len(lanes)},
        f"{count(len(lanes), 'lane')} ended",
    )


def living(processes: list[dict[str, Any]], owners: list[str]) -> list[str]:
    """Return the ids of the lanes whose programs a `down` ends.

    A lane that was given up, or is between two workers, has no process of its own; its programs
    live by what the vault holds for it.
    """
    granted = {str(process["lane"]) for process in processes if process.get("lane")}
    return sorted(granted.union(owners) - {BROKER})


def by_keeper(settings: Settings, rundir: Rundir, link: KeeperLink) -> None:
    """Ask the keeper to stop everything, and wait until it has gone.

    Raises:
        CliError: TIMEOUT, it still runs.
    """
    link.ask({"op": "down"}, PATIENCE)
    settings.detail(f"keeper {link.keeper.pid} is stopping the plane")
    if not link.wait_closed(PATIENCE):
        raise CliError(
            "TIMEOUT",
            f"the keeper (pid {link.keeper.pid}) is still stopping the plane in {rundir.path}",
            hint="`lane status` shows what is left; kill the keeper and run `lane down` again "
            "to end it all at once",
        )


def without_keeper(settings: Settings, rundir: Rundir, *, yes: bool, dry_run: bool) -> None:
    """End what a dead keeper left: processes first, then sockets and files.

    Raises:
        CliError: NO_PLANE, nothing is left.
    """
    daemons, children = plane_processes(rundir), plane_children(rundir)
    files = leftovers(rundir)
    groups = cgroups.of_directory(str(rundir.path))
    if not (daemons or children or files or groups):
        raise CliError("NO_PLANE", f"no plane runs in {rundir.path}")
    found = (
        f"{count(len(daemons), 'process')} of a plane without a keeper, "
        f"{len(children)} of its programs"
    )
    if dry_run:
        listed = [
            {"role": role, "pid": process.pid, "start_time": process.start_time, "state": "unknown"}
            for role, process in daemons
        ]
        plan = {"by": "command line", "processes": listed, "children": len(children)}
        text = f"{found}, {len(files)} files in {rundir.path}"
        tell_plan(settings, rundir, {**plan, "files": len(files)}, text)
        return
    if daemons or children:
        confirm(f"{found} alive in {rundir.path}", yes=yes)
    ended = end_all(rundir)
    with contextlib.suppress(FileNotFoundError):
        rundir.wanted.unlink()
    remove(leftovers(rundir))
    fields = {"by": "command line", "processes": ended.ended, "killed": ended.killed}
    tell(
        settings,
        rundir,
        fields,
        f"without a keeper: ended {count(ended.ended, 'process')} ({ended.killed} killed), "
        f"removed {count(len(files), 'file')}",
    )


def tell_plan(settings: Settings, rundir: Rundir, plan: dict[str, object], text: str) -> None:
    """Say what a `down` would stop."""
    if settings.json:
        settings.emit({"runtime_dir": str(rundir.path), "dry_run": True, **plan})
    settings.say(f"{text}; nothing was stopped")


def tell(settings: Settings, rundir: Rundir, fields: dict[str, Any], text: str) -> None:
    """Say what was stopped."""
    if settings.json:
        settings.emit({"runtime_dir": str(rundir.path), "state": "down", **fields})
    settings.say(f"plane down in {rundir.path}: {text}")
