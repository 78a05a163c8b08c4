"""Looks at the processes of this machine, in slices, so that a thousand lanes hold nobody up.

A slow look keeps the totals of the plane true and notices who has ended; quick ones follow while
somebody asks for lanes. /proc/PID/stat gives identity, session, processor time and memory in one
read; what costs more (descriptors, shared memory) is read with psutil, for few processes at a time.
Called by `server`.
"""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from lanekeeper.collector.model import SINGLE, Incarnation, Model
from lanekeeper.collector.usage import Seen, Usage
from lanekeeper.keeper import identity

FIRST_SECONDS: Final = 4.0
"""Until the first look: by then samples and the keeper have named the processes."""
SLOW_SECONDS: Final = 30.0
"""From one look to the next while nobody asks."""
QUICK_SECONDS: Final = 2.0
ASKED_SECONDS: Final = 10.0
"""How long after somebody asked the looks stay quick."""

SLICE: Final = 100
"""Processes looked at in one turn: about 2 ms."""
DEAR_SLICE: Final = 4
"""Of those whose descriptors and shared memory are read."""
SHARED_MOST: Final = 64
"""Workers whose shared memory one slow look reads: the kernel walks their pages for it."""

_SECONDS: Final = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PARENT, _SESSION, _START, _RSS = 1, 3, 19, 21
_UTIME, _STIME, _CUTIME, _CSTIME = 11, 12, 13, 14
"""Fields of /proc/PID/stat after the command's name."""
_ENDED: Final = frozenset({b"Z", b"X", b"x"})


class Processes:
    """What is looked at, and when."""

    def __init__(self, model: Model, usage: Usage, now: float) -> None:
        """Look for the first time in a few seconds."""
        self._model = model
        self._usage = usage
        self._next = now + FIRST_SECONDS
        self._began = now
        self._asked = now - ASKED_SECONDS
        self._slow_at = now
        self._pids: Iterator[list[int]] | None = None
        self._dear: deque[Incarnation] = deque()
        self._shared: dict[Incarnation, float] = {}

    def asked(self, now: float) -> None:
        """Look again soon: somebody wants to see lanes."""
        self._asked = now
        self._next = min(self._next, max(now, self._began + QUICK_SECONDS))

    def due(self) -> float:
        """Return when the next slice is due; at once while a look is under way."""
        return 0.0 if self.busy else self._next

    @property
    def busy(self) -> bool:
        """Whether a look is under way."""
        return self._pids is not None or bool(self._dear)

    def turn(self, now: float) -> None:
        """Look at a slice if it is time to."""
        if self._pids is not None:
            self._go_on(now)
        elif self._dear:
            for _ in range(min(DEAR_SLICE, len(self._dear))):
                self._look_closer(self._dear.popleft(), now)
        elif now >= self._next:
            self._begin(now)

    def _begin(self, now: float) -> None:
        self._began = now
        quick = now - self._asked < ASKED_SECONDS
        self._next = now + (QUICK_SECONDS if quick else SLOW_SECONDS)
        self._usage.begin(now)
        with os.scandir("/proc") as entries:
            pids = [int(entry.name) for entry in entries if entry.name.isdecimal()]
        self._pids = _slices(pids)

    def _go_on(self, now: float) -> None:
        pids = None if self._pids is None else next(self._pids, None)
        if pids is not None:
            for pid in pids:
                seen = look(pid)
                if seen is not None:
                    self._usage.see(seen)
            return
        self._pids = None
        self._usage.end()
        if now >= self._slow_at:
            self._slow_at = now + SLOW_SECONDS
            self._plan()

    def _plan(self) -> None:
        """Choose who is looked at closely: the daemons, and workers in turn."""
        living = [process.who for process in self._model.living()]
        known = set(living)
        self._usage.prune(known)
        self._shared = {who: size for who, size in self._shared.items() if who in known}
        unmeasured = [who for who in living if who not in self._shared and who.role not in SINGLE]
        measured = [who for who in self._shared if who.role not in SINGLE]
        self._dear.extend(who for who in living if who.role in SINGLE)
        self._dear.extend([*unmeasured, *measured][:SHARED_MOST])

    def _look_closer(self, who: Incarnation, now: float) -> None:
        """Read what costs more; a process that has another start time by then is not meant."""
        try:
            process = psutil.Process(who.pid)
            descriptors = process.num_fds()
            soft, _ = process.rlimit(psutil.RLIMIT_NOFILE)
            shared = process.memory_full_info().pss
        except (psutil.Error, OSError):
            return
        if identity.start_time(who.pid) != who.start_time:
            return
        self._shared.pop(who, None)
        self._shared[who] = shared
        self._usage.descriptors(who, descriptors, descriptors / max(soft, 1), now)
        self._model.put(who, "lanekeeper_proportional_bytes", shared, now=now)


def look(pid: int) -> Seen | None:
    """Return one process of this machine; None when it is gone."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = line[line.rfind(b")") + 2 :].split()
    if len(fields) <= _RSS:
        return None
    return Seen(
        pid,
        int(fields[_START]),
        int(fields[_SESSION]),
        (int(fields[_UTIME]) + int(fields[_STIME])) * _SECONDS,
        int(fields[_RSS]) * _PAGE,
        parent=int(fields[_PARENT]),
        reaped=(int(fields[_CUTIME]) + int(fields[_CSTIME])) * _SECONDS,
        ended=fields[0] in _ENDED,
    )


def _slices(pids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(pids), SLICE):
        yield pids[start : start + SLICE]
