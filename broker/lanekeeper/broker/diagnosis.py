"""Who diagnoses: where the collector is, and who waits for what it says.

Owned by the desk, changed by `diagnostics` alone; nothing of it is durable. Sans-IO.
"""

from dataclasses import dataclass, field

from lanekeeper.broker.lane import Request


@dataclass(slots=True)
class Diagnosis:
    """The collector's route, the requests it has by our own ids, and when each key was told of."""

    route: bytes | None = None
    waiting: dict[str, Request] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
