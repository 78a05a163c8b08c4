"""Searching output: whatever the borders of its chunks, in bounded steps, by any pattern."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MATCH_SPAN
from lanekeeper.workers.search import Hit, Search, matched

from .lanes import FakeLog

ALPHABET = st.sampled_from(b"ab\n")
CHUNKS = st.lists(st.lists(ALPHABET, min_size=1, max_size=8).map(bytes), max_size=30)


def search_all(search: Search, log: FakeLog) -> Hit | None:
    while search.behind(log.head):
        hit = search.step(log)
        if hit is not None:
            return hit
    return None


@given(CHUNKS, st.sampled_from(["ab", "a\nb", "aab\n", "b{3}", "^ab", "ba$"]))
def test_the_first_match_is_found_whatever_the_chunks(chunks: list[bytes], pattern: str) -> None:
    log, search, hit = FakeLog(), Search(pattern, 0), None
    for chunk in chunks:
        log.content += chunk
        hit = search_all(search, log)
        if hit is not None:
            break
    expected = re.search(f"(?m){pattern}".encode(), log.content)
    assert (hit and (hit.start, hit.end)) == (expected and expected.span())


@pytest.mark.parametrize("place", [0, 1, 50_000, 65_530, 65_536, 131_000, 199_990])
def test_a_match_at_any_place_of_much_output(place: int) -> None:
    content = bytearray(b"x" * 200_000)
    content[place : place + 10] = b"needle-123"
    log = FakeLog(bytes(content))
    hit = search_all(Search(r"n\w+-(\d+)", 0), log)
    assert hit is not None
    assert (hit.start, hit.end) == (place, place + 10)
    assert matched(log, hit).groups == [b"123"]


def test_a_long_match_across_chunks() -> None:
    log, search = FakeLog(), Search("(?s)BEGIN.*END", 0)
    content = b"." * 100_000 + b"BEGIN" + b"\n" * (MATCH_SPAN - 100) + b"END"
    hit = None
    for start in range(0, len(content), 999):
        log.content = content[: start + 999]
        hit = search_all(search, log)
    assert hit is not None
    assert hit.end - hit.start == MATCH_SPAN - 92


def test_matching_begins_at_the_offset_and_sees_what_stands_before_it() -> None:
    log = FakeLog(b"one one\none")
    assert search_all(Search("one", 1), log) == Hit(4, 7, ())
    assert search_all(Search("^one", 1), log) == Hit(8, 11, ())
    assert search_all(Search(r"one$", 0), FakeLog(b"ones")) is None


def test_output_that_is_gone_is_told() -> None:
    log = FakeLog(b"x" * 5000 + b"late")
    search = Search("late", 10)
    log.tail = 4096
    hit = search_all(search, log)
    assert hit is not None
    assert hit.start == 5000
    assert search.gap is not None
    assert (search.gap.start, search.gap.end) == (10, 4096)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$b", "(a|a)*b", "(.*)(.*)(.*)c", "((a*)*)*c", "(?:a|b)*a(?:a|b){60}c"]
)
def test_no_pattern_makes_a_step_long(pattern: str) -> None:
    log = FakeLog(b"a" * 1_000_000)
    search = Search(pattern, 0)
    worst, steps = 0.0, 0
    while search.behind(log.head):
        before = time.thread_time()
        assert search.step(log) is None
        worst = max(worst, time.thread_time() - before)
        steps += 1
    assert worst < 0.1
    assert steps > 1


@pytest.mark.parametrize(
    ("pattern", "code", "word"),
    [
        ("(a", "INVALID_ARGUMENT", "missing )"),
        ("a(?=b)", "INVALID_ARGUMENT", "invalid perl operator"),
        (r"(a)\1", "INVALID_ARGUMENT", "invalid escape"),
        ("((a|b){100}){9}", "LIMIT_EXCEEDED", "instructions"),
        ("()" * 17, "LIMIT_EXCEEDED", "groups"),
    ],
)
def test_a_wrong_pattern_is_refused_with_its_reason(pattern: str, code: str, word: str) -> None:
    with pytest.raises(WireError) as refused:
        Search(pattern, 0)
    assert refused.value.code == code
    assert word in refused.value.info.message
    assert "(?m)" not in refused.value.info.message
