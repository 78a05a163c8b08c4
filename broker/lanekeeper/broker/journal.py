"""The broker's journal on its memfd: records in, a state out.

The shell's side of `records`: appends what the core says, compacts when the records have doubled,
and folds a predecessor's journal. Called by `server`.
"""

from lanekeeper.broker.records import decode_record, encode_record
from lanekeeper.broker.state import State
from lanekeeper.keeper.journal import Journal

JOURNAL_NAME = "lanekeeper-broker"
"""Shows in /proc/PID/fd."""


def load(journal: Journal) -> State:
    """Return the state that a journal holds.

    Raises:
        RecordError: a record is not ours.
        WireError: an event in it is of another version.
    """
    state = State()
    for payload in journal.records():
        state.apply(decode_record(payload))
    return state


def append(journal: Journal, record: bytes, state: State) -> None:
    """Append a record that `state` has taken in already; compacts when it is time.

    Raises:
        OSError: memory ran out; the record is not there.
        JournalError: the record is too large.
    """
    journal.append(record)
    if journal.needs_compaction:
        journal.compact(encode_record(kept) for kept in state.snapshot())
