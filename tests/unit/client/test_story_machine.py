"""The lifecycle events against a model of a broker that restarts and forgets, and a lossy link."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from lanekeeper.client.errors import LaneError
from lanekeeper.client.story import Story
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.messages.plane import ReplayResult
from unit.client.test_story import event


class Follower(RuleBasedStateMachine):
    """A broker, a connection, and the story that is read over it."""

    def __init__(self) -> None:
        """Start with nothing published and a subscription on its way."""
        super().__init__()
        self.story = Story(0)
        self.number = 1
        self.events: list[Event] = []
        self.first = 1
        self.joined = False
        self.connection: deque[Event] = deque()
        self.late: deque[Event] = deque()
        self.asked: int | None = None
        self.answered: ReplayResult | None = None
        self.oldest: dict[str, int] = {}
        self.epoch: str | None = None
        self.position = 0
        self.renumbered = True

    @property
    def broker(self) -> str:
        """The epoch of the broker that runs now."""
        return f"ep_{self.number}"

    @rule(carried=st.booleans())
    def publish(self, *, carried: bool) -> None:
        """Something happens; the message of it may be dropped."""
        self.events.append(event(len(self.events) + 1, self.broker))
        if self.joined and carried:
            self.connection.append(self.events[-1])

    @precondition(lambda self: self.first <= len(self.events))
    @rule()
    def forget(self) -> None:
        """The broker keeps no more than it must."""
        self.first += 1
        self.oldest[self.broker] = self.first

    @rule()
    def restart(self) -> None:
        """Another broker numbers from 1 again."""
        self.number += 1
        self.events, self.first = [], 1
        self.reconnect()

    @rule()
    def reconnect(self) -> None:
        """The connection breaks; what is in flight may still arrive."""
        self.late += self.connection
        self.connection.clear()
        self.joined = False

    @precondition(lambda self: not self.joined)
    @rule()
    def join(self) -> None:
        """The broker sees the subscription and says what came last."""
        self.joined = True
        self.story.joined(self.broker, len(self.events))

    @precondition(lambda self: self.connection)
    @rule(twice=st.booleans())
    def deliver(self, *, twice: bool) -> None:
        """A message arrives; a copy may stay behind."""
        one = self.connection.popleft()
        self.story.event(one)
        if twice:
            self.late.append(one)

    @precondition(lambda self: self.late)
    @rule(last=st.booleans())
    def deliver_late(self, *, last: bool) -> None:
        """A message of an old connection arrives, in whatever order."""
        self.story.event(self.late.pop() if last else self.late.popleft())

    @precondition(lambda self: self.asked is None and self.answered is None)
    @rule()
    def ask(self) -> None:
        """The reader asks for what it lacks."""
        self.asked = self.story.begin_replay()

    @precondition(lambda self: self.asked is not None)
    @rule(page=st.integers(1, 4))
    def answer(self, page: int) -> None:
        """The broker answers; the answer takes its time."""
        if self.asked is not None:
            self.answered, self.asked = self.replay(self.asked, page), None

    def replay(self, since: int, page: int) -> ReplayResult:
        """Return what the broker answers to a replay."""
        kept = [one for one in self.events if one.seq > since and one.seq >= self.first][:page]
        return ReplayResult(epoch=self.broker, first=self.first, last=len(self.events), events=kept)

    @precondition(lambda self: self.answered is not None)
    @rule()
    def hear(self) -> None:
        """The answer arrives."""
        if self.answered is not None:
            self.story.answer(self.answered)
            self.answered = None

    @precondition(lambda self: self.asked is not None or self.answered is not None)
    @rule()
    def lose_answer(self) -> None:
        """The question or its answer is lost."""
        self.asked = self.answered = None
        self.story.replay_failed()

    @rule()
    def silence(self) -> None:
        """Nothing was heard for a while."""
        self.story.look()

    @rule()
    def take(self) -> None:
        """The caller takes everything that is there."""
        while (one := self.story.take()) is not None:
            if isinstance(one, LaneError):
                self.check_loss(one.details or {})
            else:
                self.check_event(one)

    def check_event(self, one: Event) -> None:
        """Events of an epoch follow each other; a new numbering begins with what is kept."""
        if self.renumbered:
            assert one.seq <= self.oldest.get(one.epoch, 1)
        else:
            assert (one.epoch, one.seq) == (self.epoch, self.position + 1)
        self.epoch, self.position, self.renumbered = one.epoch, one.seq, False

    def check_loss(self, details: dict[str, object]) -> None:
        """A loss is reported where it is, and over nothing that the broker still had."""
        start, end, epoch = details["start"], details["end"], str(details["epoch"])
        if not self.renumbered:
            assert (epoch, start) == (self.epoch, self.position + 1)
        if end is None:
            self.renumbered = True
            return
        assert isinstance(end, int)
        assert isinstance(start, int)
        assert start < end <= self.oldest.get(epoch, 1)
        self.epoch, self.position, self.renumbered = epoch, end - 1, False

    def teardown(self) -> None:
        """When it has joined and asked for the rest, everything has been told."""
        if self.asked is not None or self.answered is not None:
            self.lose_answer()
        self.story.joined(self.broker, len(self.events))
        self.story.look()
        for _ in range(len(self.events) + 20):
            since = self.story.begin_replay()
            if since is None:
                break
            self.story.answer(self.replay(since, 3))
        self.take()
        assert self.story.position == len(self.events)
        assert self.story.epoch == self.broker
        assert self.renumbered or self.epoch != self.broker or self.position == len(self.events)


Follower.TestCase.settings = settings(max_examples=150, stateful_step_count=50)
TestFollower = Follower.TestCase
