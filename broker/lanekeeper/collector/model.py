"""Samples and what they add up to.

A sample carries the present values of one incarnation of one process. Counters and histograms are
added up over all there ever were, so that none falls when a process ends; gauges are of those that
live. A sample that is lost or repeated changes nothing, and so does one that is wrong: it is
refused whole, before anything has changed. Sans-IO. Called by `server` and `processes`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lanekeeper.collector.admission import admit, placed
from lanekeeper.collector.window import Weighed, weighed
from lanekeeper.wire.metrics import METRICS, Kind, Metric
from lanekeeper.wire.sample import LaneLoad, Sample, SampleError

SERIES_MOST: Final = 2_000
"""Time series exported; a value for which there is no room is refused and counted."""

PROCESSES_MOST: Final = 8_192
"""Processes that live at the same time: four times as many as a plane may have lanes."""

DEPARTED_MOST: Final = 4_096
DEPARTED_SECONDS: Final = 120.0
"""How long the last values of a process that has ended are kept: samples of it may be under way."""

SINGLE: Final = frozenset({"keeper", "nursery", "broker", "collector"})
"""Roles of which one process lives at a time: a new one is the end of the one before."""


class Incarnation(NamedTuple):
    """One process: of a pid that is used again there is another one, which began later."""

    role: str
    pid: int
    start_time: int


@dataclass(slots=True, eq=False)
class Series:
    """One series: the sum of a counter or histogram over all processes, of a gauge over the living.

    Processes speak of it by its `number`.
    """

    number: int
    metric: Metric
    labels: tuple[str, ...]
    total: float = 0.0
    counts: list[int] = field(default_factory=list)
    feeds: tuple["Feed", ...] = ()

    @property
    def lines(self) -> int:
        """How many time series it is to Prometheus."""
        return len(self.metric.buckets) + 3 if self.metric.kind is Kind.HISTOGRAM else 1


Feed = Callable[[Sequence[Weighed], float, float], None]
"""Hears of a series: what was observed, how often that was or how much it grew, the time."""

Feeder = Callable[[Metric, tuple[str, ...]], tuple[Feed, ...]]
"""Returns who wants to hear of a series."""


@dataclass(slots=True, eq=False)
class Process:
    """What is known of one incarnation.

    Attributes:
        who: which process.
        values: its newest counters, and the sums of its histograms, by number of series.
        gauges: its newest gauges.
        counts: its newest histograms.
        lane: a worker's lane.
        output: bytes that the lane's terminals had published, and when that was said.
        rate: bytes a second between the last two times.
        known: whether it was there before this collector, so that what it shows first is not new.
        gone: when it ended, on the monotonic clock.
    """

    who: Incarnation
    known: bool = False
    values: dict[int, float] = field(default_factory=dict)
    gauges: dict[int, float] = field(default_factory=dict)
    counts: dict[int, list[int]] = field(default_factory=dict)
    lane: LaneLoad | None = None
    output: tuple[int, float] | None = None
    rate: float = 0.0
    gone: float | None = None


@dataclass(slots=True)
class Tallies:
    """What the model has seen, beside what it adds up."""

    samples: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    series_refused: int = 0
    lines: int = 0


class Model:
    """Everything that was ever counted, and the newest values of every process."""

    def __init__(
        self,
        feeder: Feeder = lambda _metric, _labels: (),
        *,
        known_before: int = 0,
        most: int = SERIES_MOST,
    ) -> None:
        """Start empty.

        Args:
            feeder: says who hears of a series.
            known_before: processes that started earlier, in clock ticks after boot, may show what
                happened long ago: nobody hears of the first of it.
            most: time series at most.
        """
        self._feeder = feeder
        self._known_before = known_before
        self._most = most
        self._series: dict[tuple[str, tuple[str, ...]], Series] = {}
        self._numbered: list[Series] = []
        self._processes: dict[Incarnation, Process] = {}
        self._departed: OrderedDict[Incarnation, Process] = OrderedDict()
        self._of_lane: dict[str, Process] = {}
        self._single: dict[str, Process] = {}
        self.tallies = Tallies()
        self.changed = False
        """Whether anything was taken in since somebody set this to False."""

    def feed(self, data: bytes, now: float) -> Sample:
        """Take in one message and return the sample it is.

        Raises:
            SampleError: it is none; it is counted, and nothing has changed.
        """
        try:
            sample = admit(data)
            who = Incarnation(sample.role, sample.pid, sample.start_time)
            self._make_room(who)
        except SampleError:
            self.tallies.refused += 1
            raise
        seen = self.tallies.samples
        seen[sample.role] = seen.get(sample.role, 0) + 1
        process = self.process(who, now)
        for value in sample.values:
            self._set(process, value.name, value.labels, value.value, now)
        for each in sample.spreads:
            series = self._admit(process, each.name, each.labels)
            if series is not None:
                self._spread(process, series, (each.counts, each.sum), each.recent, now)
        process.known = False
        if sample.lane is not None:
            self._serve(process, sample.lane, now)
        if sample.last:
            self.retire(process.who, now)
        self.changed = True
        return sample

    def process(self, who: Incarnation, now: float) -> Process:
        """Return a process, taking it in when it is new; the one whose place it takes has ended."""
        found = self._processes.get(who) or self._departed.get(who)
        if found is not None:
            return found
        found = self._processes[who] = Process(who, known=who.start_time < self._known_before)
        if who.role in SINGLE:
            self._succeed(found, self._single.get(who.role), now)
            if found.gone is None:
                self._single[who.role] = found
        self.changed = True
        return found

    def put(self, who: Incarnation, name: str, value: float, *labels: str, now: float) -> None:
        """Set a value of a process that somebody else than itself has measured."""
        process = self.process(who, now)
        self._set(process, name, labels, value, now)
        self.changed = True

    def observe(self, who: Incarnation, name: str, value: float, *labels: str, now: float) -> None:
        """Note an observation of a histogram of a process."""
        process = self.process(who, now)
        series = self._admit(process, name, labels)
        if series is None:
            return
        before = process.counts.get(series.number) or [0] * (len(series.metric.buckets) + 1)
        counts = list(before)
        counts[sum(bound < value for bound in series.metric.buckets)] += 1
        total = process.values.get(series.number, 0.0) + value
        self._spread(process, series, (counts, total), [value], now)

    def retire(self, who: Incarnation, now: float) -> None:
        """Note the end of a process: its gauges are gone, its counts stay."""
        process = self._processes.pop(who, None)
        if process is None:
            return
        process.gone = now
        for number, value in process.gauges.items():
            self._numbered[number].total -= value
        process.gauges = {}
        if process.lane is not None and self._of_lane.get(process.lane.lane_id) is process:
            del self._of_lane[process.lane.lane_id]
        if self._single.get(who.role) is process:
            del self._single[who.role]
        process.lane = None
        self._departed[who] = process
        self.changed = True
        if len(self._departed) > DEPARTED_MOST:
            self._departed.popitem(last=False)

    def forget(self, now: float) -> None:
        """Drop what is kept of processes that ended long ago."""
        while self._departed:
            who, process = next(iter(self._departed.items()))
            if process.gone is not None and now - process.gone < DEPARTED_SECONDS:
                return
            del self._departed[who]

    def living(self) -> Iterator[Process]:
        """Yield the processes that have not ended."""
        yield from self._processes.values()

    def departed(self) -> Iterator[Process]:
        """Yield those that have ended and are remembered."""
        yield from self._departed.values()

    def lanes(self) -> dict[str, Process]:
        """Return the workers by lane."""
        return self._of_lane

    def series(self) -> list[Series]:
        """Return all series."""
        return list(self._numbered)

    def admit(self, name: str, labels: tuple[str, ...]) -> Series | None:
        """Return a series, made if there is room for it."""
        series = self._series.get((name, labels))
        if series is None:
            series = Series(len(self._numbered), METRICS[name], labels)
            if self.tallies.lines + series.lines > self._most:
                self.tallies.series_refused += 1
                return None
            self.tallies.lines += series.lines
            if series.metric.kind is Kind.HISTOGRAM:
                series.counts = [0] * (len(series.metric.buckets) + 1)
            series.feeds = self._feeder(series.metric, labels)
            self._series[name, labels] = series
            self._numbered.append(series)
        return series

    def _make_room(self, who: Incarnation) -> None:
        if len(self._processes) < PROCESSES_MOST:
            return
        if who not in self._processes and who not in self._departed:
            raise SampleError(f"there are {PROCESSES_MOST} processes already")

    def _admit(self, process: Process, name: str, labels: Sequence[str]) -> Series | None:
        return self.admit(name, placed(METRICS[name], process.who.role, labels))

    def _set(
        self, process: Process, name: str, labels: Sequence[str], value: float, now: float
    ) -> None:
        series = self._admit(process, name, labels)
        if series is None:
            return
        if series.metric.kind is Kind.GAUGE:
            if process.gone is None:
                series.total += value - process.gauges.get(series.number, 0.0)
                process.gauges[series.number] = value
            return
        grown = value - process.values.get(series.number, 0.0)
        if grown < 0:
            return
        process.values[series.number] = value
        series.total += grown
        if grown and not process.known:
            for feed in series.feeds:
                feed((), grown, now)

    def _spread(
        self,
        process: Process,
        series: Series,
        state: tuple[list[int], float],
        recent: Sequence[float],
        now: float,
    ) -> None:
        counts, total = state
        before = process.counts.get(series.number)
        grown = counts if before is None else [a - b for a, b in zip(counts, before, strict=True)]
        if min(grown) < 0:
            return
        series.counts = [a + b for a, b in zip(series.counts, grown, strict=True)]
        series.total += max(total - process.values.get(series.number, 0.0), 0.0)
        process.counts[series.number] = counts
        process.values[series.number] = total
        count = sum(grown)
        observed = weighed(series.metric.buckets, grown, recent)
        if process.known:
            count = min(count, len(recent))
            observed = [(value, 1.0) for value in recent[:count]]
        if count:
            for feed in series.feeds:
                feed(observed, count, now)

    def _serve(self, process: Process, lane: LaneLoad, now: float) -> None:
        before = self._of_lane.get(lane.lane_id)
        if process.gone is not None:
            return
        if process.lane is not None and process.lane.lane_id != lane.lane_id:
            self._of_lane.pop(process.lane.lane_id, None)
        process.lane = lane
        _flow(process, sum(one.output_bytes for one in lane.terminals), now)
        self._succeed(process, before, now)
        if process.gone is None:
            self._of_lane[lane.lane_id] = process

    def _succeed(self, new: Process, old: Process | None, now: float) -> None:
        """End the older of two that cannot both live."""
        if old is None or old is new:
            return
        self.retire((old if _age(old) <= _age(new) else new).who, now)


def _age(process: Process) -> tuple[int, int]:
    """Return what orders those of one place: of two workers, the one forked first may follow."""
    generation = 0 if process.lane is None else process.lane.generation
    return generation, process.who.start_time


def _flow(process: Process, output: int, now: float) -> None:
    """Note how fast a lane's output grows."""
    if process.output is not None and now > process.output[1]:
        process.rate = max(output - process.output[0], 0) / (now - process.output[1])
    process.output = (output, now)
