"""A process is held at an armed moment, once, and goes on when it is told to."""

import os
import threading
from pathlib import Path

from kit.waiting import wait_until
from lanekeeper.keeper import hooks


def test_nothing_happens_at_a_moment_that_is_not_armed(tmp_path: Path) -> None:
    hooks.hold(str(tmp_path), "worker.somewhere")
    hooks.hold(str(tmp_path / "missing"), "worker.somewhere")
    assert list(tmp_path.iterdir()) == []


def test_an_armed_moment_holds_the_first_who_comes_by(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "worker.somewhere")
    held = threading.Thread(target=hooks.hold, args=(str(tmp_path), "worker.somewhere"))
    held.start()
    path = tmp_path / f"worker.somewhere@{os.getpid()}"
    wait_until(path.exists, 5, "somebody who is held")
    hooks.hold(str(tmp_path), "worker.somewhere")
    assert held.is_alive()
    path.open("wb").close()
    held.join(5)
    assert not held.is_alive()
    assert list(tmp_path.iterdir()) == []
