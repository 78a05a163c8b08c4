"""What is held against which threshold, for which criterion, and what to do about it.

Owns one literal table. Warnings begin at our own bars, failures at the limits of the specification
where it has one. Pure; called by `findings`, and by docs/generate.py for docs/metrics.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class How(StrEnum):
    """What is made of a metric."""

    SPREAD = "spread"
    """Percentiles of a histogram's observations within the window."""
    GROWTH = "growth"
    """How much a counter, or the count of a histogram, has grown within the window."""
    LEVEL = "level"
    """What a gauge shows now."""
    SHARE_OF_GROWTH = "share of growth"
    """Which part of the growth of the same metric without the condition is growth with it."""
    SHARE_OF_LEVEL = "share of level"
    """Which part of another gauge it is."""
    GIVEN = "given"
    """A ratio that is measured for this table alone."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    Attributes:
        metric: its name in `/metrics`.
        how: what is made of it.
        judged: which figure of that is held against the thresholds.
        warn: above it the status is `warn`.
        fail: above it the status is `fail`; None when it never is.
        criteria: what it answers for.
        advice: what to do, in one sentence.
        where: labels and the values of which one has to be there.
        unless: labels and the values of which none may be there.
        whole: what a share is of, when that is another metric.
    """

    metric: str
    how: How
    judged: str
    warn: float
    fail: float | None
    criteria: tuple[str, ...]
    advice: str
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unless: tuple[tuple[str, tuple[str, ...]], ...] = ()
    whole: str = ""


PATIENT: Final = (
    *("terminal.wait", "terminal.input", "terminal.close", "terminal.screen", "lane.create"),
    *("lane.cleanup", "lane.recover", "session.terminate", "orphans.list", "orphans.clean"),
)
"""Methods that wait for a program, its end or a search, however well the plane is."""

RULES: Final[dict[str, Rule]] = {
    "lane_create_latency": Rule(
        "lanekeeper_lane_create_seconds",
        How.SPREAD,
        "p95",
        0.015,
        0.030,
        ("T026", "SC-001"),
        "The machine is short of processor time or warm workers are used up faster than they are "
        "forked: create lanes more slowly, or have more ready with `lane up --warm N`.",
        where=(("status", ("ok",)),),
    ),
    "session_restore_latency": Rule(
        "lanekeeper_session_restore_seconds",
        How.SPREAD,
        "p95",
        0.005,
        0.035,
        ("T026", "SC-002"),
        "Re-attaching waits for a busy worker or broker: look at loop_lag, and at the processor "
        "time of lanes with `lane top`.",
        where=(("kind", ("reattach",)),),
    ),
    "output_backlog_depth": Rule(
        "lanekeeper_output_backlog_chunks",
        How.SPREAD,
        "p95",
        32,
        64,
        ("T026", "NFR-001"),
        "Consumers do not keep up: `lane diag` names the slowest; make them faster, or let them "
        "register with the policy `drop`.",
    ),
    "crash_recovery_latency": Rule(
        "lanekeeper_session_restore_seconds",
        How.SPREAD,
        "p95",
        0.5,
        5.0,
        ("NFR-002", "SC-004"),
        "Lanes take long to come back from the death of a worker: look for many deaths at once, or "
        "a machine that is short of processor time, in `lane logs keeper`.",
        where=(("kind", ("crash",)),),
    ),
    "daemon_recovery_latency": Rule(
        "lanekeeper_recovery_seconds",
        How.SPREAD,
        "p95",
        1.0,
        5.0,
        ("NFR-002", "SC-005"),
        "A daemon takes long to come back: `lane logs keeper` says which and why.",
        unless=(("role", ("worker",)),),
    ),
    "command_latency": Rule(
        "lanekeeper_command_seconds",
        How.SPREAD,
        "p95",
        0.1,
        2.0,
        ("NFR-003", "NFR-004"),
        "Commands wait: look at loop_lag for a process that is busy, and at `/metrics` for the "
        "method that is slow.",
        unless=(("method", PATIENT),),
    ),
    "echo_latency": Rule(
        "lanekeeper_echo_seconds",
        How.SPREAD,
        "p95",
        0.06,
        0.15,
        ("NFR-001",),
        "Programs or their workers answer keys late: a busy machine, or a program that thinks; "
        "`lane top` shows who uses the processor.",
    ),
    "loop_lag": Rule(
        "lanekeeper_loop_lag_seconds",
        How.SPREAD,
        "p95",
        0.15,
        1.0,
        ("NFR-001", "NFR-004"),
        "A process of the plane comes late to its heartbeat: the machine is overloaded or was "
        "suspended; free processor time.",
    ),
    "create_errors": Rule(
        "lanekeeper_lane_create_seconds",
        How.SHARE_OF_GROWTH,
        "latest",
        0.0,
        0.05,
        ("SC-001",),
        "Lanes could not be made: `lane events` and `lane logs nursery` have the reasons.",
        where=(("status", ("error",)),),
    ),
    "degraded": Rule(
        "lanekeeper_degraded",
        How.LEVEL,
        "latest",
        0.0,
        None,
        ("NFR-004",),
        "Part of the plane is away or coming back: `lane status` names it and the reason.",
    ),
    "restarts": Rule(
        "lanekeeper_process_restarts_total",
        How.GROWTH,
        "latest",
        0.0,
        20.0,
        ("SC-002", "SC-004"),
        "Processes of the plane died and were replaced: nothing was lost, and `lane logs keeper` "
        "has the reason of each.",
        unless=(("reason", ("asked",)),),
    ),
    "crash_loops": Rule(
        "lanekeeper_crash_loops_total",
        How.GROWTH,
        "latest",
        0.0,
        0.0,
        ("SC-002",),
        "A lane was given up after five deaths of its worker: `lane ls` shows it as failed, and "
        "`lane recover` brings it back, if need be with --without-screen.",
    ),
    "keeper_redeposit": Rule(
        "lanekeeper_keeper_redeposit_seconds",
        How.SPREAD,
        "max",
        0.3,
        2.0,
        ("NFR-002",),
        "A new keeper waited long for its workers: until they had deposited, a worker's death "
        "would have cost its terminals; look for load at that moment.",
    ),
    "demotions": Rule(
        "lanekeeper_demotions_total",
        How.GROWTH,
        "latest",
        0.0,
        None,
        ("NFR-001",),
        "Viewers used up their grace and hold nobody back any more: they read too slowly, and see "
        "gaps if they fall behind the log; `lane diag` names the slowest.",
    ),
    "output_gaps": Rule(
        "lanekeeper_output_gaps_total",
        How.GROWTH,
        "latest",
        0.0,
        None,
        ("NFR-001",),
        "Readers asked for output that the log no longer had: give terminals a larger "
        "`--capacity`, or read sooner.",
    ),
    "log_budget": Rule(
        "lanekeeper_log_reserved_bytes",
        How.SHARE_OF_LEVEL,
        "latest",
        0.8,
        0.95,
        ("NFR-004",),
        "Output logs have nearly all the memory they may have, and soon no program can be started: "
        "close ended terminals, or start the plane with a larger --log-budget.",
        whole="lanekeeper_log_budget_bytes",
    ),
    "ptys": Rule(
        "lanekeeper_ptys",
        How.SHARE_OF_LEVEL,
        "latest",
        0.8,
        0.95,
        ("SC-001",),
        "This machine is short of pseudo-terminals: raise kernel.pty.max with sysctl.",
        whole="lanekeeper_ptys_max",
    ),
    "open_fds": Rule(
        "lanekeeper_open_fds",
        How.GIVEN,
        "max",
        0.7,
        0.9,
        ("SC-001",),
        "A process of the plane is short of descriptors: raise the hard limit (ulimit -Hn) before "
        "`lane up`; `lane doctor` shows it.",
    ),
    "samples_dropped": Rule(
        "lanekeeper_samples_dropped_total",
        How.GROWTH,
        "latest",
        100.0,
        None,
        ("T026",),
        "Figures were dropped while there was no collector to take them; what they counted is in "
        "later ones: `lane logs collector` says why it was away.",
    ),
    "metrics_refused": Rule(
        "lanekeeper_series_refused_total",
        How.GROWTH,
        "latest",
        0.0,
        None,
        ("T026",),
        "There are more series than the collector exports, and some are missing in /metrics: "
        "report which labels grow.",
    ),
}
"""By key, as in `lane diag --json`."""
