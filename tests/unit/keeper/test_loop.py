"""The loop under keeper and nursery: what a peer said counts, also when it is gone already."""

import socket
from collections.abc import Iterator

import pytest

from lanekeeper.keeper.channel import Channel
from lanekeeper.keeper.framing import Received
from lanekeeper.keeper.loop import Handlers, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop(10)
    yield made
    made.release()


def test_a_peer_that_left_is_heard_to_its_last_word(loop: Loop) -> None:
    ours, theirs = (
        Channel(one) for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    )
    heard: list[str] = []
    gone: list[Channel] = []

    def answer(channel: Channel, received: Received) -> None:
        heard.append(received.message["op"])
        loop.send(channel, {"op": "answer"})

    loop.join(ours, Handlers(answer, gone.append))
    for word in ("deposit", "deposit", "closed"):
        theirs.send({"op": word})
    theirs.close()
    loop.turn(1.0)
    assert heard == ["deposit", "deposit", "closed"]
    assert gone == [ours]
