"""A daemon that speaks the keeper's channel and nothing else.

`python stub_daemon.py ROLE DIR`. As broker it relays between the keeper and one test that connects
to DIR/relay.sock. It ends by SIGTERM, or when the keeper does.
"""

import selectors
import sys
from pathlib import Path

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel, Listener, connect
from lanekeeper.keeper.rundir import Rundir


def hello(role: str, **more: object) -> dict[str, object]:
    own = identity.current()
    return {"op": "hello", "role": role, "pid": own.pid, "start_time": own.start_time, **more}


class Stub:
    """One daemon; `run` ends with the keeper."""

    def __init__(self, role: str, directory: Path) -> None:
        """Join the keeper and say that we serve."""
        self.keeper = connect(Rundir(directory).keeper_sock)
        self.keeper.send(hello(role))
        self.keeper.send({"op": "ready"})
        self.listener = Listener(directory / "relay.sock") if role == "broker" else None
        self.test: Channel | None = None
        self.held: list[dict[str, object]] = []
        self.selector = selectors.EpollSelector()
        self.selector.register(self.keeper, selectors.EVENT_READ, self.hear)
        if self.listener is not None:
            self.selector.register(self.listener, selectors.EVENT_READ, self.meet)

    def hear(self) -> None:
        """Hold what the keeper says until the test is there."""
        self.held += [received.message for received in self.keeper.receive()]

    def meet(self) -> None:
        """Take the test's connection."""
        self.test = self.listener.accept() if self.listener is not None else None
        if self.test is not None:
            self.selector.register(self.test, selectors.EVENT_READ, self.relay)

    def relay(self) -> None:
        """Pass on what the test says."""
        if self.test is None:
            return
        for received in self.test.receive():
            self.keeper.send(received.message)
        if self.test.closed:
            self.selector.unregister(self.test)
            self.test.close()
            self.test = None

    def run(self) -> int:
        """Serve until the keeper's channel ends."""
        while not self.keeper.closed:
            for key, _ in self.selector.select():
                key.data()
            while self.test is not None and self.held:
                self.test.send(self.held.pop(0))
        return 0


if __name__ == "__main__":
    sys.exit(Stub(sys.argv[1], Path(sys.argv[2])).run())
