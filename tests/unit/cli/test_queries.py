"""Old output is played back without the questions a terminal would answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.cli.queries import MAX_SEQUENCE, QueryFilter, TextFilter

QUESTIONS = [
    b"\x1b[c",
    b"\x1b[0c",
    b"\x1b[>c",
    b"\x1b[>0c",
    b"\x1b[=c",
    b"\x1bZ",
    b"\x1b[5n",
    b"\x1b[6n",
    b"\x1b[?6n",
    b"\x1b[?996n",
    b"\x1b[>q",
    b"\x1b[>0q",
    b"\x1b[?2026$p",
    b"\x1b[4$p",
    b"\x1b[?u",
    b"\x1b[14t",
    b"\x1b[18t",
    b"\x1b[21t",
    b"\x1b[x",
    b"\x1b]10;?\x07",
    b"\x1b]11;?\x1b\\",
    b"\x1b]12;?\x07",
    b"\x1b]4;1;?\x07",
    b"\x1b]52;c;?\x07",
    b"\x1bP$qm\x1b\\",
    b"\x1bP+q544e\x1b\\",
    b"\x05",
    b"\x1b[\n6n",
    b"\x1b_Ga=q,i=1;AAAA\x1b\\",
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
    b"\x1b_Gi=31,a=q\x1b\\",
    b"\x1b[?1;1;0S",
    b"\x1b[?4m",
    b"\x1b]21;foreground=?\x1b\\",
    b"\x1b]21;cursor=red;foreground=?;background=?\x07",
    b"\x1b]1337;ReportCellSize\x07",
    b"\x1b[1;0;1;1;24;80*y",
]
STATEMENTS = [
    b"\x1b[31m",
    b"\x1b[2J",
    b"\x1b[?25l",
    b"\x1b[>1u",
    b"\x1b[u",
    b"\x1b[2 q",
    b"\x1b[22;0t",
    b"\x1b[8;24;80t",
    b"\x1b]0;a title?\x07",
    b"\x1b]11;rgb:00/00/00\x07",
    b"\x1b]8;;https://example.org/?q\x1b\\",
    b"\x1b(B",
    b"\x1b7",
    b"\x1bPq#0;2;0;0;0\x1b\\",
    b"\x1b_Ga=T,f=100;a=q\x1b\\",
    b"\x1b_Ga=t,i=3;AAAA\x1b\\",
    b"\x1b[3S",
    b"\x1b[>4;2m",
    b"\x1b]21;foreground=red\x1b\\",
    b"\x1b]1337;SetMark\x07",
    b"\x1b[1;2y",
    "grün ✓\r\n".encode(),
    b"\x07\x08\t",
]

pieces = st.lists(st.sampled_from(QUESTIONS + STATEMENTS), max_size=12)


def fed(data: bytes, cuts: list[int]) -> bytes:
    """Feed `data` in pieces that end at `cuts`."""
    taken = QueryFilter()
    shown = b""
    start = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        shown += taken.feed(data[start:cut])
        start = cut
    return shown + taken.flush()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_left_out_wherever_it_is_cut(question: bytes) -> None:
    for cut in range(len(question) + 1):
        assert fed(b"a" + question + b"b", [1 + cut]) == b"ab"


@pytest.mark.parametrize("statement", STATEMENTS)
def test_everything_else_passes_as_it_is(statement: bytes) -> None:
    for cut in range(len(statement) + 1):
        assert fed(b"a" + statement + b"b", [1 + cut]) == b"a" + statement + b"b"


@given(chosen=pieces, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_mixture_in_any_pieces_keeps_exactly_the_statements(
    chosen: list[bytes], cuts: list[int]
) -> None:
    expected = b"".join(piece for piece in chosen if piece in STATEMENTS)
    assert fed(b"".join(chosen), cuts) == expected


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_how_bytes_are_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    assert fed(data, cuts) == fed(data, [])


def test_text_is_never_held_back() -> None:
    taken = QueryFilter()
    assert taken.feed(b"plain text") == b"plain text"
    assert taken.feed(b"more\x1b") == b"more"
    assert taken.feed(b"[31mred") == b"\x1b[31mred"


def test_an_endless_sequence_is_let_through_at_last() -> None:
    taken = QueryFilter()
    data = b"\x1b]0;" + b"x" * (MAX_SEQUENCE + 10)
    assert taken.feed(data) == data


def test_the_beginning_of_a_sequence_at_the_end_is_not_lost() -> None:
    taken = QueryFilter()
    assert taken.feed(b"\x1b[3") == b""
    assert taken.flush() == b"\x1b[3"


def test_safe_text_keeps_colours_and_line_ends_only() -> None:
    data = b"\x1b]0;evil\x07one\x1b[2J\x07 \x1b[1;31mtwo\x1b[0m\r\n\x1b[6nthree\ttab"
    assert TextFilter(color=True).feed(data) == b"one \x1b[1;31mtwo\x1b[0m\r\nthree\ttab"
    assert TextFilter(color=False).feed(data) == b"one two\r\nthree\ttab"


def test_a_colour_that_stays_on_is_ended() -> None:
    taken = TextFilter(color=True)
    taken.feed(b"\x1b[31mred")
    assert taken.flush() == b"\x1b[0m"
    assert taken.flush() == b""


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("a\x9b6n\x9d52;c;?\x9cb".encode(), "a6n52;c;?b"),
        ("\u061ca\u200e\u200fb\u2028\u2029c".encode(), "abc"),
        ("a\u202a\u202b\u202c\u202d\u202eb".encode(), "ab"),
        ("a\u2066\u2067\u2068\u2069b".encode(), "ab"),
        ("grün ✓ 漢 😀".encode(), "grün ✓ 漢 😀"),
        (b"a\xc2\x00\x9d0;evil\x07", "a0;evil"),
        (b"a\xc2\x1b[?25l\x9b6n", "a6n"),
        (b"a\xc2\x1b[31m\x9b6n", "a\ufffd\x1b[31m\ufffd6n\x1b[0m"),
        (b"a\xe2\x80\x00\xae", "a"),
        (b"a\x9b6n\xff", "a\ufffd6n\ufffd"),
        (b"a\xe2\x80", "a\ufffd"),
    ],
)
def test_safe_text_has_no_8_bit_controls_and_keeps_its_direction(data: bytes, text: str) -> None:
    for pieces in ([data], [b"%c" % byte for byte in data]):
        taken = TextFilter(color=True)
        shown = b"".join(map(taken.feed, pieces)) + taken.flush()
        assert shown.decode() == text
