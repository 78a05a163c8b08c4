"""How insistent an ending becomes, and when."""

import signal

from lanekeeper.workers.ending import KILL_STEP, Ending, Stage


def test_it_hangs_up_then_asks_then_insists() -> None:
    ending = Ending(grace=3.0)
    assert ending.due(0.0)
    assert ending.advance(0.0) == (signal.SIGHUP, signal.SIGCONT)
    assert not ending.due(0.9)
    assert ending.due(1.0)
    assert ending.advance(1.0) == (signal.SIGTERM, signal.SIGCONT)
    assert not ending.due(2.9)
    assert ending.advance(3.0) == (signal.SIGKILL,)
    assert ending.advance(3.0 + KILL_STEP) == (signal.SIGKILL,)
    assert ending.stage is Stage.KILL


def test_without_grace_it_kills_at_once() -> None:
    assert Ending(grace=0.0).advance(5.0) == (signal.SIGKILL,)
