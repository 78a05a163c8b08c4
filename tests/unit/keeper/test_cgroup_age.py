"""How old a cgroup is does not depend on the wall clock, which anybody may set."""

import os
import time
from pathlib import Path

from lanekeeper.keeper import cgroups

BORN = "user.lanekeeper.born"


def test_age_is_counted_from_what_was_written_at_its_making(tmp_path: Path) -> None:
    top = tmp_path / "lanekeeper-plane"
    cgroups.make(top, "/run/plane", "lane_a", "term_a")
    made = top / "lane_a" / "term_a"
    assert 0 <= cgroups.age(made) < 30
    os.setxattr(made, BORN, b"%d" % (time.monotonic_ns() - 5_000_000_000_000))
    assert 5000 <= cgroups.age(made) < 5030
    # A second terminal makes nothing older or younger.
    os.setxattr(top, BORN, b"%d" % (time.monotonic_ns() - 90_000_000_000))
    cgroups.make(top, "/run/plane", "lane_a", "term_b")
    assert cgroups.age(top) >= 90


def test_one_that_says_nothing_is_as_old_as_its_directory(tmp_path: Path) -> None:
    assert 0 <= cgroups.age(tmp_path) < 600
    assert cgroups.age(tmp_path / "nothing") == 0
