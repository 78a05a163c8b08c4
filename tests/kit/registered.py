"""A registered consumer by hand: a lease, registrations and acknowledgements, when a test says so.

Owns the commands of having every byte, without the client library and its timing. Refuses to do
anything by itself, renewing included. Called by tests of the output path.
"""

from dataclasses import dataclass

import msgpack

from kit.wire_client import WireClient, command
from lanekeeper.wire.messages.terminal import TerminalInfo


@dataclass
class Registered:
    """A consumer by hand: nothing happens that the test does not do."""

    wire: WireClient
    terminal: str
    lane: str
    lease: str = ""
    consumer: str = ""

    def attach(self, session: str, workspace: str) -> None:
        """Get a lease."""
        self.lease = self.wire.call(
            "session.attach", lane_id=self.lane, session_id=session, workspace_id=workspace
        )["lease_id"]

    def consume(self, policy: str = "block", offset: int | None = None) -> int:
        """Register, at the head without an offset, and return where that is."""
        found = self.wire.call_lane(
            self.lane,
            "terminal.consume",
            {"lease_id": self.lease, "policy": policy, "offset": offset},
            terminal_id=self.terminal,
        )
        self.consumer = found["consumer_id"]
        return int(found["offset"])

    def tell(self, method: str, payload: dict[str, object]) -> None:
        """Send a command and wait for nothing."""
        ids = {"lane_id": self.lane, "terminal_id": self.terminal}
        self.wire.send(msgpack.packb(command(method, payload, **ids)), to=f"lanes/{self.lane}.in")

    def acknowledge(self, offset: int) -> None:
        """Acknowledge, and keep the lease."""
        self.tell("terminal.ack", {"consumer_id": self.consumer, "offset": offset})
        self.tell("lease.renew", {"lease_id": self.lease})

    def release(self) -> None:
        """End the registration."""
        self.wire.call_lane(
            self.lane,
            "terminal.release",
            {"consumer_id": self.consumer},
            terminal_id=self.terminal,
        )

    def demoted(self) -> bool:
        """Whether it no longer holds anything back."""
        found = self.wire.call_lane(self.lane, "terminal.consumers", terminal_id=self.terminal)
        (mine,) = (one for one in found["consumers"] if one["id"] == self.consumer)
        return str(mine["policy"]) == "drop"


def registered(wire: WireClient, info: TerminalInfo) -> Registered:
    """Return a consumer of a terminal with a lease and no registration yet."""
    one = Registered(wire, info.id, info.lane_id)
    one.attach(info.session_id, info.workspace_id)
    return one
