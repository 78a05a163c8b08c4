"""Makes Grafana's JSON of the table in `service` and `inside`, with grafana-foundation-sdk.

Owns how a panel looks: colours, legends, places. The same table gives the same bytes. Called by
`deploy/dashboard.py`.
"""

import json
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model

from monitoring import inside, service
from monitoring.panels import Panel, Query

UID: Final = "lanekeeper"
SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHTS: Final = {"stat": 4, "bars": 8, "lines": 8}
GREEN, YELLOW, RED = "green", "yellow", "red"

Built = TypeVar("Built", stat.Panel, bargauge.Panel, timeseries.Panel)


def text() -> str:
    """Return the dashboard as a file."""
    number = 0
    board = _empty()
    for row in (*service.ROWS, *inside.ROWS):
        number += 1
        board.with_row(build.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            board.with_panel(_panel(panel, number))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _empty() -> build.Dashboard:
    source = build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    planes = (
        build.QueryVariable("plane")
        .label("Plane")
        .datasource(SOURCE)
        .query("label_values(lanekeeper_build_info, instance)")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )
    return (
        build.Dashboard("Lanekeeper")
        .uid(UID)
        .description("Whether planes are well and, if not, where to look; see docs/monitoring.md")
        .tags(["lanekeeper"])
        .readonly()
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh("15s")
        .time("now-1h", "now")
        .with_variable(source)
        .with_variable(planes)
    )


def _panel(panel: Panel, number: int) -> stat.Panel | bargauge.Panel | timeseries.Panel:
    match panel.form:
        case "stat":
            return _filled(_stat(panel), panel, number)
        case "bars":
            return _filled(_bars(), panel, number)
        case "lines":
            return _filled(_lines(panel), panel, number)


def _stat(panel: Panel) -> stat.Panel:
    named = any("{{" in query.legend for query in panel.queries)
    mode = kinds.BigValueTextMode.VALUE
    if named and not panel.words:
        mode = kinds.BigValueTextMode.NAME
    elif named:
        mode = kinds.BigValueTextMode.VALUE_AND_NAME
    return (
        stat.Panel()
        .color_mode(kinds.BigValueColorMode.BACKGROUND)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .text_mode(mode)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .mappings(_words(panel))
    )


def _bars() -> bargauge.Panel:
    return (
        bargauge.Panel()
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .show_unfilled(show_unfilled=True)
        .min(0)
        .max(1)
    )


def _lines(panel: Panel) -> timeseries.Panel:
    lines = (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .show_points(kinds.VisibilityMode.AUTO)
        .axis_soft_min(0)
    )
    if panel.warn is not None or panel.fail is not None:
        dashed = kinds.GraphTresholdsStyleMode.DASHED
        lines.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
    if panel.stacked:
        lines.fill_opacity(30)
        lines.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    return lines


def _filled(built: Built, panel: Panel, number: int) -> Built:
    steps = [model.Threshold(None, GREEN)]
    if panel.warn is not None:
        steps.append(model.Threshold(panel.warn, YELLOW))
    if panel.fail is not None:
        steps.append(model.Threshold(panel.fail, RED))
    built.id(number).title(panel.title).description(panel.text).unit(panel.unit)
    built.datasource(SOURCE).span(panel.width).height(HEIGHTS[panel.form]).no_value("no data")
    built.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    for place, query in enumerate(panel.queries):
        built.with_target(_target(query, chr(ord("A") + place), instant=panel.form != "lines"))
    return built


def _target(query: Query, name: str, *, instant: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(name)
    return target.instant() if instant else target.range()


def _words(panel: Panel) -> list[model.ValueMapping]:
    if not panel.words:
        return []
    found = {
        str(number): model.ValueMappingResult(text=word, color=colour)
        for number, word, colour in panel.words
    }
    return [model.ValueMap(found)]
