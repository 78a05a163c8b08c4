"""The plane-wide log budget, as `lane up --log-budget` sets it."""

import json

import pytest

from kit.cluster import Plane
from lanekeeper.client import Busy

MEGA = 1024 * 1024


def test_a_program_too_many_is_refused_until_another_has_ended() -> None:
    options = ("--log-budget", str(8 * MEGA))
    with Plane(options=options) as started, started.connect() as plane:
        lane = plane.lane("budget")
        first = lane.spawn(["sleep", "100"])
        lane.spawn(["sleep", "100"], capacity=2 * MEGA)
        with pytest.raises(Busy) as refused:
            lane.spawn(["sleep", "100"])
        assert refused.value.code == "LIMIT_EXCEEDED"
        assert "lane up --log-budget" in refused.value.message
        shown = json.loads(started.lane("status", "--json").stdout)["log_budget"]
        assert shown == {"limit": 8 * MEGA, "used": 6 * MEGA}
        first.signal("KILL")
        first.wait(20)
        last = lane.spawn(["sleep", "100"])
        with pytest.raises(Busy):
            first.respawn()
        last.close()
        assert first.respawn().state == "active"
