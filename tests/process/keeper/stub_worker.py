"""A worker that says hello, writes its lane down, and ends when it is drained."""

import json
import os
import selectors
from pathlib import Path

from lanekeeper.keeper.channel import connect
from lanekeeper.keeper.rundir import Rundir
from process.keeper.stub_daemon import hello


def main(directory: str) -> int:
    rundir = Rundir(Path(directory))
    keeper = connect(rundir.keeper_sock)
    keeper.send(hello("worker"))
    selector = selectors.EpollSelector()
    selector.register(keeper, selectors.EVENT_READ)
    while True:
        selector.select()
        for received in keeper.receive():
            message = received.message
            if message["op"] == "drain":
                return 0
            if message["op"] == "assign":
                fds = sorted(os.readlink(entry.path) for entry in os.scandir("/proc/self/fd"))
                seen = {"pid": os.getpid(), "lane": message["lane"], "fds": fds}
                path = rundir.path / f"{message['lane']['lane_id']}.json"
                path.with_suffix(".new").write_text(json.dumps(seen))
                path.with_suffix(".new").rename(path)
        if keeper.closed:
            return 0


def stubborn(directory: str) -> int:
    """Ignore the drain: only a kill ends this one."""
    while True:
        if main(directory) != 0:
            return 1


def broken(directory: str) -> int:
    raise RuntimeError(f"no worker in {directory}")
