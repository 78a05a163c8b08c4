"""The plane as `status` and a new broker see it: lists cut into messages.

Owns the shape of the answers that may be long. Refuses to make one message of any length: a
channel carries 64 KiB. Pure functions; called by `supervisor`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import KEEPER, WORKER, Message, answer
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.states import Daemon, Worker

PROCESSES_PAGE: Final = 200
"""Processes in one `status` message."""

LANES_BYTES: Final = 32 * 1024
"""Encoded bytes of lanes in one `workers` message; lanes differ much in size."""


@dataclass(frozen=True, slots=True)
class PlaneInfo:
    """Which plane this is, and since when."""

    plane: str
    pid: int
    start_time: int
    started: float
    """Seconds since 1970, for people; timers are monotonic."""


def status_messages(
    request: Message, info: PlaneInfo, daemons: Daemons, pool: Pool, *, wanted: bool
) -> list[dict[str, Any]]:
    """Return the answers to one `status` request; all but the last say `more`."""
    processes = _processes(info, daemons, pool)
    degraded = [
        {"role": record.role, "reason": record.reason or f"{record.role} is {record.state.value}"}
        for record in daemons
        if record.state is not Daemon.READY
    ]
    if pool.reason:
        degraded.append({"role": WORKER, "reason": pool.reason})
    pages = [
        processes[start : start + PROCESSES_PAGE]
        for start in range(0, len(processes), PROCESSES_PAGE)
    ]
    return [
        answer(
            request,
            "status",
            plane=info.plane,
            pid=info.pid,
            started=info.started,
            wanted=wanted,
            degraded=degraded,
            processes=page,
            more=page is not pages[-1],
        )
        for page in pages
    ]


def lanes_messages(pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield what a new broker is told of the lanes: those that were given up, then those served."""
    yield from pool.stopped()
    yield from workers_messages(pool.lanes())


def workers_messages(lanes: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the granted lanes for a new broker; all messages but the last say `more`."""
    page: list[dict[str, Any]] = []
    size = 0
    for lane in lanes:
        length = len(json.dumps(lane))
        if page and size + length > LANES_BYTES:
            yield {"op": "workers", "lanes": page, "more": True}
            page, size = [], 0
        page.append(lane)
        size += length
    yield {"op": "workers", "lanes": page, "more": False}


def _processes(info: PlaneInfo, daemons: Daemons, pool: Pool) -> list[dict[str, Any]]:
    processes: list[dict[str, Any]] = [
        _process(KEEPER, info.pid, info.start_time, "ready", 0),
    ]
    processes += [
        _process(record.role, record.pid, record.start_time, record.state.value, record.restarts)
        for record in daemons
        if record.running
    ]
    for record in pool:
        if record.state is Worker.ENDING:
            continue
        process = _process(WORKER, record.pid, record.start_time, record.state.value, 0)
        processes.append(process if record.lane is None else {**process, "lane": record.lane_id})
    return processes


def _process(role: str, pid: int, start_time: int, state: str, restarts: int) -> dict[str, Any]:
    return {
        "role": role,
        "pid": pid,
        "start_time": start_time,
        "state": state,
        "restarts": restarts,
    }
