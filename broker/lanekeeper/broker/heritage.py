"""What one broker leaves to the next through the keeper's vault: its journal and its sockets.

Owns the order of a start: the keeper first, since it may hold a predecessor's journal; only then
are sockets bound. Refuses to start beside a keeper that does not answer, which may hold what would
be lost. Called by `server`.
"""

import logging
import time
from dataclasses import dataclass
from typing import Final

import zmq

from lanekeeper.broker import journal as journals
from lanekeeper.broker.records import RecordError
from lanekeeper.broker.sockets import Sockets, bind
from lanekeeper.broker.state import State
from lanekeeper.keeper.framing import close_all
from lanekeeper.keeper.journal import Journal, JournalError
from lanekeeper.keeper.link import Link
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.errors import WireError

JOURNAL: Final = "journal"
SOCKETS: Final = "sockets"
"""Names of the entries in the vault."""

LOG: Final = logging.getLogger(__name__)
_ROLE: Final = "broker"


@dataclass(frozen=True, slots=True)
class Heritage:
    """What a broker begins with, its predecessor's or new."""

    link: Link
    journal: Journal
    state: State
    sockets: Sockets


def take_over(context: zmq.Context[zmq.Socket[bytes]], rundir: Rundir) -> Heritage:
    """Ask the keeper for what a predecessor left, make what is missing, and deposit all of it.

    Raises:
        AlreadyRunningError: another broker serves this directory.
        OSError: the keeper does not answer, or a path cannot be bound.
        zmq.ZMQError: a socket cannot be bound.
    """
    link = Link(rundir, _ROLE, serving=False)
    link.open(time.monotonic())
    left = link.inherit()
    journal, state = _journal(left.pop(JOURNAL, {}))
    link.deposit(JOURNAL, {JOURNAL: journal.fd})
    sockets = bind(context, rundir, left.pop(SOCKETS, {}))
    link.deposit(SOCKETS, sockets.listeners)
    for entry in left.values():
        close_all(entry.values())
    return Heritage(link, journal, state, sockets)


def _journal(entry: dict[str, int]) -> tuple[Journal, State]:
    """Go on with the journal of a predecessor; one that cannot be read is left, not guessed at."""
    fd = entry.pop(JOURNAL, None)
    close_all(entry.values())
    if fd is not None:
        try:
            journal = Journal.open(fd)
            return journal, journals.load(journal)
        except (JournalError, RecordError, WireError, OSError):
            LOG.exception("could not read the predecessor's journal; beginning anew")
            close_all((fd,))
    journal = Journal.create(journals.JOURNAL_NAME)
    return journal, State()
