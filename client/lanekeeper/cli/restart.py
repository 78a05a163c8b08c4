"""`lane restart`: replace the plane's processes, one after the other, and lose nothing."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from lanekeeper.cli.complete import addresses
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.keeper_link import KeeperLink, demand
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.client import LaneError

EXAMPLES = """lane restart broker
lane restart build
lane restart all
lane restart all --json | jq '.restarted[] | .role'"""
KEEPER: Final = "keeper"
WORKER: Final = "worker"
ALL: Final = "all"
ROLES: Final = ("broker", "collector", KEEPER, "nursery")
ORDER: Final = ("nursery", "collector", "broker", WORKER, KEEPER)
"""Of `all`: the nursery first, since workers and the next keeper come from it."""

PATIENCE: Final = 20.0
"""Seconds for the old process to end (5 s, then it is killed) and the new one to be ready."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One process to be replaced."""

    role: str
    lane_id: str | None = None
    lane: str | None = None

    @property
    def label(self) -> str:
        """What it is called."""
        return self.role if self.lane is None else f"worker of lane {self.lane}"


def complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the roles and lanes that begin with what was typed; called by click."""
    known = [CompletionItem(name) for name in (ALL, *ROLES) if name.startswith(incomplete)]
    lanes = [one for one in addresses(ctx, parameter, incomplete) if not set(one.value) & set(":.")]
    return known + lanes


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("what", metavar="ROLE|LANE|all", shell_complete=complete)
@json_option()
@pass_settings
def restart(settings: Settings, what: str) -> None:
    """Replace processes of the plane; programs go on, and nothing is lost.

    ROLE is broker, collector, keeper or nursery; a LANE's worker hands its lane to another; `all`
    replaces every one of them in turn, which is how a new version is taken into use. Each waits
    until the plane is whole again. A lane that has the name of a role is WORKSPACE/NAME.
    """
    done = []
    for piece in pieces(settings, what):
        began = time.monotonic()
        pid = replace(settings, piece)
        seconds = round(time.monotonic() - began, 3)
        settings.notice(f"restarted {piece.label}: pid {pid}, whole again in {seconds:.2f} s")
        entry: dict[str, Any] = {"role": piece.role, "pid": pid, "seconds": seconds}
        if piece.lane_id is not None:
            entry |= {"lane_id": piece.lane_id, "lane": piece.lane}
        done.append(entry)
    if settings.json:
        settings.emit({"restarted": done} if what == ALL else done[0])
    elif what == ALL:
        settings.say(f"restarted all {len(done)} processes")
    else:
        settings.say(f"restarted {what}: pid {done[0]['pid']}")


def pieces(settings: Settings, what: str) -> Iterator[Piece]:
    """Yield what is to be replaced, in order; the lanes of `all` are those of its moment."""
    if what in ROLES:
        yield Piece(what)
        return
    if what != ALL:
        with connected(settings) as plane:
            lane = plane.resolve(what).lane
        yield Piece(WORKER, lane.id, lane.name)
        return
    names = lane_names(settings)
    for role in ORDER:
        if role != WORKER:
            yield Piece(role)
            continue
        with demand(settings.rundir) as link:
            served = [one["lane"] for one in link.status()["processes"] if one.get("lane")]
        yield from (Piece(WORKER, lane, names.get(lane, lane)) for lane in served)


def lane_names(settings: Settings) -> dict[str, str]:
    """Return the names of the lanes by their ids; of none without a broker to ask."""
    with contextlib.suppress(CliError, LaneError), connected(settings) as plane:
        return {lane.id: lane.name for lane in plane.lanes()}
    return {}


def replace(settings: Settings, piece: Piece) -> int:
    """Replace one process, wait until the plane is whole, and return the new one's pid.

    Raises:
        CliError: the keeper refuses, or it takes too long.
    """
    with demand(settings.rundir) as link:
        if piece.role == KEEPER:
            return replace_keeper(settings, link)
        message: dict[str, Any] = {"op": "restart", "role": piece.role}
        if piece.lane_id is not None:
            message["lane_id"] = piece.lane_id
        answer = link.ask(message, PATIENCE)
        link.ask({"op": "whole"}, PATIENCE)
    return int(answer["pid"])


def replace_keeper(settings: Settings, link: KeeperLink) -> int:
    """Let the keeper go and the nursery start the next one; return its pid.

    Raises:
        CliError: the keeper does not go, or the next one does not come.
    """
    old = link.keeper.pid
    link.ask({"op": "restart", "role": KEEPER}, PATIENCE)
    if not link.wait_closed(PATIENCE):
        raise CliError("TIMEOUT", f"the keeper (pid {old}) has not gone in {PATIENCE:g} s")
    with demand(settings.rundir) as successor:
        successor.ask({"op": "whole"}, PATIENCE)
        return int(successor.status()["pid"])
