"""Programs on their way: started, vaulted, let through their gates, or taken over from the dead.

Owns the gates that wait for the vault: no program runs whose terminal would die with this worker.
Refuses nothing by itself: what fails comes back as a stimulus. Called by `effects` and `runner`.
"""

import logging
import math
import time
from dataclasses import dataclass
from typing import Final

from lanekeeper.keeper import hooks
from lanekeeper.keeper.channel import ChannelError
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.shortage import explain
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers.actions import OpenGate, SpawnRefused, Start, Stimulus
from lanekeeper.workers.children import Child
from lanekeeper.workers.estate import JOURNAL, PROGRAM_KINDS, Program
from lanekeeper.workers.spawner import NoNurseryError, Spawner
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.terminal_input import Lost
from lanekeeper.workers.terminal_io import TURN_BYTES, TerminalIO

NURSERY_SECONDS: Final = 4.0
"""How long a start waits for a nursery that is being replaced: less than its answer may take."""
AGAIN_SECONDS: Final = 0.05
"""Between two attempts to reach the next nursery."""
LOOK_BACK: Final = 2 * TURN_BYTES
"""Bytes of output in which there may be a question that a dead worker has not looked at."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """A start that waits for a nursery: tried again at `due`, given up after `until`."""

    action: Start
    due: float
    until: float


class Starter:
    """The way of programs into their terminals, and out of them."""

    def __init__(
        self,
        spawner: Spawner,
        deposits: Deposits,
        state: LaneState,
        terminals: dict[str, TerminalIO],
    ) -> None:
        """Start programs through `spawner`, in `terminals`, which are in the vault."""
        self._spawner = spawner
        self._deposits = deposits
        self._state = state
        self._terminals = terminals
        self._gates: set[str] = set()
        self._waiting: dict[str, Waiting] = {}

    def start(self, action: Start) -> list[Stimulus]:
        """Open a PTY and have a child forked for it, which waits at its gate.

        Without a nursery it is tried again until there is one, for a while.
        """
        return self._start(action, time.monotonic() + NURSERY_SECONDS)

    @property
    def deadline(self) -> float:
        """When `due` has something to do; infinite without a start that waits."""
        return min((one.due for one in self._waiting.values()), default=math.inf)

    def due(self, now: float) -> list[Stimulus]:
        """Try again what waits for a nursery; what was ended meanwhile is forgotten."""
        stimuli: list[Stimulus] = []
        for terminal_id, one in [*self._waiting.items()]:
            if one.due <= now:
                del self._waiting[terminal_id]
                record = self._state.terminals.get(terminal_id)
                if record is not None and record.info.state == TerminalState.SPAWNING:
                    stimuli += self._start(one.action, one.until)
        return stimuli

    def _start(self, action: Start, until: float) -> list[Stimulus]:
        terminal_id = action.info.id
        try:
            io = self._terminals.get(terminal_id)
            if io is None:
                io = TerminalIO(terminal_id, action.spec.capacity)
                self._terminals[terminal_id] = io
            if io.pty is not None:
                self.hang_up(io)
            child = self._spawner.start(action.info, action.spec)
            self._open(io, child)
            self._deposits.put(terminal_id, {**io.fds, "errors": child.errors})
            hooks.at("worker.terminal.deposited")
        except NoNurseryError as error:
            now = time.monotonic()
            if now >= until:
                return [SpawnRefused(terminal_id, str(error))]
            self._waiting[terminal_id] = Waiting(action, now + AGAIN_SECONDS, until)
        except (OSError, ChannelError) as error:
            reason = explain(error) if isinstance(error, OSError) else str(error)
            _LOG.warning("no program started: %s", reason, extra={"stimulus": terminal_id})
            return [SpawnRefused(terminal_id, reason)]
        return []

    def _open(self, io: TerminalIO, child: Child) -> None:
        try:
            io.open(child.pty, child.stdin)
        except OSError:
            child.pty.close()
            raise

    def open_gate(self, action: OpenGate) -> None:
        """Let a program run as soon as the vault has its terminal and its child."""
        io = self._terminals[action.terminal_id]
        record = self._state.terminals[action.terminal_id]
        pidfd = self._spawner.pidfd(action.terminal_id)
        if pidfd >= 0:
            # First: the rest is done while the keeper takes it in.
            self._deposits.put(action.terminal_id, {"pidfd": pidfd})
        if io.pty is not None and record.info.pid is not None:
            io.pty.adopt(record.info.pid)
        self._gates.add(action.terminal_id)
        self.open_gates()

    def open_gates(self) -> None:
        """Let the programs run whose terminals are in the vault."""
        if not self._deposits.sure(JOURNAL):
            return
        for terminal_id in [name for name in self._gates if self._deposits.sure(name)]:
            self._gates.discard(terminal_id)
            self._spawner.open_gate(terminal_id)

    def unvaulted(self, name: str, reason: str) -> list[Stimulus]:
        """Note that the vault refused an entry: a program that waits for that never runs."""
        _LOG.error("the vault refused %s: %s", name, reason)
        if name not in self._gates:
            return []
        self._gates.discard(name)
        self._spawner.shut_gate(name)
        text = f"the keeper cannot keep its terminal: {reason}"
        return [SpawnRefused(name, text, "LIMIT_EXCEEDED")]

    def go_on(self, program: Program) -> TerminalIO:
        """Go on with a program that a dead worker started; return its terminal."""
        info, now = program.terminal.info, time.monotonic()
        io = self._terminals[info.id]
        if info.pid is not None:
            program.pty.adopt(info.pid)
        child = Child(info.id, program.pty, -1, program.errors, -1)
        child.pid, child.start_time = info.pid or 0, info.start_time or 0
        child.pidfd = program.pidfd
        self._spawner.inherit(child)
        if program.pty.size() != (info.cols, info.rows):
            program.pty.resize(info.cols, info.rows)
        if info.exit is not None:
            io.program_exited(now)
        # What it asked just before the death, and nobody took note of: who noted it answers it.
        asked = io.questions
        asked.position = max(asked.position, program.terminal.begin, io.log.head - LOOK_BACK)
        io.look()
        io.consumers_changed = True
        return io

    def hang_up(self, io: TerminalIO) -> list[Lost]:
        """Close what led to a program, here and in the vault; return the input it did not take."""
        io.exited = None
        self._deposits.drop(io.terminal_id, PROGRAM_KINDS)
        return io.close_pty()
