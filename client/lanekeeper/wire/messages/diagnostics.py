"""Bodies of `diagnostics.*`: figures with their thresholds, who is slow, faults, loads."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from lanekeeper.wire.limits import MAX_FIGURES

Status = Literal["pass", "warn", "fail", "unknown"]
Order = Literal["cpu", "memory", "output", "backlog"]


class DiagnosticsRequest(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for the diagnostics, with the loads of that many lanes, the greatest of `order` first."""

    lanes: Annotated[int, Meta(ge=0, le=MAX_FIGURES)] = 0
    order: Order = "cpu"


class Finding(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One figure, judged.

    Attributes:
        metric: its name in `/metrics`.
        unit: `seconds`, `bytes`, `chunks`, `ratio`, or empty for a count.
        count: observations in the window; the figures after it are absent without any.
        judged: which of the figures is held against the thresholds: `p95`, `max` or `latest`.
        warn: above it the status is `warn`.
        fail: above it the status is `fail`.
        status: `unknown` without observations.
        criteria: the success criteria, requirements and work items it answers for.
        advice: what to do; for `warn` and `fail` alone.
    """

    metric: str
    unit: str = ""
    count: int
    min: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
    latest: float | None = None
    judged: str
    warn: float | None = None
    fail: float | None = None
    status: Status
    criteria: list[str]
    advice: str | None = None


class SlowConsumer(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A registered consumer that is behind; `lag_bytes` are those it has not acknowledged."""

    lane_id: str
    terminal_id: str
    consumer_id: str
    policy: str
    lag_bytes: int
    throttled: bool = False


class Fault(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One fault or recovery: when, of which process, why, and after how long it was made good."""

    ts: str
    role: str
    reason: str
    lane_id: str | None = None
    recovered: bool = False
    seconds: float | None = None


class ProcessLoad(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The processes of one role together; `cpu_seconds` since they began.

    `cpu` is in processors, over the collector's last interval; absent until it looked twice, as the
    others are until it looked once.
    """

    role: str
    count: int
    resident_bytes: int | None = None
    cpu_seconds: float
    cpu: float | None = None
    open_fds: int | None = None
    proportional_bytes: int | None = None


class LaneFigures(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One lane: its worker and the programs in it together.

    `cpu` is in processors (1.0 is one of them, for the whole of the last interval), `output_rate`
    in bytes a second over it. Both are 0 until there were two looks at the lane.
    """

    lane_id: str
    pid: int
    terminals: int = 0
    cpu: float = 0.0
    resident_bytes: int = 0
    output_bytes: int = 0
    output_rate: float = 0.0
    backlog_bytes: int = 0
    backlog_chunks: int = 0
    log_bytes: int = 0
    throttled: int = 0


class Diagnostics(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What the collector knows.

    Attributes:
        status: the worst of all findings.
        since: when the collector began to look, RFC 3339.
        window_seconds: what the findings go back to at most.
        metrics: the findings by key, as `lane_create_latency`.
        slow: consumers by lag, greatest first, at most 20.
        faults: newest first, at most 20.
        processes: by role.
        lanes: as many as were asked for.
        lanes_total: how many there are.
    """

    status: Status
    since: str
    window_seconds: float
    metrics: dict[str, Finding]
    slow: list[SlowConsumer] = []
    faults: list[Fault] = []
    processes: list[ProcessLoad] = []
    lanes: list[LaneFigures] = []
    lanes_total: int = 0


class MetricChanged(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Payload of the event `diagnostics.metric`: a finding whose status changed, and from what."""

    key: str
    before: Status
    finding: Finding
