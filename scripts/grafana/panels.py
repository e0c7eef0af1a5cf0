"""Panels and dashboards as Grafana's JSON has them.

Money has no unit here, because a panel can have one unit only: its currency stands in the legend, or in a column.
"""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "marketing-messages"
# Where runbooks lie; deploy/mixin puts another address in its place.
RUNBOOKS = "https://github.com/example/marketing-messages-exporter/blob/main/docs/runbooks/${__value.raw}.md"
CAMPAIGN_LINK = "/d/mme-campaign?${__url_time_range}&var-campaign=${__data.fields.Id}&var-datasource=${datasource}"
STATUS_LINK = "http://${__data.fields.Instance}/"


def red_above(value):
    return [("green", None), ("red", value)]


def red_below(value):
    return [("red", None), ("green", value)]


# ---- variables


def variable(name, label, query, regex="", several=True, every=True):
    """A choice from what a query returns; `every` offers All, and starts with it."""
    choice = {"includeAll": several and every, "multi": several}
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


def named(label):
    """Values are ids, texts are names. Grafana writes label values without escapes, so a name may hold quotes."""
    return f'/{label}_id="(?<value>[^"]*)".*{label}_name="(?<text>.*?)"[,}}]/'


def interval(name, label, values, first):
    return {
        "name": name,
        "label": label,
        "type": "interval",
        "query": ",".join(values),
        "hide": 0,
        "refresh": 2,
        "current": {"text": first, "value": first},
        "options": [{"text": text, "value": text, "selected": text == first} for text in values],
    }


def custom(name, label, values, first):
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "hide": 0,
        "includeAll": False,
        "multi": False,
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


def target(expr, legend="", ref="A", table=False, step=None):
    shape = {"format": "table", "instant": True, "range": False} if table else {"instant": False, "range": True}
    return {
        "datasource": SOURCE,
        "expr": expr,
        "legendFormat": legend or "__auto",
        "refId": ref,
        **shape,
        **({"interval": step} if step else {}),
    }


def fields(unit, decimals=None, steps=None, **more):
    steps = steps or [("green", None)]
    thresholds = {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}
    return {"unit": unit, "thresholds": thresholds, **({} if decimals is None else {"decimals": decimals}), **more}


def panel(kind, title, width, height, description, defaults, targets, options=None, overrides=None, **more):
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


def by_name(name, **properties):
    """Settings of one series or column; `__` stands for the dot in `custom.axisPlacement`."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def stat(title, width, description, expr, unit, decimals=None, legend="", steps=None, mappings=None):
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
    title,
    width,
    description,
    queries,
    unit,
    decimals=None,
    height=8,
    overrides=None,
    steps=None,
    step=None,
    more=None,
    **custom,
):
    """Curves; `queries` is a list of (expression, legend). Axes begin at zero, so that noise does not fill the panel."""
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


def days(title, width, description, queries, unit, decimals=None, stacked=False, more=None):
    """A bar for each day, which stands over its day."""
    style = {"drawStyle": "bars", "barAlignment": 1, "barWidthFactor": 0.75, "fillOpacity": 70, "lineWidth": 1}
    if stacked:
        style["stacking"] = {"mode": "normal", "group": "A"}
    return lines(title, width, description, queries, unit, decimals, step="1d", more=more, **style)


def column(name, expression, unit, decimals=None, steps=None):
    return name, expression, unit, decimals, steps


def table(title, width, height, description, columns, labels, sort=None, links=None, texts=None):
    """A row for each set of labels; `columns` is a list of column().

    An expression that ends in `* 0 - 1` stands in for what is unknown.
    """
    targets = [target(expr, ref=chr(65 + n), table=True) for n, (_, expr, *_) in enumerate(columns)]
    value = (lambda n: "Value") if len(columns) == 1 else (lambda n: f"Value #{chr(65 + n)}")
    names = {**{value(n): name for n, (name, *_) in enumerate(columns)}, **labels}
    order = list(labels) + [value(n) for n in range(len(columns))]
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": order}}}
    organize = {
        "id": "organize",
        "options": {"indexByName": {name: n for n, name in enumerate(order)}, "renameByName": names},
    }
    overrides = []
    for name, expression, unit, decimals, steps in columns:
        properties = {"unit": unit}
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
    options = {"showHeader": True, "cellHeight": "sm"}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": True}]
    defaults = fields("none", custom={"minWidth": 70})
    return panel(
        "table",
        title,
        width,
        height,
        description,
        defaults,
        targets,
        options,
        overrides,
        transformations=([] if len(columns) == 1 else [{"id": "merge", "options": {}}]) + [keep, organize],
    )


# ---- dashboards


def annotation(name, expr, title, text, color):
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


def laid_out(panels):
    """Rows from left to right; each begins below the highest panel of the one before."""
    x = y = height = 0
    for number, item in enumerate(panels, 1):
        place = item["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        place["x"], place["y"], item["id"] = x, y, number
        x, height = x + place["w"], max(height, place["h"])
    return panels


def dashboard(uid, title, description, variables, panels, annotations, begin="now-14d"):
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
