"""Importing the client is cheap: it brings neither asyncio nor anything of the daemons."""

import subprocess
import sys

PROGRAM = """
import sys
import lanekeeper.client
import zmq
heavy = ("asyncio", "psutil", "hypothesis", "lanekeeper.broker", "lanekeeper.workers")
print([name for name in heavy if name in sys.modules])
"""


def test_importing_the_client_loads_no_heavy_module() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
