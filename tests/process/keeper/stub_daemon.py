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


def serve(role: str, directory: Path) -> int:
    keeper = connect(Rundir(directory).keeper_sock)
    keeper.send(hello(role))
    listener = Listener(directory / "relay.sock") if role == "broker" else None
    selector = selectors.EpollSelector()
    selector.register(keeper, selectors.EVENT_READ)
    if listener is not None:
        selector.register(listener, selectors.EVENT_READ)
    keeper.send({"op": "ready"})
    held: list[dict[str, object]] = []
    test: Channel | None = None
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener and listener is not None:
                test = listener.accept()
                if test is not None:
                    selector.register(test, selectors.EVENT_READ)
            elif key.fileobj is keeper:
                held += [received.message for received in keeper.receive()]
                if keeper.closed:
                    return 0
            elif test is not None:
                for received in test.receive():
                    keeper.send(received.message)
                if test.closed:
                    selector.unregister(test)
                    test.close()
                    test = None
        while test is not None and held:
            test.send(held.pop(0))


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], Path(sys.argv[2])))
