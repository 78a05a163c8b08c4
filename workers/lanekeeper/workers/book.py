"""The lane's journal as the worker writes it: what a turn changed, before its effects.

Owns the file. A turn is one entry, so a successor finds it whole or not at all. Called by `runner`
with the core's actions, and by `effects` for what only descriptors can decide.
"""

from lanekeeper.keeper.journal import PAYLOAD_MAX
from lanekeeper.keeper.journal import Journal as JournalFile
from lanekeeper.workers.actions import Action, Journal
from lanekeeper.workers.records import Record, encode_records
from lanekeeper.workers.state import LaneState


class Book:
    """The journal of one lane and the state it stands for."""

    def __init__(self, journal: JournalFile, state: LaneState) -> None:
        """Write to `journal`, whose descriptor is taken over."""
        self._journal = journal
        self._state = state

    def record(self, actions: list[Action]) -> list[Action]:
        """Write what the core changed in a turn and return the rest; OSError: memory ran out."""
        records: list[Record] = []
        rest: list[Action] = []
        for action in actions:
            if isinstance(action, Journal):
                records.append(action.record)
            else:
                rest.append(action)
        if records:
            self._append(records)
        return rest

    def note(self, records: list[Record], now: float) -> None:
        """Change the state by records, after writing them; OSError when memory ran out."""
        self._append(records)
        for record in records:
            self._state.apply(record, now)

    def compact(self) -> None:
        """Rewrite the journal when it has doubled."""
        if self._journal.needs_compaction:
            self._journal.compact(encode_records([one]) for one in self._state.snapshot())

    def close(self) -> None:
        """Close the file; it lives on in other copies."""
        self._journal.close()

    def _append(self, records: list[Record]) -> None:
        payload = encode_records(records)
        if len(payload) <= PAYLOAD_MAX:
            self._journal.append(payload)
            return
        for one in records:
            self._journal.append(encode_records([one]))
