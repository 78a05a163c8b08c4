"""Who writes, as a person at an attached terminal sees it: this client, or another one.

Owns taking the writer lease, taking it again when it was lost while this process was stopped, and
what is said when another client took it over. Refuses nothing: a client that may not write looks
on. Used by `relay` for `attach` and `run`.
"""

from typing import TYPE_CHECKING, Final

from lanekeeper.cli.keys import DetachKey, key
from lanekeeper.client import LaneError, Terminal

if TYPE_CHECKING:
    from lanekeeper.client.writers import Writer

TAKE_KEY: Final[DetachKey] = key("t")
"""Takes the writing over; it is looked for only while this client looks on."""
OURS_NO_MORE: Final = "NOT_WRITER"


class Pen:
    """The right to write to one terminal.

    Attributes:
        note: what the person is to be told now; taken with `said`.
    """

    def __init__(self, terminal: Terminal, *, read_only: bool = False, tty: bool = True) -> None:
        """Hold nothing yet; with `read_only` nothing ever, `tty` if a person's terminal is here."""
        self._terminal = terminal
        self._read_only = read_only
        self._tty = tty
        self._writer: Writer | None = None
        self.note = ""

    @property
    def writes(self) -> bool:
        """Whether input and sizes of this client are accepted, as far as is known."""
        return self._writer is not None

    @property
    def may_take(self) -> bool:
        """Whether this client looks on and the person may change that."""
        return not (self.writes or self._read_only)

    def take(self, *, take_over: bool = False) -> bool:
        """Take the lease, from another client only with `take_over`; return whether it is held."""
        if self._read_only:
            return False
        try:
            self._writer = self._terminal.lease(tty=self._tty, take=take_over)
        except LaneError as error:
            if error.code != OURS_NO_MORE:
                raise
            self._look_on(error)
        return self.writes

    def take_again(self, *, take_over: bool = False) -> bool:
        """As `take`; a plane that cannot answer now leaves a person looking on."""
        try:
            return self.take(take_over=take_over)
        except LaneError as error:
            if not (error.retryable and self._tty):
                raise
            self.note = f"looking on: {error.code}; {TAKE_KEY.name} tries again"
            return False

    def check(self) -> None:
        """Notice that the lease was lost: look on, or take it again when nobody has it."""
        lost = self._writer.lost if self._writer is not None else None
        if lost is None:
            return
        self.put_down()
        if lost.code == OURS_NO_MORE:
            self._look_on(lost)
        else:
            self.take_again()

    def refused(self) -> None:
        """Notice by a refusal that the lease is lost, and take it again if nobody has it."""
        if self._writer is not None:
            self.put_down()
            self.take_again()

    def put_down(self) -> None:
        """Give the lease back."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def said(self) -> str:
        """Return what is to be said, once."""
        note, self.note = self.note, ""
        return note

    def _look_on(self, error: LaneError) -> None:
        who = error.details.get("who", "another client")
        if self._tty:
            self.note = f"looking on: {who} writes; {TAKE_KEY.name} takes over"
        else:
            self.note = f"{who} writes to this terminal now"
