"""What a program takes over from its caller, and what a daemon must not take over."""

import os
import resource
from pathlib import Path

import click
import pytest

from lanekeeper.cli.caller import environment, limits
from lanekeeper.cli.daemons import arguments
from lanekeeper.cli.daemons import environment as daemon_environment
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.sizes import DEFAULT, Size, bounded, size, size_of
from lanekeeper.keeper.rundir import Rundir

CALLER = {"PATH": "/bin", "HOME": "/h", "SECRET": "s", "LANEKEEPER_LANE": "lane_x"}


def test_the_callers_environment_without_the_planes_names() -> None:
    found = environment((), clean=False, environ=CALLER)
    assert found == {"PATH": "/bin", "HOME": "/h", "SECRET": "s"}


def test_a_clean_environment_with_additions() -> None:
    found = environment(("A=b=c", "SECRET", "E="), clean=True, environ=CALLER)
    assert found == {"PATH": "/bin", "HOME": "/h", "A": "b=c", "SECRET": "s", "E": ""}


@pytest.mark.parametrize("word", ["=x", "NOT_SET_HERE", ""])
def test_a_variable_without_a_value_is_refused(word: str) -> None:
    with pytest.raises(CliError, match="--env"):
        environment((word,), clean=False, environ=CALLER)


def test_the_callers_limits() -> None:
    found = {number: (soft, hard) for number, soft, hard in limits()}
    assert found[resource.RLIMIT_NOFILE] == resource.getrlimit(resource.RLIMIT_NOFILE)
    assert len(found) == len(limits())


def test_sizes() -> None:
    assert size("120x40") == Size(120, 40)
    assert size(Size(1, 2)) == Size(1, 2)
    assert bounded(Size(1, 5000)) == Size(2, 1000)
    for text in ("120", "120x", "1x24", "80x0", "80x24x2", "-80x24", "9999x9999"):
        with pytest.raises(click.BadParameter):
            size(text)


def test_the_size_of_no_terminal_is_the_default() -> None:
    reading, writing = os.pipe()
    assert size_of(reading, writing) == DEFAULT
    os.close(reading)
    os.close(writing)


def test_a_daemon_carries_the_marks_and_nothing_of_another_lane() -> None:
    rundir = Rundir(Path("/run/p"))
    found = daemon_environment("keeper", rundir, {**CALLER, "LANEKEEPER_DIR": "/other"})
    assert found["LANEKEEPER_PLANE"] == "/run/p"
    assert found["LANEKEEPER_ROLE"] == "keeper"
    assert "LANEKEEPER_LANE" not in found
    assert "LANEKEEPER_DIR" not in found
    assert "-P" in arguments("lanekeeper.keeper", rundir, [])
