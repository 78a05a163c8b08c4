"""Benches for the tests of the core; their invariants are checked when a test has ended."""

from collections.abc import Iterator

import pytest

from unit.broker.bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A core with a keeper."""
    made = Bench()
    yield made
    made.check()


@pytest.fixture
def alone() -> Iterator[Bench]:
    """A core without a keeper."""
    made = Bench(keeper=False)
    yield made
    made.check()
