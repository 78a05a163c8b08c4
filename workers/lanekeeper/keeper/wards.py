"""What the nursery keeps of lanes that no worker has: it outlives the keeper, their vault does not.

Owns duplicates of their descriptors, entry by entry. Refuses to look at them, more entries than fit
into a channel's queue, and to offer a lane of which it has not everything. Called by the nursery's
shell; a child that is forked closes all it inherits.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lanekeeper.keeper.channel import Received
from lanekeeper.keeper.framing import close_all

ENTRIES_MAX: Final = 512
"""Entries of all lanes together: a new keeper is offered all of them at once."""

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Ward:
    """One lane."""

    lane: dict[str, Any] | None = None
    """What its next worker is to be told of it; None until everything has come."""

    entries: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How many descriptors there are."""
        return sum(map(len, self.entries.values()))


class Wards:
    """All of them, by lane."""

    def __init__(self) -> None:
        """Start with none."""
        self._wards: dict[str, Ward] = {}

    def take(self, received: Received) -> dict[str, Any] | None:
        """Take an entry of a lane, or the word that this was all; return what to say to that.

        What does not fit is not kept, and nothing of that lane is offered.
        """
        message, lane_id = received.message, str(received.message.get("lane_id"))
        ward = self._wards.setdefault(lane_id, Ward())
        lane = message.get("lane")
        if lane is None:
            self._add(ward, received)
            return None
        if ward.held != message.get("held"):
            _LOGGER.error("not all of %s could be kept for the next keeper", lane_id)
            self.drop(lane_id)
            return None
        ward.lane = lane
        return {"op": "kept", "lane_id": lane_id, "lane": lane, "held": ward.held}

    def drop(self, lane_id: str) -> None:
        """Let go of a lane: it has a worker again, or has ended."""
        ward = self._wards.pop(lane_id, Ward())
        for entry in ward.entries.values():
            close_all(entry.values())

    def offer(self) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
        """Yield what to say to a new keeper, with the descriptors beside it."""
        for lane_id, ward in self._wards.items():
            if ward.lane is None:
                continue
            for name, entry in ward.entries.items():
                told = {"op": "deposit", "lane_id": lane_id, "name": name, "kinds": list(entry)}
                yield told, tuple(entry.values())
            yield {"op": "kept", "lane_id": lane_id, "lane": ward.lane, "held": ward.held}, ()

    def _add(self, ward: Ward, received: Received) -> None:
        kinds = [str(kind) for kind in received.message.get("kinds", ())]
        room = sum(len(one.entries) for one in self._wards.values()) < ENTRIES_MAX
        if received.short or not room or len(kinds) != len(received.fds):
            return
        copies: dict[str, int] = {}
        try:
            for kind, fd in zip(kinds, received.fds, strict=True):
                copies[kind] = os.dup(fd)
        except OSError:
            close_all(copies.values())
            return
        ward.entries[str(received.message.get("name"))] = copies
