"""The self-checking stream finds what may happen to a stream, and names the place."""

import subprocess

import pytest

from kit import checked
from kit.checked import BLOCK, Checker, WrongByteError, expected

SEED = 4
SIZE = 10 * BLOCK + 17


def test_the_program_writes_what_the_verifier_expects() -> None:
    for options in ([], ["--text"]):
        done = subprocess.run(
            checked.command(SEED, SIZE, "--status", "3", *options),
            env=checked.environment(),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr, len(done.stdout)) == (3, b"", SIZE)
        checker = Checker(SEED, text=bool(options))
        for start in range(0, SIZE, 1000):
            checker.feed(done.stdout[start : start + 1000])
        assert checker.offset == checker.delivered == SIZE


def test_text_is_what_no_terminal_changes() -> None:
    assert expected(SEED, 0, SIZE, text=True).isascii()
    assert expected(SEED, 0, SIZE, text=True).decode().isprintable()


@pytest.mark.parametrize("at", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5])
def test_a_byte_that_is_changed_lost_or_doubled_is_named(at: int) -> None:
    data = expected(SEED, 0, SIZE)
    other = bytes([data[at] ^ 1])
    with pytest.raises(WrongByteError, match=f"from offset {at}:"):
        Checker(SEED).feed(data[:at] + other + data[at + 1 :])
    for broken in (data[:at] + data[at + 1 :], data[: at + 1] + data[at:]):
        with pytest.raises(WrongByteError):
            Checker(SEED).feed(broken[:SIZE])


def test_a_block_that_is_doubled_or_lost_is_named() -> None:
    data = expected(SEED, 0, SIZE)
    for number in (0, 4):
        start, end = number * BLOCK, (number + 1) * BLOCK
        with pytest.raises(WrongByteError):
            Checker(SEED).feed(data[:end] + data[start : SIZE - BLOCK])
        with pytest.raises(WrongByteError):
            Checker(SEED).feed(data[:start] + data[end:])


def test_gaps_are_counted_in_their_place_only() -> None:
    checker = Checker(SEED, 100)
    checker.feed(expected(SEED, 100, 200))
    checker.gap(200, 5000)
    checker.feed(expected(SEED, 5000, SIZE))
    assert (checker.delivered, checker.missed) == (SIZE - 4900, 4800)
    for start, end in ((SIZE - 1, SIZE + 1), (SIZE, SIZE), (SIZE + 1, SIZE + 2)):
        with pytest.raises(WrongByteError):
            checker.gap(start, end)
