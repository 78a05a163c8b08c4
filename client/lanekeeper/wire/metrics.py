"""Every metric: its name, kind, unit and labels, what it means, and who measures it.

One literal table for those who measure, the collector that exports, the dashboards and
`docs/metrics.md`. Names follow Prometheus: base units, `_total` on counters. A label is one of a
few words, never a lane or an id: figures of one lane are served by `diagnostics.get`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus shows it, with `_total` for a counter.
        kind: counter, gauge or histogram.
        unit: `seconds`, `bytes`, `chunks`, `ratio`, or empty for a count.
        labels: names of its labels, in the order in which samples carry their values. `role` is
            that of the process it is about and is never among the values: the sample says it.
        by: the roles of the processes that measure it.
        buckets: upper bounds of a histogram's buckets, without infinity.
        text: what it means, in a sentence; the help of `/metrics`.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    by: tuple[str, ...]
    text: str
    buckets: tuple[float, ...] = ()


COMMAND_SECONDS: Final = "lanekeeper_command_seconds"
UNKNOWN_METHOD: Final = "unknown"
"""The method of a command that names none there is: names of callers are no labels."""

UNTIMED: Final = frozenset({"terminal.wait"})
"""Methods that take as long as their caller wants: how long says nothing about the plane."""

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.03, 0.06, 0.15, 0.5, 2.0, 5.0)
"""Around the bars of a lane's making and of a key's echo: 5, 15, 30, 60 and 150 ms."""
_SLOW: Final = (0.005, 0.01, 0.025, 0.035, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0)
"""Around the bars of a recovery: 25, 35, 300 and 500 ms, 2 and 5 s."""
_COMMANDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0)
_DEPTH: Final = (0.0, 1.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0)

BROKER, WORKER, KEEPER, COLLECTOR = "broker", "worker", "keeper", "collector"
DAEMONS: Final = ("keeper", "nursery", "broker", "collector", "worker")
_EVERY: Final = (BROKER, WORKER, COLLECTOR, KEEPER)


def _counter(name: str, by: tuple[str, ...], text: str, *labels: str, unit: str = "") -> Metric:
    return Metric(name, Kind.COUNTER, unit, labels, by, text)


def _gauge(name: str, by: tuple[str, ...], text: str, *labels: str, unit: str = "") -> Metric:
    return Metric(name, Kind.GAUGE, unit, labels, by, text)


def _spread(
    name: str,
    by: tuple[str, ...],
    buckets: tuple[float, ...],
    text: str,
    *labels: str,
    unit: str = "seconds",
) -> Metric:
    return Metric(name, Kind.HISTOGRAM, unit, labels, by, text, buckets)


_TABLE: Final = (
    # latencies
    _spread(
        "lanekeeper_lane_create_seconds",
        (BROKER,),
        _FAST,
        "From the broker's receipt of lane.create to the readiness of the lane's worker.",
        "status",
    ),
    _spread(
        "lanekeeper_session_restore_seconds",
        (BROKER,),
        _SLOW,
        "Until a session works again: a client's re-attach, or a lane whose worker died.",
        "kind",
        "status",
    ),
    _spread(
        COMMAND_SECONDS,
        (BROKER, WORKER),
        _COMMANDS,
        "From the receipt of a command to its answer, at the process that took it from a client; "
        "without terminal.wait, which takes as long as its caller wants.",
        "role",
        "method",
        "status",
    ),
    _spread(
        "lanekeeper_echo_seconds",
        (WORKER,),
        _FAST,
        "From an input's arrival at its worker to the publishing of the output that follows it.",
    ),
    _spread(
        "lanekeeper_loop_lag_seconds",
        _EVERY,
        _FAST,
        "How late an event loop came back to its heartbeat; the keeper tells the nursery's, too.",
        "role",
    ),
    # output
    _spread(
        "lanekeeper_output_backlog_chunks",
        (WORKER,),
        _DEPTH,
        "Messages that the slowest registered consumer of a terminal has not acknowledged.",
        unit="chunks",
    ),
    _gauge(
        "lanekeeper_output_backlog_bytes",
        (WORKER,),
        "Bytes that the slowest registered consumers have not acknowledged, over all terminals.",
        unit="bytes",
    ),
    _counter(
        "lanekeeper_output_logged_bytes_total",
        (WORKER,),
        "Output of programs, taken into their logs; also what nobody subscribes to.",
        unit="bytes",
    ),
    _counter("lanekeeper_output_bytes_total", (WORKER,), "Output published.", unit="bytes"),
    _counter("lanekeeper_output_messages_total", (WORKER,), "Output messages published."),
    _counter("lanekeeper_input_bytes_total", (WORKER,), "Input delivered.", unit="bytes"),
    _counter(
        "lanekeeper_throttled_seconds_total",
        (WORKER,),
        "Time for which programs were held back by their consumers.",
        unit="seconds",
    ),
    _counter("lanekeeper_throttles_total", (WORKER,), "Times a program was held back."),
    _counter(
        "lanekeeper_demotions_total",
        (WORKER,),
        "Consumers that used up their grace and hold nobody back any more.",
    ),
    _counter(
        "lanekeeper_output_gaps_total",
        (WORKER,),
        "Reads of output that the log no longer had, each told to its reader.",
    ),
    _counter(
        "lanekeeper_output_gap_bytes_total",
        (WORKER,),
        "Bytes that readers asked for and the log no longer had.",
        unit="bytes",
    ),
    _counter(
        "lanekeeper_output_repaired_bytes_total",
        (WORKER,),
        "Output given again from the log to readers that had missed it or came late.",
        unit="bytes",
    ),
    _counter(
        "lanekeeper_queries_answered_total",
        (WORKER,),
        "Questions of programs to their terminal that were answered for want of a viewer.",
    ),
    _gauge("lanekeeper_log_bytes", (WORKER,), "Output that logs hold in memory.", unit="bytes"),
    _gauge("lanekeeper_log_budget_bytes", (BROKER,), "Capacity that logs may have.", unit="bytes"),
    _gauge(
        "lanekeeper_log_reserved_bytes",
        (BROKER,),
        "Capacity of the logs there are.",
        unit="bytes",
    ),
    # what there is
    _gauge("lanekeeper_lanes", (BROKER,), "Lanes by state.", "state"),
    _gauge("lanekeeper_sessions", (BROKER,), "Sessions that have not been terminated."),
    _gauge("lanekeeper_terminals", (BROKER,), "Terminals by state.", "state"),
    _counter("lanekeeper_events_total", (BROKER,), "Lifecycle events published."),
    _counter("lanekeeper_programs_ended_total", (WORKER,), "Programs that ended.", "status"),
    _gauge(
        "lanekeeper_degraded",
        (BROKER,),
        "1 for each reason for which the plane is degraded.",
        "reason",
    ),
    # faults
    _counter(
        "lanekeeper_incidents_total",
        (BROKER, WORKER, KEEPER),
        "What went wrong and was handled: a queue that was full, a client that had left.",
        "role",
        "reason",
    ),
    _counter(
        "lanekeeper_process_restarts_total",
        (KEEPER,),
        "Processes of the plane that ended and were replaced; reason is asked, hang, signal, exit "
        "or unknown.",
        "role",
        "reason",
    ),
    _spread(
        "lanekeeper_recovery_seconds",
        (KEEPER,),
        _SLOW,
        "From the death of a process to the readiness of its successor; from the first death, if "
        "successors died too.",
        "role",
    ),
    _spread(
        "lanekeeper_keeper_redeposit_seconds",
        (KEEPER,),
        _SLOW,
        "From a new keeper's start to the last deposit of those that lived on.",
    ),
    _counter("lanekeeper_crash_loops_total", (KEEPER,), "Lanes given up after five deaths."),
    _gauge("lanekeeper_vault_entries", (KEEPER,), "Terminals, journals and sockets in the vault."),
    _gauge("lanekeeper_vault_descriptors", (KEEPER,), "Descriptors in the vault."),
    # processes, measured by the collector
    _gauge("lanekeeper_processes", (COLLECTOR,), "Processes of the plane.", "role"),
    _gauge(
        "lanekeeper_resident_bytes",
        (COLLECTOR,),
        "Resident memory of the plane's processes; shared pages count in each.",
        "role",
        unit="bytes",
    ),
    _gauge(
        "lanekeeper_proportional_bytes",
        (COLLECTOR,),
        "Memory of the plane's processes, shared pages divided among those that share them.",
        "role",
        unit="bytes",
    ),
    _counter(
        "lanekeeper_cpu_seconds_total",
        (COLLECTOR,),
        "Processor time of the plane's processes.",
        "role",
        unit="seconds",
    ),
    _gauge("lanekeeper_open_fds", (COLLECTOR,), "Open descriptors of the processes.", "role"),
    _gauge(
        "lanekeeper_open_fds_ratio",
        (COLLECTOR,),
        "The part of its limit of open descriptors that the fullest process uses.",
        unit="ratio",
    ),
    _gauge("lanekeeper_ptys", (COLLECTOR,), "Pseudo-terminals in use on this machine."),
    _gauge("lanekeeper_ptys_max", (COLLECTOR,), "Pseudo-terminals this machine allows."),
    # what lane diag says
    _gauge(
        "lanekeeper_finding",
        (COLLECTOR,),
        "1 for the status that a figure of the diagnostics has: pass, warn, fail or unknown.",
        "finding",
        "status",
    ),
    # the metrics themselves
    _counter("lanekeeper_samples_total", (COLLECTOR,), "Samples taken in.", "role"),
    _counter("lanekeeper_samples_refused_total", (COLLECTOR,), "Samples that could not be read."),
    _counter(
        "lanekeeper_samples_dropped_total",
        (BROKER, WORKER),
        "Samples that were not pushed, for want of a collector that takes them.",
        "role",
    ),
    _gauge("lanekeeper_series", (COLLECTOR,), "Time series that there are to export."),
    _counter(
        "lanekeeper_series_refused_total",
        (COLLECTOR,),
        "Values that were not exported, for there were too many series.",
    ),
    _gauge("lanekeeper_build_info", (COLLECTOR,), "1, with the version of the plane.", "version"),
)

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _TABLE}
"""By name."""
