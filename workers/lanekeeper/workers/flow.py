"""The flow of bytes: which descriptors can make progress, and what time makes due.

It reads a terminal only while no registered consumer holds it back, publishes after every read,
retires what nobody needs, and tells the core about ends, throttling and demotions.
"""

import time
from collections.abc import Set as AbstractSet
from typing import Any, Final

from lanekeeper.keeper.identity import Process
from lanekeeper.wire.output import Kind
from lanekeeper.workers.actions import (
    Cleared,
    Demoted,
    Drained,
    Queried,
    Stimulus,
    Throttle,
    Timed,
)
from lanekeeper.workers.effects import Effects
from lanekeeper.workers.sockets import FAILED, READ, WRITE
from lanekeeper.workers.tally import CHUNKS
from lanekeeper.workers.terminal_io import SAMPLES, TerminalIO

TELL_AFTER: Final = 0.25
"""A throttling is reported once it has lasted this long: a fast consumer throttles often and
shortly.
"""


LOOK_SECONDS: Final = 0.1
"""Backlogs of one terminal are looked at no more often than this."""


class Flow:
    """Moves bytes for all terminals of the lane."""

    def __init__(self, effects: Effects) -> None:
        """Use the descriptors that `effects` owns."""
        self._effects = effects

    def wanted(self) -> dict[int, int]:
        """Return the descriptors that can make progress, with the events to wait for."""
        wanted: dict[int, int] = {}
        for io in self._effects.terminals.values():
            if io.reading and not self._effects.held(io):
                wanted[io.master] = READ
            if io.input.waiting and (sink := io.input.sink) >= 0:
                wanted[sink] = wanted.get(sink, 0) | WRITE
        for sweep in self._effects.sweeps:
            for pidfd in sweep.fds():
                wanted[pidfd] = READ
        return wanted

    def read(self, ready: dict[Any, int], now: float) -> list[Stimulus]:
        """Read and write what is ready; publish what is new."""
        stimuli: list[Stimulus] = []
        for io in self._effects.terminals.values():
            if io.input.waiting and ready.get(io.input.sink, 0) & (WRITE | FAILED):
                stimuli += self._effects.write(io, now)
            if ready.get(io.master, 0) & ~WRITE:
                self._effects.take(io, now)
        for sweep in self._effects.sweeps:
            for pidfd in sweep.fds():
                if pidfd in ready:
                    sweep.gone(pidfd)
        return stimuli

    def due(self, now: float) -> list[Stimulus]:
        """Do what time, or what was read, has made due."""
        stimuli: list[Stimulus] = []
        for io in self._effects.terminals.values():
            stimuli += self._consumers(io, now)
            io.input.wipe_due(now)
            io.hold(now, held=self._effects.held(io))
            stimuli += _noticed(io)
            if io.drained(now):
                io.reading = False
                io.exited = None
                stimuli.append(Drained(io.terminal_id))
            elif io.beacon_due(now):
                self._effects.message(io, Kind.HEAD, io.log.head)
        for sweep in list(self._effects.sweeps):
            if sweep.step(now):
                self._effects.sweeps.remove(sweep)
                stimuli += self._left_behind(sweep.beyond)
                stimuli.append(Cleared(sweep.ending_id, sweep.processes, sweep.killed))
        return stimuli

    def _left_behind(self, beyond: AbstractSet[Process]) -> list[Stimulus]:
        """Return that the terminals have ended whose programs will not: nothing more is read."""
        left = {(process.pid, process.start_time) for process in beyond}
        infos = [one.info for one in self._effects.state.terminals.values()]
        return [Drained(info.id) for info in infos if (info.pid, info.start_time) in left]

    def deadlines(self) -> list[float]:
        """Return when `due` must be called although no descriptor is ready."""
        now = time.monotonic()
        times = [sweep.deadline for sweep in self._effects.sweeps]
        for io in self._effects.terminals.values():
            own = io.deadline()
            times += [] if own is None else [own]
            times += self._throttle_deadlines(io, now)
        return times

    def _consumers(self, io: TerminalIO, now: float) -> list[Stimulus]:
        consumers = self._effects.state.consumers.get(io.terminal_id)
        if consumers is None or not (io.consumers_changed or consumers.throttled):
            return []
        io.consumers_changed = False
        before = consumers.throttled_since
        stimuli: list[Stimulus] = [
            Demoted(io.terminal_id, one.id) for one in consumers.update(io.log.head, now)
        ]
        since = consumers.throttled_since
        if before is not None or since is not None:
            self._charge(io, before, now)
        if stimuli:
            self._effects.tally.demotions += len(stimuli)
        if now - io.looked_at >= LOOK_SECONDS:
            io.looked_at = now
            self._effects.tally.observe(io.backlog(consumers).chunks, CHUNKS)
        io.input.keep_up(io.log, now)
        io.log.retire(None if io.closing else consumers.floor())
        told = since is not None and now - since >= TELL_AFTER
        if told != io.throttle_told:
            io.throttle_told = told
            stimuli.append(Throttle(io.terminal_id, told))
        return stimuli

    def _charge(self, io: TerminalIO, before: float | None, now: float) -> None:
        """Count how long consumers hold the program back, and how often they begin to."""
        tally = self._effects.tally
        held = io.charge(now)
        if before is None:
            tally.throttles += 1
        elif not io.closing:
            tally.throttled_seconds += held

    def _throttle_deadlines(self, io: TerminalIO, now: float) -> list[float]:
        consumers = self._effects.state.consumers.get(io.terminal_id)
        if consumers is None or consumers.throttled_since is None:
            return []
        grace = consumers.deadline(io.log.head, now)
        times = [] if grace is None else [grace]
        if not io.throttle_told:
            times.append(consumers.throttled_since + TELL_AFTER)
        return times


def _noticed(io: TerminalIO) -> list[Stimulus]:
    stimuli: list[Stimulus] = []
    if io.questions.found:
        stimuli.append(Queried(io.terminal_id, io.questions.take(), io.questions.position))
    if len(io.samples) >= SAMPLES:
        stimuli.append(Timed(io.terminal_id, io.take_samples()))
    return stimuli
