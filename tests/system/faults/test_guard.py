"""A harness that is killed leaves no plane behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from kit.processes import everybody
from kit.waiting import wait_line, wait_until

PROGRAM = """
from lanekeeper.soak.cluster import Cluster
cluster = Cluster(warm=1)
print(cluster.base, flush=True)
cluster._started.wait()
"""


def test_a_killed_harness_leaves_no_plane() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        base = Path(wait_line(harness.stdout.fileno(), 30, "the plane's directory"))
        os.kill(harness.pid, signal.SIGKILL)

    def left() -> bool:
        directory = str(base / "p")
        planes = [one.variable("LANEKEEPER_PLANE") for one in everybody()]
        return directory in planes

    wait_until(lambda: not left() and not base.exists(), 20, "the end of the plane")
