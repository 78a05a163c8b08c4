"""The lower half of the dashboard: faults, processes, and the metrics themselves.

Owns these rows: what is shown, and where a figure turns yellow and red. `board` makes Grafana's
JSON of it.
"""

from typing import Final

from monitoring.panels import JOB, Panel, Query, Row, rate, rise, total, where, worst

ASKED: Final = 'reason="asked"'
UNASKED: Final = 'reason!="asked"'

_FAULTS: Final = (
    Panel(
        "lines",
        "Processes replaced",
        "Processes that died or hung and that another followed, and those replaced on request.",
        "short",
        (
            Query(rise("lanekeeper_process_restarts_total", "role", UNASKED), "{{role}}"),
            Query(rise("lanekeeper_process_restarts_total", "", ASKED), "on request"),
        ),
        warn=1,
    ),
    Panel(
        "lines",
        "Recovery (p95)",
        "From the death of a process to the readiness of its successor, over 15 minutes; limit"
        " 5 s.",
        "s",
        (Query(worst("instance_role:lanekeeper_recovery_seconds:p95_15m", "role"), "{{role}}"),),
        warn=0.5,
        fail=5,
    ),
    Panel(
        "lines",
        "Keeper's re-deposit (p95)",
        "From a new keeper's start until everything is in its vault again: a second fault in"
        " between could cost a lane. Bar 300 ms.",
        "s",
        (
            Query(
                f"max(instance:lanekeeper_keeper_redeposit_seconds:p95_1h{where()})", "re-deposit"
            ),
        ),
        warn=0.3,
        fail=2,
    ),
    Panel(
        "lines",
        "Lanes given up",
        "Lanes whose worker died five times within a minute; `lane recover` brings one back.",
        "short",
        (Query(total("lanekeeper_crash_loops_total"), "since the plane began"),),
        fail=1,
    ),
    Panel(
        "lines",
        "Incidents",
        "What went wrong and was handled, by reason: a queue that was full, a client that left.",
        "short",
        (
            Query(
                "topk(8, " + rise("lanekeeper_incidents_total", "role, reason") + ")",
                "{{role}} {{reason}}",
            ),
        ),
    ),
    Panel(
        "lines",
        "Vault",
        "What the keeper holds for workers and broker, so that their successors can go on.",
        "short",
        (
            Query(total("lanekeeper_vault_entries"), "entries"),
            Query(total("lanekeeper_vault_descriptors"), "descriptors"),
        ),
    ),
)

_PROCESSES: Final = (
    Panel(
        "lines",
        "Memory",
        "Memory by role with shared pages divided among those that share them.",
        "bytes",
        (Query(total("lanekeeper_proportional_bytes", "role"), "{{role}}"),),
        stacked=True,
        width=6,
    ),
    Panel(
        "lines",
        "Resident memory",
        "Memory by role; shared pages count in each process, so the sum is more than is used.",
        "bytes",
        (Query(total("lanekeeper_resident_bytes", "role"), "{{role}}"),),
        width=6,
    ),
    Panel(
        "lines",
        "Processor",
        "Processors in use by role, over five minutes. The broker has one thread: at 0.8 commands"
        " begin to queue.",
        "short",
        (Query(total("instance_role:lanekeeper_cpu_seconds:rate_5m", "role"), "{{role}}"),),
        stacked=True,
        width=6,
    ),
    Panel(
        "lines",
        "Loop lag (p95)",
        "How late event loops come back to their heartbeat, by role.",
        "s",
        (Query(worst("instance_role:lanekeeper_loop_lag_seconds:p95_5m", "role"), "{{role}}"),),
        warn=0.15,
        fail=1,
        width=6,
    ),
    Panel(
        "lines",
        "Processes",
        "Processes of the plane by role.",
        "short",
        (Query(total("lanekeeper_processes", "role"), "{{role}}"),),
        width=6,
    ),
    Panel(
        "lines",
        "Open descriptors",
        "Open descriptors by role.",
        "short",
        (Query(total("lanekeeper_open_fds", "role"), "{{role}}"),),
        width=6,
    ),
    Panel(
        "lines",
        "Descriptors against their limit",
        "The part of its limit of open files that the fullest process uses.",
        "percentunit",
        (Query(f"max(lanekeeper_open_fds_ratio{where()})", "fullest process"),),
        warn=0.7,
        fail=0.9,
        width=6,
    ),
    Panel(
        "lines",
        "Pseudo-terminals",
        "Pseudo-terminals of the whole machine, in use and at most.",
        "short",
        (
            Query(f"max(lanekeeper_ptys{where()})", "in use"),
            Query(f"max(lanekeeper_ptys_max{where()})", "at most"),
        ),
        width=6,
    ),
)

_THEMSELVES: Final = (
    Panel(
        "lines",
        "Samples",
        "Samples that the collector took in, by role.",
        "ops",
        (Query(rate("lanekeeper_samples_total", "role"), "{{role}}"),),
        width=6,
    ),
    Panel(
        "lines",
        "Samples lost",
        "Samples that no collector took, and ones it could not read. Both are zero in quiet times.",
        "short",
        (
            Query(rise("lanekeeper_samples_dropped_total", "role"), "dropped by {{role}}"),
            Query(rise("lanekeeper_samples_refused_total"), "refused"),
        ),
        warn=1,
        width=6,
    ),
    Panel(
        "lines",
        "Series",
        "Time series exported (at most 2,000), and values refused beyond that.",
        "short",
        (
            Query(total("lanekeeper_series"), "series"),
            Query(total("lanekeeper_series_refused_total"), "values refused"),
        ),
        warn=1500,
        fail=2000,
        width=6,
    ),
    Panel(
        "lines",
        "Scrape",
        "How long Prometheus needs to read the metrics. The bar is 100 ms with 1,000 lanes.",
        "s",
        (Query(f"max by (instance) (scrape_duration_seconds{where(JOB)})", "{{instance}}"),),
        warn=0.1,
        width=6,
    ),
)

ROWS: Final = (
    Row("Faults", _FAULTS),
    Row("Processes", _PROCESSES),
    Row("The metrics themselves", _THEMSELVES),
)
