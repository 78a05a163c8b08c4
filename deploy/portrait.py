"""Draws docs/images/dashboard.svg: the dashboard from what a real Prometheus answers about a plane.

Starts a plane and a Prometheus, makes the plane work, and provokes everything that a panel shows.
Called by hand when the dashboard changes: `PYTHONPATH=tests .venv/bin/python deploy/portrait.py`.
"""

import json
import math
import re
import time
from pathlib import Path
from typing import Any, Final

from kit.cluster import Plane
from kit.prometheus import Prometheus, Series
from kit.waiting import wait_until
from lanekeeper.client import Plane as Connected
from monitoring.drawing import BACK, Line, panel, row
from monitoring.svg import Box
from system.monitoring import provoking

ROOT: Final = Path(__file__).parents[1]
BOARD: Final = ROOT / "deploy/grafana/dashboards/lanekeeper.json"
PICTURE: Final = ROOT / "docs/images/dashboard.svg"
NAME: Final = "build"
COLUMN, LINE, GAP = 50, 30, 8
"""Pixels of a column and of a line of the grid, and between panels."""
POINTS: Final = 90
LABEL: Final = 'role="img" aria-label="The dashboard of a plane that was worked and killed"'
CALM_S, WHOLE_S = 45.0, 110.0
"""Seconds of work before anything breaks, and of the whole."""
VARIABLES: Final = {"$plane": NAME, "$__rate_interval": "15s"}


def observe() -> str:
    """Have a plane go through everything, and return the picture of it."""
    with Plane() as plane, Prometheus(plane, NAME) as prometheus, plane.connect() as client:
        lanes = provoking.work(client, "first")
        wait_until(lambda: prometheus.number("up"), 15.0, "first scrape")
        began = time.time()
        busy(client, "calm", began + CALM_S)
        provoking.everything(plane, client, lanes)
        busy(client, "later", began + WHOLE_S)
        return draw(prometheus, (began, time.time()))


def busy(client: Connected, name: str, until: float) -> None:
    """Work until a time: lanes come, run programs, and go."""
    number = 0
    while time.time() < until:
        number += 1
        for lane in provoking.work(client, f"{name}-{number}"):
            lane.cleanup(grace_s=0)


def draw(prometheus: Prometheus, span: tuple[float, float]) -> str:
    """Return the dashboard as an SVG."""
    board = json.loads(BOARD.read_bytes())
    bottom = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in board["panels"])
    width, height = 24 * COLUMN, bottom * LINE + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {LABEL}>',
        f'<rect width="{width}" height="{height}" fill="{BACK}"/>',
        '<g font-family="Inter, Helvetica, Arial, sans-serif">',
    ]
    for one in board["panels"]:
        place = one["gridPos"]
        box = Box(
            place["x"] * COLUMN + GAP / 2,
            place["y"] * LINE + GAP / 2,
            place["w"] * COLUMN - GAP,
            place["h"] * LINE - GAP,
        )
        if one["type"] == "row":
            parts.append(row(one["title"], box))
        else:
            parts.append(panel(one, lines(prometheus, one, span), box, span))
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def lines(prometheus: Prometheus, found: dict[str, Any], span: tuple[float, float]) -> list[Line]:
    """Return what a panel's queries answer."""
    answer = []
    for target in found["targets"]:
        expr = target["expr"]
        for name, value in VARIABLES.items():
            expr = expr.replace(name, value)
        if target["instant"]:
            series = prometheus.query(expr)
        else:
            series = prometheus.between(expr, *span, (span[1] - span[0]) / POINTS)
        answer += [line(one, target["legendFormat"]) for one in series]
    return [one for one in answer if one.points]


def line(series: Series, legend: str) -> Line:
    """Return one series with its name, without what is no number."""
    labels = series["metric"]
    name = re.sub(r"\{\{(\w+)\}\}", lambda found: str(labels.get(found[1], "")), legend)
    points = series.get("values") or [series["value"]]
    values = ((float(moment), float(value)) for moment, value in points)
    return Line(name, tuple((m, v) for m, v in values if math.isfinite(v)))


if __name__ == "__main__":
    PICTURE.write_text(observe(), "utf-8")
