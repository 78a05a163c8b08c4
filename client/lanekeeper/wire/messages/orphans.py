"""Bodies of `orphans.*`: what is left over, the signals that say so, and what cleaning it did."""

from typing import Annotated

from msgspec import Meta, Struct

from lanekeeper.wire.envelope import Identifier
from lanekeeper.wire.limits import MAX_CLEANED


class Pid(Struct, forbid_unknown_fields=True, kw_only=True):
    """One process: its pid with its start time in clock ticks after boot."""

    pid: int
    start_time: int


class Orphan(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One thing that is left over.

    `id` stays the same for as long as it is the same thing. `kind` is one of
    `plane-without-keeper`, `lane-without-worker`, `worker-without-lane`, `child-without-terminal`,
    `vault-entry-without-owner`, `stale-socket`, `stale-file` and `leftover-cgroup`. `signals` are
    what says that it is left over, `remedy` is what to do. A `recoverable` one would lose
    something by being cleaned, and a `cleanable` one can be cleaned by `orphans.clean`.
    """

    id: str
    kind: str
    directory: str
    text: str
    remedy: str
    signals: list[str] = []
    recoverable: bool = False
    cleanable: bool = False
    lane_id: str | None = None
    processes: list[Pid] = []
    paths: list[str] = []


class OrphanList(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is left over.

    `complete` is false while something could not be asked: lanes that have not registered again,
    or no keeper. `more` says that there are others than those that fit into the answer.
    """

    orphans: list[Orphan]
    complete: bool = True
    more: bool = False


class OrphanClean(Struct, forbid_unknown_fields=True, kw_only=True):
    """Clean the orphans with these ids, as far as they are still there."""

    ids: Annotated[list[Identifier], Meta(min_length=1, max_length=MAX_CLEANED)]


class Cleaned(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What became of one orphan: processes killed, files and cgroups removed.

    `error` says why something is left; one that was not there any more has `gone`.
    """

    id: str
    killed: int = 0
    removed: int = 0
    gone: bool = False
    error: str | None = None


class OrphansCleaned(Struct, forbid_unknown_fields=True, kw_only=True):
    """One entry for each id of the request, in its order."""

    cleaned: list[Cleaned]
