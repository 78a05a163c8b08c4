"""Who uses how much between two looks, and who has ended meanwhile."""

from dataclasses import replace

import pytest

from lanekeeper.collector.diagnoses import Known, diagnose
from lanekeeper.collector.faults import Faults
from lanekeeper.collector.findings import Findings
from lanekeeper.collector.model import Incarnation, Model
from lanekeeper.collector.usage import Seen, Usage
from lanekeeper.wire.messages.diagnostics import Diagnostics, DiagnosticsRequest, ProcessLoad
from unit.collector.samples import OUTPUT, lane, sample, value


class Machine:
    """A model, and looks at made-up processes."""

    def __init__(self) -> None:
        """Start with no process."""
        findings = Findings()
        self.model = Model(findings.feeds)
        self.usage = Usage(self.model)
        self.known = Known(self.model, findings, Faults(), self.usage, "2026-01-01T00:00:00Z")

    def look(self, now: float, *seen: Seen) -> None:
        """Look once, and see these."""
        self.usage.begin(now)
        for one in seen:
            self.usage.see(one)
        self.usage.end()

    def load(self, now: float) -> ProcessLoad:
        """Return what the diagnostics show of the workers."""
        (load,) = self.ask(now, DiagnosticsRequest()).processes
        return load

    def ask(self, now: float, request: DiagnosticsRequest) -> Diagnostics:
        """Return the diagnostics."""
        return diagnose(self.known, request, now)


def test_a_lane_is_its_worker_and_the_sessions_of_its_terminals() -> None:
    machine = Machine()
    machine.model.feed(sample(10, lane=lane(pid=500)), 1.0)
    worker, shell, child = Seen(10, 1000, 9, 1.0, 100), Seen(500, 7, 500, 0.0, 20), 500
    machine.look(10.0, worker, shell, Seen(501, 8, child, 2.0, 30), Seen(900, 1, 900, 50.0, 999))
    later = (Seen(10, 1000, 9, 1.5, 110), Seen(500, 7, 500, 0.0, 20), Seen(501, 8, 500, 3.5, 30))
    machine.look(12.0, *later, Seen(900, 1, 900, 60.0, 999))
    used = machine.usage.of("lane_a")
    assert used.cpu == pytest.approx((0.5 + 1.5) / 2)
    assert used.resident == 160


def test_a_pid_that_is_used_again_has_used_nothing_yet() -> None:
    machine = Machine()
    machine.model.feed(sample(10, lane=lane(pid=500)), 1.0)
    machine.look(10.0, Seen(10, 1000, 9, 0.0, 1), Seen(500, 7, 500, 90.0, 1))
    machine.look(12.0, Seen(10, 1000, 9, 0.0, 1), Seen(500, 8, 500, 95.0, 1))
    assert machine.usage.of("lane_a").cpu == 0


def test_who_is_not_seen_any_more_has_ended_and_its_counts_stay() -> None:
    machine = Machine()
    machine.model.feed(sample(10, values=[value(OUTPUT, 5)], lane=lane()), 1.0)
    machine.model.feed(sample(11), 1.0)
    machine.look(10.0, Seen(10, 1000, 9, 2.0, 100), Seen(11, 1000, 9, 1.0, 10))
    machine.look(12.0, Seen(10, 999, 9, 0.0, 1), Seen(11, 1000, 9, 1.0, 10))
    assert [one.who for one in machine.model.living()] == [Incarnation("worker", 11, 1000)]
    totals = {(s.metric.name, *s.labels): s.total for s in machine.model.series()}
    assert totals[OUTPUT,] == 5
    assert totals["lanekeeper_cpu_seconds_total", "worker"] == 3
    assert totals["lanekeeper_resident_bytes", "worker"] == 10
    assert machine.ask(12.0, DiagnosticsRequest(lanes=5)).lanes_total == 0


def test_who_came_during_a_look_has_not_ended() -> None:
    machine = Machine()
    machine.usage.begin(1.0)
    machine.model.feed(sample(10), 1.0)
    machine.usage.end()
    assert len(list(machine.model.living())) == 1


def test_the_greatest_lanes_come_first_as_many_as_asked_for() -> None:
    machine = Machine()
    for number in range(30):
        figures = lane(f"lane_{number}", output_bytes=number, backlog_bytes=(number * 7) % 30)
        machine.model.feed(sample(100 + number, lane=figures), 1.0)
    found = machine.ask(2.0, DiagnosticsRequest(lanes=3, order="backlog"))
    assert [one.backlog_bytes for one in found.lanes] == [29, 28, 27]
    assert (found.lanes_total, found.status) == (30, "pass")
    assert machine.ask(2.0, DiagnosticsRequest()).lanes == []


def test_slow_consumers_by_lag() -> None:
    machine = Machine()
    for number in range(40):
        figures = lane(
            f"lane_{number}", consumer_id=f"c{number}", policy="block", backlog_bytes=number
        )
        machine.model.feed(sample(100 + number, lane=figures), 1.0)
    slow = machine.ask(2.0, DiagnosticsRequest()).slow
    assert len(slow) == 20
    assert (slow[0].consumer_id, slow[0].lag_bytes, slow[0].policy) == ("c39", 39, "block")


def test_output_that_has_stopped_has_no_rate() -> None:
    machine = Machine()
    machine.model.feed(sample(lane=lane(output_bytes=0)), 1.0)
    machine.model.feed(sample(lane=lane(output_bytes=5000)), 6.0)
    request = DiagnosticsRequest(lanes=1)
    assert machine.ask(7.0, request).lanes[0].output_rate == pytest.approx(1000)
    assert machine.ask(60.0, request).lanes[0].output_rate == 0


def test_a_role_uses_processors_over_a_look_however_often_somebody_asks() -> None:
    machine = Machine()
    for pid in (10, 11):
        machine.model.feed(sample(pid), 1.0)
    machine.look(10.0, Seen(10, 1000, 9, 5.0, 1), Seen(11, 1000, 9, 50.0, 1))
    assert machine.load(11.0).cpu is None
    machine.look(40.0, Seen(10, 1000, 9, 6.0, 1), Seen(11, 1000, 9, 50.5, 1))
    for now in (40.1, 42.0, 69.9):
        assert machine.load(now).cpu == pytest.approx(1.5 / 30)


def test_a_process_that_came_since_the_look_counts_from_its_start() -> None:
    machine = Machine()
    machine.model.feed(sample(10), 1.0)
    machine.look(10.0, Seen(10, 1000, 9, 5.0, 1), Seen(7, 1000, 9, 70.0, 1))
    machine.model.feed(sample(11, start_time=1500), 11.0)
    machine.model.feed(sample(7), 11.0)
    machine.look(
        12.0,
        *(Seen(10, 1000, 9, 5.0, 1), Seen(11, 1500, 9, 1.0, 1), Seen(7, 1000, 9, 71.0, 1)),
    )
    assert machine.load(12.0).cpu == pytest.approx((1.0 + 0.0) / 2)


WORKER = Seen(10, 1000, 9, 1.0, 0, parent=1)


def lane_of(leader: int = 500) -> Machine:
    machine = Machine()
    machine.model.feed(sample(10, lane=lane(pid=leader)), 1.0)
    return machine


def test_children_that_came_and_went_between_two_looks_count() -> None:
    machine = lane_of()
    machine.look(10.0, WORKER, Seen(500, 7, 500, 0.5, 1, parent=10, reaped=90.0))
    machine.look(12.0, WORKER, Seen(500, 7, 500, 0.5, 1, parent=10, reaped=91.5))
    assert machine.usage.of("lane_a").cpu == pytest.approx(1.5 / 2)


def test_a_child_counts_once_living_dead_and_reaped() -> None:
    machine, shell = lane_of(), Seen(500, 7, 500, 0.0, 1, parent=10)
    child = Seen(501, 1100, 500, 40.0, 5, parent=500)
    machine.look(10.0, WORKER, shell)
    machine.look(12.0, WORKER, shell, replace(child, cpu=1.0))
    assert machine.usage.of("lane_a").cpu == pytest.approx(1.0 / 2)
    machine.look(60.0, WORKER, shell, child)
    machine.look(62.0, WORKER, shell, replace(child, cpu=41.0, resident=0, ended=True))
    assert machine.usage.of("lane_a").cpu == pytest.approx(1.0 / 2)
    machine.look(64.0, WORKER, replace(shell, reaped=41.0))
    assert machine.usage.of("lane_a").cpu == 0
    machine.look(66.0, WORKER, replace(shell, reaped=42.0))
    assert machine.usage.of("lane_a").cpu == pytest.approx(1.0 / 2)


def test_the_end_of_a_child_that_others_reap_hides_nothing_of_the_rest() -> None:
    machine, shell = lane_of(), Seen(500, 7, 500, 0.0, 1, parent=1)
    other = Seen(501, 8, 500, 3.0, 1, parent=1)
    machine.look(10.0, WORKER, replace(shell, cpu=600.0), other)
    machine.look(12.0, WORKER, replace(other, cpu=4.0))
    assert machine.usage.of("lane_a").cpu == pytest.approx(1.0 / 2)


def test_a_process_that_has_ended_and_is_not_reaped_yet_is_none_of_ours_any_more() -> None:
    machine = lane_of()
    machine.look(10.0, replace(WORKER, ended=True))
    assert not machine.model.lanes()
