"""The broker's journal on its memfd: records in, a state out.

The shell's side of `records`: appends what the core says, compacts when the records have doubled,
and folds a predecessor's journal. The records of one turn are one payload, so a broker killed at
any instant leaves all of a turn or nothing of it. Called by `server`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from lanekeeper.broker.records import RecordError, decode_record, encode_record
from lanekeeper.broker.state import State
from lanekeeper.keeper.journal import PAYLOAD_MAX, Journal

JOURNAL_NAME: Final = "lanekeeper-broker"
"""Shows in /proc/PID/fd."""

COMPACT_SIZE: Final = 64 * 1024
"""Bytes of one payload of a compacted journal."""

OVERHEAD: Final = 16
OVERHEAD_EACH: Final = 5
"""Bytes that MessagePack needs around a list, and around each record in it, at most."""

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODER: Final = msgspec.msgpack.Decoder(list[bytes])


def load(journal: Journal) -> State:
    """Return the state that a journal holds.

    Raises:
        RecordError: a record is not ours.
        WireError: an event in it is of another version.
    """
    state = State()
    for payload in journal.records():
        for record in unpack(payload):
            state.apply(decode_record(record))
    return state


def append(journal: Journal, records: list[bytes], state: State) -> None:
    """Append the records of a turn, which `state` has taken in; compacts when it is time.

    Raises:
        OSError: memory ran out; the turn is not there.
        JournalError: a record is too large.
    """
    for payload in pack(records):
        journal.append(payload)
    if journal.needs_compaction:
        rewrite(journal, state)


def rewrite(journal: Journal, state: State) -> None:
    """Have the journal say what the state is, whatever it said before.

    Raises:
        OSError: memory ran out; the journal says what it said.
        JournalError: a record is too large; the same.
    """
    journal.compact(pack((encode_record(kept) for kept in state.snapshot()), COMPACT_SIZE))


class Keeping:
    """Writes turn after turn, and makes good for one that could not be written.

    A hole would have the next broker give a number twice and fold the rest over a wrong state:
    after a failure the whole state is written, until that has worked.
    """

    def __init__(self, journal: Journal, state: State) -> None:
        """Write the changes of `state`, which the journal holds so far."""
        self._journal, self._state = journal, state
        self._behind = False

    def write(self, records: list[bytes]) -> None:
        """Write what a turn has changed.

        Raises:
            OSError: memory ran out; the turn is not there yet.
            JournalError: a record is too large; the same.
        """
        behind, self._behind = self._behind, True
        if behind:
            rewrite(self._journal, self._state)
        else:
            append(self._journal, records, self._state)
        self._behind = False


def pack(records: Iterable[bytes], size: int = PAYLOAD_MAX - OVERHEAD) -> Iterator[bytes]:
    """Yield payloads that hold the records in order: one, unless they have more than `size` bytes.

    A turn that is too large for one payload is cut; all but monstrous ones fit.
    """
    batch: list[bytes] = []
    total = 0
    for record in records:
        length = len(record) + OVERHEAD_EACH
        if batch and total + length > size:
            yield _ENCODE(batch)
            batch, total = [], 0
        batch.append(record)
        total += length
    if batch:
        yield _ENCODE(batch)


def unpack(payload: bytes) -> list[bytes]:
    """Return the records in a payload.

    Raises:
        RecordError: it is none of ours.
    """
    try:
        return _DECODER.decode(payload)
    except msgspec.DecodeError as error:
        raise RecordError(f"not a payload of the broker's journal: {error}") from None
