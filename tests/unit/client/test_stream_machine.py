"""One terminal's output against a model of everything between a lane and its reader.

Unlike a script for a lossy link, the machine has everything in flight at once: messages on an old
and on a new connection, a join that is late, an answer to a read that was true when it was given,
successors, respawns, evictions. Whatever it does, what is taken equals the log.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanekeeper.client.items import Data, Ended, Gap, Resized
from lanekeeper.client.stream import AHEAD_BYTES, Assembly, ReadNeeded
from lanekeeper.wire.output import Kind, OutputMessage, encode_output, encode_size
from unit.client.fakelog import EXIT, FakeLog

if TYPE_CHECKING:
    from lanekeeper.wire.messages.terminal import ReadResult

JOINED_AS: Final = "tok_1"
ANSWER_MOST: Final = 9
"""Bytes of one answer: most holes take several."""
IN_FLIGHT: Final = 6
"""Messages a connection holds; beyond it the lane drops."""


class Reader(RuleBasedStateMachine):
    """A lane, two connections, and the assembly that reads over them."""

    def __init__(self) -> None:
        """Start with an empty log and a subscription on its way."""
        super().__init__()
        self.log = FakeLog()
        self.ends: set[int] = set()
        self.assembly = Assembly(0)
        self.assembly.token = JOINED_AS
        self.joined = False
        self.connection: deque[list[bytes]] = deque()
        self.old: deque[list[bytes]] = deque()
        self.asked: ReadNeeded | None = None
        self.answered: ReadResult | None = None
        self.position = 0
        self.acknowledged = 0
        self.heard = 0
        self.over = False

    def publish(self, message: OutputMessage) -> None:
        """Publish as a lane does: nobody has joined, or a queue is full, and it is gone."""
        if self.joined and len(self.connection) < IN_FLIGHT:
            self.connection.append(list(encode_output(message)))

    @precondition(lambda self: not self.log.ended)
    @rule(data=st.binary(min_size=1, max_size=40))
    def write(self, data: bytes) -> None:
        """The program writes."""
        self.publish(self.log.write(data))

    @rule()
    def beacon(self) -> None:
        """The lane is silent for a moment."""
        self.publish(self.log.head())

    @precondition(lambda self: not self.log.ended)
    @rule()
    def resize(self) -> None:
        """Somebody resizes the terminal."""
        self.publish(self.log.message(Kind.RESIZE, len(self.log.log), encode_size(90, 30)))

    @precondition(lambda self: not self.log.ended)
    @rule()
    def end(self) -> None:
        """The program ends."""
        self.ends.add(len(self.log.log))
        self.publish(self.log.end())

    @precondition(lambda self: self.log.ended)
    @rule()
    def respawn(self) -> None:
        """The program is started again; its log goes on."""
        self.log.ended = False

    @rule(count=st.integers(1, 30))
    def evict(self, count: int) -> None:
        """The log gives old bytes back."""
        self.log.tail = min(len(self.log.log), self.log.tail + count)

    @rule()
    def succeed(self) -> None:
        """Another worker takes over, with the same log."""
        self.log.epoch += 1
        self.reconnect()

    @rule()
    def reconnect(self) -> None:
        """The connection breaks; what is in flight may still arrive, mixed with what is new."""
        self.old += self.connection
        self.connection.clear()
        self.joined = False

    @precondition(lambda self: not self.joined)
    @rule()
    def join(self) -> None:
        """The lane sees the subscription and sends the token back."""
        self.joined = True
        self.publish(replace_topic(self.log.message(Kind.JOINED, 0)))

    @precondition(lambda self: self.connection)
    @rule(twice=st.booleans())
    def deliver(self, *, twice: bool) -> None:
        """A message arrives; a copy of it may stay behind."""
        frames = self.connection.popleft()
        self.assembly.receive(frames)
        if twice:
            self.old.append(frames)

    @precondition(lambda self: self.old)
    @rule(last=st.booleans())
    def deliver_late(self, *, last: bool) -> None:
        """A message of an old connection arrives, in whatever order."""
        self.assembly.receive(self.old.pop() if last else self.old.popleft())

    @precondition(lambda self: self.old)
    @rule()
    def lose(self) -> None:
        """A message of an old connection never arrives."""
        self.old.popleft()

    @precondition(lambda self: self.asked is None and self.answered is None)
    @rule()
    def ask(self) -> None:
        """The reader asks for what it lacks."""
        self.asked = self.assembly.begin_read()

    @precondition(lambda self: self.asked is not None)
    @rule()
    def answer(self) -> None:
        """The lane answers; the answer takes its time."""
        if self.asked is not None:
            size = min(self.asked.size, ANSWER_MOST)
            self.answered = self.log.read(ReadNeeded(self.asked.offset, size))
            self.asked = None

    @precondition(lambda self: self.answered is not None)
    @rule()
    def hear(self) -> None:
        """The answer arrives."""
        if self.answered is not None:
            self.assembly.answer(self.answered)
            self.answered = None

    @precondition(lambda self: self.asked is not None or self.answered is not None)
    @rule()
    def lose_answer(self) -> None:
        """The question or its answer is lost, and the reader gives up waiting."""
        self.asked = self.answered = None
        self.assembly.read_failed()

    @rule()
    def silence(self) -> None:
        """Nothing was heard for a while."""
        self.assembly.look()

    @rule(count=st.integers(1, 5))
    def take(self, count: int) -> None:
        """The caller takes what is there."""
        for _ in range(count):
            item = self.assembly.take()
            if item is not None:
                self.check(item)

    def check(self, item: Data | Gap | Resized | Ended) -> None:
        """Hold an item against the log."""
        assert not self.over, "something came after the end"
        match item:
            case Data(offset=offset, data=data):
                assert offset == self.position
                assert data == self.log.log[offset : item.end]
                self.position = item.end
            case Gap(start=start, end=end):
                assert (start, end > start) == (self.position, True)
                assert end <= self.log.tail, "a gap over what the log has never given up"
                self.position = end
            case Ended(offset=offset, exit=status):
                assert offset == self.position, "an end that is not where the output is"
                assert offset in self.ends
                assert status == EXIT
                self.over = True

    @rule()
    def acknowledge(self) -> None:
        """The reader says what was processed."""
        offset = self.assembly.begin_ack()
        if offset is not None:
            if self.assembly.epoch > self.heard:
                # A successor may not have heard what its predecessor was told.
                self.acknowledged, self.heard = 0, self.assembly.epoch
            assert self.acknowledged < offset <= self.position
            self.acknowledged = offset

    @invariant()
    def bounded(self) -> None:
        """What waits behind a hole is bounded, and nothing was malformed."""
        assert self.assembly.malformed == 0
        assert self.assembly.pending <= len(self.log.log) + 100 < AHEAD_BYTES

    def teardown(self) -> None:
        """When everything has arrived that ever will, and a look was had, all has been told."""
        if self.asked is not None or self.answered is not None:
            self.lose_answer()
        for frames in (*self.old, *self.connection):
            self.assembly.receive(frames)
        self.assembly.look()
        for _ in range(10 * (len(self.log.log) + 10)):
            need = self.assembly.begin_read()
            if need is None:
                break
            self.assembly.answer(self.log.read(ReadNeeded(need.offset, ANSWER_MOST)))
        while (item := self.assembly.take()) is not None:
            self.check(item)
        assert self.over == self.assembly.finished
        assert self.over or self.position == len(self.log.log)
        assert self.over or not self.log.ended


def replace_topic(message: OutputMessage) -> OutputMessage:
    """Return a message under the reader's token."""
    return OutputMessage(JOINED_AS, message.kind, message.epoch, message.offset, 0, b"")


Reader.TestCase.settings = settings(max_examples=150, stateful_step_count=60)
TestReader = Reader.TestCase
