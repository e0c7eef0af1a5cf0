#!/usr/bin/env python3
"""Writes deploy/grafana/dashboards from the tables below; with --check, says which file differs.

One row is one panel. Money has no unit here, because a panel can have one unit only: its currency stands in the legend,
or in a column, from the label. Every query selects one window, or keeps the label.
"""

import argparse
import json
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "deploy/grafana/dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ALERTS = "ALERTS"
TAG = "marketing-messages"

ACCOUNTS = 'source=~"$source", account_id=~"$account"'
WINDOW = ACCOUNTS + ', window="$window"'
MONEY = WINDOW + ', currency=~"$currency"'
# CAMS has no window to choose; where rows stand beside each other, its own is shown.
ANY = ACCOUNTS + ', window=~"$window|unspecified"'
ANY_MONEY = ANY + ', currency=~"$currency"'
ONE = 'source=~"$source", account_id=~"$account", campaign_id="$campaign"'
ACCOUNT_NAME = "* on (source, account_id) group_left (account_name) account:marketing_messages_name:info"
CAMPAIGN_NAME = "* on (source, account_id, campaign_id) group_left (campaign_name) campaign:marketing_messages_name:info"
OWN = "marketing_messages_exporter_"
CREDENTIALS = 'source=~"$source"'

RED_ABOVE = lambda value: [("green", None), ("red", value)]
RED_BELOW = lambda value: [("red", None), ("green", value)]


# ---- variables

def variable(name, label, query, regex="", several=True, hide=0):
    every = {"includeAll": True, "multi": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query, "hide": hide,
        "query": {"query": query, "refId": f"variable-{name}"}, "regex": regex, "refresh": 2, "sort": 1,
        **(every if several else {"includeAll": False, "multi": False}),
    }


def named(label):
    """Values are ids, texts are names. Grafana writes label values without escapes, so a name may hold quotes."""
    return f'/{label}_id="(?<value>[^"]*)".*{label}_name="(?<text>.*?)"[,}}]/'


DATASOURCE = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0,
              "includeAll": False, "multi": False, "refresh": 1, "regex": ""}
SOURCES = variable("source", "Source", "label_values(marketing_messages_account_info, source)")
ACCOUNT = variable("account", "Account", 'query_result(account:marketing_messages_name:info{source=~"$source"})', named("account"))
CAMPAIGN = variable("campaign", "Campaign", f"query_result(campaign:marketing_messages_name:info{{{ACCOUNTS}}})",
                    named("campaign"), several=False)
WINDOWS = variable("window", "Window", f"label_values(marketing_messages_delivered{{{ACCOUNTS}}}, window)", several=False)
WINDOWS["current"] = {"text": "today", "value": "today"}
CURRENCY = variable("currency", "Currency", f"label_values(account:marketing_messages_currency:info{{{ACCOUNTS}}}, currency)")


# ---- panels

def target(expr, legend="", ref="A", table=False):
    shape = {"format": "table", "instant": True, "range": False} if table else {"instant": False, "range": True}
    return {"datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto", "refId": ref, **shape}


def fields(unit, decimals=None, steps=None, **more):
    steps = steps or [("green", None)]
    thresholds = {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}
    return {"unit": unit, "thresholds": thresholds, **({} if decimals is None else {"decimals": decimals}), **more}


def panel(kind, title, width, height, description, defaults, targets, options=None, overrides=None, **more):
    return {
        "type": kind, "title": title, "description": description, "datasource": SOURCE,
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
        "fieldConfig": {"defaults": defaults, "overrides": overrides or []},
        "targets": targets, "options": options or {}, **more,
    }


def stat(title, width, description, expr, unit, decimals=None, legend="", steps=None, mappings=None):
    """One number for each series, as of now."""
    more = {"mappings": mappings} if mappings else {}
    now = {**target(expr, legend), "instant": True, "range": False}
    return panel("stat", title, width, 4, description, fields(unit, decimals, steps, **more), [now],
                 {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "graphMode": "none",
                  "colorMode": "value" if steps else "none", "textMode": "value_and_name" if legend else "value",
                  "justifyMode": "auto", "orientation": "auto"})


def lines(title, width, description, queries, unit, decimals=None, height=8, **custom):
    """Curves; `queries` is a list of (expression, legend)."""
    targets = [target(expr, legend, chr(65 + n)) for n, (expr, legend) in enumerate(queries)]
    style = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 6, "showPoints": "never", "spanNulls": False, **custom}
    defaults = fields(unit, decimals, custom=style, color={"mode": "palette-classic"})
    return panel("timeseries", title, width, height, description, defaults, targets,
                 {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                  "tooltip": {"mode": "multi", "sort": "desc"}})


def table(title, width, height, description, columns, labels, sort=None, links=None):
    """A row for each set of labels; `columns` is a list of (name, expression, unit, decimals).

    An expression that ends in `* 0 - 1` stands in for what is unknown.
    """
    targets = [target(expr, ref=chr(65 + n), table=True) for n, (_, expr, _, _) in enumerate(columns)]
    single = len(columns) == 1
    value = lambda n: "Value" if single else f"Value #{chr(65 + n)}"
    names = {**{value(n): name for n, (name, *_) in enumerate(columns)}, **labels}
    order = list(labels) + [value(n) for n in range(len(columns))]
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": order}}}
    organize = {"id": "organize", "options": {"indexByName": {name: n for n, name in enumerate(order)}, "renameByName": names}}
    overrides = []
    for name, _, unit, decimals in columns:
        properties = [{"id": "unit", "value": unit}]
        if decimals is not None:
            properties.append({"id": "decimals", "value": decimals})
        if "* 0 - 1" in targets[len(overrides)]["expr"]:
            unknown = {"type": "value", "options": {"-1": {"text": "-", "index": 0}}}
            properties.append({"id": "mappings", "value": [unknown]})
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": properties})
    for name, url in (links or {}).items():
        link = [{"title": f"Open {name.lower()}", "url": url}]
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": [{"id": "links", "value": link}]})
    options = {"showHeader": True, "cellHeight": "sm"}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": True}]
    defaults = fields("none", custom={"minWidth": 70})
    return panel("table", title, width, height, description, defaults, targets, options, overrides,
                 transformations=([] if single else [{"id": "merge", "options": {}}]) + [keep, organize])


CAMPAIGN_LINK = "/d/mme-campaign?${__url_time_range}&var-campaign=${__data.fields.Id}&var-datasource=${datasource}"
STATUS_LINK = "http://${__data.fields.Instance}/"


def lane(expr):
    """With a label for the legend; an access key of CAMS has no account."""
    return f'label_join({expr}, "lane", " ", "source", "account_id")'


def clicks_with_currency(selector):
    return (f"account:marketing_messages_link_clicks:sum{{{WINDOW}}} * on (source, account_id, window) group_left (currency) "
            f"(account:marketing_messages_spend:sum{{{selector}}} >= bool 0)")


OVERVIEW = [
    stat("Spend", 6, "Spent in the window, by currency. Amounts of different currencies are never added up.",
         f"sum by (currency) (account:marketing_messages_spend:sum{{{MONEY}}})", "none", 2, "{{currency}}"),
    stat("Delivered", 4, "Messages delivered in the window.",
         f"sum(account:marketing_messages_delivered:sum{{{WINDOW}}})", "locale", 0),
    stat("Cost per click", 6, "Spend by link clicks of the window, from sums, by currency.",
         f"sum by (currency) (account:marketing_messages_spend:sum{{{MONEY}}}) / sum by (currency) ({clicks_with_currency(MONEY)})",
         "none", 3, "{{currency}}"),
    stat("Alerts", 4, "Firing alerts about campaigns and the exporter.",
         f'count({ALERTS}{{alertname=~"MarketingMessages.*", alertstate="firing"}}) or vector(0)', "none", 0,
         steps=RED_ABOVE(1)),
    stat("Oldest figures", 4, "Time since the target that waits longest was polled with success.",
         "max(target:marketing_messages_data:age_seconds{" + ACCOUNTS + "})", "s", 0,
         steps=[("green", None), ("orange", 3600), ("red", 14400)]),
    table("Accounts", 24, 7, "Each account's figures in the window; of CAMS, those of its only one. Ratios are made from sums.", [
        ("Spend", f"account:marketing_messages_spend:sum{{{ANY_MONEY}}} {ACCOUNT_NAME}", "none", 2),
        ("Delivered", f"account:marketing_messages_delivered:sum{{{ANY}}} {ACCOUNT_NAME}", "locale", 0),
        ("Link clicks", f"account:marketing_messages_link_clicks:sum{{{ANY}}} {ACCOUNT_NAME}", "locale", 0),
        ("Click ratio", f"account:marketing_messages_link_click_ratio:ratio{{{ANY}}} {ACCOUNT_NAME}", "percentunit", 2),
        ("Cost per click", f"account:marketing_messages_cost_per_link_click:ratio{{{ANY_MONEY}}} {ACCOUNT_NAME}", "none", 3),
    ], {"account_name": "Account", "account_id": "Id", "source": "Source", "window": "Window", "currency": "Currency"}),
    lines("Spend", 12, "Spent in the window, account by account.",
          [(f"account:marketing_messages_spend:sum{{{MONEY}}} {ACCOUNT_NAME}", "{{account_name}} {{currency}}")], "none", 2),
    lines("Cost per click", 12, "Spend by link clicks in the window, account by account.",
          [(f"account:marketing_messages_cost_per_link_click:ratio{{{MONEY}}} {ACCOUNT_NAME}", "{{account_name}} {{currency}}")],
          "none", 3),
    lines("Delivered", 12, "Messages delivered in the window, account by account.",
          [(f"account:marketing_messages_delivered:sum{{{WINDOW}}} {ACCOUNT_NAME}", "{{account_name}}")], "locale", 0),
    lines("Click ratio", 12, "Link clicks for each delivered message in the window, account by account.",
          [(f"account:marketing_messages_link_click_ratio:ratio{{{WINDOW}}} {ACCOUNT_NAME}", "{{account_name}}")],
          "percentunit", 2),
    table("Top movers", 24, 9, "Campaigns whose clicks became dearest: the shortest window with enough clicks against what is "
          "usual. 1 is as usual.", [
              ("Times the usual", f"topk(12, campaign:marketing_messages_cost_per_link_click:rise{{{ACCOUNTS}}}) {CAMPAIGN_NAME}", "none", 2),
              ("Cost per click", f"campaign:marketing_messages_cost_per_link_click:recent{{{ACCOUNTS}}} {CAMPAIGN_NAME} "
               f"and on (source, account_id, campaign_id) topk(12, campaign:marketing_messages_cost_per_link_click:rise{{{ACCOUNTS}}})", "none", 3),
          ], {"campaign_name": "Campaign", "campaign_id": "Id", "account_id": "Account", "window": "Window", "currency": "Currency"},
          "Times the usual", {"Campaign": CAMPAIGN_LINK}),
]

CAMPAIGN_PANELS = [
    stat("Campaign", 9, "Name and state.", f"campaign:marketing_messages_name:info{{{ONE}}}", "none", None,
         "{{campaign_name}}  {{status}}", mappings=[{"type": "value", "options": {"1": {"text": " ", "index": 0}}}]),
    stat("Cost per click", 5, "Of the shortest window that has enough clicks.",
         f"campaign:marketing_messages_cost_per_link_click:recent{{{ONE}}}", "none", 3, "{{window}} {{currency}}"),
    stat("Usual cost per click", 5, "Of the long window that it is compared with.",
         f"max by (currency) (campaign:marketing_messages_cost_per_link_click:usual{{{ONE}}})", "none", 3, "{{currency}}"),
    stat("Times the usual", 5, "The first by the second. An alert fires at 1.3, or at your own threshold.",
         f"campaign:marketing_messages_cost_per_link_click:rise{{{ONE}}}", "none", 2,
         steps=[("green", None), ("orange", 1.15), ("red", 1.3)]),
    table("Windows", 24, 7, "The same figures in every window that is polled. Windows overlap: never add them up.", [
        ("Delivered", f"max by (window) (marketing_messages_delivered{{{ONE}}})", "locale", 0),
        ("Link clicks", f"max by (window) (marketing_messages_link_clicks{{{ONE}}})", "locale", 0),
        ("Click ratio", f"max by (window) (marketing_messages_link_click_ratio{{{ONE}}})", "percentunit", 2),
        ("Read ratio", f"max by (window) (marketing_messages_read_ratio{{{ONE}}})", "percentunit", 2),
        ("Spend", f"max by (window, currency) (marketing_messages_spend{{{ONE}}})", "none", 2),
        ("Cost per message", f"max by (window, currency) (marketing_messages_cost_per_delivered{{{ONE}}})", "none", 4),
        ("Cost per click", f"max by (window, currency) (marketing_messages_cost_per_link_click{{{ONE}}})", "none", 3),
    ], {"window": "Window", "currency": "Currency"}),
    lines("Cost per click", 12, "As the API counts it, window by window.",
          [(f"max by (window, currency) (marketing_messages_cost_per_link_click{{{ONE}}})", "{{window}} {{currency}}")], "none", 3),
    lines("Cost of the last clicks", 12, "What was spent within the last quarter of an hour or more, by the clicks within it. It "
          "moves before the day's mean does.",
          [(f'sum by (currency) (delta(marketing_messages_spend{{{ONE}, window=~"today|unspecified"}}[$last])) / on () '
            f'group_left () (sum(delta(marketing_messages_link_clicks{{{ONE}, window=~"today|unspecified"}}[$last])) > 0)',
            "{{currency}}")], "none", 3),
    lines("Spend", 12, "In the chosen window.",
          [(f'max by (currency) (marketing_messages_spend{{{ONE}, window="$window"}})', "{{currency}}")], "none", 2),
    lines("Delivered and clicked", 12, "In the chosen window.",
          [(f'max(marketing_messages_delivered{{{ONE}, window="$window"}})', "delivered"),
           (f'max(marketing_messages_link_clicks{{{ONE}, window="$window"}})', "link clicks")], "locale", 0),
    lines("Click ratio", 12, "Link clicks for each delivered message, window by window.",
          [(f"max by (window) (marketing_messages_link_click_ratio{{{ONE}}})", "{{window}}")], "percentunit", 2),
    lines("Read ratio", 12, "Messages read for each delivered message, window by window.",
          [(f"max by (window) (marketing_messages_read_ratio{{{ONE}}})", "{{window}}")], "percentunit", 2),
]

TARGET = "source, credential, account_id, target, window"
EXPORTER = [
    stat("Targets", 4, "Targets that are polled.", f"count({OWN}target_up{{{ACCOUNTS}}})", "none", 0),
    stat("Failing", 4, "Targets whose last poll failed.",
         f"count({OWN}target_up{{{ACCOUNTS}}} == 0) or vector(0)", "none", 0, steps=[("green", None), ("orange", 1), ("red", 5)]),
    stat("Oldest figures", 4, "Time since the target that waits longest was polled with success.",
         "max(target:marketing_messages_data:age_seconds{" + ACCOUNTS + "})", "s", 0,
         steps=[("green", None), ("orange", 3600), ("red", 14400)]),
    stat("Allowance used", 4, "The fullest allowance of any account, by all who use it.",
         f"max({OWN}api_usage_ratio{{{ACCOUNTS}}})", "percentunit", 1, steps=[("green", None), ("orange", 0.75), ("red", 0.95)]),
    stat("Series", 4, "Samples of campaigns and accounts that are served.", f"sum({OWN}samples{{{CREDENTIALS}}})", "locale", 0),
    stat("Rejected", 4, "Values that could not be read, and series that were left out, within a day.",
         f"sum(increase({OWN}series_dropped_total{{{CREDENTIALS}}}[1d])) + (sum(increase({OWN}samples_rejected_total[1d])) or vector(0))",
         "none", 0, steps=RED_ABOVE(1)),
    table("Exporters", 12, 5, "Each instance links to its status page.",
          [("Up since", f"max by (instance) (process_start_time_seconds and on (job, instance) {OWN}build_info) * 1000 "
            f"* on (instance) group_left (version) max by (instance, version) ({OWN}build_info)", "dateTimeAsIso", None)],
          {"instance": "Instance", "version": "Version"}, links={"Instance": STATUS_LINK}),
    table("Credentials", 12, 5, "Whether the API accepts them, when they were last read anew, and the days that a token has left; "
          "none where it never expires or nothing is known.", [
              ("Valid", f"min by (source, credential) ({OWN}credential_valid{{{CREDENTIALS}}})", "bool_yes_no", None),
              ("Read", f"max by (source, credential) ({OWN}credential_last_read_timestamp_seconds{{{CREDENTIALS}}}) * 1000", "dateTimeFromNow", None),
              ("Days left", f"(min by (source, credential) ({OWN}credential_expires_timestamp_seconds{{{CREDENTIALS}}}) - time()) / 86400 "
               f"or min by (source, credential) ({OWN}credential_valid{{{CREDENTIALS}}}) * 0 - 1", "none", 0),
          ], {"credential": "Credential", "source": "Source"}),
    lines("Requests against the allowance", 12, "Requests an hour that the configured intervals take (demand), and that the budget allows.",
          [(lane(f"max by (source, account_id) ({OWN}api_demand_requests_per_hour{{{CREDENTIALS}}})"), "demand {{lane}}"),
           (lane(f"max by (source, account_id) ({OWN}api_allowance_requests_per_hour{{{CREDENTIALS}}})"), "allowed {{lane}}")],
          "locale", 0),
    lines("Allowance used", 12, "Share of each account's fullest allowance, as the API's headers tell.",
          [(f"max by (source, account_id) ({OWN}api_usage_ratio{{{ACCOUNTS}}})", "{{source}} {{account_id}}")], "percentunit", 1),
    lines("Blocked", 12, "1 while the API refuses requests of an account and none is sent.",
          [(lane(f"max by (source, account_id) ({OWN}api_blocked_until_timestamp_seconds{{{CREDENTIALS}}} > bool time()) "
                 f"or 0 * max by (source, account_id) ({OWN}api_allowance_requests_per_hour{{{CREDENTIALS}}})"), "{{lane}}")],
          "none", 0, lineInterpolation="stepAfter", axisSoftMax=1),
    lines("Failed polls", 12, "Polls that failed within the interval, by reason.",
          [(f"sum by (reason) (increase({OWN}poll_failures_total{{{CREDENTIALS}}}[$__rate_interval]))", "{{reason}}")], "none", 1, axisSoftMax=1),
    lines("Requests", 12, "Requests a second, by endpoint and answer.",
          [(f"sum by (endpoint, code) (rate({OWN}api_requests_total{{{CREDENTIALS}}}[$__rate_interval]))", "{{endpoint}} {{code}}")],
          "reqps", 2),
    lines("Duration of a request", 12, "The half and the slowest twentieth take longer.",
          [(f"histogram_quantile({quantile}, sum by (source, le) (rate({OWN}api_request_duration_seconds_bucket{{{CREDENTIALS}}}[$__rate_interval])))",
            f"{{{{source}}}} {name}") for quantile, name in ((0.5, "median"), (0.95, "95 %"))], "s", 2),
    lines("Age of the figures", 12, "Of each account's oldest target. It rises until the next poll and falls to 0.",
          [(f"max by (source, account_id) (target:marketing_messages_data:age_seconds{{{ACCOUNTS}}})", "{{source}} {{account_id}}")], "s", 0),
    lines("Memory", 12, "Resident memory of the exporter.",
          [(f"process_resident_memory_bytes and on (job, instance) {OWN}build_info", "{{instance}}")], "bytes", 1),
    table("Targets", 24, 10, "What is polled, and how it went.", [
        ("Up", f"min by ({TARGET}) ({OWN}target_up{{{ACCOUNTS}}})", "bool_yes_no", None),
        ("Age", f"target:marketing_messages_data:age_seconds{{{ACCOUNTS}}}", "s", 0),
        ("Interval", f"max by ({TARGET}) ({OWN}target_poll_interval_seconds{{{ACCOUNTS}}})", "s", 0),
        ("Failures in a row", f"max by ({TARGET}) ({OWN}target_consecutive_failures{{{ACCOUNTS}}})", "none", 0),
        ("Rows", f"max by ({TARGET}) ({OWN}target_rows{{{ACCOUNTS}}})", "locale", 0),
    ], {"source": "Source", "credential": "Credential", "account_id": "Account", "target": "Target", "window": "Window"}, "Age"),
]

LAST = {"name": "last", "label": "Last", "type": "interval", "query": "15m,1h,3h,6h,1d", "hide": 0, "refresh": 2,
        "current": {"text": "1h", "value": "1h"}, "options": [{"text": text, "value": text, "selected": text == "1h"}
                                                              for text in ("15m", "1h", "3h", "6h", "1d")]}


def filled(expression, values):
    """A query as a browser would send it, for those who try it elsewhere."""
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], expression)


# ---- dashboards

def annotation(name, expr, title, text, color):
    return {"name": name, "datasource": SOURCE, "enable": True, "expr": expr, "iconColor": color, "titleFormat": title,
            "textFormat": text, "step": "60s", "useValueForTime": False}


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


def dashboard(uid, title, description, variables, panels, annotations):
    links = [{"type": "dashboards", "title": "Marketing messages", "tags": [TAG], "asDropdown": False, "includeVars": True,
              "keepTime": True, "targetBlank": False, "icon": "external link"}]
    return {
        "uid": uid, "title": title, "description": description, "tags": [TAG], "schemaVersion": 39, "editable": True,
        "graphTooltip": 1, "refresh": "1m", "time": {"from": "now-24h", "to": "now"}, "timezone": "browser", "links": links,
        "templating": {"list": [DATASOURCE, *variables]}, "annotations": {"list": annotations}, "panels": laid_out(panels),
    }


def dashboards():
    firing = f'{ALERTS}{{alertname=~"MarketingMessages.*", alertstate="firing"'
    return [
        dashboard("mme-overview", "Marketing messages: overview", "Accounts, spend, cost per click, and what moves.",
                  [SOURCES, ACCOUNT, WINDOWS, CURRENCY], OVERVIEW,
                  [annotation("Alerts", f'{firing}, severity="critical"}}', "{{alertname}}", "{{campaign_name}} {{account_id}}", "red")]),
        dashboard("mme-campaign", "Marketing messages: campaign", "Everything about one campaign, windows side by side.",
                  [SOURCES, ACCOUNT, CAMPAIGN, WINDOWS, LAST], CAMPAIGN_PANELS,
                  [annotation("Alerts", f'{firing}, campaign_id="$campaign"}}', "{{alertname}}", "{{campaign_name}}, {{window}}", "red"),
                   annotation("A new day", f'changes(marketing_messages_window_start_timestamp_seconds{{{ACCOUNTS}, window="today"}}[2m]) > 0 '
                              f'and on (source, account_id) marketing_messages_campaign_info{{{ONE}}}',
                              "A new day", "today begins anew", "blue")]),
        dashboard("mme-exporter", "Marketing messages: exporter", "Targets, allowance, credentials and faults.",
                  [SOURCES, ACCOUNT], EXPORTER,
                  [annotation("Alerts", f'{firing}, campaign_id=""}}', "{{alertname}}", "{{account_id}} {{credential}}", "red")]),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
    check = parser.parse_args().check
    stale = []
    for board in dashboards():
        file = FOLDER / f"{board['uid'].removeprefix('mme-')}.json"
        text = json.dumps(board, indent=2, ensure_ascii=False) + "\n"
        if not file.exists() or file.read_text() != text:
            stale.append(file.name)
            if not check:
                file.write_text(text)
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()
