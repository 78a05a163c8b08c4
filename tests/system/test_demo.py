"""`make demo` keeps its promise: all checks hold, under a minute, nothing left."""

import os
import subprocess
import sys
import time
from pathlib import Path

from kit import places

ROOT = Path(__file__).parents[2]


def test_the_demo_shows_what_it_says() -> None:
    place = places.private_directory()
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "demo.py")],
        env=os.environ | {"TMPDIR": str(place)},
        capture_output=True,
        text=True,
        timeout=58,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - started < 60
    for role in ("worker", "broker", "keeper"):
        assert f"kill -9 {role}" in done.stdout
    assert "nothing lost, doubled or moved" in done.stdout
    assert "no process, socket or file is left" in done.stdout
    assert list(place.iterdir()) == []
    places.remove(place)
