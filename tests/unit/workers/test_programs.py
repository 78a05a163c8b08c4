"""How what a lane runs is shown: cut, so that a lane that is full can still register."""

import pytest

from lanekeeper.wire.limits import MAX_REGISTRATION, MAX_SHOWN, MAX_TERMINALS_PER_LANE
from lanekeeper.workers.programs import shown


@pytest.mark.parametrize(
    ("words", "cut"),
    [
        (["ls", b"-l", b"\xff"], ["ls", "-l", "\\xff"]),
        (["x" * MAX_SHOWN], ["x" * MAX_SHOWN]),
        (["x" * MAX_SHOWN, "y"], ["x" * MAX_SHOWN, "…"]),
        (["x" * (MAX_SHOWN + 1)], ["x" * MAX_SHOWN + "…"]),
        (["a" + "漢" * MAX_SHOWN], ["a" + "漢" * ((MAX_SHOWN - 1) // 3) + "…"]),
        (["ab", "😀" * MAX_SHOWN, "c"], ["ab", "😀" * ((MAX_SHOWN - 2) // 4) + "…", "…"]),
        (["é" * (MAX_SHOWN // 2), "é"], ["é" * (MAX_SHOWN // 2), "…"]),
    ],
)
def test_words_are_cut_between_characters(words: list[str | bytes], cut: list[str]) -> None:
    assert shown(words) == cut


@pytest.mark.parametrize("word", ["😀" * 16_000, b"\xff" * 64_000, "x" * 64_000])
def test_a_full_lane_of_wide_text_can_register(word: str | bytes) -> None:
    size = len("".join(shown([word])).encode())
    in_three_fields = 3 * size  # argv, cwd, and the name of what could not be run
    assert in_three_fields * MAX_TERMINALS_PER_LANE < MAX_REGISTRATION // 2
