"""The worker's figures: gathered from where they are counted, and pushed to the collector.

Owns when a sample is due. Refuses to wait: a collector that is away misses samples, which is
counted. Called by the runner: `touch` in every turn that did something, `push` when its deadline
has come.
"""

import math
from typing import Final

from lanekeeper.wire.meter import LAG_TOLD, Meter
from lanekeeper.wire.sample import SAMPLE_SECONDS, TERMINALS_MAX, LaneLoad, TerminalLoad
from lanekeeper.workers.backlog import Depth
from lanekeeper.workers.effects import Effects
from lanekeeper.workers.terminal_io import TerminalIO

ROLE: Final = "worker"
_P: Final = "lanekeeper_"


class Figures:
    """What one worker measures.

    Attributes:
        deadline: when `push` is to be called (monotonic seconds); never while nothing has happened.
    """

    def __init__(self, meter: Meter, effects: Effects) -> None:
        """Measure a worker whose hands these are."""
        self._meter = meter
        self._effects = effects
        self._told: LaneLoad | None = None
        self._owed = False
        self.deadline = meter.slot

    def touch(self) -> None:
        """Note that something may have changed."""
        self.deadline = self._meter.slot

    def again(self, now: float) -> None:
        """Have everything pushed within a second: a collector has begun."""
        self._meter.again(now)
        self.touch()

    def lag(self, seconds: float) -> None:
        """Note how late the loop came to its beat; only much of it is worth a sample.

        One that was not taken is pushed again now: the beat has the process awake.
        """
        if self._owed:
            self.touch()
        if seconds < LAG_TOLD:
            self._meter.note(_P + "loop_lag_seconds", seconds)
        else:
            self._meter.observe(_P + "loop_lag_seconds", seconds)
            self.touch()

    def push(self, now: float, *, last: bool = False) -> None:
        """Gather everything, and push it if it has changed."""
        depths = {
            terminal_id: io.backlog(self._effects.state.consumers.get(terminal_id))
            for terminal_id, io in self._effects.terminals.items()
        }
        # Time goes on for whoever is held back, also without anything happening.
        held = [io for io in self._effects.terminals.values() if self._throttled(io)]
        self._effects.tally.throttled_seconds += sum(io.charge(now) for io in held)
        self._gather(depths)
        load = self._load(depths)
        # Of a program that says nothing there is no count that grows: the load alone is news.
        if last or self._meter.changed or load != self._told:
            self._meter.changed = True
            sample = self._meter.take(now, load, last=last)
            if sample is not None:
                self._owed = not self._effects.sockets.sample(sample)
                if not self._owed:
                    self._told = load
                    self._meter.sent()
        self.deadline = max(self._meter.slot, now + SAMPLE_SECONDS) if held else math.inf

    def _gather(self, depths: dict[str, Depth]) -> None:
        tally, sockets = self._effects.tally, self._effects.sockets
        logs = [io.log for io in self._effects.terminals.values()]
        figures: dict[str, float] = {
            "output_bytes_total": tally.published_bytes,
            "output_messages_total": tally.published_messages,
            "output_logged_bytes_total": tally.logged_bytes,
            "output_backlog_bytes": sum(depth.bytes for depth in depths.values()),
            "output_gaps_total": tally.gaps,
            "output_gap_bytes_total": tally.gap_bytes,
            "output_repaired_bytes_total": tally.repaired_bytes,
            "input_bytes_total": tally.input_bytes,
            "throttles_total": tally.throttles,
            "throttled_seconds_total": tally.throttled_seconds,
            "demotions_total": tally.demotions,
            "queries_answered_total": tally.queries_answered,
            "log_bytes": sum(log.head - log.tail for log in logs),
            "samples_dropped_total": sockets.dropped_samples,
        }
        for name, value in figures.items():
            self._meter.put(_P + name, value)
        incidents = {
            "replies.unroutable": sockets.vanished,
            "reports.dropped": sockets.dropped_reports,
            "screens.failed": self._effects.screens.failures,
        }
        for reason, count in incidents.items():
            if count:
                self._meter.put(_P + "incidents_total", count, reason)
        for status, count in tally.ended.items():
            self._meter.put(_P + "programs_ended_total", count, status)

    def _load(self, depths: dict[str, Depth]) -> LaneLoad:
        """Return the figures of the lane, of those terminals that wrote last."""
        terminals = sorted(self._effects.terminals.values(), key=_last_output, reverse=True)
        assignment = self._effects.state.assignment
        return LaneLoad(
            lane_id=assignment.lane_id,
            generation=assignment.generation,
            terminals=[self._of(io, depths[io.terminal_id]) for io in terminals[:TERMINALS_MAX]],
        )

    def _of(self, io: TerminalIO, depth: Depth) -> TerminalLoad:
        state, slowest = self._effects.state, depth.consumer
        terminal = state.terminals.get(io.terminal_id)
        consumers = state.consumers.get(io.terminal_id)
        return TerminalLoad(
            terminal_id=io.terminal_id,
            pid=None if terminal is None else terminal.info.pid,
            output_bytes=io.log.head,
            log_bytes=io.log.head - io.log.tail,
            backlog_bytes=depth.bytes,
            backlog_chunks=depth.chunks,
            consumers=0 if consumers is None else len(consumers),
            consumer_id=None if slowest is None else slowest.id,
            policy=None if slowest is None else slowest.policy,
            throttled=self._throttled(io),
        )

    def _throttled(self, io: TerminalIO) -> bool:
        consumers = self._effects.state.consumers.get(io.terminal_id)
        return consumers is not None and consumers.throttled and not io.closing


def _last_output(io: TerminalIO) -> float:
    return io.last_output
