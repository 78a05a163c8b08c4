"""The oracle of inputs finds what arrived too often, too seldom, changed or in another order."""

import pytest

from lanekeeper.soak.oracle import Input, Outcome, judge_inputs, line

OK, FAIL, INFO = Outcome.OK, Outcome.FAIL, Outcome.INFO


def history(*outcomes: Outcome) -> list[Input]:
    return [
        Input(number, line(number, b"xy"), 0.0, outcome) for number, outcome in enumerate(outcomes)
    ]


def echoed(*numbers: int) -> bytes:
    return b"".join(line(number, b"xy") for number in numbers)


@pytest.mark.parametrize(
    ("outcomes", "numbers"),
    [
        ((OK, OK, OK), (0, 1, 2)),
        ((OK, FAIL, OK), (0, 2)),
        ((OK, INFO, OK), (0, 2)),
        ((OK, INFO, OK), (0, 1, 2)),
        ((), ()),
    ],
)
def test_what_may_be(outcomes: tuple[Outcome, ...], numbers: tuple[int, ...]) -> None:
    assert list(judge_inputs(history(*outcomes), echoed(*numbers))) == []


@pytest.mark.parametrize(
    ("outcomes", "numbers", "word"),
    [
        ((OK, OK), (0,), "arrived 0 times"),
        ((OK, OK), (0, 1, 1), "arrived 2 times"),
        ((OK, OK), (1, 0), "came after"),
        ((OK, FAIL), (0, 1), "arrived 1 times"),
        ((OK, INFO), (0, 1, 1), "arrived 2 times"),
    ],
)
def test_what_must_not_be(
    outcomes: tuple[Outcome, ...], numbers: tuple[int, ...], word: str
) -> None:
    found = list(judge_inputs(history(*outcomes), echoed(*numbers)))
    assert any(word in str(one) for one in found)


def test_changed_and_foreign_bytes_are_found() -> None:
    assert list(judge_inputs(history(OK), echoed(0) + b"odd\n"))
    assert list(judge_inputs(history(OK), echoed(0).replace(b"x", b"z")))
    assert list(judge_inputs(history(OK), echoed(0) + b"i0"))


def test_a_part_may_be_of_an_input_whose_fate_nobody_knows() -> None:
    assert list(judge_inputs(history(OK, INFO), echoed(0) + line(1, b"xy")[:5])) == []
