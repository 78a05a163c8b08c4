"""When the nursery is asked for workers, and for how many.

Owns the requests that are not answered, the pause after a grant and the delay after a failure.
Refuses an answer that nobody asked for. Sans-IO: called by `pool` alone, with the time.
"""

import math

from lanekeeper.keeper.daemons import backoff
from lanekeeper.keeper.events import Action, Message, Note, RequestError, Send
from lanekeeper.keeper.roster import FORKS_MAX, QUIET


class Refill:
    """The way to `target` spare workers."""

    def __init__(self, target: int) -> None:
        """Want `target` workers that nobody has been granted."""
        self._target = target
        self._nursery: int | None = None
        self._asked: set[str] = set()
        self._asks = 0
        self._failures = 0
        self._after = -math.inf
        self._granted_at = -math.inf
        self.reason = ""

    def open(self, nursery: int, now: float) -> None:
        """Fork through this peer from now on."""
        self._nursery = nursery
        self._failures, self._after = 0, now

    def close(self) -> None:
        """There is no nursery: what it was asked for does not come."""
        self._nursery = None
        self._asked.clear()

    def answered(self, message: Message) -> None:
        """Note the answer to a request.

        Raises:
            RequestError: nobody asked for it.
        """
        number = message.get("id")
        if not isinstance(number, str) or number not in self._asked:
            raise RequestError("INVALID_ARGUMENT", "nobody asked for that worker")
        self._asked.remove(number)

    def granted(self, now: float) -> None:
        """Note that a worker was given a lane: workers can be made, and it is not quiet now."""
        self._failures, self._after = 0, now
        self._granted_at = now

    def failed(self, reason: str, now: float, *, steady: bool = False) -> list[Action]:
        """Wait before the next fork; longer each time, unless what failed had run for long."""
        self._failures = 1 if steady else self._failures + 1
        self._after = now + backoff(self._failures)
        self.reason = reason
        return [Note(reason, "error")]

    def short(self, spare: int, waiting: int) -> bool:
        """Whether workers are missing, asked for or not; arguments as those of `due`."""
        return spare < self._target + waiting

    def due(self, spare: int, waiting: int) -> float:
        """Return when to fork; infinite while nothing is missing.

        Args:
            spare: workers that run or start and have no lane.
            waiting: lanes that wait for one.
        """
        return self._time(spare, waiting) if self._missing(spare, waiting) > 0 else math.inf

    def ask(self, spare: int, waiting: int, now: float) -> list[Action]:
        """Ask for what is missing, if it is time to; arguments as those of `due`."""
        if self._nursery is None or now < self._time(spare, waiting):
            return []
        actions: list[Action] = []
        for _ in range(self._missing(spare, waiting)):
            self._asks += 1
            self._asked.add(f"fork-{self._asks}")
            actions.append(Send(self._nursery, {"op": "fork", "id": f"fork-{self._asks}"}))
        return actions

    def _missing(self, spare: int, waiting: int) -> int:
        if self._nursery is None:
            return 0
        wanted = self._target + waiting - spare - len(self._asked)
        return min(wanted, FORKS_MAX - len(self._asked))

    def _time(self, spare: int, waiting: int) -> float:
        """Return when a fork may be: beside a new lane's first steps it would slow both down."""
        pressing = spare + len(self._asked) - waiting <= self._target // 4
        return self._after if pressing else max(self._after, self._granted_at + QUIET)
