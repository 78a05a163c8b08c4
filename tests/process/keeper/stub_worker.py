"""A worker that says hello, writes its lane down, and ends when it is drained."""

import contextlib
import json
import os
import selectors
from pathlib import Path

from lanekeeper.keeper.channel import connect
from lanekeeper.keeper.rundir import Rundir
from process.keeper.stub_daemon import hello


def descriptors() -> list[str]:
    """Return what this process holds; the descriptor that looks is gone by the time it is read."""
    held = []
    for fd in tuple(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):
            held.append(os.fspath(fd.readlink()))
    return held


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
                seen = {"lane": message["lane"], "fds": descriptors()}
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
