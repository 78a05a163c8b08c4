"""Carries out what the core decided: one method per action, in the order the actions came.

An effect can have consequences that the core must hear of (an input refused, a start that failed):
they are returned as stimuli and handled before anything else.
"""

import contextlib
import logging
import os
import time
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.keeper import hooks
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.identity import Process, descendants
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.output import Kind, OutputMessage, encode_exit, encode_size
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers.actions import (
    Action,
    Announce,
    Answer,
    Changed,
    Deliver,
    Delivered,
    Draw,
    End,
    Forget,
    Hangup,
    Leave,
    Locate,
    OpenGate,
    Reap,
    Reply,
    Report,
    SendSignal,
    SetSize,
    Start,
    Stimulus,
    Undelivered,
)
from lanekeeper.workers.book import Book
from lanekeeper.workers.echo import Typed
from lanekeeper.workers.output_log import OutputLog
from lanekeeper.workers.records import InputIs, PasteIs, Record
from lanekeeper.workers.screens import Screens
from lanekeeper.workers.sockets import Sockets
from lanekeeper.workers.spawner import Spawner
from lanekeeper.workers.starter import Starter
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.sweep import Sweep
from lanekeeper.workers.tally import ECHO, ECHO_SECONDS, Tally
from lanekeeper.workers.terminal_input import Lost, Planned
from lanekeeper.workers.terminal_io import TerminalIO

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Effects:
    """The worker's hands.

    Attributes:
        terminals: descriptors by terminal id.
        deposits: what of this lane is in the vault.
        tally: what is counted.
        sweeps: endings under way.
        starter: programs on their way in and out.
        screens: what is drawn of the terminals' output.
        leaving: set when the lane is closed and the worker must exit.
    """

    sockets: Sockets
    spawner: Spawner
    book: Book
    state: LaneState
    terminals: dict[str, TerminalIO]
    deposits: Deposits
    tally: Tally = field(default_factory=Tally)
    sweeps: list[Sweep] = field(default_factory=list)
    leaving: bool = False
    screens: Screens = field(init=False)
    starter: Starter = field(init=False)

    def __post_init__(self) -> None:
        """Let screens be drawn from the logs, and programs be started."""
        self.screens = Screens(self.log, self.state, self._asked)
        self.starter = Starter(self.spawner, self.deposits, self.state, self.terminals)

    def carry_out(self, action: Action) -> list[Stimulus]:
        """Do one action and return what followed from it."""
        match action:
            case Reply():
                self._reply(action)
            case Deliver():
                return self._deliver(action)
            case Report():
                self.sockets.to_broker(action.data)
            case Start():
                return self.starter.start(action)
            case OpenGate():
                self.starter.open_gate(action)
            case Reap():
                self._reap(action)
            case Answer():
                return self._answer(action)
            case _:
                return self._terminal(action)
        return []

    def _terminal(self, action: Action) -> list[Stimulus]:
        match action:
            case SetSize():
                self._set_size(action)
            case Draw() | Locate():
                return self.screens.ask(action)
            case SendSignal():
                self._send_signal(action)
            case Announce():
                return self._announce(action)
            case Hangup():
                return self._hang_up(self.terminals.get(action.terminal_id))
            case Changed():
                self._changed(action)
            case End():
                self._end(action)
            case Forget():
                return self._forget(action)
            case Leave():
                self.leaving = True
        return []

    def log(self, terminal_id: str) -> OutputLog | None:
        """Return a terminal's output log, None when it has none (yet)."""
        io = self.terminals.get(terminal_id)
        return None if io is None else io.log

    def typed(self, terminal_id: str) -> Typed | None:
        """Return what was typed into a terminal lately, None when it has nothing yet."""
        io = self.terminals.get(terminal_id)
        return None if io is None else io.typed

    def samples(self, terminal_id: str) -> list[tuple[int, int]]:
        """Return when a terminal's output came, once."""
        io = self.terminals.get(terminal_id)
        return [] if io is None else io.take_samples()

    def publish(self, io: TerminalIO, now: float) -> None:
        """Publish what is new in a terminal's log."""
        if not self.sockets.wanted(io.terminal_id.encode("ascii")):
            io.look()
            io.skip()
            io.asked_at = 0.0
            return
        hooks.at("worker.output.logged")
        while (chunk := io.next_chunk()) is not None:
            offset, data = chunk
            self.message(io, Kind.DATA, offset, data)
            io.questions.feed(offset, data)
            self.tally.published_bytes += len(data)
            if io.asked_at:
                self._echoed(io)
            io.arm_beacon(now)

    def _echoed(self, io: TerminalIO) -> None:
        """Time the first output after an input."""
        seconds = time.monotonic() - io.asked_at
        io.asked_at = 0.0
        if seconds <= ECHO_SECONDS:
            self.tally.observe(seconds, ECHO)

    def message(self, io: TerminalIO, kind: Kind, offset: int, data: bytes = b"") -> None:
        """Publish one message of a terminal."""
        epoch = self.state.assignment.generation
        self.sockets.publish(
            OutputMessage(io.terminal_id, kind, epoch, offset, time.time_ns(), data)
        )
        self.tally.published_messages += 1

    def welcome(self, topic: str) -> None:
        """Send a fresh subscriber its token, or the head of its terminal, which may be the end."""
        if topic.startswith("tok_"):
            self.sockets.joined(topic, self.state.assignment.generation, time.time_ns())
            return
        io, terminal = self.terminals.get(topic), self.state.terminals.get(topic)
        if io is None or terminal is None:
            return
        info = terminal.info
        self.publish(io, time.monotonic())
        if info.exit is not None and info.state == TerminalState.STOPPED:
            self.message(io, Kind.END, io.log.head, encode_exit(info.exit))
        else:
            self.message(io, Kind.HEAD, io.log.head)

    def held(self, io: TerminalIO) -> bool:
        """Whether a consumer, or a screen that is being drawn, holds back a terminal's reading."""
        if io.closing:
            return False
        consumers = self.state.consumers.get(io.terminal_id)
        throttled = consumers is not None and consumers.throttled
        return throttled or self.screens.holds(io.terminal_id)

    def take(self, io: TerminalIO, now: float) -> None:
        """Move a terminal's new output into its log, within its budget, and publish it."""
        head = io.log.head
        if io.reading and not self.held(io) and io.fill(now, time.time_ns()):
            self.tally.logged_bytes += io.log.head - head
            self.publish(io, now)
            io.consumers_changed = True

    def write(self, io: TerminalIO, now: float, *, waited: bool = True) -> list[Stimulus]:
        """Give a program the input that waits for it, as far as it takes any."""
        piped = io.input.piped
        done, lost = io.input.write(now, waited=waited)
        if piped and not io.input.piped:
            # Or the vault's duplicate would keep the end of the input from the program.
            self.deposits.drop(io.terminal_id, ("stdin",))
        if done:
            for entry in done:
                # An input without an id is an answer to the program, not a client's.
                self.tally.input_bytes += entry.size if entry.command_id else 0
            hooks.at("worker.input.answer")
        return [*(Delivered(e.command_id, e.size) for e in done), *_undelivered(lost)]

    def close(self) -> None:
        """Close every descriptor."""
        for sweep in self.sweeps:
            sweep.close()
        for io in self.terminals.values():
            io.close()
        if self.leaving:
            self.spawner.farewell(self.state.assignment.lane_id)
        self.spawner.close()
        self.book.close()
        self.sockets.close()

    def _asked(self, terminal_id: str) -> int | None:
        """Return the end of the first question of a terminal that the core has not heard of."""
        io = self.terminals.get(terminal_id)
        return None if io is None else io.questions.first

    def _reply(self, action: Reply) -> None:
        if action.route is None:
            self.sockets.to_broker(action.data)
        else:
            self.sockets.reply(action.route, action.data)

    def _reap(self, action: Reap) -> None:
        hooks.at("worker.exit.reap")
        self.spawner.reap(action.terminal_id)
        io = self.terminals.get(action.terminal_id)
        if io is not None:
            io.program_exited(time.monotonic())

    def _deliver(self, action: Deliver) -> list[Stimulus]:
        io = self.terminals[action.terminal_id]
        now = time.monotonic()
        waited = io.input.waiting
        try:
            planned = io.input.plan(action, io.log)
            # Before the bytes: they never lie in the input log without their owner being known.
            self.book.note(_accepted(action, planned, io), now)
            hooks.at("worker.input.journalled")
            io.input.take(planned)
            hooks.at("worker.input.taken")
        except WireError as error:
            return [Undelivered(action.command_id, error, taken=False)]
        except OSError as error:
            reason = f"no memory for input: {error.strerror or error}"
            return [Undelivered(action.command_id, WireError("LIMIT_EXCEEDED", reason))]
        if action.command_id:
            io.asked(self.tally.arrived)
            if planned.shown:
                io.typed.note(io.log.head, action.data)
        stimuli = self.write(io, now, waited=waited)
        # The line discipline echoes while the input is written: the echo leaves before the answer.
        self.take(io, now)
        return stimuli

    def _answer(self, action: Answer) -> list[Stimulus]:
        io = self.terminals[action.terminal_id]
        if not io.input.answerable:
            return []
        # An input without an id is nobody's command: nobody waits for it.
        return self._deliver(Deliver(action.terminal_id, "", action.data))

    def _set_size(self, action: SetSize) -> None:
        io = self.terminals[action.terminal_id]
        if io.pty is not None:
            self.publish(io, time.monotonic())
            hooks.at("worker.resize")
            io.pty.resize(action.cols, action.rows)
            hooks.at("worker.resized")
            data = encode_size(action.cols, action.rows)
            self.message(io, Kind.RESIZE, io.log.head, data)

    def _send_signal(self, action: SendSignal) -> None:
        info = self.state.terminals[action.terminal_id].info
        io = self.terminals[action.terminal_id]
        if info.pid is None or info.start_time is None:
            return
        leader = Process(info.pid, info.start_time)
        group = io.pty.foreground() if io.pty is not None else None
        # A program may have become another user's: that it cannot be signalled ends nothing here.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if action.target == "foreground" and group is not None and leader.alive():
                os.killpg(group, action.signum)
            else:
                below = descendants(info.pid) if action.target == "tree" else []
                for process in [*below, leader]:
                    process.signal(action.signum)

    def _announce(self, action: Announce) -> list[Stimulus]:
        io = self.terminals[action.terminal_id]
        self.publish(io, time.monotonic())
        self.message(io, Kind.END, action.offset, encode_exit(action.status))
        return self._hang_up(io)

    def _hang_up(self, io: TerminalIO | None) -> list[Stimulus]:
        if io is None:
            return []
        return _undelivered(self.starter.hang_up(io))

    def _changed(self, action: Changed) -> None:
        io = self.terminals.get(action.terminal_id)
        if io is not None:
            io.consumers_changed = True

    def _end(self, action: End) -> None:
        programs = []
        for terminal_id in action.terminal_ids:
            info = self.state.terminals[terminal_id].info
            io = self.terminals.get(terminal_id)
            if io is not None:
                io.closing = io.consumers_changed = True
            if info.pid is not None and info.start_time is not None:
                programs.append(Process(info.pid, info.start_time))
        origin = self.spawner.origins.of(self.state.assignment.lane_id, action)
        self.sweeps.append(Sweep(action.ending_id, programs, origin, action.grace))

    def _forget(self, action: Forget) -> list[Stimulus]:
        io = self.terminals.pop(action.terminal_id, None)
        self.deposits.drop(action.terminal_id)
        drawn = self.screens.forget(action.terminal_id)
        self.spawner.origins.forget(self.state.assignment.lane_id, action.terminal_id)
        return drawn if io is None else [*drawn, *_undelivered(io.close())]


def _accepted(action: Deliver, planned: Planned, io: TerminalIO) -> list[Record]:
    """Return what a successor has to know of an input before its bytes are there."""
    entry = planned.entry
    accepted = InputIs(
        action.command_id,
        action.terminal_id,
        planned.end,
        entry.size,
        entry.length,
        io.log.head,
        io.input.cursor,
        entry.close,
        entry.marked,
    )
    before = io.input.paste
    if planned.following == before:
        return [accepted]
    return [accepted, PasteIs(action.terminal_id, planned.end, before, planned.following)]


def _undelivered(lost: list[Lost]) -> list[Stimulus]:
    return [Undelivered(one.entry.command_id, one.error) for one in lost]
