"""Events of workers that have not registered with this broker yet, until they have.

What a worker reports while there is no broker waits in its socket and arrives before its
registration. Bounded by routes, of which the oldest gives way, and by events of each, of which the
newest is refused: the registration tells the truth again, only the story has a hole. Sans-IO; owned
by the desk.
"""

from collections import OrderedDict
from typing import Final

from lanekeeper.wire.envelope import Event

ROUTES_KEPT: Final = 2048
"""Workers heard before their registration: as many as there are lanes."""

EVENTS_KEPT: Final = 64
"""Events of one of them."""


class Early:
    """Events by route, in their order."""

    def __init__(self) -> None:
        """Start with none."""
        self._events: OrderedDict[bytes, list[Event]] = OrderedDict()

    def keep(self, route: bytes, event: Event) -> bool:
        """Keep an event; return whether its route had room for it."""
        events = self._events.setdefault(route, [])
        if len(self._events) > ROUTES_KEPT:
            self._events.popitem(last=False)
        if len(events) >= EVENTS_KEPT:
            return False
        events.append(event)
        return True

    def take(self, route: bytes) -> list[Event]:
        """Return what was kept of a route, and forget it."""
        return self._events.pop(route, [])
