"""Who holds a program back and by how much: the library, in both manners, and the verb."""

import asyncio
import json

from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.client.aio import connect as aio_connect
from lanekeeper.wire.messages.terminal import Consume, ConsumerInfo, Consuming

SAID = 100_000


def test_registered_consumers_are_told_with_their_lag(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        lane = plane.lane("slow")
        terminal = lane.spawn(["sh", "-c", f"head -c {SAID} /dev/zero; cat"])
        assert terminal.consumers() == []
        empty = shared_plane.lane("terminal", "consumers", "slow")
        assert (empty.returncode, empty.stdout) == (0, "CONSUMER  POLICY  OFFSET  LAG  LEASE\n")
        wait_until(lambda: terminal.refresh().head == SAID, 10, "the output")
        with lane.session().attach() as attachment:
            body = Consume(lease_id=attachment.lease_id, offset=0, policy="forever")
            mine = plane.call(
                "terminal.consume", body, result=Consuming, terminal_id=terminal.id
            ).consumer_id
            lease = attachment.lease_id
            held = ConsumerInfo(id=mine, lease_id=lease, policy="forever", offset=0, lag=SAID)
            assert terminal.consumers() == [held]
            assert asyncio.run(asked(shared_plane)) == [held]
            shown = shared_plane.lane("terminal", "consumers", "slow").stdout.splitlines()
            assert shown[1].split() == [mine, "forever", "0", str(SAID), lease]
            done = shared_plane.lane("terminal", "consumers", "slow", "--json")
            told = json.loads(done.stdout)
            assert told["terminal_id"] == terminal.id
            assert [(one["id"], one["lag"]) for one in told["consumers"]] == [(mine, SAID)]
        assert terminal.consumers() == []


async def asked(plane: Plane) -> list[ConsumerInfo]:
    """Return the consumers as the asyncio client sees them."""
    async with await aio_connect(plane.dir) as client:
        return await (await client.terminal("slow")).consumers()
