"""When registered consumers hold a program back, and for how long they may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_CONSUMERS
from lanekeeper.workers.consumers import GRACE, PENALTY, TOGETHER, WINDOW, Consumer, Consumers

CAPACITY = 1000


def table(*policies: str) -> Consumers:
    consumers = Consumers(CAPACITY)
    for number, policy in enumerate(policies):
        consumers.put(Consumer(f"c{number}", f"l{number}", policy, 0))
    return consumers


def held(consumers: Consumers) -> bool:
    return consumers.throttled_since is not None


def test_reading_stops_at_half_and_goes_on_at_a_quarter() -> None:
    consumers = table("forever")
    consumers.update(499, 0.0)
    assert consumers.throttled_since is None
    consumers.update(500, 1.0)
    assert held(consumers)
    consumers.put(Consumer("c0", "l0", "forever", 249))
    consumers.update(500, 2.0)
    assert held(consumers)
    consumers.put(Consumer("c0", "l0", "forever", 250))
    consumers.update(500, 3.0)
    assert not held(consumers)


def test_the_slowest_holding_consumer_decides_and_keeps_the_log() -> None:
    consumers = table("forever", "forever", "drop")
    consumers.put(Consumer("c0", "l0", "forever", 400))
    assert consumers.floor() == 0
    consumers.update(600, 0.0)
    assert held(consumers)
    consumers.release("c1")
    assert consumers.floor() == 400
    consumers.update(600, 0.0)
    assert not held(consumers)


def test_an_observer_never_holds() -> None:
    consumers = table("drop")
    consumers.update(10 * CAPACITY, 0.0)
    assert not held(consumers)
    assert consumers.floor() is None


def test_a_block_consumer_is_demoted_after_its_grace_and_barred_for_a_while() -> None:
    consumers = table("block")
    consumers.update(600, 0.0)
    assert consumers.deadline(600, 0.0) == GRACE
    assert consumers.update(600, 0.9) == []
    demoted = consumers.update(600, GRACE)
    assert [one.id for one in demoted] == ["c0"]
    assert not held(consumers)
    with pytest.raises(WireError) as refused:
        consumers.check("l0", "block", GRACE + 1)
    assert refused.value.code == "BACKPRESSURE"
    assert refused.value.info.retryable
    consumers.check("l0", "drop", GRACE + 1)
    consumers.check("l1", "block", GRACE + 1)
    consumers.check("l0", "block", GRACE + PENALTY)


def test_a_drip_reader_cannot_stall_by_acknowledging_a_byte_at_a_time() -> None:
    consumers = table("block")
    now, head = 0.0, 600
    demoted: list[Consumer] = []
    for acknowledged in range(1, 20):
        consumers.update(head, now)
        now += 0.09
        consumers.put(Consumer("c0", "l0", "drop" if demoted else "block", acknowledged))
        demoted += consumers.update(head, now)
    assert [one.id for one in demoted] == ["c0"]


def test_catching_up_just_in_time_is_charged_all_the_same() -> None:
    consumers, now, head, times = table("block"), 0.0, 0, 0
    demoted: list[Consumer] = []
    while not demoted:
        head += 500
        demoted += consumers.update(head, now)
        now += 0.3
        consumers.put(Consumer("c0", "l0", "block", head))
        demoted += consumers.update(head, now)
        times += 1
        assert times < 10
    assert times * 0.3 <= GRACE + 0.6


def test_registering_again_and_again_gives_no_new_grace() -> None:
    consumers, now = table(), 0.0
    demoted: list[Consumer] = []
    for number in range(10):
        consumers.put(Consumer(f"c{number}", "l0", "block", 0))
        demoted += consumers.update(600, now)
        now += 0.3
        consumers.release(f"c{number}")
        demoted += consumers.update(600, now)
    assert demoted
    with pytest.raises(WireError) as refused:
        consumers.check("l0", "block", now)
    assert refused.value.code == "BACKPRESSURE"


def test_fresh_leases_one_after_the_other_get_no_more_than_a_share() -> None:
    consumers, now, held_back = table(), 0.0, 0.0
    for number in range(100):
        consumers.put(Consumer(f"c{number}", f"l{number}", "block", 0))
        consumers.update(600, now)
        if held(consumers):
            held_back += 0.1
        now += 0.1
        consumers.release(f"c{number}")
        consumers.update(600, now)
    assert held_back <= TOGETHER + 0.2


def test_grace_comes_back_with_time() -> None:
    consumers = table("block")
    consumers.update(600, 0.0)
    consumers.put(Consumer("c0", "l0", "block", 600))
    assert consumers.update(600, 0.9) == []
    later = 0.9 + WINDOW
    consumers.update(1200, later)
    assert consumers.deadline(1200, later) == later + GRACE


def test_forever_is_never_demoted() -> None:
    consumers = table("forever")
    consumers.update(600, 0.0)
    assert consumers.deadline(600, 0.0) is None
    assert consumers.update(600, 1000.0) == []
    assert held(consumers)


def test_acknowledgements_never_go_back_nor_beyond_the_head() -> None:
    consumers = table("forever")
    consumers.put(Consumer("c0", "l0", "forever", 100))
    assert consumers.acknowledged("c0", 50, 200) == 100
    assert consumers.acknowledged("c0", 150, 200) == 150
    with pytest.raises(WireError) as refused:
        consumers.acknowledged("c0", 201, 200)
    assert refused.value.code == "INVALID_ARGUMENT"
    with pytest.raises(WireError):
        consumers.acknowledged("nobody", 0, 200)


def test_the_number_of_consumers_is_bounded() -> None:
    consumers = table(*["drop"] * MAX_CONSUMERS)
    with pytest.raises(WireError) as refused:
        consumers.check("another", "drop", 0.0)
    assert refused.value.code == "LIMIT_EXCEEDED"


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=60))
def test_a_throttled_log_never_outgrows_its_capacity(steps: list[tuple[int, int]]) -> None:
    consumers, head, offset = table("forever"), 0, 0
    for produced, processed in steps:
        if not consumers.throttled:
            head += produced
        offset = min(head, offset + processed)
        consumers.put(Consumer("c0", "l0", "forever", offset))
        consumers.update(head, 0.0)
        floor = consumers.floor()
        assert floor is not None
        assert head - floor < CAPACITY // 2 + 400
        assert consumers.throttled or head - floor < CAPACITY // 2
