"""Samples as the processes of a plane push them, made by hand."""

from typing import Any

import msgspec

from lanekeeper.wire.metrics import METRICS
from lanekeeper.wire.sample import SAMPLE_VERSION

OUTPUT = "lanekeeper_output_bytes_total"
LOGS = "lanekeeper_log_bytes"
CREATE = "lanekeeper_lane_create_seconds"
BACKLOG = "lanekeeper_output_backlog_chunks"


def sample(pid: int = 10, role: str = "worker", start_time: int = 1000, **more: Any) -> bytes:
    """Return the bytes of a sample with these fields."""
    return msgspec.msgpack.encode(
        {"v": SAMPLE_VERSION, "role": role, "pid": pid, "start_time": start_time, **more}
    )


def value(name: str, number: float, *labels: str) -> list[Any]:
    """Return a counter or gauge."""
    return [name, list(labels), number]


def spread(name: str, observed: list[float], *labels: str) -> list[Any]:
    """Return a histogram of everything that was observed so far, all of it shown."""
    buckets = METRICS[name].buckets
    counts = [0] * (len(buckets) + 1)
    for one in observed:
        counts[sum(bound < one for bound in buckets)] += 1
    return [name, list(labels), counts, sum(observed), observed[-64:]]


def lane(lane_id: str = "lane_a", generation: int = 1, **terminal: Any) -> dict[str, Any]:
    """Return the figures of a lane with one terminal."""
    terminals = [{"terminal_id": "term_a", **terminal}]
    return {"lane_id": lane_id, "generation": generation, "terminals": terminals}
