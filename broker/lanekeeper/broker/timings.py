"""What took how long: noted by the handlers, timed by the shell once it has answered.

Owns which command counts how: a command once, however often it is repeated, and a lane's recovery
from the news of its worker's death on. Refuses clocks: handlers know when something came, the shell
when it was done. Sans-IO; a part of the desk.
"""

from collections.abc import Callable
from typing import Final

from lanekeeper.broker.lane import Lane, Request
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.metrics import COMMAND_SECONDS, UNKNOWN_METHOD, UNTIMED
from lanekeeper.wire.states import LaneState

CREATE: Final = "lanekeeper_lane_create_seconds"
RESTORE: Final = "lanekeeper_session_restore_seconds"
_ATTACH: Final = "session.attach"


class Timings:
    """What is done and not yet timed."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._done: list[tuple[str, float, tuple[str, ...]]] = []

    def __bool__(self) -> bool:
        """Whether anything is to be timed."""
        return bool(self._done)

    def command(self, request: Request, *, ok: bool) -> None:
        """Note that a command was answered; only the first answer counts."""
        came, request.came = request.came, None
        if came is None:
            return
        method, status = request.command.method, "ok" if ok else "error"
        if method not in UNTIMED:
            known = method if method in METHODS else UNKNOWN_METHOD
            self._done.append((COMMAND_SECONDS, came, (known, status)))
        if method == _ATTACH:
            self._done.append((RESTORE, came, ("reattach", status)))

    def refused(self, came: float) -> None:
        """Note that something was refused that is no command."""
        self._done.append((COMMAND_SECONDS, came, (UNKNOWN_METHOD, "error")))

    def created(self, request: Request, *, ok: bool) -> None:
        """Note that a lane was made for a command that is about to be answered, or was not."""
        if request.came is not None:
            self._done.append((CREATE, request.came, ("ok" if ok else "error",)))

    def lane(self, lane: Lane, before: LaneState, after: LaneState, now: float) -> None:
        """Follow a lane's state: a recovery lasts from the news of a death until it serves again.

        A successor that is the first to tell of the death says nothing about how long it took.
        """
        if after is LaneState.RECOVERING:
            lane.lost_at = None if before is LaneState.FAILED else now
        elif before is LaneState.RECOVERING:
            since, lane.lost_at = lane.lost_at, None
            if since is not None and since < now and after is not LaneState.CLEANING:
                status = "error" if after is LaneState.FAILED else "ok"
                self._done.append((RESTORE, since, ("crash", status)))

    def take(self, now: float, observe: Callable[..., None]) -> None:
        """Observe everything that is done now."""
        done, self._done = self._done, []
        for name, since, labels in done:
            observe(name, max(0.0, now - since), *labels)
