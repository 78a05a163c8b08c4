"""Numbers of bytes as they are written on the command line."""

import click
import pytest

from lanekeeper.cli.sizes import log_budget, log_capacity


@pytest.mark.parametrize(
    ("written", "meant"),
    [("65536", 65536), ("64K", 65536), ("4m", 4 << 20), ("64M", 64 << 20), (65536, 65536)],
)
def test_a_capacity_is_a_number_with_a_unit(written: str | int, meant: int) -> None:
    assert log_capacity(written) == meant


@pytest.mark.parametrize("written", ["", "4", "1G", "4 M", "-1", "4MB", "x", "1e6"])
def test_another_capacity_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter):
        log_capacity(written)


def test_a_budget_holds_one_log_at_least() -> None:
    assert log_budget("2G") == 2 << 30
    with pytest.raises(click.BadParameter):
        log_budget("1M")
