"""Who serves a lane after its worker: nobody, a successor, or nobody until somebody asks for it.

Owns the deaths of each lane within the last minute and the lanes that wait for a successor. Refuses
a lane whose workers die again and again: its descriptors stay, its programs live on. Sans-IO:
called by `pool` alone, with the time.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from lanekeeper.keeper.events import Message

DEATHS_MOST: Final = 5
DEATHS_SECONDS: Final = 60.0
"""So many deaths within so many seconds are a crash loop."""

CRASH_LOOP: Final = f"crash loop: {DEATHS_MOST} workers died within {DEATHS_SECONDS:.0f} s"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a lane whose worker is dead."""

    recovering: bool
    reason: str = ""
    kept: bool = False
    """Whether the vault keeps the lane although nobody follows: it can be recovered."""


class Succession:
    """The lanes whose worker is dead and that are to live on."""

    def __init__(self) -> None:
        """Nobody has died yet."""
        self._deaths: dict[str, deque[float]] = {}
        self._waiting: deque[Message] = deque()
        self._stopped: dict[str, Message] = {}

    def __len__(self) -> int:
        """Return how many lanes wait for a successor."""
        return len(self._waiting)

    def died(self, lane: Message, now: float, *, asked: bool = False) -> Verdict:
        """Take a lane whose worker died; unless they die too often, it waits for a successor.

        A death that was `asked` for says nothing about the lane.
        """
        deaths = self._deaths.setdefault(lane["lane_id"], deque(maxlen=DEATHS_MOST))
        if not asked:
            deaths.append(now)
        following = {**lane, "generation": int(lane["generation"]) + 1}
        if not asked and len(deaths) == DEATHS_MOST and now - deaths[0] <= DEATHS_SECONDS:
            self._stopped[lane["lane_id"]] = following
            return Verdict(recovering=False, reason=CRASH_LOOP, kept=True)
        self._waiting.append(following)
        return Verdict(recovering=True)

    def recover(self, lane_id: str, *, screen: bool = True) -> bool:
        """Let a stopped lane have a successor after all; return whether it was stopped.

        Without `screen` that one and those after it draw no screens.
        """
        lane = self._stopped.pop(lane_id, None)
        if lane is None:
            return False
        self._deaths.pop(lane_id, None)
        self._waiting.append({**lane, "screen": screen})
        return True

    def take(self) -> Message:
        """Return the lane that waits longest; there must be one."""
        return self._waiting.popleft()

    def forget(self, lane_id: str) -> None:
        """Let go of a lane that has ended."""
        self._deaths.pop(lane_id, None)
        self._stopped.pop(lane_id, None)
        self._waiting = deque(lane for lane in self._waiting if lane["lane_id"] != lane_id)

    def lanes(self) -> list[Message]:
        """Return the lanes that wait for a successor."""
        return list(self._waiting)

    def stopped(self) -> list[Message]:
        """Return the lanes that wait until somebody asks, as their next worker would have them."""
        return list(self._stopped.values())

    def clear(self) -> None:
        """Nobody follows any more: the plane goes down."""
        self._waiting.clear()
        self._stopped.clear()
