"""Panels and dashboards as Grafana's JSON has them.

Money has no unit here, because a panel can have one unit only: its currency stands in the legend, or in a column.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Steps = Sequence[tuple[str, float | None]]
Column = tuple[str, str, str, int | None, Steps | None]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "marketing-messages"
# Where runbooks lie; deploy/mixin puts another address in its place.
RUNBOOKS = "https://github.com/example/marketing-messages-exporter/blob/main/docs/runbooks/${__value.raw}.md"
CAMPAIGN_LINK = "/d/mme-campaign?${__url_time_range}&var-campaign=${__data.fields.Id}&var-datasource=${datasource}"
STATUS_LINK = "http://${__data.fields.Instance}/"


def red_above(value: float) -> Steps:
    return [("green", None), ("red", value)]


# ---- variables


def variable(name: str, label: str, query: str, regex: str = "", several: bool = True, every: bool = True) -> Json:
    """A choice from what a query returns; `every` offers All, and starts with it."""
    choice: Json = {"includeAll": several and every, "multi": several}
    if several and every:
        choice |= {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "hide": 0,
        "query": {"query": query, "refId": f"variable-{name}"},
        "regex": regex,
        "refresh": 2,
        "sort": 1,
        **choice,
    }


def named(label: str) -> str:
    """Values are ids, texts are names. Grafana writes label values without escapes, so a name may hold quotes."""
    return f'/{label}_id="(?<value>[^"]*)".*{label}_name="(?<text>.*?)"[,}}]/'


def fixed(kind: str, name: str, label: str, values: Sequence[str], first: str, **more: Any) -> Json:
    """A choice from values that are known here; `kind` is `interval` for lengths of time, else `custom`."""
    return {
        "name": name,
        "label": label,
        "type": kind,
        "query": ",".join(values),
        "hide": 0,
        **more,
        "current": {"text": first, "value": first},
        "options": [{"text": text, "value": text, "selected": text == first} for text in values],
    }


DATASOURCE = {
    "name": "datasource",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "refresh": 1,
    "regex": "",
}


# ---- panels


def target(expr: str, legend: str = "", ref: str = "A", table: bool = False, step: str | None = None) -> Json:
    shape = {"format": "table", "instant": True, "range": False} if table else {"instant": False, "range": True}
    return {
        "datasource": SOURCE,
        "expr": expr,
        "legendFormat": legend or "__auto",
        "refId": ref,
        **shape,
        **({"interval": step} if step else {}),
    }


def fields(unit: str, decimals: int | None = None, steps: Steps | None = None, **more: Any) -> Json:
    steps = steps or [("green", None)]
    thresholds = {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}
    return {"unit": unit, "thresholds": thresholds, **({} if decimals is None else {"decimals": decimals}), **more}


def panel(
    kind: str,
    title: str,
    width: int,
    height: int,
    description: str,
    defaults: Json,
    targets: list[Json],
    options: Json | None = None,
    overrides: list[Json] | None = None,
    **more: Any,
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
        "fieldConfig": {"defaults": defaults, "overrides": overrides or []},
        "targets": targets,
        "options": options or {},
        **more,
    }


def by_name(name: str, **properties: Any) -> Json:
    """Settings of one series or column; `__` stands for the dot in `custom.axisPlacement`."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def stat(
    title: str,
    width: int,
    description: str,
    expr: str,
    unit: str,
    decimals: int | None = None,
    legend: str = "",
    steps: Steps | None = None,
    mappings: list[Json] | None = None,
) -> Json:
    """One number for each series, as of now."""
    more = {"mappings": mappings} if mappings else {}
    now = {**target(expr, legend), "instant": True, "range": False}
    return panel(
        "stat",
        title,
        width,
        4,
        description,
        fields(unit, decimals, steps, **more),
        [now],
        {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "graphMode": "none",
            "colorMode": "value" if steps else "none",
            "textMode": "value_and_name" if legend else "value",
            "justifyMode": "auto",
            "orientation": "auto",
        },
    )


def lines(
    title: str,
    width: int,
    description: str,
    queries: Sequence[tuple[str, str]],
    unit: str,
    decimals: int | None = None,
    height: int = 8,
    overrides: list[Json] | None = None,
    steps: Steps | None = None,
    step: str | None = None,
    more: Json | None = None,
    **custom: Any,
) -> Json:
    """Curves; `queries` is a list of (expression, legend). Axes begin at zero, lest noise fill the panel."""
    targets = [target(expr, legend, chr(65 + n), step=step) for n, (expr, legend) in enumerate(queries)]
    style = {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 6,
        "showPoints": "never",
        "spanNulls": False,
        "axisSoftMin": 0,
        **custom,
    }
    if steps:
        style["thresholdsStyle"] = {"mode": "line"}
    defaults = fields(unit, decimals, steps, custom=style, color={"mode": "palette-classic"})
    return panel(
        "timeseries",
        title,
        width,
        height,
        description,
        defaults,
        targets,
        {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        overrides,
        **(more or {}),
    )


# A panel for each currency, because amounts of two have no common axis.
FOR_EACH_CURRENCY = {"repeat": "currency", "repeatDirection": "h", "maxPerRow": 4}


def days(
    title: str,
    width: int,
    description: str,
    queries: Sequence[tuple[str, str]],
    unit: str,
    decimals: int | None = None,
    stacked: bool = False,
    more: Json | None = None,
) -> Json:
    """A bar for each day, which stands over its day."""
    style: Json = {"drawStyle": "bars", "barAlignment": 1, "barWidthFactor": 0.75, "fillOpacity": 70, "lineWidth": 1}
    if stacked:
        style["stacking"] = {"mode": "normal", "group": "A"}
    return lines(title, width, description, queries, unit, decimals, step="1d", more=more, **style)


def column(name: str, expression: str, unit: str, decimals: int | None = None, steps: Steps | None = None) -> Column:
    return name, expression, unit, decimals, steps


def table(
    title: str,
    width: int,
    height: int,
    description: str,
    columns: Sequence[Column],
    labels: Mapping[str, str],
    sort: str | None = None,
    links: Mapping[str, str] | None = None,
    texts: Mapping[str, tuple[str, str]] | None = None,
) -> Json:
    """A row for each set of labels; `columns` is a list of column().

    An expression that ends in `* 0 - 1` stands in for what is unknown.
    """
    targets = [target(expr, ref=chr(65 + n), table=True) for n, (_, expr, *_) in enumerate(columns)]
    values = ["Value"] if len(columns) == 1 else [f"Value #{chr(65 + n)}" for n in range(len(columns))]
    names = {**{value: name for value, (name, *_) in zip(values, columns, strict=True)}, **labels}
    order = [*labels, *values]
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": order}}}
    organize = {
        "id": "organize",
        "options": {"indexByName": {name: n for n, name in enumerate(order)}, "renameByName": names},
    }
    overrides = []
    for name, expression, unit, decimals, steps in columns:
        properties: Json = {"unit": unit}
        if decimals is not None:
            properties["decimals"] = decimals
        if "* 0 - 1" in expression:
            properties["mappings"] = [{"type": "value", "options": {"-1": {"text": "-", "index": 0}}}]
        if steps:
            properties |= {
                "thresholds": fields("none", steps=steps)["thresholds"],
                "custom__cellOptions": {"type": "color-text"},
            }
        overrides.append(by_name(name, **properties))
    for name, url in (links or {}).items():
        overrides.append(by_name(name, links=[{"title": f"Open {name.lower()}", "url": url}]))
    for name, (pattern, text) in (texts or {}).items():
        mapping = {"type": "regex", "options": {"pattern": pattern, "result": {"text": text, "index": 0}}}
        overrides.append(by_name(name, mappings=[mapping]))
    shape: Json = {"showHeader": True, "cellHeight": "sm"}
    if sort:
        shape["sortBy"] = [{"displayName": sort, "desc": True}]
    defaults = fields("none", custom={"minWidth": 70})
    return panel(
        "table",
        title,
        width,
        height,
        description,
        defaults,
        targets,
        shape,
        overrides,
        transformations=([] if len(columns) == 1 else [{"id": "merge", "options": {}}]) + [keep, organize],
    )


# ---- dashboards


def annotation(name: str, expr: str, title: str, text: str, color: str) -> Json:
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "expr": expr,
        "iconColor": color,
        "titleFormat": title,
        "textFormat": text,
        "step": "60s",
        "useValueForTime": False,
    }


def laid_out(panels: list[Json]) -> list[Json]:
    """Rows from left to right; each begins below the highest panel of the one before."""
    x = y = height = 0
    for number, item in enumerate(panels, 1):
        place = item["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        place["x"], place["y"], item["id"] = x, y, number
        x, height = x + place["w"], max(height, place["h"])
    return panels


def dashboard(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Json],
    panels: list[Json],
    annotations: list[Json],
    begin: str = "now-14d",
) -> Json:
    links = [
        {
            "type": "dashboards",
            "title": "Marketing messages",
            "tags": [TAG],
            "asDropdown": False,
            "includeVars": True,
            "keepTime": True,
            "targetBlank": False,
            "icon": "external link",
        }
    ]
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": begin, "to": "now"},
        "timezone": "browser",
        "links": links,
        "templating": {"list": [DATASOURCE, *variables]},
        "annotations": {"list": annotations},
        "panels": laid_out(panels),
    }
