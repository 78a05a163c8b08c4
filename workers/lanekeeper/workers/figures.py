"""The worker's figures: gathered from where they are counted, and pushed to the collector.

Owns the meter and when a sample is due. Refuses to wait: a collector that is away misses samples,
which is counted. Called by the runner: `touch` in every turn that did something, `push` when its
deadline has come.
"""

import math
from typing import Final

from lanekeeper.keeper.identity import Process
from lanekeeper.wire.meter import Meter
from lanekeeper.wire.sample import LaneLoad, TerminalLoad
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.effects import Effects

ROLE: Final = "worker"
_P: Final = "lanekeeper_"


class Figures:
    """What one worker measures."""

    def __init__(self, me: Process, effects: Effects, core: LaneCore, now: float) -> None:
        """Measure a worker whose hands and core these are."""
        self._meter = Meter(ROLE, me.pid, me.start_time, now)
        self._effects = effects
        self._core = core
        self._touched = True

    @property
    def deadline(self) -> float:
        """When `push` is to be called (monotonic seconds); never while nothing has happened."""
        return self._meter.slot if self._touched else math.inf

    def touch(self) -> None:
        """Note that something may have changed."""
        self._touched = True

    def again(self, now: float) -> None:
        """Have everything pushed within a second: a collector has begun."""
        self._meter.again(now)
        self._touched = True

    def push(self, now: float, *, last: bool = False) -> None:
        """Gather everything, and push it if it has changed."""
        self._touched = False
        self._gather()
        if not last and self._meter.due() is None:
            return
        sample = self._meter.take(now, self._load(), last=last)
        if sample is not None:
            self._effects.sockets.sample(sample)

    def _gather(self) -> None:
        put, tally, sockets = self._meter.put, self._effects.tally, self._effects.sockets
        put(_P + "output_bytes_total", tally.published_bytes)
        put(_P + "output_messages_total", tally.published_messages)
        put(_P + "samples_dropped_total", sockets.dropped_samples)
        incidents = {
            **tally.incidents,
            "replies.unroutable": sockets.vanished,
            "reports.dropped": sockets.dropped_reports,
            "screens.failed": self._effects.screens.failures,
        }
        for reason, count in incidents.items():
            if count:
                put(_P + "incidents_total", count, reason)
        logs = [io.log for io in self._effects.terminals.values()]
        put(_P + "log_bytes", sum(log.head - log.tail for log in logs))

    def _load(self) -> LaneLoad:
        effects = self._effects
        terminals = []
        for terminal_id, io in effects.terminals.items():
            terminal = effects.state.terminals.get(terminal_id)
            terminals.append(
                TerminalLoad(
                    terminal_id=terminal_id,
                    pid=None if terminal is None else terminal.info.pid,
                    output_bytes=io.log.head,
                    log_bytes=io.log.head - io.log.tail,
                )
            )
        return LaneLoad(lane_id=effects.state.assignment.lane_id, terminals=terminals[:256])
