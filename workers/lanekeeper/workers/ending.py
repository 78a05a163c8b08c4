"""Ending processes: hang up, ask, insist. The shell finds the processes and signals them.

    HANGUP --(a third of the grace)--> TERMINATE --(the rest)--> KILL --> again every KILL_STEP

At every step the shell scans anew, because what is being ended may fork. The machine is done as
soon as a scan finds nothing; no step waits longer than it must.
"""

import signal
from dataclasses import dataclass
from enum import Enum
from typing import Final

KILL_STEP: Final = 0.1


class Stage(Enum):
    """How insistent an ending is."""

    HANGUP = "hangup"
    TERMINATE = "terminate"
    KILL = "kill"


SIGNALS: Final = {
    Stage.HANGUP: (signal.SIGHUP, signal.SIGCONT),
    Stage.TERMINATE: (signal.SIGTERM, signal.SIGCONT),
    Stage.KILL: (signal.SIGKILL,),
}
NEXT: Final = {
    Stage.HANGUP: Stage.TERMINATE,
    Stage.TERMINATE: Stage.KILL,
    Stage.KILL: Stage.KILL,
}


@dataclass(slots=True)
class Ending:
    """One ending under way.

    Attributes:
        grace: seconds from SIGHUP to SIGKILL; 0 kills at once.
        stage: the step whose signals were sent last; None before the first.
        deadline: when the next step is due (monotonic seconds).
    """

    grace: float
    stage: Stage | None = None
    deadline: float = 0.0

    def due(self, now: float) -> bool:
        """Whether the next step is due."""
        return self.stage is None or now >= self.deadline

    def advance(self, now: float) -> tuple[signal.Signals, ...]:
        """Take the next step and return the signals to send to everything a fresh scan finds."""
        if self.stage is None:
            self.stage = Stage.HANGUP if self.grace > 0 else Stage.KILL
        else:
            self.stage = NEXT[self.stage]
        self.deadline = (
            now
            + {
                Stage.HANGUP: self.grace / 3,
                Stage.TERMINATE: self.grace * 2 / 3,
                Stage.KILL: KILL_STEP,
            }[self.stage]
        )
        return SIGNALS[self.stage]
