"""The upper half of the dashboard: whether the plane is well, and what its users get of it.

Owns the rows Health, Latency and Output: what is shown, and where a figure turns yellow and red
(the specification's limits and ours). `board` makes Grafana's JSON of it.
"""

from typing import Final

from monitoring.panels import JOB, Panel, Query, Row, rate, rise, spread, total, where, worst

FIRING: Final = 'alertstate="firing"'
FAILING: Final = 'status="fail"'

_HEALTH: Final = (
    Panel(
        "stat",
        "Plane",
        "Whether its metrics can be read. DOWN: see LanekeeperDown in docs/monitoring.md.",
        "short",
        (Query(f"min by (instance) (up{where(JOB)})", "{{instance}}"),),
        width=4,
        words=((0, "DOWN", "red"), (1, "UP", "green")),
    ),
    Panel(
        "stat",
        "Degraded",
        "Reasons for which the plane works without a part of it. `lane status` names them.",
        "short",
        (Query(f"{total('lanekeeper_degraded')} or 0 * sum(up{where(JOB)})", "reasons"),),
        warn=1,
        width=4,
        words=((0, "no", "green"),),
    ),
    Panel(
        "stat",
        "Alerts",
        "Alerts that fire. Each has a section in docs/monitoring.md that says what to do.",
        "short",
        (
            Query(
                f"count(ALERTS{where(FIRING)}) or 0 * sum(up{where(JOB)})",
                "firing",
            ),
        ),
        warn=1,
        width=4,
        words=((0, "none", "green"),),
    ),
    Panel(
        "stat",
        "Findings",
        "Figures of `lane diag` that fail. That command shows their numbers and what to do.",
        "short",
        (
            Query(
                f"sum(lanekeeper_finding{where(FAILING)}) or 0 * sum(up{where(JOB)})",
                "fail",
            ),
        ),
        fail=1,
        width=4,
        words=((0, "none", "green"),),
    ),
    Panel(
        "stat",
        "Lanes",
        "Lanes that there are, in any state.",
        "short",
        (Query(total("lanekeeper_lanes"), "lanes"),),
        width=4,
    ),
    Panel(
        "stat",
        "Version",
        "What runs.",
        "short",
        (Query(f"max by (version) (lanekeeper_build_info{where()})", "{{version}}"),),
        width=4,
    ),
    Panel(
        "bars",
        "Figures against their limits",
        "How much of its limit each figure uses: 100 % is the limit. The names are those of"
        " `lane diag`. A figure that nothing was measured for is absent.",
        "percentunit",
        (
            Query(
                f"max by (figure) (instance:lanekeeper_figure_limit:ratio{where()})", "{{figure}}"
            ),
        ),
        warn=0.8,
        fail=1,
    ),
    Panel(
        "lines",
        "Lanes by state",
        "Ready and running are well. A failed lane answers nobody; recovering ones should be back"
        " within seconds.",
        "short",
        (Query(total("lanekeeper_lanes", "state"), "{{state}}"),),
        stacked=True,
    ),
    Panel(
        "lines",
        "Sessions and terminals",
        "Sessions that have not been terminated, and terminals by state. Throttled ones wait for"
        " their readers.",
        "short",
        (
            Query(total("lanekeeper_sessions"), "sessions"),
            Query(total("lanekeeper_terminals", "state"), "terminals {{state}}"),
        ),
    ),
)

_LATENCY: Final = (
    Panel(
        "lines",
        "Creating a lane",
        "From the broker's receipt of lane.create to the readiness of the worker. 5 ms is our bar,"
        " 30 ms the specification's limit.",
        "s",
        spread("lanekeeper_lane_create_seconds", 'status="ok"'),
        warn=0.005,
        fail=0.03,
    ),
    Panel(
        "lines",
        "Restoring a session (p95)",
        "Until a session works again: a client's re-attach (limit 35 ms), or a lane whose worker"
        " died (limit 5 s). Over 15 minutes.",
        "s",
        (
            Query(
                worst("instance_kind:lanekeeper_session_restore_seconds:p95_15m", "kind"),
                "{{kind}}",
            ),
        ),
        warn=0.035,
        fail=5,
    ),
    Panel(
        "lines",
        "Echo",
        "From an input's arrival at its worker to the output that follows. The specification allows"
        " 60 ms (p50) and 150 ms (p95).",
        "s",
        spread("lanekeeper_echo_seconds"),
        warn=0.06,
        fail=0.15,
    ),
    Panel(
        "lines",
        "Commands by method (p95)",
        "From receipt to answer; methods that wait for a program by their nature are left out.",
        "s",
        (
            Query(
                "topk(8, "
                + worst("instance_role_method:lanekeeper_command_seconds:p95_5m", "method")
                + ")",
                "{{method}}",
            ),
        ),
        warn=0.5,
        fail=2,
    ),
    Panel(
        "lines",
        "Commands",
        "Commands answered, by role and status.",
        "reqps",
        (Query(rate("lanekeeper_command_seconds_count", "role, status"), "{{role}} {{status}}"),),
    ),
    Panel(
        "lines",
        "Lanes created",
        "Creations a second by their outcome. Errors are refusals to callers.",
        "ops",
        (Query(rate("lanekeeper_lane_create_seconds_count", "status"), "{{status}}"),),
    ),
)

_OUTPUT: Final = (
    Panel(
        "lines",
        "Output and input",
        "Bytes that programs wrote, that were published to subscribers, delivered to programs, and"
        " given again from logs.",
        "Bps",
        (
            Query(rate("lanekeeper_output_logged_bytes_total"), "written by programs"),
            Query(rate("lanekeeper_output_bytes_total"), "published"),
            Query(rate("lanekeeper_input_bytes_total"), "input"),
            Query(rate("lanekeeper_output_repaired_bytes_total"), "repaired"),
        ),
    ),
    Panel(
        "lines",
        "Backlog",
        "Messages that the slowest registered consumer of a terminal has not acknowledged. The"
        " specification allows 64; ours is 32.",
        "short",
        spread("lanekeeper_output_backlog_chunks"),
        warn=32,
        fail=64,
    ),
    Panel(
        "lines",
        "Backlog in bytes",
        "What the slowest registered consumers have not acknowledged, over all terminals.",
        "bytes",
        (Query(total("lanekeeper_output_backlog_bytes"), "not acknowledged"),),
    ),
    Panel(
        "lines",
        "Programs held back",
        "Programs that stand still at any moment, on average, since a consumer is behind.",
        "short",
        (Query(rate("lanekeeper_throttled_seconds_total"), "programs"),),
        warn=0.5,
    ),
    Panel(
        "lines",
        "Throttles, demotions, gaps",
        "Times a program was held back, a consumer lost that right, or a reader came too late.",
        "short",
        (
            Query(rise("lanekeeper_throttles_total"), "throttles"),
            Query(rise("lanekeeper_demotions_total"), "demotions"),
            Query(rise("lanekeeper_output_gaps_total"), "gaps"),
        ),
    ),
    Panel(
        "lines",
        "Bytes lost to readers",
        "Bytes that readers asked for and the log no longer had. Each reader was told.",
        "bytes",
        (Query(rise("lanekeeper_output_gap_bytes_total"), "gap"),),
        warn=1,
    ),
    Panel(
        "lines",
        "Log budget",
        "What logs hold, what is reserved for them, and what they may have together.",
        "bytes",
        (
            Query(total("lanekeeper_log_bytes"), "held"),
            Query(total("lanekeeper_log_reserved_bytes"), "reserved"),
            Query(total("lanekeeper_log_budget_bytes"), "budget"),
        ),
    ),
    Panel(
        "lines",
        "Messages",
        "Output messages and lifecycle events published, and questions of programs answered.",
        "short",
        (
            Query(rate("lanekeeper_output_messages_total"), "output messages / s"),
            Query(rate("lanekeeper_events_total"), "events / s"),
            Query(rate("lanekeeper_queries_answered_total"), "questions answered / s"),
        ),
    ),
    Panel(
        "lines",
        "Programs ended",
        "Programs that ended, by how.",
        "short",
        (Query(rise("lanekeeper_programs_ended_total", "status"), "{{status}}"),),
    ),
)

ROWS: Final = (Row("Health", _HEALTH), Row("Latency", _LATENCY), Row("Output", _OUTPUT))
