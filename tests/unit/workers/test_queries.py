"""Questions to the terminal: each found once, however it is cut, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.workers import actions, records
from lanekeeper.workers.queries import LARGE, QUESTIONS_MAX, Question, Questions, reply
from lanekeeper.workers.watching import LOCATING_MAX

from .lanes import Lane, only

ASKED = {
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[0c": b"\x1b[?62;22c",
    b"\x1b[>c": b"\x1b[>1;10;0c",
    b"\x1b[>0c": b"\x1b[>1;10;0c",
    b"\x1b[5n": b"\x1b[0n",
    b"\x1b[6n": b"\x1b[7;9R",
    b"\x1b[?6n": b"\x1b[?7;9;1R",
    b"\x1b[18t": b"\x1b[8;24;80t",
    b"\x1b[?u": b"\x1b[?0u",
    b"\x1b[>q": b"\x1bP>|lanekeeper(0.1.0)\x1b\\",
    b"\x1b[>0q": b"\x1bP>|lanekeeper(0.1.0)\x1b\\",
    b"\x1b[?2026$p": b"\x1b[?2026;0$y",
    b"\x1b[4$p": b"\x1b[4;0$y",
    b"\x1b]10;?\x07": b"\x1b]10;rgb:cccc/cccc/cccc\x07",
    b"\x1b]11;?\x1b\\": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
NO_QUESTIONS = [
    b"plain text\r\n",
    b"\x1b[32mcunqtp\x1b[0m",
    b"\x1b[u\x1b[2 q\x1b[!p\x1b[1;5n",
    b"\x1b[?62;22c\x1b[?2026;0$y\x1b[7;9R",
    b"\x1b]0;title c\x07\x1b]10;red\x07",
    b"\x1b[>4;1m\x1b[>1u\x1b[<u",
]


def questions(*chunks: bytes) -> tuple[Question, ...]:
    found, offset = Questions(), 0
    for chunk in chunks:
        found.feed(offset, chunk)
        offset += len(chunk)
    assert found.position == offset
    return found.take()


def answers(asked: tuple[Question, ...]) -> list[bytes]:
    return [reply(question, (80, 24), (7, 9)) for question in asked]


@pytest.mark.parametrize("asked", ASKED)
def test_each_question_has_its_answer(asked: bytes) -> None:
    assert answers(questions(asked)) == [ASKED[asked]]
    assert answers(questions(b"before" + asked + b"after\x1b[m")) == [ASKED[asked]]


@given(
    st.lists(st.sampled_from([*ASKED, *NO_QUESTIONS]), max_size=12),
    st.lists(st.integers(1, 20), min_size=200, max_size=200),
)
def test_questions_are_found_once_wherever_the_output_is_cut(
    pieces: list[bytes], sizes: list[int]
) -> None:
    data, chunks = b"".join(pieces), []
    for size in sizes:
        if data:
            chunks.append(data[:size])
            data = data[size:]
    chunks.append(data)
    assert answers(questions(*chunks)) == [ASKED[piece] for piece in pieces if piece in ASKED]


@pytest.mark.parametrize("asked", ASKED)
def test_a_question_in_a_flood_of_colours_is_found(asked: bytes) -> None:
    flood = b"\x1b[31mcunqtp\xff[c\x1b[0m " * 2000
    assert len(flood) > LARGE
    assert answers(questions(flood, flood + asked + flood, flood)) == [ASKED[asked]]
    split = len(asked) // 2
    assert answers(questions(flood + asked[:split], asked[split:] + flood)) == [ASKED[asked]]


def test_output_that_was_looked_at_is_not_again() -> None:
    found = Questions()
    found.feed(0, b"\x1b[c\x1b[")
    found.feed(3, b"\x1b[c")
    found.feed(0, b"\x1b[c")
    assert answers(found.take()) == [b"\x1b[?62;22c"] * 2
    assert found.take() == ()


def test_half_a_question_before_a_gap_is_forgotten() -> None:
    found = Questions()
    found.feed(0, b"\x1b[")
    found.feed(100, b"c")
    assert found.take() == ()


def test_a_program_that_only_asks_is_bounded() -> None:
    assert len(questions(b"\x1b[6n" * 10_000)) == QUESTIONS_MAX


def test_nobody_knows_where_the_cursor_is() -> None:
    (asked,) = questions(b"\x1b[6n")
    assert reply(asked, (80, 24), None) == b"\x1b[1;1R"


def test_an_answer_is_typed_once_it_is_journalled() -> None:
    lane = Lane()
    terminal = lane.run(lane.session(), cols=90, rows=30)
    done = lane.give(actions.Queried(terminal, questions(b"\x1b[18t\x1b[c"), 8))
    assert [type(action) for action in done] == [actions.Journal, actions.Answer]
    assert only(done, actions.Answer).data == b"\x1b[8;30;90t\x1b[?62;22c"
    assert lane.replayed().queried == {terminal: 8}
    assert records.Queried(terminal, 8) in lane.replayed().snapshot()
    assert lane.give(actions.Queried("term_gone", (), 9)) == []


def test_what_is_asked_behind_the_cursor_is_answered_behind_it() -> None:
    lane = Lane()
    terminal = lane.run(lane.session())
    asked, later = questions(b"\x1b[6n\x1b[c"), questions(b"\x1b[5n")
    first = only(lane.give(actions.Queried(terminal, asked, 7)), actions.Locate)
    assert [question.end for question in first.questions] == [4, 7]
    second = only(lane.give(actions.Queried(terminal, later, 11)), actions.Locate)
    done = lane.give(actions.Located(terminal, first.run, first.questions, ((7, 9),)))
    assert only(done, actions.Answer).data == b"\x1b[7;9R\x1b[?62;22c"
    done = lane.give(actions.Located(terminal, second.run, second.questions, ()))
    assert only(done, actions.Answer).data == b"\x1b[0n"
    done = lane.give(actions.Queried(terminal, later, 15))
    assert only(done, actions.Answer).data == b"\x1b[0n"


def test_a_cursor_that_is_not_found_in_time_is_in_the_corner() -> None:
    lane = Lane()
    terminal = lane.run(lane.session())
    seek = only(lane.give(actions.Queried(terminal, questions(b"\x1b[6n"), 4)), actions.Locate)
    done = lane.give(actions.Located(terminal, seek.run, seek.questions, ()))
    assert only(done, actions.Answer).data == b"\x1b[1;1R"


def test_another_program_does_not_get_the_answer() -> None:
    lane = Lane()
    terminal = lane.run(lane.session())
    seek = only(lane.give(actions.Queried(terminal, questions(b"\x1b[6n"), 4)), actions.Locate)
    other = actions.Located(terminal, seek.run + 1, seek.questions, ((1, 2),))
    assert lane.give(other) == []
    assert lane.give(actions.Located("term_gone", 1, seek.questions, ())) == []


def test_a_program_that_asks_for_its_cursor_without_end_is_not_answered_for_ever() -> None:
    lane = Lane()
    terminal = lane.run(lane.session())
    asked = questions(b"\x1b[6n")
    done = [lane.give(actions.Queried(terminal, asked, 4)) for _ in range(2 * LOCATING_MAX)]
    sought = [action for one in done for action in one if isinstance(action, actions.Locate)]
    assert len(sought) == LOCATING_MAX
