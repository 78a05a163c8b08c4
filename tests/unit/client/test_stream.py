"""Output put together message by message: order, holes, gaps, epochs, the end."""

from itertools import pairwise

import pytest

from lanekeeper.client.items import Data, Ended, Gap, Item, Resized
from lanekeeper.client.stream import ACK_BYTES, QUEUE_BYTES, Assembly, ReadNeeded
from lanekeeper.wire.messages.terminal import ReadResult
from lanekeeper.wire.output import Kind, OutputMessage, encode_output, encode_size
from unit.client.fakelog import EXIT, FakeLog, answer_reads, started, take_all

JOIN_TOPIC = "tok_mine"


def test_live_output_in_order_needs_no_reads() -> None:
    log = FakeLog()
    assembly = started(log)
    for word in (b"one ", b"two ", b"three"):
        assembly.message(log.write(word))
    assembly.message(log.head())
    assembly.message(log.end())
    assert not assembly.wants_read
    assert take_all(assembly) == [
        Data(0, b"one "),
        Data(4, b"two "),
        Data(8, b"three"),
        Ended(13, EXIT),
    ]
    assert assembly.finished


def test_a_lost_message_is_read_before_what_follows_is_delivered() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"lost")
    assembly.message(log.write(b"kept"))
    assert take_all(assembly) == []
    assert assembly.begin_read() == ReadNeeded(0, 4)
    assembly.answer(log.read(ReadNeeded(0, 4)))
    assert take_all(assembly) == [Data(0, b"lost"), Data(4, b"kept")]


def test_a_lost_last_message_is_noticed_by_the_beacon() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"lost")
    assembly.message(log.head())
    answer_reads(assembly, log)
    assert take_all(assembly) == [Data(0, b"lost")]


def test_the_end_waits_for_everything_before_it() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"lost")
    assembly.message(log.end())
    assert not assembly.finished
    answer_reads(assembly, log)
    assert take_all(assembly) == [Data(0, b"lost"), Ended(4, EXIT)]


def test_a_lost_end_is_found_by_looking_again() -> None:
    log = FakeLog()
    assembly = started(log)
    log.end()
    assembly.look()
    answer_reads(assembly, log)
    assert take_all(assembly) == [Ended(0, EXIT)]


def test_an_end_that_comes_late_does_not_end_the_program_started_after_it() -> None:
    log = FakeLog()
    assembly = started(log)
    assembly.message(log.write(b"first"))
    late = log.end()
    log.ended = False
    assembly.message(log.message(Kind.RESIZE, 5, encode_size(80, 24)))
    assembly.message(log.write(b"second"))
    assembly.message(late)
    assert not assembly.finished
    assembly.message(log.end())
    assert take_all(assembly)[-1] == Ended(11, EXIT)


def test_an_end_ends_it_in_the_midst_of_what_was_read_and_of_a_gap() -> None:
    for tail in (0, 4, 8):
        log = FakeLog()
        assembly = started(log)
        log.write(b"first")
        assembly.message(log.end())
        log.ended = False
        log.write(b"second")
        log.tail = tail
        answer_reads(assembly, log)
        assert take_all(assembly)[-1] == Ended(5, EXIT)
        assert assembly.position == 5


def test_what_the_log_no_longer_has_is_a_gap_in_its_place() -> None:
    log = FakeLog()
    log.write(b"0123456789")
    log.tail = 4
    assembly = started(log)
    assert take_all(assembly) == [Gap(0, 4), Data(4, b"456789")]


def test_a_gap_ends_where_live_output_was_received() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"0123")
    assembly.message(log.write(b"4567"))
    log.write(b"89")
    log.tail = 9
    assembly.message(log.head())
    answer_reads(assembly, log)
    assert take_all(assembly) == [Gap(0, 4), Data(4, b"4567"), Gap(8, 9), Data(9, b"9")]


def test_without_a_start_it_begins_with_the_oldest_byte_and_no_gap() -> None:
    log = FakeLog()
    log.write(b"0123456789")
    log.tail = 4
    assembly = started(log, None)
    assert take_all(assembly) == [Data(4, b"456789")]


def test_without_follow_it_stops_where_the_log_ended() -> None:
    log = FakeLog()
    log.write(b"x" * 100_000)
    assembly = started(log, follow=False)
    assert assembly.finished
    assert sum(len(item.data) for item in take_all(assembly) if isinstance(item, Data)) == 100_000
    assembly.message(log.write(b"more"))
    assert take_all(assembly) == []


def test_an_ended_log_without_follow_still_tells_the_end() -> None:
    log = FakeLog()
    log.write(b"x")
    log.ended = True
    assert take_all(started(log, follow=False)) == [Data(0, b"x"), Ended(1, EXIT)]


def test_messages_of_an_older_epoch_are_stale() -> None:
    log = FakeLog()
    assembly = started(log)
    old = log.write(b"old ")
    log.epoch = 2
    assembly.message(log.write(b"new"))
    assembly.message(old)
    assert assembly.stale == 1
    answer_reads(assembly, log)
    assert take_all(assembly) == [Data(0, b"old "), Data(4, b"new")]


def test_an_answer_of_an_older_epoch_is_asked_for_again() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"x")
    assembly.message(log.head())
    need = assembly.begin_read()
    assert need is not None
    late = log.read(need)
    log.epoch = 2
    assembly.message(log.head())
    assert not assembly.answer(late)
    answer_reads(assembly, log)
    assert take_all(assembly) == [Data(0, b"x")]


def test_a_resize_is_delivered_at_its_place() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"lost")
    assembly.message(log.message(Kind.RESIZE, 4, encode_size(132, 50)))
    assembly.message(log.write(b"wide"))
    answer_reads(assembly, log)
    assert take_all(assembly) == [Data(0, b"lost"), Resized(132, 50), Data(4, b"wide")]


def test_the_own_token_makes_it_look_again_and_a_foreign_one_does_not() -> None:
    log = FakeLog()
    assembly = started(log)
    assembly.token = JOIN_TOPIC
    joined = encode_output(OutputMessage("tok_other", Kind.JOINED, 1, 0, 0, b""))
    assembly.receive(list(joined))
    assert not assembly.wants_read
    joined = encode_output(OutputMessage(JOIN_TOPIC, Kind.JOINED, 1, 0, 0, b""))
    assembly.receive(list(joined))
    assert assembly.wants_read


def test_malformed_messages_are_counted_and_change_nothing() -> None:
    assembly = started(FakeLog())
    assembly.receive([b"term_1", b"\xff", b""])
    assembly.receive(list(encode_output(FakeLog().message(Kind.END, 0, b"junk"))))
    assembly.receive(list(encode_output(FakeLog().message(Kind.RESIZE, 0, b"junk"))))
    assert assembly.malformed == 3
    assert take_all(assembly) == []


def test_a_slow_caller_fills_it_up_to_a_bound() -> None:
    log = FakeLog()
    assembly = started(log)
    while not assembly.full:
        assembly.message(log.write(b"x" * 60_000))
    assert len(log.log) <= QUEUE_BYTES + 60_000
    assert not assembly.wants_read
    take_all(assembly)
    assert not assembly.full


def test_a_caller_who_takes_again_learns_at_once_what_a_full_queue_missed() -> None:
    log = FakeLog()
    assembly = started(log)
    while not assembly.full:
        assembly.message(log.write(b"x" * 60_000))
    log.write(b"dropped by ZeroMQ, with the end")
    log.end()
    items: list[Item | None] = [assembly.take()]
    assert answer_reads(assembly, log) == 0, "a caller at the brim gets live output, not the log"
    items += take_all(assembly)
    assert answer_reads(assembly, log) == 1
    items += take_all(assembly)
    assert items[-1] == Ended(len(log.log), EXIT)
    assert b"".join(item.data for item in items if isinstance(item, Data)) == log.log
    assert answer_reads(assembly, log) == 0, "one look is enough"


def test_what_lies_far_ahead_is_not_kept_but_read_again() -> None:
    log = FakeLog()
    assembly = started(log)
    log.write(b"lost")
    for _ in range(40):
        assembly.message(log.write(b"y" * 60_000))
    received = bytearray()
    while answer_reads(assembly, log):
        received += b"".join(item.data for item in take_all(assembly) if isinstance(item, Data))
    assert received == log.log


def test_acknowledgements_follow_what_was_processed() -> None:
    log = FakeLog()
    assembly = started(log)
    assembly.registered(0)
    assembly.message(log.write(b"abc"))
    assembly.message(log.write(b"def"))
    assembly.message(log.head())
    assembly.take()
    assert assembly.begin_ack() is None
    assembly.take()
    assert assembly.begin_ack() == 3
    assert assembly.take() is None
    assert assembly.begin_ack() == 6
    assert assembly.begin_ack() is None


def test_an_echo_is_acknowledged_when_the_lane_is_silent() -> None:
    log = FakeLog()
    assembly = started(log)
    assembly.message(log.write(b"k"))
    assembly.take()
    assert assembly.take() is None
    assert not assembly.wants_ack
    assembly.message(log.head())
    assert assembly.begin_ack() == 1


def test_a_busy_caller_acknowledges_at_least_every_256_kib() -> None:
    log = FakeLog()
    assembly = started(log)
    for _ in range(10):
        assembly.message(log.write(b"z" * 60_000))
    acked = []
    while assembly.take() is not None:
        offset = assembly.begin_ack()
        if offset is not None:
            acked.append(offset)
    acked.append(assembly.begin_ack() or 0)
    assert acked[-1] == 600_000
    assert all(after - before < ACK_BYTES + 60_000 for before, after in pairwise(acked))


def test_a_failed_read_is_needed_again() -> None:
    assembly = Assembly(0)
    assert assembly.begin_read() is not None
    assert assembly.begin_read() is None
    assembly.read_failed()
    assert assembly.begin_read() is not None


@pytest.mark.parametrize("offset", [0, 5])
def test_an_answer_that_begins_too_late_is_a_gap(offset: int) -> None:
    assembly = Assembly(offset)
    assembly.begin_read()
    assembly.answer(ReadResult(offset=offset + 2, data=b"x", head=offset + 3, tail=0, epoch=1))
    assert take_all(assembly) == [Gap(offset, offset + 2), Data(offset + 2, b"x")]
