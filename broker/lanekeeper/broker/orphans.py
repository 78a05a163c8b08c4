"""`orphans.list`, `orphans.clean` and the watch: look, ask the keeper, judge, answer or announce.

A look goes by three steps, since what was seen must be older than what it is compared with: the
shell gathers facts, then the keeper lists its processes, then both are judged with the registry.
Those who ask meanwhile share the next look. Refuses to clean what the present look does not find.
Sans-IO handlers of the core.
"""

from typing import Any, Final

from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Cause, Desk, Ids
from lanekeeper.broker.lane import Request
from lanekeeper.broker.listings import fit
from lanekeeper.broker.plane import complete
from lanekeeper.broker.stimuli import Look, Looked, Tidied, Tidy, ToKeeper
from lanekeeper.keeper import scopes
from lanekeeper.keeper.facts import Finding, Index, Kind, LaneFact, Outcome, readable
from lanekeeper.keeper.findings import judge
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.orphans import (
    Cleaned,
    Orphan,
    OrphanClean,
    OrphanList,
    OrphansCleaned,
    Pid,
)
from lanekeeper.wire.messages.plane import Nothing

ASKED: Final = "orphans"
"""The id of our questions to the keeper."""

KEEPER_SECONDS: Final = 3.0
"""How long the keeper may take; without its answer nothing is said of workers."""

BROKER_OWNER: Final = "broker"
"""Whose the broker's own journal is in the vault."""

WATCH_SOON: Final = 30.0
"""Seconds from the start, or from a new keeper, to the first look that nobody asked for."""

WATCH_EVERY: Final = 600.0
"""Seconds between two looks that nobody asked for; one costs a pass over /proc."""

SHOWN: Final = 100
"""Processes and paths told of one orphan."""

ANNOUNCED_MOST: Final = 4096
"""Orphans remembered as announced."""


def listed(desk: Desk, request: Request) -> None:
    """`orphans.list`."""
    decode_body(request.command.payload, Nothing, request.command.method)
    _look(desk, request)


def clean(desk: Desk, request: Request) -> None:
    """`orphans.clean`; raises nothing for ids that are gone."""
    decode_body(request.command.payload, OrphanClean, request.command.method)
    if request.command.id not in desk.looking.tidying:
        _look(desk, request)


def looked(desk: Desk, stimulus: Looked) -> None:
    """Facts have come: ask the keeper what it counts."""
    looking = desk.looking
    if stimulus.facts is None:
        failed(desk)
        return
    looking.facts, looking.workers, looking.vault = stimulus.facts, None, None
    looking.served.clear()
    if desk.keeper:
        desk.actions.append(ToKeeper({"op": "status", "id": ASKED}))
        desk.actions.append(ToKeeper({"op": "vault", "id": ASKED}))
        desk.deadlines.set(Key(Due.LOOK, ""), desk.now + KEEPER_SECONDS)
    else:
        conclude(desk)


def status(desk: Desk, message: dict[str, Any]) -> bool:
    """Take a page of the keeper's answers; return whether it was one."""
    looking = desk.looking
    if message.get("id") != ASKED:
        return False
    if looking.facts is None:
        return True
    match message.get("op"):
        case "status":
            looking.workers = looking.workers or set()
            for process in message.get("processes", ()):
                looking.workers.add((int(process["pid"]), int(process["start_time"])))
                looking.served.add(str(process.get("lane", "")))
        case "vault":
            looking.vault = looking.vault or {}
            looking.vault |= {str(o["owner"]): int(o["held"]) for o in message.get("entries", ())}
        case _:
            conclude(desk)
            return True
    if not message.get("more") and message.get("op") == "vault":
        conclude(desk)
    return True


def watch(desk: Desk, seconds: float) -> None:
    """Look by ourselves some time from now, for the sake of `orphan.found`."""
    desk.deadlines.set(Key(Due.WATCH, ""), desk.now + seconds)


def due(desk: Desk, what: Due) -> None:
    """Look because it is time to, or judge without the keeper because it was silent."""
    if what is Due.LOOK:
        conclude(desk)
        return
    if desk.looking.facts is None and not desk.looking.waiting:
        desk.actions.append(Look())
    watch(desk, WATCH_EVERY)


def conclude(desk: Desk) -> None:
    """Judge, announce what is new, and answer those who wait; also when the keeper was silent."""
    looking = desk.looking
    facts, looking.facts = looking.facts, None
    desk.deadlines.clear(Key(Due.LOOK, ""))
    if facts is None:
        return
    looking.judging = True
    found = judge(facts, _index(desk))
    for finding in found:
        _announce(desk, finding)
    while looking.waiting:
        request = looking.waiting[0]
        if request.command.method == "orphans.list":
            orphans = [orphan(one) for one in found]
            chosen = fit(orphans)
            known = complete(desk) and looking.workers is not None
            result = OrphanList(orphans=chosen, complete=known, more=len(chosen) < len(orphans))
            desk.answer(request, [request.route], result)
        else:
            _select(desk, request, found)
        looking.waiting.pop(0)
    looking.judging = False


def failed(desk: Desk) -> None:
    """Refuse those who wait for a look that came to nothing; the next one looks again."""
    looking = desk.looking
    looking.facts, looking.judging = None, False
    waiting, looking.waiting = looking.waiting, []
    desk.deadlines.clear(Key(Due.LOOK, ""))
    text = "looking for orphans failed, a defect of the broker; its log (lane logs broker) says how"
    for request in waiting:
        desk.refuse(request, [request.route], WireError("INTERNAL", text).info)


def tidied(desk: Desk, stimulus: Tidied) -> None:
    """Say what cleaning did."""
    request = desk.looking.tidying.pop(stimulus.key, None)
    if request is None:
        return
    body = decode_body(request.command.payload, OrphanClean, request.command.method)
    done = {one.id: one for one in stimulus.outcomes}
    cleaned = [_cleaned(done.get(each), each) for each in body.ids]
    desk.answer(request, [request.route], OrphansCleaned(cleaned=cleaned))


def orphan(finding: Finding) -> Orphan:
    """Return a finding as it is told to clients."""
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
        processes=[Pid(pid=pid, start_time=at) for pid, at in finding.processes[:SHOWN]],
        paths=[readable(one) for one in (*finding.paths, *finding.groups)][:SHOWN],
    )


def _look(desk: Desk, request: Request) -> None:
    """Have a request wait for the next look; one that is sent again waits in its own place."""
    waiting = desk.looking.waiting
    for place, one in enumerate(waiting):
        if one.command.id == request.command.id:
            waiting[place] = request
            return
    waiting.append(request)
    if len(waiting) == 1:
        desk.actions.append(Look())


def _select(desk: Desk, request: Request, found: list[Finding]) -> None:
    body = decode_body(request.command.payload, OrphanClean, request.command.method)
    wanted = set(body.ids)
    chosen = [one for one in found if one.id in wanted]
    desk.looking.tidying[request.command.id] = request
    cause = desk.cause(request.command)
    for one in chosen:
        _publish(desk, "orphan.cleaned", one, cause)
        desk.looking.announced.pop(one.id, None)
    for one in chosen:
        if one.kind is Kind.VAULT:
            swept = {"op": "sweep", "id": f"orphan:{one.lane_id}", "lane_id": one.lane_id}
            desk.actions.append(ToKeeper(swept))
    desk.actions.append(Tidy(request.command.id, chosen))


def _cleaned(outcome: Outcome | None, orphan_id: str) -> Cleaned:
    if outcome is None:
        return Cleaned(id=orphan_id, gone=True)
    return Cleaned(
        id=orphan_id,
        killed=outcome.killed,
        removed=outcome.removed,
        error=outcome.error or None,
    )


def _announce(desk: Desk, finding: Finding) -> None:
    announced = desk.looking.announced
    if finding.id in announced:
        return
    announced[finding.id] = None
    if len(announced) > ANNOUNCED_MOST:
        announced.pop(next(iter(announced)))
    _publish(desk, "orphan.found", finding, desk.own_cause())


def _publish(desk: Desk, topic: str, finding: Finding, cause: Cause) -> None:
    ids = Ids(lane_id=finding.lane_id or None)
    desk.publish(topic, Happened(orphan=orphan(finding)), ids, cause)


def _index(desk: Desk) -> Index:
    lanes, terminals, brands = [], set(), set()
    for entry in desk.registry.lanes.values():
        info = entry.info
        worker = (info.pid, info.start_time or 0) if info.pid else None
        lanes.append(LaneFact(info.id, info.name, str(entry.state), worker))
        for terminal_id in entry.terminals:
            terminals.add(terminal_id)
            brands.add(scopes.terminal(desk.directory, info.id, terminal_id).value)
    looking = desk.looking
    held = [] if looking.vault is None else looking.vault.items()
    return Index(
        complete(desk),
        tuple(lanes),
        frozenset(terminals),
        frozenset(brands),
        None if looking.workers is None else frozenset(looking.workers),
        frozenset(looking.served),
        None if looking.vault is None else tuple((o, n) for o, n in held if o != BROKER_OWNER),
    )
