"""The look for orphans that is under way, and what was announced by those before.

Owned by the desk, changed by `orphans` alone; nothing of it is durable. Sans-IO.
"""

from dataclasses import dataclass, field

from lanekeeper.broker.lane import Request
from lanekeeper.keeper.facts import Facts, Identity


@dataclass(slots=True)
class Looking:
    """The look under way, who waits for it, and what was announced before."""

    waiting: list[Request] = field(default_factory=list)
    facts: Facts | None = None
    judging: bool = False
    workers: set[Identity] | None = None
    served: set[str] = field(default_factory=set)
    vault: dict[str, int] | None = None
    tidying: dict[str, Request] = field(default_factory=dict)
    announced: dict[str, None] = field(default_factory=dict)
