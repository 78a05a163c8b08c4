"""A relay at a real pseudo terminal or pipe, while a second thread does what a person does.

Owns the two descriptors of the person's side and the way out when the relay does not end by
itself. Called by the tests of `relay`, whose main thread is the relay's: it catches signals.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from kit.waiting import is_readable, wait_until
from lanekeeper.cli.ends import Ends, Outcome
from lanekeeper.cli.keys import DEFAULT, detach_key
from lanekeeper.cli.relay import Relay
from lanekeeper.cli.render import Bytes
from lanekeeper.client import OutputStream, Plane, Terminal

PATIENCE_S = 5.0


@dataclass
class Desk:
    """What a person types at and looks at; `ends` is the relay's side of it."""

    ours: int
    ends: Ends
    said: list[str] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    stream: OutputStream | None = None
    left: Event = field(default_factory=Event)
    """Set when the relay has ended."""

    def received(self, size: int) -> None:
        """Wait until the relay has received so many bytes of output."""
        stream = self.stream
        assert stream is not None
        wait_until(lambda: (stream.position or 0) >= size, PATIENCE_S, f"{size} bytes received")

    def type(self, data: bytes) -> None:
        """Type."""
        os.write(self.ours, data)

    def look(self, timeout: float = 0.0) -> bool:
        """Take in what is there, or comes in time; return whether there was something."""
        if not is_readable(self.ours, timeout):
            return False
        piece = os.read(self.ours, 65536)
        self.seen += piece
        return bool(piece)

    def expect(self, what: bytes) -> None:
        """Look until it was seen."""
        self._look_until(lambda: what in self.seen, repr(what))

    def expect_bytes(self, size: int) -> None:
        """Look until so many bytes were seen."""
        self._look_until(lambda: len(self.seen) >= size, f"{size} bytes")

    def _look_until(self, condition: Callable[[], bool], what: str) -> None:
        def there() -> bool:
            while self.look() and not condition():
                pass
            return condition()

        wait_until(there, PATIENCE_S, what)


@contextlib.contextmanager
def at_terminal() -> Iterator[Desk]:
    """A person at a terminal that is in raw mode while they are attached."""
    ours, theirs = os.openpty()
    said: list[str] = []
    ends = Ends(
        stdin=theirs,
        stdout=theirs,
        raw=True,
        forward=False,
        detach_key=detach_key(DEFAULT),
        notice=said.append,
    )
    try:
        yield Desk(ours, ends, said)
    finally:
        os.close(ours)
        os.close(theirs)


@contextlib.contextmanager
def at_pipe() -> Iterator[Desk]:
    """A reader at the end of a pipe, as `lane run ... | less` has."""
    ours, theirs = os.pipe()
    try:
        yield Desk(ours, Ends(stdin=None, stdout=theirs))
    finally:
        os.close(ours)
        os.close(theirs)


def relayed(plane: Plane, terminal: Terminal, desk: Desk, person: Callable[[], object]) -> Outcome:
    """Run a relay while `person` does something; a relay that stays afterwards is signalled."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with ThreadPoolExecutor(1) as pool, terminal.output(0, policy="block") as stream:
            desk.stream = stream
            relay = Relay(plane, terminal, stream, desk.ends, Bytes(tty=desk.ends.raw))
            acting: Future[object] = pool.submit(_act, person)
            try:
                outcome = relay.run()
            finally:
                desk.left.set()
                acting.result(2 * PATIENCE_S)
        return outcome
    finally:
        signal.signal(signal.SIGTERM, before)


def _act(person: Callable[[], object]) -> None:
    try:
        person()
    except BaseException:
        os.kill(os.getpid(), signal.SIGTERM)
        raise
