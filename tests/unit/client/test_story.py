"""Events in order without holes, over a link that loses them and a broker that restarts."""

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from lanekeeper.client.errors import EventsLostError
from lanekeeper.client.story import QUEUE_EVENTS, Story
from lanekeeper.wire.codec import encode
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.messages.plane import ReplayResult

JOIN_TOPIC = "tok_1"


def event(seq: int, epoch: str = "ep_1", topic: str = "lane.created") -> Event:
    return Event(
        v=1,
        id=f"evt_{seq}",
        ts="2026-01-01T00:00:00Z",
        topic=topic,
        correlation_id="corr",
        seq=seq,
        epoch=epoch,
    )


def replay(
    story: Story, events: list[Event], first: int = 1, epoch: str = "ep_1", page: int = 3
) -> None:
    """Answer replays until none is needed."""
    for _ in range(200):
        since = story.begin_replay()
        if since is None:
            return
        kept = [one for one in events if one.seq > since and one.seq >= first][:page]
        last = events[-1].seq if events else 0
        story.answer(ReplayResult(epoch=epoch, first=first, last=last, events=kept))
    raise AssertionError


def joining_story() -> Story:
    """Return a story from now on that knows its token."""
    story = Story(None)
    story.token = JOIN_TOPIC
    return story


def taken(story: Story) -> list[int | str]:
    found: list[int | str] = []
    while (one := story.take()) is not None:
        found.append(one.seq if isinstance(one, Event) else "lost")
    return found


def test_all_that_is_kept_then_live() -> None:
    story = Story(0)
    replay(story, [event(seq) for seq in range(1, 8)])
    story.event(event(8))
    assert taken(story) == list(range(1, 9))


def test_from_now_on_begins_after_the_join() -> None:
    story = joining_story()
    story.event(event(4))
    story.receive([JOIN_TOPIC.encode(), msgpack.packb([1, "joined", "ep_1", 5])])
    story.receive([b"lane.created", encode(event(6))])
    assert taken(story) == [6]


def test_a_jump_is_filled_by_a_replay() -> None:
    story = Story(0)
    replay(story, [event(1)])
    story.event(event(4))
    replay(story, [event(seq) for seq in range(1, 5)])
    assert taken(story) == [1, 2, 3, 4]


def test_what_the_broker_no_longer_has_is_reported_in_its_place() -> None:
    story = Story(2)
    replay(story, [event(seq) for seq in range(1, 8)], first=5)
    first = story.take()
    assert isinstance(first, EventsLostError)
    assert first.details == {"start": 3, "end": 5, "epoch": "ep_1"}
    assert taken(story) == [5, 6, 7]


def test_asking_for_all_that_is_kept_loses_nothing() -> None:
    story = Story(0)
    replay(story, [event(seq) for seq in range(1, 8)], first=5)
    assert taken(story) == [5, 6, 7]


def test_a_new_epoch_is_reported_and_followed_from_its_beginning() -> None:
    story = Story(0)
    replay(story, [event(1), event(2)])
    story.event(event(2, "ep_2"))
    replay(story, [event(seq, "ep_2") for seq in (1, 2)], epoch="ep_2")
    assert taken(story) == [1, 2, "lost", 1, 2]


def test_topics_are_chosen_without_making_holes() -> None:
    story = Story(0, topics=("lane.cleaned",))
    events = [event(1), event(2, topic="lane.cleaned"), event(3)]
    replay(story, events[:2])
    story.event(events[2])
    story.event(event(4, topic="lane.cleaned"))
    assert taken(story) == [2, 4]


def test_without_follow_it_stops_with_the_last_event() -> None:
    story = Story(0, follow=False)
    replay(story, [event(seq) for seq in range(1, 8)])
    assert story.finished
    assert taken(story) == list(range(1, 8))
    empty = Story(None, follow=False)
    empty.joined("ep_1", 3)
    assert empty.finished


def test_malformed_messages_are_counted() -> None:
    story = joining_story()
    story.receive([JOIN_TOPIC.encode(), b"\xff"])
    story.receive([b"lane.created", b"junk"])
    assert story.malformed == 2


def test_a_failed_replay_is_needed_again() -> None:
    story = Story(0)
    assert story.begin_replay() == 0
    assert story.begin_replay() is None
    story.replay_failed()
    assert story.begin_replay() == 0


def test_a_slow_caller_fills_it_up_to_a_bound() -> None:
    story = Story(0)
    replay(story, [event(1)])
    for seq in range(2, QUEUE_EVENTS + 2):
        story.event(event(seq))
    assert story.full
    assert not story.wants_replay


@given(
    st.lists(st.sampled_from(["live", "live", "lose", "join", "replay", "retire"]), max_size=60),
    st.integers(1, 4),
)
@settings(max_examples=200)
def test_whatever_is_lost_the_order_has_no_silent_hole(script: list[str], page: int) -> None:
    story = Story(0)
    replay(story, [event(1)], page=page)
    events, first, found = [event(1)], 1, taken(story)
    for word in script:
        if word in {"live", "lose"}:
            events.append(event(len(events) + 1))
            if word == "live":
                story.event(events[-1])
        elif word == "join":
            story.joined("ep_1", len(events))
        elif word == "retire":
            first = min(first + 1, len(events))
        else:
            replay(story, events, first, page=page)
            found += taken(story)
    story.joined("ep_1", len(events))
    replay(story, events, first, page=page)
    found += taken(story)
    before = 0
    lost = False
    for one in found:
        if isinstance(one, str):
            lost = True
            continue
        assert one == before + 1 or (lost and one > before)
        before, lost = one, False
    assert before == len(events)
