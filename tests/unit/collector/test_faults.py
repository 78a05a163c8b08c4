"""What died and was made good: of lanes by events, of daemons by the keeper's counters."""

import pytest

from lanekeeper.collector.faults import KEPT, SHOWN, Faults
from lanekeeper.collector.model import Model
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.lane import LaneInfo
from unit.collector.samples import sample, spread, value


def lane(status: str, lane_id: str = "lane_a") -> LaneInfo:
    return LaneInfo(
        id=lane_id,
        workspace_id="ws_a",
        name="a",
        status=status,
        created="2026-01-01T00:00:00Z",
        updated="2026-01-01T00:00:00Z",
    )


def test_a_lane_that_died_and_came_back() -> None:
    faults = Faults()
    died = Happened(lane=lane("recovering"), previous="running", reason="its worker died")
    faults.lane(died, "2026-01-01T00:00:10.000000Z")
    assert [(one.recovered, one.reason) for one in faults.newest()] == [(False, "its worker died")]
    back = Happened(lane=lane("running"), previous="recovering")
    faults.lane(back, "2026-01-01T00:00:10.250000Z")
    (fault,) = faults.newest()
    assert (fault.recovered, fault.lane_id, fault.role) == (True, "lane_a", "worker")
    assert fault.seconds == pytest.approx(0.25)


def test_other_changes_of_a_lane_are_no_faults() -> None:
    faults = Faults()
    faults.lane(Happened(lane=lane("ready"), previous="provisioning"), "t")
    faults.lane(Happened(lane=lane("ready"), previous="recovering"), "t")
    faults.lane(Happened(lane=lane("recovering")), "t")
    faults.lane(Happened(), "t")
    assert faults.newest() == []


def test_a_daemon_that_was_replaced() -> None:
    faults = Faults()
    faults.ts = "2026-01-01T00:00:00Z"
    model = Model(faults.feeds)
    restarts, recovery = "lanekeeper_process_restarts_total", "lanekeeper_recovery_seconds"
    model.feed(sample(1, "keeper", values=[value(restarts, 1, "broker", "died")]), 1.0)
    model.feed(sample(1, "keeper", values=[value(restarts, 4, "worker", "died")]), 2.0)
    model.feed(sample(1, "keeper", values=[value(restarts, 1, "broker", "asked")]), 2.0)
    model.feed(sample(1, "keeper", spreads=[spread(recovery, [0.3], "broker")]), 3.0)
    (fault,) = faults.newest()
    assert (fault.role, fault.reason, fault.recovered, fault.seconds) == (
        "broker",
        "died",
        True,
        0.3,
    )


def test_only_the_newest_are_kept_and_shown() -> None:
    faults = Faults()
    for number in range(2 * KEPT):
        happened = Happened(lane=lane("failed", f"lane_{number}"), previous="running")
        faults.lane(happened, "2026-01-01T00:00:00Z")
    shown = faults.newest()
    assert len(shown) == SHOWN
    assert shown[0].lane_id == f"lane_{2 * KEPT - 1}"


def test_a_keeper_that_died_is_counted_by_the_one_that_made_it_good() -> None:
    faults = Faults()
    model = Model(faults.feeds)
    restarts = "lanekeeper_process_restarts_total"
    model.feed(sample(1, "keeper", values=[value(restarts, 1, "keeper", "unknown")]), 1.0)
    (fault,) = faults.newest()
    assert (fault.role, fault.recovered, fault.seconds) == ("keeper", True, None)
