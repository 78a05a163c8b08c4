"""What a lane's worker begins with: an empty lane, or what its dead predecessor left in the vault.

Owns the way from inherited descriptors to a state, a journal and terminals. Refuses an inheritance
that is not whole. A descriptor that leads to nothing which the journal knows is closed. Called by
`warm`, and by `__main__` for a worker without a keeper.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from lanekeeper.keeper.journal import Journal
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers.listeners import Listeners
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.records import TerminalIs, decode_records
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.terminal_input import Inherited
from lanekeeper.workers.terminal_io import TerminalIO

JOURNAL: Final = "journal"
"""Name of the entry that is no terminal's: the journal, and what the lane listens on."""

PROGRAM_KINDS: Final = ("master", "input", "stdin", "errors", "pidfd")
"""Kinds of a terminal's entry that go with its program; the log stays."""

RUNNING: Final = frozenset({TerminalState.SPAWNING, TerminalState.ACTIVE, TerminalState.THROTTLED})
"""States of a terminal in which there may be a program."""

Entries = Mapping[str, Mapping[str, int]]

_LOG: Final = logging.getLogger(__name__)


class InheritanceError(Exception):
    """The vault's entries do not make a lane."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs, or ran, under a terminal; descriptors are -1 when there is none."""

    terminal: TerminalIs
    pty: Pty
    pidfd: int
    errors: int
    inputs: Inherited


@dataclass(slots=True)
class Estate:
    """What there is.

    Attributes:
        entries: what the vault has already, as it is after everything useless was closed.
        programs: of the terminals that have one, in the state the journal has.
        lost: terminals that the journal has alive and the vault does not have.
    """

    state: LaneState
    journal: Journal
    listeners: Listeners
    entries: dict[str, dict[str, int]] = field(default_factory=dict)
    terminals: dict[str, TerminalIO] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def root(self) -> dict[str, int]:
        """The descriptors without which there is no lane, by kind."""
        return {JOURNAL: self.journal.fd, **self.listeners.fds}

    def left(self) -> Left:
        """Return what the core has to know of the predecessor's work."""
        inputs = [program.inputs for program in self.programs]
        return Left(
            done=tuple(e.command_id for one in inputs for e in one.done if e.command_id),
            refused=tuple(name for one in inputs for name in one.refused),
            lost=tuple(self.lost),
        )


def blank() -> Journal:
    """Return the journal of a lane that is to come; OSError when it cannot be made."""
    return Journal.create("lanekeeper-lane")


def found(assignment: Assignment, rundir: Rundir, journal: Journal) -> Estate:
    """Return an empty lane; OSError when its sockets cannot be made."""
    listeners = Listeners.create(paths(rundir, assignment.lane_id))
    return Estate(LaneState(assignment), journal, listeners)


def inherit(assignment: Assignment, entries: Entries, now: float) -> Estate:
    """Return the lane that a predecessor left; its descriptors are taken over.

    Raises:
        InheritanceError: the journal or the sockets are missing.
        JournalError: it is no journal.
        OSError: memory or descriptors ran out.
    """
    left = {name: dict(entry) for name, entry in entries.items()}
    try:
        journal = Journal.open(left[JOURNAL][JOURNAL])
        listeners = Listeners(left[JOURNAL])
    except KeyError as error:
        raise InheritanceError(f"the vault has no {error} of lane {assignment.name}") from error
    state = LaneState(assignment)
    for payload in journal.records():
        for record in decode_records(payload):
            state.apply(record, now)
    state.assignment = replace(
        state.assignment, generation=assignment.generation, screen=assignment.screen
    )
    estate = Estate(state, journal, listeners, left)
    for terminal in list(state.terminals.values()):
        _inherit_terminal(estate, terminal, now)
    for name in [n for n in left if n not in {JOURNAL, *state.terminals}]:
        _close(estate, name, tuple(left[name]))
    return estate


def paths(rundir: Rundir, lane_id: str) -> dict[str, Path]:
    """Return the paths of a lane's sockets by kind."""
    return {"output": rundir.lane_out(lane_id), "control": rundir.lane_in(lane_id)}


def _inherit_terminal(estate: Estate, terminal: TerminalIs, now: float) -> None:
    info = terminal.info
    entry = estate.entries.get(info.id, {})
    runs = info.pid is not None and info.state in RUNNING
    if "log" not in entry:
        estate.lost += [info.id] if runs else []
        return
    io = estate.terminals[info.id] = TerminalIO.inherit(info.id, terminal.spec.capacity, entry)
    if info.id in estate.state.timelines:
        io.sampler.go_on(estate.state.timelines[info.id].newest, now)
    io.questions.position = estate.state.queried.get(info.id, 0)
    if not runs or "master" not in entry or "input" not in entry:
        estate.lost += [info.id] if runs else []
        _close(estate, info.id, PROGRAM_KINDS)
        return
    pty = Pty(entry["master"])
    state = estate.state
    inputs = io.input.inherit(entry, pty, state.inputs_of(info.id), state.pastes.get(info.id))
    io.go_on(pty, now)
    io.throttle_told = info.state == TerminalState.THROTTLED
    if info.state != TerminalState.SPAWNING:
        _close(estate, info.id, ("errors",))
    if "stdin" in entry and not io.input.piped:
        del entry["stdin"]
    pidfd, errors = entry.get("pidfd", -1), entry.get("errors", -1)
    estate.programs.append(Program(terminal, pty, pidfd, errors, inputs))


def _close(estate: Estate, name: str, kinds: tuple[str, ...]) -> None:
    """Close descriptors that lead nowhere; the vault is told what is left."""
    entry = estate.entries[name]
    for kind in kinds:
        fd = entry.pop(kind, -1)
        if fd >= 0:
            os.close(fd)
    if not entry:
        del estate.entries[name]


def surplus(before: Entries, estate: Estate) -> Iterator[tuple[str, list[str]]]:
    """Yield what the vault has and nobody needs, by name."""
    for name, entry in before.items():
        kept = estate.entries.get(name, {})
        gone = [kind for kind in entry if kind not in kept]
        if gone:
            yield name, gone
