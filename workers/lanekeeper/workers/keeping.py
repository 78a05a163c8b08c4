"""When terminals whose program has ended are forgotten, with their logs.

One goes when its time to be kept is over, and the oldest beyond the bound go at once. Refuses to
take output from somebody who is owed it: a registered consumer that has not acknowledged it, and a
wait that still searches it. Both are bounded by others: a consumer lives by its lease, a wait by
its deadline. Called by the core.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lanekeeper.wire.limits import MAX_KEPT_TERMINALS
from lanekeeper.workers.records import TerminalIs
from lanekeeper.workers.terminal_commands import forget
from lanekeeper.workers.turn import Surroundings, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore


def kept_until(lane: "LaneCore", around: Surroundings) -> list[float]:
    """When each ended terminal that nobody needs is to be forgotten (monotonic seconds)."""
    return [ended_at + terminal.spec.keep_s for ended_at, terminal in _free(lane, around)]


def drop_kept(lane: "LaneCore", turn: Turn) -> None:
    """Forget ended terminals whose time is over, and the oldest beyond the bound."""
    kept = sorted(_free(lane, turn.around), key=lambda one: (one[0], one[1].info.id))
    surplus = max(0, len(kept) - MAX_KEPT_TERMINALS)
    for index, (ended_at, terminal) in enumerate(kept):
        if index < surplus or ended_at + terminal.spec.keep_s <= turn.moment.now:
            forget(turn, terminal, "its time to be kept is over")


def _free(lane: "LaneCore", around: Surroundings) -> Iterator[tuple[float, TerminalIs]]:
    """Yield when each program ended whose terminal nobody needs, with the terminal."""
    awaited = lane.waits.terminals()
    for terminal_id, terminal in lane.state.terminals.items():
        if terminal.ended_at is None or terminal_id in awaited:
            continue
        if not _owed(lane, around, terminal_id):
            yield terminal.ended_at, terminal


def _owed(lane: "LaneCore", around: Surroundings, terminal_id: str) -> bool:
    """Whether a consumer that holds output has not acknowledged all of a terminal's."""
    floor, log = lane.state.consumers[terminal_id].floor(), around.log(terminal_id)
    return floor is not None and log is not None and floor < log.head
