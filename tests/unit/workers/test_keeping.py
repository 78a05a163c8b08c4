"""When ended terminals are forgotten: never under a consumer that is owed their output."""

from typing import Any

import pytest

from lanekeeper.wire.limits import LEASE_SECONDS, MAX_KEPT_TERMINALS
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions

from .lanes import WORKSPACE, Lane, answer

KEEP = 10.0
OUTPUT = b"every byte of it"


class Owed:
    """A lane with an ended terminal whose output a client has not acknowledged."""

    def __init__(self, policy: str = "forever") -> None:
        """Let a program print something and end."""
        self.lane = Lane()
        self.session = self.lane.session()
        attached = self.lane.call("session.attach", session_id=self.session, workspace_id=WORKSPACE)
        self.lease = attached["lease_id"]
        consume = {"lease_id": self.lease, "policy": policy, "offset": 0}
        self.terminal = self.lane.start(self.session, keep_s=KEEP, consume=consume)
        self.lane.give(actions.Forked(self.terminal, 42, 4242))
        spawned = answer(self.lane.give(actions.Executed(self.terminal)))
        self.consumer = str(spawned["consumer_id"])
        self.lane.logs[self.terminal].content += OUTPUT
        self.end(self.terminal)

    def end(self, terminal: str) -> None:
        """End a program."""
        self.lane.give(actions.Exited(terminal, ExitStatus(kind="exited", code=0)))
        self.lane.give(actions.Drained(terminal))

    def send(self, method: str, **payload: Any) -> None:
        """Send a command about the terminal."""
        self.lane.command(method, payload, terminal_id=self.terminal)

    def passes(self, seconds: float) -> None:
        """Let time pass while the client lives, and do what a worker does then."""
        until = self.lane.now + seconds
        while self.lane.now < until:
            self.lane.now = min(until, self.lane.now + LEASE_SECONDS / 2)
            self.lane.command("lease.renew", {"lease_id": self.lease})
            self.tick()

    def tick(self) -> None:
        """Wake if that is due, as a worker does."""
        due = self.lane.core.deadline()
        if due is not None and due <= self.lane.now:
            self.lane.give(actions.Tick())

    @property
    def kept(self) -> bool:
        """Whether the terminal is there."""
        return self.terminal in self.lane.core.state.terminals


@pytest.mark.parametrize("policy", ["forever", "block"])
def test_output_is_kept_for_who_has_not_acknowledged_it(policy: str) -> None:
    owed = Owed(policy)
    owed.passes(2 * KEEP)
    assert owed.kept
    owed.send("terminal.ack", consumer_id=owed.consumer, offset=len(OUTPUT) - 1)
    owed.tick()
    assert owed.kept
    owed.send("terminal.ack", consumer_id=owed.consumer, offset=len(OUTPUT))
    owed.tick()
    assert not owed.kept


def test_a_consumer_that_holds_nothing_keeps_nothing() -> None:
    owed = Owed("drop")
    owed.passes(KEEP)
    assert not owed.kept


def test_a_consumer_that_goes_lets_the_terminal_go() -> None:
    owed = Owed()
    owed.passes(2 * KEEP)
    owed.send("terminal.release", consumer_id=owed.consumer)
    owed.tick()
    assert not owed.kept


def test_a_client_that_dies_lets_the_terminal_go() -> None:
    owed = Owed()
    owed.passes(2 * KEEP)
    for _ in range(2):
        owed.lane.now += LEASE_SECONDS / 2
        owed.tick()
    owed.tick()
    assert not owed.kept


def test_many_others_do_not_push_it_out() -> None:
    owed = Owed()
    for _ in range(MAX_KEPT_TERMINALS + 1):
        owed.end(owed.lane.run(owed.session))
        owed.lane.now += 0.001
    assert owed.kept
    assert len(owed.lane.core.state.terminals) == MAX_KEPT_TERMINALS + 1


def test_time_alone_wakes_nobody_while_it_is_owed() -> None:
    owed = Owed()
    owed.passes(2 * KEEP)
    due = owed.lane.core.deadline()
    assert due is not None
    assert due > owed.lane.now
