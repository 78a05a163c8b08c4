"""`terminal.timeline`: when a terminal's output came, and for which sizes it was written."""

from typing import TYPE_CHECKING, Any, Final

from lanekeeper.wire.limits import TIMELINE_PAGE
from lanekeeper.wire.messages.recording import Timeline, TimelineResult
from lanekeeper.workers.records import Timed
from lanekeeper.workers.turn import Pending, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore


def timeline(_lane: "LaneCore", turn: Turn, pending: Pending, body: Timeline) -> TimelineResult:
    """Return a page of times, with all sizes."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    info = turn.current(terminal.info)
    fresh = turn.around.samples(info.id)
    if fresh:
        turn.put(Timed(info.id, fresh))
    known = turn.state.timelines.get(info.id)
    offset = info.tail if body.offset is None else max(body.offset, info.tail)
    times, more = known.page(offset, TIMELINE_PAGE) if known is not None else ([], False)
    sizes = [(0, times[0][1] if times else 0, terminal.spec.cols, terminal.spec.rows)]
    later = turn.state.sizes.get(info.id, ())
    sizes += [(one.offset, one.time_ns, one.cols, one.rows) for one in later]
    return TimelineResult(
        times=times,
        sizes=sizes,
        head=info.head,
        tail=info.tail,
        next=times[-1][0] + 1 if more else None,
    )


HANDLERS: Final[dict[str, Any]] = {"terminal.timeline": timeline}
