"""Brands: which terminal a process comes from, whatever it does to its environment."""

import os
import subprocess
import sys

import pytest

from lanekeeper.keeper import brand, scopes

HERE = "/run/one"
LANE = "lane_aaaaaaaaaaaaaaaa"
ITS = scopes.terminal(HERE, LANE, "term_aaaaaaaaaaaaaaaa")

BRANDED = f"""
import os, subprocess, sys
from lanekeeper.keeper import brand
assert brand.put({ITS.value})
subprocess.run([*{["env", "-i", "setsid", sys.executable]!r}, "-c", sys.argv[1]], check=True)
"""
TELL = "import resource; print(resource.getrlimit(10)[0])"


@pytest.mark.parametrize("scope", [ITS, scopes.lane(HERE, LANE), scopes.plane(HERE)])
def test_a_scope_covers_what_is_in_it(scope: scopes.Scope) -> None:
    assert scope.covers(ITS.value)


@pytest.mark.parametrize(
    "scope",
    [
        scopes.terminal(HERE, LANE, "term_bbbbbbbbbbbbbbbb"),
        scopes.lane(HERE, "lane_bbbbbbbbbbbbbbbb"),
        scopes.plane("/run/two"),
    ],
)
def test_a_scope_covers_nothing_else(scope: scopes.Scope) -> None:
    assert not scope.covers(ITS.value)


@pytest.mark.parametrize("scope", [ITS, scopes.lane(HERE, LANE), scopes.plane(HERE)])
@pytest.mark.parametrize("limit", [None, 0, 1024, -1])
def test_no_scope_covers_a_limit_that_is_no_brand(scope: scopes.Scope, limit: int | None) -> None:
    assert not scope.covers(limit)


def test_a_brand_survives_an_empty_environment_and_a_new_session() -> None:
    run = subprocess.run(
        [sys.executable, "-c", BRANDED, TELL], check=True, capture_output=True, text=True
    )
    assert int(run.stdout) == ITS.value


def test_a_brand_is_read_and_taken_off() -> None:
    script = (
        f"import os; from lanekeeper.keeper import brand; brand.put({ITS.value});"
        "print(brand.read(os.getpid())); brand.shed(); print(brand.read(os.getpid()))"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert run.stdout.split() == [str(ITS.value), "None"]


def test_a_process_without_a_brand_has_none() -> None:
    assert brand.read(os.getpid()) is None
    assert brand.read(2**22 + 1) is None
