"""Once per command id: what is kept, for how long, and what a late retry hears."""

import pytest

from lanekeeper.wire.answers import Answers
from lanekeeper.wire.errors import WireError


def test_a_repeated_id_gets_the_first_answer() -> None:
    answers = Answers(10, 600.0, 10)
    assert answers.find("a", 0.0) is None
    answers.keep("a", b"first", 0.0)
    answers.keep("a", b"second", 1.0)
    assert answers.find("a", 2.0) == b"first"
    assert answers.statistics().repeated == 1


def test_an_answer_that_grew_too_old_is_indeterminate() -> None:
    answers = Answers(10, 600.0, 10)
    answers.keep("a", b"first", 0.0)
    assert answers.find("a", 599.0) == b"first"
    with pytest.raises(WireError, match="give a new command with a new id"):
        answers.find("a", 600.0)
    assert answers.statistics().indeterminate == 1
    assert answers.statistics().bytes == 0


def test_an_answer_pushed_out_by_count_is_indeterminate() -> None:
    answers = Answers(2, 600.0, 10)
    for name in "abc":
        answers.keep(name, name.encode(), 0.0)
    with pytest.raises(WireError, match="INDETERMINATE"):
        answers.find("a", 0.0)
    assert answers.find("b", 0.0) == b"b"
    assert answers.find("c", 0.0) == b"c"


def test_an_answer_pushed_out_by_size_is_indeterminate() -> None:
    answers = Answers(100, 600.0, 10, size=10)
    answers.keep("a", b"123456", 0.0)
    answers.keep("b", b"123456", 0.0)
    with pytest.raises(WireError, match="INDETERMINATE"):
        answers.find("a", 0.0)
    assert answers.find("b", 0.0) == b"123456"


def test_tombstones_are_bounded() -> None:
    answers = Answers(1, 600.0, 2)
    for name in "abcd":
        answers.keep(name, b"x", 0.0)
    assert answers.find("a", 0.0) is None
    assert answers.statistics().tombstones == 2


def test_a_restored_table_equals_the_one_it_was_taken_from() -> None:
    answers = Answers(2, 600.0, 10)
    for at, name in enumerate("abcd"):
        answers.keep(name, name.encode(), float(at))
    again = Answers(2, 600.0, 10)
    for kept in answers.snapshot():
        again.restore(kept.command_id, kept.response, kept.at)
    assert list(again.snapshot()) == list(answers.snapshot())
    with pytest.raises(WireError, match="INDETERMINATE"):
        again.find("a", 3.0)
