"""What one look at a plane gives, and how it is asked for: the lanes, and the diagnostics.

Owns the two operations and the joining of their answers into rows. Pure; called by `top`, by its
live board and by its plain table.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from lanekeeper.cli.text import safe
from lanekeeper.client.effects import Call, Operation, ask
from lanekeeper.client.operations import list_lanes, list_workspaces
from lanekeeper.wire.ids import DEFAULT_WORKSPACE
from lanekeeper.wire.limits import MAX_FIGURES
from lanekeeper.wire.messages.diagnostics import (
    Diagnostics,
    DiagnosticsRequest,
    LaneFigures,
    Order,
)
from lanekeeper.wire.messages.lane import LaneInfo

PATIENCE: Final = 3.0
"""Seconds an answer may take; the broker itself waits 2 s for the collector."""


class Listing(Struct, frozen=True):
    """All lanes and the names of their workspaces; not `complete` while some are coming back."""

    lanes: list[LaneInfo]
    workspaces: Mapping[str, str]
    complete: bool = True


class Row(Struct, frozen=True):
    """One lane; figures are None where the collector has none.

    `cpu` is in processors, `output` in bytes a second, `age` in seconds.
    """

    lane_id: str
    address: str
    state: str
    age: float
    running: int = 0
    terminals: int = 0
    reason: str = ""
    cpu: float | None = None
    memory: int | None = None
    output: float | None = None
    backlog: int | None = None
    log: int | None = None
    throttled: int = 0


def listing(workspace: str | None) -> Operation[Listing]:
    """Return the lanes, of one workspace (name or id) if it is given."""
    names = {space.id: space.name for space in (yield from list_workspaces())}
    lanes, complete = yield from list_lanes(workspace)
    return Listing(lanes, names, complete)


def diagnosing(order: Order) -> Operation[Diagnostics]:
    """Return the diagnostics, with the figures of the lanes that come first in `order`."""
    request = DiagnosticsRequest(lanes=MAX_FIGURES, order=order)
    return (yield from ask(Call("diagnostics.get", Diagnostics, request, timeout=PATIENCE)))


def rows(found: Listing, figures: Iterable[LaneFigures], now: datetime) -> list[Row]:
    """Return a row for every lane; text in it is safe to show."""
    known = {one.lane_id: one for one in figures}
    return [_row(lane, found.workspaces, known.get(lane.id), now) for lane in found.lanes]


def _row(
    lane: LaneInfo, workspaces: Mapping[str, str], figures: LaneFigures | None, now: datetime
) -> Row:
    return Row(
        lane_id=lane.id,
        address=address_of(lane, workspaces),
        state=safe(lane.status),
        age=_age(lane.created, now),
        running=lane.running,
        terminals=lane.terminals,
        reason=safe(lane.reason or ""),
        cpu=None if figures is None else figures.cpu,
        memory=None if figures is None else figures.resident_bytes,
        output=None if figures is None else figures.output_rate,
        backlog=None if figures is None else figures.backlog_bytes,
        log=None if figures is None else figures.log_bytes,
        throttled=0 if figures is None else figures.throttled,
    )


def address_of(lane: LaneInfo, workspaces: Mapping[str, str]) -> str:
    """Return what a person types for a lane."""
    workspace = workspaces.get(lane.workspace_id, lane.workspace_id)
    return safe(lane.name if workspace == DEFAULT_WORKSPACE else f"{workspace}/{lane.name}")


def _age(created: str, now: datetime) -> float:
    try:
        then = datetime.fromisoformat(created)
    except ValueError:
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (now - then).total_seconds())
