"""The judge of the self-checking stream finds every way in which bytes can be wrong."""

import pytest

from lanekeeper.soak.stream import BLOCK, SIZE, Judge, Kind, WrongByteError, block

SEED = 11
STREAM = b"".join(
    block(SEED, number, kind, 1000 + number, body)
    for number, (kind, body) in enumerate(
        [
            (Kind.WINDOW, SIZE.pack(80, 24)),
            *[(Kind.FLOOD, b"")] * 4,
            (Kind.ECHO, b"i00000000 ab"),
            (Kind.ECHO, b"cd\n"),
            *[(Kind.FLOOD, b"")] * 4,
            (Kind.EXIT, b""),
        ]
    )
)
PLACES = (0, 5, 700, BLOCK, 3 * BLOCK + 19, len(STREAM) - BLOCK - 1)


def judged(data: bytes, step: int = 4095) -> Judge:
    judge = Judge(SEED)
    for start in range(0, len(data), step):
        judge.feed(data[start : start + step])
    judge.finish()
    return judge


@pytest.mark.parametrize("step", [1, 19, BLOCK, 4095, 65536])
def test_what_was_written_is_right_in_any_pieces(step: int) -> None:
    judge = judged(STREAM, step)
    assert judge.offset == len(STREAM)
    assert bytes(judge.echoed) == b"i00000000 abcd\n"
    assert (judge.size, judge.stamp, judge.ended) == ((80, 24), 1011, True)


@pytest.mark.parametrize("at", PLACES)
def test_a_lost_byte_is_found(at: int) -> None:
    with pytest.raises(WrongByteError):
        judged(STREAM[:at] + STREAM[at + 1 :])


@pytest.mark.parametrize("at", PLACES)
def test_a_doubled_byte_is_found(at: int) -> None:
    with pytest.raises(WrongByteError):
        judged(STREAM[:at] + STREAM[at : at + 1] + STREAM[at:])


@pytest.mark.parametrize("at", [place for place in PLACES if place % BLOCK not in range(17, 33)])
def test_a_changed_byte_is_found(at: int) -> None:
    with pytest.raises(WrongByteError):
        judged(STREAM[:at] + bytes([STREAM[at] ^ 1]) + STREAM[at + 1 :])


def test_lost_and_doubled_blocks_are_counted_in_the_story() -> None:
    with pytest.raises(WrongByteError, match="block 3 instead of 1: 2 lost"):
        judged(STREAM[:BLOCK] + STREAM[3 * BLOCK :])
    with pytest.raises(WrongByteError, match="block 1 instead of 2: 1 came twice"):
        judged(STREAM[: 2 * BLOCK] + STREAM[BLOCK:])


def test_bytes_that_moved_are_located() -> None:
    with pytest.raises(WrongByteError, match=r"wrong at 3000 .* belong \+7 bytes further"):
        judged(STREAM[:3000] + STREAM[3007:])


def test_a_cut_end_is_found() -> None:
    with pytest.raises(WrongByteError, match="did not say"):
        judged(STREAM[: 4 * BLOCK])
    with pytest.raises(WrongByteError, match="of a block"):
        judged(STREAM[: 4 * BLOCK + 3])


@pytest.mark.parametrize("start", [1, BLOCK - 1, BLOCK, 2 * BLOCK + 17])
def test_a_reader_that_comes_late_is_judged_from_there(start: int) -> None:
    late = Judge(SEED, start)
    late.feed(STREAM[start:])
    late.finish()
    with pytest.raises(WrongByteError):
        Judge(SEED, start).feed(STREAM[start + 1 :])


def test_a_gap_is_taken_where_it_is_and_nowhere_else() -> None:
    judge = Judge(SEED)
    judge.feed(STREAM[:3000])
    with pytest.raises(WrongByteError):
        judge.gap(2999, 5000)
    judge.gap(3000, 5000)
    judge.feed(STREAM[5000:])
    judge.finish()
    assert judge.gaps == [(3000, 5000)]
