"""The way up of a plane: from the start to the one word that tells whoever waits for it.

Owns the deadline and that the word is said once. Refuses to wait for a daemon that fails again and
again. Sans-IO: called by `supervisor` alone, with the time.
"""

import math
from typing import Final

from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import NURSERY, Action, Announce, Note

UP_TIMEOUT: Final = 20.0
"""Seconds in which a plane must be up for the first time."""

UP_FAILURES: Final = 5
"""Failures of one daemon after which a plane that was never up is given up."""


class WayUp:
    """Whether the plane has been up, and until when it must be."""

    def __init__(self) -> None:
        """Nothing was started yet."""
        self._said = False
        self.deadline = math.inf

    def begin(self, now: float) -> None:
        """Start the clock."""
        self.deadline = now + UP_TIMEOUT

    def skip(self) -> None:
        """Wait for nothing: the plane was up before this keeper."""
        self._said = True

    def stop(self) -> None:
        """Stop the clock: the plane goes down."""
        self.deadline = math.inf

    def arrive(self, daemons: Daemons) -> list[Action]:
        """Say that the plane is up, once, when every daemon serves."""
        if self._said or not daemons.serving:
            return []
        self._said = True
        self.deadline = math.inf
        return [Note("the plane is up"), Announce("ready")]

    def give_up(self, daemons: Daemons, now: float) -> list[Action]:
        """Say why a plane that was never up does not come up; nothing while it still may."""
        if self._said:
            return []
        failing = next((one for one in daemons if one.failures >= UP_FAILURES), None)
        late = next((one for one in daemons if one.state.value != "ready"), None)
        if failing is None and (now < self.deadline or late is None):
            return []
        culprit = failing or late
        role, reason = (culprit.role, culprit.reason) if culprit else (NURSERY, "")
        text = f"{role} does not start ({reason or 'it took too long'}); see its log"
        self._said = True
        return [Note(text, "error"), Announce(f"error {text}")]
