"""`lane orphans`: what is left over of planes and lanes, and how to be rid of it."""

from dataclasses import dataclass
from typing import Any, Final

import click

from lanekeeper.cli.complete import orphans as completed
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.fields import fields
from lanekeeper.cli.keeper_link import reach
from lanekeeper.cli.lazy import LazyGroup, Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings, confirm
from lanekeeper.cli.text import count, safe
from lanekeeper.cli.verbs import ORPHANS_VERBS
from lanekeeper.client import LaneError
from lanekeeper.keeper import findings, survey, tidy
from lanekeeper.keeper.facts import Finding, Index, readable
from lanekeeper.keeper.rundir import Rundir, RundirMissingError
from lanekeeper.wire.limits import MAX_CLEANED
from lanekeeper.wire.messages.orphans import (
    Cleaned,
    Orphan,
    OrphanClean,
    OrphanList,
    OrphansCleaned,
    Pid,
)

LIST_EXAMPLES = """lane orphans list
lane orphans list --json | jq -r '.orphans[] | select(.recoverable | not) | .id'"""
CLEAN_EXAMPLES = """lane orphans clean --dry-run
lane orphans clean --yes
lane orphans clean orphan_vdsdjgzxpaqo4dzg"""
BROKER_SECONDS: Final = 2.0
ENDING_SECONDS: Final = 2.0
"""How long to wait for the end of what was killed."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is left over, and who looked."""

    orphans: list[Orphan]
    complete: bool
    by: str
    findings: dict[str, Finding]
    """Of a look of our own; empty when the broker looked."""


class Orphans(LazyGroup):
    """The verbs of orphans."""

    entries = ORPHANS_VERBS


@click.group(cls=Orphans, no_args_is_help=True)
def orphans() -> None:
    """What is left over of planes and lanes: shown with a remedy each, cleaned only when asked."""


@click.command("list", cls=Verb, epilog=LIST_EXAMPLES)
@json_option()
@pass_settings
def list_orphans(settings: Settings) -> None:
    """List what is left over, with a remedy each.

    Looks for lanes without worker, workers without lane, programs without terminal, vault entries
    without owner, stale sockets and files, cgroups, and other planes of yours whose keeper is
    dead. Works without a plane too.
    """
    found = look(settings)
    if settings.json:
        rows = [fields(one) for one in found.orphans]
        settings.emit({"orphans": rows, "complete": found.complete, "by": found.by})
        return
    for one in found.orphans:
        click.echo(described(one))
    if not found.complete:
        settings.notice("what only a whole plane can tell is not among them; see `lane status`")
    if not found.orphans:
        settings.say("nothing is left over")


@click.command(cls=Verb, epilog=CLEAN_EXAMPLES)
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=completed)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be cleaned, and clean nothing.")
@json_option()
@pass_settings
def clean(settings: Settings, ids: tuple[str, ...], *, yes: bool, dry_run: bool) -> None:
    """Kill and remove what is left over.

    Without ids everything in this runtime directory that can be cleaned at no loss; what could be
    recovered, and what lies in other directories, is cleaned only by its id. Asks first; without a
    terminal to ask on it needs --yes.
    """
    found = look(settings)
    chosen = select(found.orphans, ids, str(settings.rundir.path))
    if dry_run or not chosen:
        tell_plan(settings, chosen, dry_run=dry_run)
        return
    for one in chosen:
        settings.notice(described(one))
    confirm(f"{count(len(chosen), 'orphan')} to clean", yes=yes)
    cleaned = carry_out(settings, found, [one.id for one in chosen])
    left = [one for one in cleaned if one.error]
    if settings.json:
        settings.emit({"cleaned": [fields(one) for one in cleaned], "by": found.by})
    killed, removed = sum(one.killed for one in cleaned), sum(one.removed for one in cleaned)
    settings.say(
        f"cleaned {count(len(cleaned) - len(left), 'orphan')}: killed "
        f"{count(killed, 'process')}, removed {count(removed, 'file')}"
    )
    if left:
        raise CliError(
            "IO",
            f"{count(len(left), 'orphan')} could not be cleaned: {left[0].error}",
            hint="`lane orphans list` shows what is left",
        )


def look(settings: Settings) -> Found:
    """Ask the broker, or look ourselves when none answers."""
    try:
        with connected(settings, timeout=BROKER_SECONDS) as plane:
            found = plane.call("orphans.list", result=OrphanList)
        return Found(found.orphans, found.complete and not found.more, "broker", {})
    except RundirMissingError:
        pass
    except (LaneError, CliError) as error:
        if error.code not in {"UNREACHABLE", "TIMEOUT"}:
            raise
    rundir = settings.rundir
    facts = survey.look_twice(rundir, findings.SETTLED)
    index = ask_keeper(rundir)
    judged = findings.judge(facts, index)
    alone = next(p for p in facts.places if p.directory == facts.own).keeper is None
    told = [tell(one) for one in judged]
    return Found(told, alone, "command line", {one.id: one for one in judged})


def ask_keeper(rundir: Rundir) -> Index | None:
    """Return what a keeper without a broker knows."""
    try:
        link = reach(rundir)
        if link is None:
            return None
        with link:
            processes = link.status()["processes"]
    except CliError:
        return None
    workers = frozenset((int(one["pid"]), int(one["start_time"])) for one in processes)
    return Index(complete=False, workers=workers)


def tell(finding: Finding) -> Orphan:
    """Return a finding of ours in the form of the wire."""
    return Orphan(
        id=finding.id,
        kind=str(finding.kind),
        directory=readable(finding.directory),
        text=readable(finding.text),
        remedy=readable(finding.remedy),
        signals=[readable(one) for one in finding.signals],
        recoverable=finding.recoverable,
        cleanable=finding.cleanable,
        lane_id=readable(finding.lane_id) or None,
        processes=[Pid(pid=pid, start_time=at) for pid, at in finding.processes],
        paths=[readable(one) for one in (*finding.paths, *finding.groups)],
    )


def select(known: list[Orphan], ids: tuple[str, ...], directory: str) -> list[Orphan]:
    """Return what is to be cleaned.

    Raises:
        CliError: ORPHAN_NOT_FOUND, or INVALID_ARGUMENT for one that only its remedy ends.
    """
    if not ids:
        own = [one for one in known if one.directory == directory]
        return [one for one in own if one.cleanable and not one.recoverable][:MAX_CLEANED]
    by_id = {one.id: one for one in known}
    for each in ids:
        if each not in by_id:
            raise CliError(
                "ORPHAN_NOT_FOUND",
                f"there is no orphan {safe(each)}",
                hint="`lane orphans list` shows those there are",
            )
        if not by_id[each].cleanable:
            raise CliError(
                "INVALID_ARGUMENT",
                f"{each} cannot be cleaned away",
                hint=f"{by_id[each].remedy} instead",
            )
    return [by_id[each] for each in dict.fromkeys(ids)]


def carry_out(settings: Settings, found: Found, ids: list[str]) -> list[Cleaned]:
    """Have the broker clean, or do it ourselves where it did not look."""
    if found.by == "broker":
        with connected(settings) as plane:
            wanted = OrphanClean(ids=ids)
            return plane.call("orphans.clean", wanted, result=OrphansCleaned).cleaned
    outcomes = [tidy.clean(found.findings[each], ENDING_SECONDS) for each in ids]
    return [
        Cleaned(id=one.id, killed=one.killed, removed=one.removed, error=one.error or None)
        for one in outcomes
    ]


def tell_plan(settings: Settings, chosen: list[Orphan], *, dry_run: bool) -> None:
    """Say what would be cleaned, or that there is nothing."""
    if settings.json:
        plan: dict[str, Any] = {"orphans": [fields(one) for one in chosen], "dry_run": dry_run}
        settings.emit({"cleaned": [], **plan})
        return
    for one in chosen:
        click.echo(described(one))
    what = count(len(chosen), "orphan") if chosen else "nothing"
    settings.say(f"{what} to clean; nothing was changed")


def described(one: Orphan) -> str:
    """Return an orphan as lines for people."""
    grade = "recoverable" if one.recoverable else "left over"
    lines = [
        f"{one.id}  {one.kind}  {grade}",
        f"  in {safe(one.directory)}: {safe(one.text)}",
        *(f"  seen by: {safe(signal)}" for signal in one.signals),
        f"  remedy: {safe(one.remedy)}",
    ]
    return "\n".join(lines)
