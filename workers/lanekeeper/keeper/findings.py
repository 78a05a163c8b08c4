"""What is left over, judged from facts: one function per kind, and no look at the world.

A process is called left over by several signals together (role or marker, brand, cgroup, parent,
what the plane itself lists), never by its pid, and not before it is some seconds old: what is being
started is known to others a moment later. A directory whose keeper lives is its keeper's business
unless it is the one asked about. Sans-IO; called by the broker, and by the command line alone.
"""

import hashlib
from base64 import b32encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from lanekeeper.keeper import scopes
from lanekeeper.keeper.facts import Facts, Finding, Group, Identity, Index, Kind, Place, Seen

SETTLED: Final = 2.0
"""Seconds a process must have lived to be judged."""

ENDED: Final = frozenset({"failed", "cleaned", "closed"})
"""States of a lane that has no worker any more."""

_COMING: Final = frozenset({"provisioning", "recovering", "cleaning"})
"""States of a lane whose worker may be between two processes."""

_SHOWN: Final = 5


def judge(facts: Facts, index: Index | None) -> list[Finding]:
    """Return everything that is left over, the own directory first.

    Without an index, or with an incomplete one, nothing is said of what only the plane can tell.
    """
    found: list[Finding] = []
    for place in sorted(facts.places, key=lambda one: (one.directory != facts.own, one.directory)):
        seen = [one for one in facts.processes if _of(one, place)]
        groups = [one for one in facts.groups if one.directory == place.directory]
        if place.keeper is None:
            found += _headless(place, seen, groups)
        elif place.directory == facts.own and index is not None:
            found += _lanes(place, index, facts)
            found += _workers(place, seen, index)
            found += _vault(place, index)
            if index.complete:
                found += _children(place, seen, groups, index)
                found += _sockets(place, index)
                found += _groups(groups, index, {path for one in found for path in one.groups})
    known = {place.directory for place in facts.places}
    found += [
        _group(one, "nothing else is known of its plane")
        for one in facts.groups
        if one.directory not in known and not one.lane_id
    ]
    return found


def _of(one: Seen, place: Place) -> bool:
    if one.directory:
        return one.directory == place.directory
    return not one.role and scopes.plane(place.directory).covers(one.brand)


def _headless(place: Place, seen: list[Seen], groups: list[Group]) -> Iterator[Finding]:
    """A directory without a keeper: what runs there, or else what lies there."""
    daemons = [one for one in seen if one.role and one.age >= SETTLED]
    programs = [one for one in seen if not one.role]
    if any(one.role for one in seen):
        if daemons:
            yield _plane(place, daemons, programs, groups)
        return
    for key, left in _by_terminal(programs).items():
        yield _child(place, key, left, (), "no process of its plane lives")
    for group in groups:
        if not group.lane_id:
            yield _group(group, "its plane has no process any more")
    if place.files:
        yield _files(place)


def _plane(place: Place, daemons: list[Seen], programs: list[Seen], groups: list[Group]) -> Finding:
    nursery = any(one.role == "nursery" for one in daemons)
    down = f"lane --runtime-dir {place.directory} down"
    names = ", ".join(f"{one.role} {one.identity[0]}" for one in daemons[:_SHOWN])
    more = f" and {len(daemons) - _SHOWN} more" if len(daemons) > _SHOWN else ""
    signals = ["nobody holds keeper.lock", "their environment names this directory and a role"]
    if nursery:
        signals.append("a nursery lives, which starts a keeper again")
    return Finding(
        _name(Kind.PLANE, place.directory, min(one.identity[::-1] for one in daemons)),
        Kind.PLANE,
        place.directory,
        f"{names}{more} run without a keeper, with {len(programs)} programs",
        f"`{down}` ends it with its programs",
        tuple(signals),
        recoverable=nursery,
        processes=_identities([*daemons, *programs]),
        paths=place.files,
        groups=tuple(one.path for one in groups if not one.lane_id),
    )


def _files(place: Place) -> Finding:
    signals = ["nobody holds keeper.lock", "no process names this directory with a role"]
    if place.unheard:
        signals.append(f"nobody listens on {len(place.unheard)} of its sockets")
    if place.wanted:
        text, remedy = (
            "its plane died without being stopped",
            f"`lane --runtime-dir {place.directory} up` starts it anew",
        )
    else:
        text, remedy = "files of a plane that is gone", "`lane orphans clean` removes them"
    return Finding(
        _name(Kind.FILE, place.directory, *place.files),
        Kind.FILE,
        place.directory,
        f"{text}: {len(place.files)} files",
        remedy,
        tuple(signals),
        paths=place.files,
    )


def _lanes(place: Place, index: Index, facts: Facts) -> Iterator[Finding]:
    """Lanes whose worker is gone."""
    alive = {one.identity for one in facts.processes}
    held = dict(index.vault or ())
    for lane in index.lanes:
        if lane.state in _COMING:
            continue
        gone = lane.state in ENDED or (lane.worker is not None and lane.worker not in alive)
        if not gone or lane.id in index.served:
            continue
        kept = held.get(lane.id, 0)
        signals = [f"the broker says {lane.state}", "its worker's pid with that start is gone"]
        if index.vault is not None:
            signals.append(f"the vault holds {kept} of its descriptors")
        yield Finding(
            _name(Kind.LANE, place.directory, lane.id),
            Kind.LANE,
            place.directory,
            f"lane {lane.name} ({lane.id}) is {lane.state} and has no worker",
            f"`lane recover {lane.id}`" if kept else f"`lane cleanup {lane.id}`",
            tuple(signals),
            recoverable=kept > 0,
            lane_id=lane.id,
        )


def _workers(place: Place, seen: list[Seen], index: Index) -> Iterator[Finding]:
    """Workers that the keeper does not count."""
    if index.workers is None:
        return
    serving = {lane.worker for lane in index.lanes}
    for one in seen:
        known = one.identity in index.workers or one.identity in serving
        if one.role != "worker" or known or one.age < SETTLED:
            continue
        yield Finding(
            _name(Kind.WORKER, place.directory, *_identities([one])),
            Kind.WORKER,
            place.directory,
            f"worker {one.identity[0]} serves no lane and is not a warm one",
            "`lane orphans clean` ends it",
            (
                "its name and environment are a worker's of this plane",
                "the keeper does not list its pid with that start",
                "no lane names it",
                f"its parent is {one.ppid}",
            ),
            processes=_identities([one]),
        )


def _vault(place: Place, index: Index) -> Iterator[Finding]:
    """Descriptors of lanes that nobody has."""
    lanes = {lane.id for lane in index.lanes}
    for lane_id, count in index.vault or ():
        if lane_id in lanes or lane_id in index.served or not index.complete:
            continue
        yield Finding(
            _name(Kind.VAULT, place.directory, lane_id),
            Kind.VAULT,
            place.directory,
            f"the vault holds {count} descriptors of {lane_id}, which no lane is",
            "`lane orphans clean` closes them and ends what runs on them",
            ("the keeper holds them", "the broker lists no such lane and misses none"),
            lane_id=lane_id,
        )


def _children(
    place: Place, seen: list[Seen], groups: list[Group], index: Index
) -> Iterator[Finding]:
    """What terminals that nobody knows any more have left."""
    left = [
        one
        for one in seen
        if not one.role
        and one.age >= SETTLED
        and one.terminal_id not in index.terminals
        and one.brand not in index.brands
        and index.terminals.isdisjoint(one.cgroup.split("/"))
    ]
    for key, those in _by_terminal(left).items():
        pids = {one.identity[0] for one in those}
        theirs = tuple(
            one.path for one in groups if one.terminal_id and one.pids and pids.issuperset(one.pids)
        )
        yield _child(place, key, those, theirs, "no lane has that terminal")


def _child(place: Place, key: str, left: list[Seen], groups: tuple[str, ...], why: str) -> Finding:
    names = ", ".join(f"{one.comm} {one.identity[0]}" for one in left[:_SHOWN])
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    signals = [why]
    if any(one.terminal_id for one in left):
        signals.append("their environment names the terminal")
    if any(one.brand is not None for one in left):
        signals.append("they carry the terminal's brand")
    if any(one.cgroup for one in left):
        signals.append("they are in the terminal's cgroup")
    return Finding(
        _name(Kind.CHILD, place.directory, key),
        Kind.CHILD,
        place.directory,
        f"{names}{more} outlived {key}",
        "`lane orphans clean` ends them",
        tuple(signals),
        processes=_identities(left),
        groups=groups,
    )


def _sockets(place: Place, index: Index) -> Iterator[Finding]:
    """Sockets of lanes that are gone."""
    lanes = {lane.id for lane in index.lanes}
    stale = tuple(
        path
        for path in place.unheard
        if path.startswith(f"{place.directory}/lanes/") and _stem(path) not in lanes
    )
    if stale:
        yield Finding(
            _name(Kind.SOCKET, place.directory, *stale),
            Kind.SOCKET,
            place.directory,
            f"{len(stale)} sockets of lanes that are gone: {', '.join(stale[:_SHOWN])}",
            "`lane orphans clean` removes them",
            ("nobody listens on them", "the broker lists no such lane"),
            paths=stale,
        )


def _groups(groups: list[Group], index: Index, told: set[str]) -> Iterator[Finding]:
    """Cgroups of lanes and terminals that are gone, without those told already."""
    lanes = {lane.id for lane in index.lanes}
    for one in groups:
        if one.age < SETTLED or one.path in told:
            continue
        if one.lane_id and one.lane_id not in lanes:
            if not one.terminal_id:
                yield _group(one, "no lane has that id")
        elif one.terminal_id and one.terminal_id not in index.terminals:
            yield _group(one, "no lane has that terminal")


def _group(group: Group, why: str) -> Finding:
    inside = f"{len(group.pids)} processes in it" if group.pids else "empty"
    return Finding(
        _name(Kind.CGROUP, group.directory, group.path),
        Kind.CGROUP,
        group.directory,
        f"cgroup {group.path}: {inside}",
        "`lane orphans clean` ends what is in it and removes it",
        ("its name is one that planes of this uid give", why),
        groups=(group.path,),
    )


def _by_terminal(programs: Iterable[Seen]) -> dict[str, list[Seen]]:
    """Sort processes by the terminal they come from, as far as that is known."""
    found: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in programs:
        found[one.terminal_id or f"a terminal with brand {one.brand or 0:x}"].append(one)
    return dict(found)


def _identities(seen: Iterable[Seen]) -> tuple[Identity, ...]:
    return tuple(sorted(one.identity for one in seen))


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _name(kind: Kind, *parts: object) -> str:
    digest = hashlib.sha256("\0".join([kind, *map(str, parts)]).encode("utf-8", "surrogateescape"))
    return "orphan_" + b32encode(digest.digest()[:10]).decode("ascii").lower()
