"""What a run does: episodes, each a lane that lives through some faults; all from one seed.

Owns the table of moments and the random choices. The same seed and the same wishes give the same
plan, whatever happened before; a random moment is random in time, so that a replay comes close
rather than to the very instruction. Pure.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lanekeeper.soak.chance import Chance

FAULTS_PER_LANE: Final = 4
"""Five deaths of one worker within a minute are a crash loop."""
CLIENTS_PER_LANE: Final = 20
"""Clients may die as often as they like; their leases are waited for once an episode."""
RATES: Final = (2_000_000, 8_000_000, -1)
"""Bytes a second that a child floods; -1 is as fast as it is read."""


class Victim(Enum):
    """Whom a fault hits."""

    WORKER = "worker"
    BROKER = "broker"
    KEEPER = "keeper"
    NURSERY = "nursery"
    COLLECTOR = "collector"
    CLIENT = "client"


class Provoke(Enum):
    """What leads to a moment."""

    NOTHING = "nothing"
    """Flood and typing come by on their own."""
    SPAWN = "spawn"
    RESIZE = "resize"
    EXIT = "exit"
    """A second program on the lane ends by itself."""
    SUCCESSION = "succession"
    """The worker is killed first; the moment is its successor's."""
    COMMAND = "command"
    """A command goes through the broker to the lane."""
    RESTART = "restart"
    """The broker is killed first; the moment is its successor's."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A named moment: who is hit there, and what leads to it."""

    victim: Victim
    provoke: Provoke
    what: str


MOMENTS: Final[dict[str, Moment]] = {
    "worker.pty.opened": Moment(Victim.WORKER, Provoke.SPAWN, "the terminal is open, nobody knows"),
    "worker.child.asked": Moment(Victim.WORKER, Provoke.SPAWN, "the nursery was asked to fork"),
    "worker.child.forked": Moment(Victim.WORKER, Provoke.SPAWN, "forked, not yet journalled"),
    "worker.child.gate": Moment(Victim.WORKER, Provoke.SPAWN, "journalled, the gate is closed"),
    "worker.child.runs": Moment(Victim.WORKER, Provoke.SPAWN, "the gate is open, no answer yet"),
    "worker.start.told": Moment(Victim.WORKER, Provoke.SPAWN, "the program runs, not journalled"),
    "worker.output.between": Moment(Victim.WORKER, Provoke.NOTHING, "between the two splices"),
    "worker.output.logged": Moment(Victim.WORKER, Provoke.NOTHING, "logged, not published"),
    "worker.output.punch": Moment(Victim.WORKER, Provoke.NOTHING, "about to give back old pages"),
    "worker.input.journalled": Moment(
        Victim.WORKER, Provoke.NOTHING, "input known, not in the log"
    ),
    "worker.input.taken": Moment(Victim.WORKER, Provoke.NOTHING, "input in the log, not delivered"),
    "worker.input.written": Moment(Victim.WORKER, Provoke.NOTHING, "some of it has left"),
    "worker.input.answer": Moment(Victim.WORKER, Provoke.NOTHING, "delivered, not answered"),
    "worker.resize": Moment(Victim.WORKER, Provoke.RESIZE, "journalled, not set"),
    "worker.resized": Moment(Victim.WORKER, Provoke.RESIZE, "set, not published"),
    "worker.exit.told": Moment(Victim.WORKER, Provoke.EXIT, "a program ended, not journalled"),
    "worker.exit.reap": Moment(Victim.WORKER, Provoke.EXIT, "journalled, not reaped"),
    "worker.terminal.deposited": Moment(Victim.WORKER, Provoke.SPAWN, "deposited, no answer yet"),
    "worker.heir.assigned": Moment(Victim.WORKER, Provoke.SUCCESSION, "inherited, nothing done"),
    "worker.heir.replayed": Moment(Victim.WORKER, Provoke.SUCCESSION, "journal and pipes are read"),
    "worker.heir.resumed": Moment(Victim.WORKER, Provoke.SUCCESSION, "decided, not carried out"),
    "worker.heir.serves": Moment(Victim.WORKER, Provoke.SUCCESSION, "about to serve and register"),
    "broker.forwarded": Moment(Victim.BROKER, Provoke.COMMAND, "forwarded, the reply is pending"),
    "broker.answer": Moment(Victim.BROKER, Provoke.COMMAND, "about to answer a client"),
    "broker.worker.told": Moment(Victim.BROKER, Provoke.RESTART, "a worker registers again"),
    "keeper.deposit.received": Moment(Victim.KEEPER, Provoke.SPAWN, "received, not acknowledged"),
    "nursery.forked": Moment(Victim.NURSERY, Provoke.SPAWN, "forked, nobody was told"),
}
"""Where product code calls `hooks.at`, by name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: at a named moment, or `delay` seconds after the last one was survived."""

    victim: Victim
    delay: float
    moment: str | None = None
    number: int = signal.SIGKILL

    def __str__(self) -> str:
        """Return it in words."""
        where = f"at {self.moment}" if self.moment else f"after {self.delay * 1000:.0f} ms"
        return f"{signal.Signals(self.number).name} to the {self.victim.value} {where}"


@dataclass(frozen=True, slots=True)
class Episode:
    """The life of one lane.

    Attributes:
        index: its place in the plan.
        seed: of its stream and its inputs.
        rate: at which its child floods.
        status: with which its child exits in the end.
    """

    index: int
    seed: int
    rate: int
    status: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a run is to hold.

    Attributes:
        victims: who is hit.
        each: faults at a random time for each victim.
        times: how often each named moment of these victims is met.
        rate: of every child; None for a choice among RATES.
        signals: among which a fault at a random time chooses; SIGSTOP is taken back after a while.
    """

    victims: Sequence[Victim]
    each: int
    times: int
    rate: int | None = None
    signals: Sequence[int] = (signal.SIGKILL,)


def plan(seed: int, wishes: Wishes) -> list[Episode]:
    """Return the episodes of a run; the same for the same seed and wishes."""
    chance = Chance(seed)
    groups: list[tuple[Fault, ...]] = []
    for victim in wishes.victims:
        for name, moment in MOMENTS.items():
            if moment.victim is victim:
                groups += [(Fault(victim, _delay(chance), name),) for _ in range(wishes.times)]
    # Victims take turns, so that one plane can be used until each daemon has died often enough.
    for start in range(0, wishes.each, FAULTS_PER_LANE):
        for victim in wishes.victims:
            most = CLIENTS_PER_LANE if victim is Victim.CLIENT else FAULTS_PER_LANE
            count = min(most, wishes.each - start) if start % most == 0 else 0
            faults = tuple(
                Fault(victim, _delay(chance), number=chance.choice(wishes.signals))
                for _ in range(count)
            )
            groups += [faults] if faults else []
    rate = wishes.rate
    return [
        Episode(
            index,
            chance.below(1 << 32),
            chance.choice(RATES) if rate is None else rate,
            1 + chance.below(120),
            group,
        )
        for index, group in enumerate(groups)
    ]


def _delay(chance: Chance) -> float:
    return chance.between(0.01, 0.1)
