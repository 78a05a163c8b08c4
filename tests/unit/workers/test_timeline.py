"""When output came: bounded, in order, and back from the journal."""

from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.workers import actions
from lanekeeper.workers.timeline import ENTRIES_MAX, STEP_NS, Sampler, Timeline

from .lanes import Lane, as_data

SECOND = 1_000_000_000


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=60))
def test_offsets_and_times_only_rise(samples: list[tuple[int, int]]) -> None:
    timeline = Timeline()
    timeline.add(samples)
    kept = timeline.samples()
    assert [o for o, _ in kept] == sorted({o for o, _ in kept})
    assert [t for _, t in kept] == sorted(t for _, t in kept)


def test_the_past_gets_coarser_and_stays() -> None:
    timeline = Timeline()
    for number in range(10 * ENTRIES_MAX):
        timeline.add([(number, number * SECOND)])
    kept = timeline.samples()
    assert len(kept) <= ENTRIES_MAX
    assert kept[0] == (0, 0)
    assert kept[-100:] == [(n, n * SECOND) for n in range(10 * ENTRIES_MAX - 100, 10 * ENTRIES_MAX)]


def test_what_is_gone_from_the_log_is_forgotten() -> None:
    timeline = Timeline()
    timeline.add([(0, 1), (10, 2), (20, 3), (30, 4)])
    timeline.forget(25)
    assert timeline.samples() == [(20, 3), (30, 4)]
    timeline.forget(5)
    assert timeline.samples() == [(20, 3), (30, 4)]


def test_pages_begin_with_the_entry_that_holds() -> None:
    timeline = Timeline()
    timeline.add([(0, 1), (10, 2), (20, 3)])
    assert timeline.page(15, 1) == ([(10, 2)], True)
    assert timeline.page(20, 5) == ([(20, 3)], False)
    assert Timeline().page(0, 5) == ([], False)


def test_a_lane_tells_times_and_sizes_after_a_replay_too() -> None:
    lane = Lane()
    terminal = lane.run(lane.session(), cols=90, rows=30)
    lane.logs[terminal].content = b"x" * 50
    lane.give(actions.Timed(terminal, [(0, 5 * SECOND), (20, 6 * SECOND)]))
    lane.command("terminal.resize", {"cols": 100, "rows": 40}, terminal_id=terminal)
    told = lane.call("terminal.timeline", terminal_id=terminal)
    assert told["times"] == [[0, 5 * SECOND], [20, 6 * SECOND]]
    assert told["sizes"] == [[0, 5 * SECOND, 90, 30], [50, 1, 100, 40]]
    assert (told["head"], told["tail"], told.get("next")) == (50, 0, None)
    late = lane.call("terminal.timeline", {"offset": 30}, terminal_id=terminal)
    assert late["times"] == [[20, 6 * SECOND]]
    state = lane.replayed()
    assert as_data(state.snapshot()) == as_data(lane.core.state.snapshot())
    assert state.timelines[terminal].samples() == [(0, 5 * SECOND), (20, 6 * SECOND)]
    lane.give(actions.Timed("term_gone", [(0, 1)]))
    assert "term_gone" not in lane.core.state.timelines


def taken(sampler: Sampler, *looks: tuple[float, int]) -> list[int | None]:
    """Return the time of each look that is sampled; looks are in seconds of both clocks."""
    found = [sampler.take(now, wall * SECOND) for now, wall in looks]
    return [None if one is None else one // SECOND for one in found]


def test_output_is_sampled_once_in_a_step() -> None:
    sampler = Sampler()
    assert sampler.take(1.0, 50 * SECOND) == 50 * SECOND
    assert sampler.take(1.001, 50 * SECOND + STEP_NS // 2) is None
    assert sampler.take(1.02, 50 * SECOND + STEP_NS) == 50 * SECOND + STEP_NS


def test_time_goes_on_when_the_clock_is_set_back() -> None:
    looks = ((10.0, 5000), (11.0, 1001), (13.0, 1003), (14.0, 9000))
    assert taken(Sampler(), *looks) == [5000, 5001, 5003, 9000]


def test_time_goes_on_under_the_next_worker_too() -> None:
    timeline = Timeline()
    assert timeline.newest == 0
    timeline.add([(0, 5000 * SECOND)])
    sampler = Sampler()
    sampler.go_on(timeline.newest, 100.0)
    assert taken(sampler, (101.0, 1000), (103.0, 1002)) == [5001, 5003]
