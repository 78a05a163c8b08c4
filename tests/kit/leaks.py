"""Whether a test left something behind: process, descriptor, thread, terminal, socket, directory.

Owns the look before, the look after and the words for the difference. Refuses nothing by itself:
the fixture in `kit.fixtures` turns what is left into a failure. Closing is asynchronous in the
kernel and in ZeroMQ, so the look after is repeated until a deadline.
"""

import contextlib
import gc
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kit import places, processes
from kit.processes import Seen
from kit.waiting import WaitedTooLongError, wait_until

SETTLE_S: Final = 5.0
"""Seconds that what is being closed may take until it counts as left behind."""

PLANE_DIRECTORY: Final = "p"
"""Name of the runtime directory inside a private directory."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there was at one moment."""

    processes: frozenset[tuple[int, int]]
    descriptors: dict[int, str]
    threads: dict[int, str]
    pty_count: int
    pty_numbers: frozenset[int]
    places: frozenset[Path]


def snapshot() -> Snapshot:
    """Look at everything a test can leave behind."""
    return Snapshot(
        processes=frozenset(seen.identity for seen in _family()),
        descriptors=processes.descriptors(),
        threads=processes.threads(),
        pty_count=processes.pty_count(),
        pty_numbers=processes.pty_numbers(),
        places=places.private_directories(),
    )


def left_behind(before: Snapshot, tree: Path | None = None, timeout: float = SETTLE_S) -> list[str]:
    """Return one line for each thing that is there now and was not before, after settling.

    Args:
        before: the look before the test.
        tree: a directory of the test in which no socket may remain.
        timeout: seconds until what is still there counts.
    """
    found: list[str] = []

    def settled() -> bool:
        found[:] = _differences(before, tree)
        return not found

    if settled():
        return []
    gc.collect()
    with contextlib.suppress(WaitedTooLongError):
        wait_until(settled, timeout, "clean state")
    return found


def sweep(before: Snapshot) -> None:
    """End the processes and remove the directories that were not there before.

    So that one leak fails one test and not all that follow it.
    """
    for seen in _new_processes(before):
        with contextlib.suppress(ProcessLookupError):
            os.kill(seen.pid, signal.SIGKILL)
        if seen.ppid == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(seen.pid, 0)
    for place in places.private_directories() - before.places:
        places.remove(place)


def _differences(before: Snapshot, tree: Path | None) -> list[str]:
    return [
        *(f"left behind: {seen}" for seen in _new_processes(before)),
        *_new_descriptors(before),
        *_new_threads(before),
        *_new_terminals(before),
        *(f"left behind: directory {p}" for p in places.private_directories() - before.places),
        *_new_sockets(tree),
    ]


def _family() -> list[Seen]:
    runs = (str(place / PLANE_DIRECTORY) for place in places.private_directories())
    return processes.family(places.run_token(), frozenset(runs))


def _new_processes(before: Snapshot) -> Iterator[Seen]:
    standing = {str(place / PLANE_DIRECTORY) for place in before.places}
    for seen in _family():
        # A plane that several tests share replaces its own processes; what runs in its terminals
        # carries no such marker and has to be gone.
        known = seen.identity in before.processes
        if not known and seen.variable("LANEKEEPER_PLANE") not in standing:
            yield seen


def _new_descriptors(before: Snapshot) -> Iterator[str]:
    for fd, target in processes.descriptors().items():
        if fd not in before.descriptors:
            yield f"left behind: descriptor {fd} -> {target}"


def _new_threads(before: Snapshot) -> Iterator[str]:
    for number, name in processes.threads().items():
        if number not in before.threads:
            yield f"left behind: thread {number} ({name})"


def _new_terminals(before: Snapshot) -> Iterator[str]:
    # The count is the whole machine's: terminals that strangers opened meanwhile are theirs.
    more = processes.pty_count() > before.pty_count
    mine = {seen.pid for seen in _family()} | {os.getpid()}
    for number in sorted(processes.pty_numbers() - before.pty_numbers):
        holders = list(processes.pty_holders(number))
        if (more and not holders) or any(holder.pid in mine for holder in holders):
            by = ", ".join(str(holder) for holder in holders) or "nobody that can be seen"
            yield f"left behind: pseudo terminal {number}, held by {by}"


def _new_sockets(tree: Path | None) -> Iterator[str]:
    if tree is not None and tree.is_dir():
        for path in places.sockets_below(tree):
            yield f"left behind: socket {path}"
