"""A start whose nursery dies: asked for anew, and refused when it may be what they die of."""

import tempfile
from contextlib import closing
from pathlib import Path

from lanekeeper.keeper.channel import Listener
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.terminal import Spawn
from lanekeeper.workers import actions
from lanekeeper.workers.actions import SpawnRefused, Stimulus, Ungated
from lanekeeper.workers.spawner import DEATHS_MOST, Spawner

from .lanes import WORKSPACE, Lane, only


def test_a_start_that_nurseries_die_of_is_refused_in_the_end() -> None:
    lane = Lane()
    asked = only(
        lane.command(
            "terminal.spawn",
            {"argv": ["poison"]},
            session_id=lane.session(),
            workspace_id=WORKSPACE,
        ),
        actions.Start,
    )
    told: list[type[Stimulus]] = []
    with tempfile.TemporaryDirectory(prefix="lk") as directory:
        rundir = Rundir(Path(directory))
        spawner = Spawner(rundir, Deposits())
        with closing(Listener(rundir.nursery_sock)) as listener:
            for _ in range(DEATHS_MOST):
                child = spawner.start(asked.info, Spawn(argv=["poison"]))
                nursery = listener.accept()
                assert nursery is not None
                nursery.close()
                told += [type(one) for one in spawner.receive()]
                child.pty.close()
                spawner.tidy()
        spawner.close()
    assert told == [*[Ungated] * (DEATHS_MOST - 1), SpawnRefused]
