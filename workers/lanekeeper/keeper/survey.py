"""Looking for what has to do with planes of this uid: processes, runtime directories, sockets.

Owns one pass over /proc and one over each directory that a plane is known by. Refuses to judge and
to change anything, and to look into directories that are not safe. Called by the broker, and by the
command line, which must find what is left when nothing of ours runs any more.
"""

import contextlib
import os
import select
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from lanekeeper.keeper import brand, cgroups, identity, lock
from lanekeeper.keeper.facts import Facts, Group, Place, Seen
from lanekeeper.keeper.identity import Process
from lanekeeper.keeper.rundir import Rundir, RundirError, resolve

PLACES_MAX: Final = 1000
"""Runtime directories looked into; the own one comes first."""

_LISTENING: Final = 0x10000
"""SO_ACCEPTCON in the flags of /proc/net/unix."""

_SIGNS: Final = ("keeper.sock", "nursery.sock", "broker.sock")
"""Sockets by which a runtime directory shows that somebody listens in it."""

_UNIX_FIELDS: Final = 8
_LOOK: Final = 0.05


def look(rundir: Rundir) -> Facts:
    """Return what there is, seen from the plane of `rundir`, which need not exist."""
    under_way = steps(rundir)
    while True:
        try:
            next(under_way)
        except StopIteration as done:
            facts: Facts = done.value
            return facts


def steps(rundir: Rundir) -> Generator[None, None, Facts]:
    """Look, and pause after each process, place and cgroup there is; see `look`."""
    processes: list[Seen] = []
    for seen in _processes():
        processes += [] if seen is None else [seen]
        yield
    listening = _listening()
    yield
    trees: list[cgroups.Tree] = []
    for tree in cgroups.search():
        trees += [] if tree is None else [tree]
        yield
    places: list[Place] = []
    for place in _places(rundir, processes, listening, trees):
        places.append(place)
        yield
    names = {cgroups.name(place.directory): place.directory for place in places}
    groups: list[Group] = []
    for group in _groups(trees, names):
        groups.append(group)
        yield
    return Facts(str(rundir.path), tuple(processes), tuple(places), tuple(groups))


def look_twice(rundir: Rundir, seconds: float) -> Facts:
    """Return what there is, as `look`; a plane whose keeper is being replaced is given time for it.

    Blocks for at most `seconds`, and not at all while every plane has its keeper.
    """
    facts = look(rundir)
    alone = {one.directory for one in facts.processes if one.role}
    alone &= {place.directory for place in facts.places if place.keeper is None}
    deadline = time.monotonic() + seconds
    while alone and time.monotonic() < deadline:
        select.select([], [], [], _LOOK)
        found = {each for each in alone if lock.holder(Rundir(Path(each)).lock) is not None}
        alone -= found
        if found and not alone:
            return look(rundir)
    return facts if not alone else look(rundir)


def still(identities: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return those of these processes that live now."""
    return tuple(one for one in identities if Process(*one).alive())


def _processes() -> Iterator[Seen | None]:
    """Look at every process there is; those that have nothing to do with planes are None."""
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    for pid in identity.pids():
        found = next(identity.owned((pid,)), None)
        yield None if found is None else _seen(*found, uptime)


def _seen(process: Process, environ: Mapping[str, str], uptime: float) -> Seen | None:
    own, clock = os.getpid(), os.sysconf("SC_CLK_TCK")
    mark = brand.read(process.pid)
    group = cgroups.of_process(process.pid)
    role = environ.get(identity.ROLE_MARKER, "")
    terminal = environ.get(identity.TERMINAL_MARKER, "")
    stat = identity.read_stat(process.pid)
    if process.pid == own or stat is None or not (role or terminal or group or mark):
        return None
    where = identity.PLANE_MARKER if role else identity.DIR_MARKER
    return Seen(
        (process.pid, process.start_time),
        stat.ppid,
        stat.comm,
        uptime - process.start_time / clock,
        role="worker" if role and stat.comm == identity.WORKER_COMM else role,
        directory=environ.get(where, ""),
        lane_id="" if role else environ.get(identity.LANE_MARKER, ""),
        terminal_id="" if role else terminal,
        brand=mark,
        cgroup=group,
    )


def _listening() -> frozenset[str]:
    """Return the paths of all unix sockets that somebody listens on.

    A name may hold anything, line ends too: a line of another shape is part of a stranger's name.
    """
    try:
        lines = Path("/proc/net/unix").read_bytes().splitlines()[1:]
    except OSError:
        return frozenset()
    found: set[str] = set()
    for line in lines:
        fields = line.split(maxsplit=_UNIX_FIELDS - 1)
        with contextlib.suppress(ValueError):
            if len(fields) == _UNIX_FIELDS and int(fields[3], 16) & _LISTENING:
                found.add(os.fsdecode(fields[7]))
    return frozenset(found)


def _places(
    rundir: Rundir,
    processes: Sequence[Seen],
    listening: frozenset[str],
    trees: list[cgroups.Tree],
) -> Iterator[Place]:
    yield _place(rundir, listening)
    known = {rundir.path}
    uid = os.getuid()
    environments: tuple[Mapping[str, str], ...] = (os.environ, {})
    candidates = [resolve(None, given, uid).path for given in environments]
    candidates += [Path(one.directory) for one in processes if one.directory]
    candidates += [Path(tree.directory) for tree in trees if tree.directory]
    candidates += [Path(path).parent for path in listening if path.endswith(_SIGNS)]
    for path in candidates[:PLACES_MAX]:
        if path in known:
            continue
        known.add(path)
        other = Rundir(path)
        named = str(path) in {one.directory for one in processes} | {t.directory for t in trees}
        with contextlib.suppress(RundirError, OSError):
            other.check()
            yield _place(other, listening)
            continue
        if named:
            yield _place(other, frozenset(), readable=False)


def _place(rundir: Rundir, listening: frozenset[str], *, readable: bool = True) -> Place:
    if not readable:
        return Place(str(rundir.path), None)
    sockets = [path for path in (*rundir.sockets(), *_lane_sockets(rundir)) if _there(path)]
    files = [*sockets, *(path for path in (rundir.wanted, rundir.lock) if _there(path))]
    return Place(
        str(rundir.path),
        lock.holder(rundir.lock),
        wanted=_there(rundir.wanted),
        files=tuple(map(str, files)),
        unheard=tuple(str(path) for path in sockets if str(path) not in listening),
    )


def _groups(trees: Iterable[cgroups.Tree], names: Mapping[str, str]) -> Iterator[Group]:
    """Yield the cgroups of planes, then of their lanes and terminals."""
    for tree in trees:
        directory = tree.directory or names.get(tree.path.name, "")
        yield _group(tree.path, directory)
        for lane in cgroups.children(tree.path):
            yield _group(lane, directory, lane.name)
            for terminal in cgroups.children(lane):
                yield _group(terminal, directory, lane.name, terminal.name)


def _group(path: Path, directory: str, lane_id: str = "", terminal_id: str = "") -> Group:
    inside = tuple(cgroups.members(path))
    return Group(str(path), directory, lane_id, terminal_id, inside, cgroups.age(path))


def _lane_sockets(rundir: Rundir) -> list[Path]:
    try:
        return sorted(rundir.lanes.iterdir())
    except OSError:
        return []


def _there(path: Path) -> bool:
    return os.path.lexists(path)
