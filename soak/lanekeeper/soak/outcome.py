"""What came of one fault.

Owns the record alone; filled in by `faults` and `recovery`, read by `report` and `echo`.
"""

from dataclasses import dataclass, field

from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.plan import Fault


@dataclass(slots=True)
class Outcome:
    """What came of a fault.

    Attributes:
        killed: when the victim was hit; monotonic seconds.
        seconds: from the fault until what the victim does was done again; None for never.
        pause: the longest time without new output meanwhile.
        fenced: from a standstill until somebody ended it; None where nothing was to be ended.
    """

    fault: Fault
    killed: float = 0.0
    seconds: float | None = None
    pause: float = 0.0
    fenced: float | None = None
    findings: list[Finding] = field(default_factory=list)
