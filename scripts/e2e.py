#!/usr/bin/env python3
"""Runs the demo under a real Prometheus and Alertmanager, with the files as they are shipped.

Needs prometheus, promtool and prometheus-alertmanager (scripts/install-peers.sh) and nothing beyond Python's standard
library. Everything that it starts is stopped at its end, and its files lie in a temporary directory.
"""

import gzip
import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dashboards import dashboards
from grafana.queries import DAY, filled, hastened
from lib.checks import Checks, run
from lib.command import command_line
from lib.process import ROOT
from lib.web import Series, get, query
from lib.world import Daemon
from stack import Stack, shortened

Queries = Sequence[tuple[str, Series]]

JOB = "marketing-messages"
DELIVERED_TODAY = 'marketing_messages_delivered{window="today"}'

# The campaigns of the demo whose clicks become dear and that delivers no more, and the account that is throttled.
CLIMBING = {"account_id": "2398765432", "campaign_id": "120201432000000"}
CLIMBING_NAME = "Spring sale"
STOPPED = {"account_id": "2398765432", "campaign_id": "120201432000001"}
THROTTLED = "2398765433"
EXPIRING = "growth"

# What the thresholds of the stack raise as soon as it runs.
OF_OWN_THRESHOLDS = {
    "MarketingMessagesMonthlyBudgetExceeded": {"account_id": "2398765432"},
    "MarketingMessagesThresholdRefused": {"threshold": "cost_rise"},
}
# Recorded once there are seven days before today.
WEEK = "account:marketing_messages_spend:expected_least"

DATA = 60  # seconds until Prometheus has to know something
CHANGE = 180  # seconds until a figure has to change
STOP = 5  # seconds from SIGTERM to the end


def default_families(reference: str) -> list[str]:
    """The campaign and account families that are on without being asked for, from the reference's tables."""
    families: list[str] = []
    section, columns = "", list[str]()
    for line in reference.splitlines():
        if line.startswith("## "):
            section, columns = line[3:], []
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: ") or section == "The exporter itself":
            continue
        if not columns:
            columns = cells
            continue
        row = dict(zip(columns, cells, strict=True))
        if row.get("on by", "default") == "default":
            families.append(row["family"].strip("`"))
    return families


def start(checks: Checks, stack: Stack) -> None:
    stack.start_exporter()
    checks.that(True, "the demo is ready")
    stack.start_alertmanager()
    stack.start_prometheus()
    stack.start_second_prometheus()
    url = stack.prometheus
    stack.wait("the target is up", DATA, lambda: query(url, f'up{{job="{JOB}"}} == 1'))
    stack.wait("a query returns data", DATA, lambda: query(url, DELIVERED_TODAY))
    checks.that(True, "Prometheus scrapes with the shipped configuration, and Alertmanager listens")


def check_text(checks: Checks, address: str) -> None:
    status, headers, body = get(f"http://{address}/metrics")
    checks.that(status == 200, "GET /metrics is 200", str(status))
    content_type = headers.get("Content-Type", "")
    checks.that(content_type.startswith("text/plain; version=0.0.4"), "plain text is the default", content_type)
    lint = subprocess.run(["promtool", "check", "metrics"], check=False, input=body, capture_output=True, timeout=60)
    findings = (lint.stdout + lint.stderr).decode(errors="replace")
    if findings:
        print(findings, end="")
    checks.that(lint.returncode == 0, "promtool check metrics", f"status {lint.returncode}")


def check_open_metrics(checks: Checks, address: str) -> None:
    accepted = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    status, headers, body = get(f"http://{address}/metrics", accepted)
    content_type = headers.get("Content-Type", "")
    wanted = "application/openmetrics-text; version=1.0.0"
    checks.that(status == 200 and content_type.startswith(wanted), "OpenMetrics is served when asked for", content_type)
    encoding = headers.get("Content-Encoding", "")
    checks.that(encoding == "gzip", "gzip is served when accepted", f"Content-Encoding: {encoding}")
    text = gzip.decompress(body).decode()
    checks.that(text.endswith("\n# EOF\n") and text.count("# EOF") == 1, "OpenMetrics ends in # EOF", text[-200:])


def check_families(checks: Checks, binary: Path, prometheus: str) -> None:
    reference = subprocess.run([binary, "metrics"], check=True, capture_output=True, text=True, timeout=60).stdout
    families = default_families(reference)
    known = {"delivered", "account_delivered", "window_start_timestamp_seconds", "campaign_info", "account_info"}
    missing = {f"marketing_messages_{name}" for name in known} - set(families)
    checks.that(not missing, "the reference lists the default families", f"not found: {sorted(missing)}")
    counts = {}
    for family in families:
        result = query(prometheus, f"count({family})")
        counts[family] = int(result[0][1]) if result else 0
    width = max(map(len, families))
    print(f"     {'family':<{width}}  series")
    for family, count in counts.items():
        print(f"     {family:<{width}}  {count:>6}")
    empty = [family for family, count in counts.items() if count == 0]
    checks.that(not empty, f"all {len(families)} default families have series", f"without: {', '.join(empty)}")


def check_life(checks: Checks, stack: Stack) -> None:
    def values() -> dict[tuple[tuple[str, str], ...], float]:
        return {tuple(sorted(labels.items())): value for labels, value in query(stack.prometheus, DELIVERED_TODAY)}

    first = values()
    moved = stack.wait(
        f"a value of {DELIVERED_TODAY} changes",
        CHANGE,
        lambda: sum(labels in first and first[labels] != value for labels, value in values().items()),
    )
    checks.that(moved > 0, f"figures follow the API: {moved} of {len(first)} series changed")
    up = query(stack.prometheus, f'up{{job="{JOB}"}}')
    checks.that([value for _, value in up] == [1.0], "up is 1", str(up))


def check_stop(checks: Checks, exporter: Daemon) -> None:
    started = time.monotonic()
    status = exporter.end(STOP)
    checks.that(status == 0, f"SIGTERM ends it with status 0 ({time.monotonic() - started:.1f} s)", f"status {status}")
    checks.that("panicked" not in exporter.output(), "nothing panicked")


class Watch:
    """When alerts reached the webhook and when they were resolved there, as seconds since the scene began."""

    def __init__(self, stack: Stack, began: float | None = None) -> None:
        self.stack, self.began = stack, time.monotonic() if began is None else began
        self.table: list[tuple[str, float, float]] = []

    def seen(self, status: str, alert: str, labels: dict[str, str]) -> tuple[float, str, Any] | None:
        """The first such notification of this scene, as (seconds, path, alert)."""
        for at, path, body in self.stack.webhook.received:
            for one in body["alerts"]:
                named = {**labels, "alertname": alert}
                if at >= self.began and one["status"] == status and named.items() <= one["labels"].items():
                    return at - self.began, path, one
        return None

    def fires(self, alert: str, **labels: str) -> tuple[float, str, Any]:
        return self.stack.wait(f"{alert} reaches the webhook", 60, lambda: self.seen("firing", alert, labels))

    def resolves(self, alert: str, fired: float, since: float, **labels: str) -> None:
        found = self.stack.wait(f"{alert} is resolved", 90, lambda: self.seen("resolved", alert, labels))
        self.table.append((alert, fired, found[0] - since))

    def now(self) -> float:
        return time.monotonic() - self.began


def check_alerts(checks: Checks, stack: Stack) -> None:
    """The demo's stories, told at once by moving the clock of the simulated world."""
    rising, refused = "MarketingMessagesCostPerClickRising", "MarketingMessagesCredentialInvalid"
    throttled, stopped = "MarketingMessagesAccountThrottled", "MarketingMessagesDeliveryStopped"
    for alert, labels in OF_OWN_THRESHOLDS.items():
        Watch(stack, stack.began).fires(alert, **labels)
    checks.that(True, "a budget of one's own is watched, and a threshold with a wrong label is named")
    stack.wait("a week is over", CHANGE, lambda: query(stack.prometheus, WEEK))
    watch = Watch(stack)
    risen = query(stack.prometheus, f'ALERTS{{alertname="{rising}"}}')
    checks.that(not risen, "before anything happens, no cost per click has risen", str(risen))

    # Its clicks cost 2.5 times the usual now, another campaign of the account has stopped, the throttled account is
    # refused for half a minute, and a token has died; a new one comes after a while.
    stack.change({"set_offset": 452 - stack.elapsed()})
    began = watch.now()
    dear, path, first = watch.fires(rising, **CLIMBING)
    text = first["annotations"]["summary"] + " " + first["annotations"]["description"]
    checks.that(CLIMBING_NAME in text and "EUR" in text, f"{rising} reaches a webhook with the campaign's name", text)
    checks.that(path == "/team", "its severity routes it", path)
    print(f"     {first['annotations']['description']}")
    blocked, _, _ = watch.fires(throttled, account_id=THROTTLED)
    dead, path, _ = watch.fires(refused, credential=EXPIRING)
    checks.that(path == "/on-call", "a dead token is for whoever is on call", path)
    still, _, _ = watch.fires(stopped, **STOPPED)
    for alert, fired, labels in [
        (throttled, blocked, {"account_id": THROTTLED}),
        (refused, dead, {"credential": EXPIRING}),
        (stopped, still, STOPPED),
    ]:
        watch.resolves(alert, fired - began, began, **labels)
    checks.that(True, "a throttled account, a dead token and a silent campaign raise their alerts and are resolved")
    check_rules(checks, stack)
    check_panels(checks, stack)
    check_variables(checks, stack)
    check_documents(checks, stack)
    check_pair(checks, stack)

    # The cost is as usual again.
    since = watch.now()
    stack.change({"set_offset": 602 - stack.elapsed()})
    watch.resolves(rising, dear - began, since, **CLIMBING)
    checks.that(True, "the risen cost is resolved when it falls")
    check_outage(checks, stack, watch)
    print(f"     {'alert':<38}  fired after  resolved after")
    for name, fired, resolved in watch.table:
        print(f"     {name:<38}  {fired:>9.1f} s  {resolved:>12.1f} s")
    dear_ones = {
        one["labels"]["campaign_id"]
        for _, _, body in stack.webhook.received
        for one in body["alerts"]
        if one["labels"]["alertname"] == rising
    }
    checks.that(dear_ones == {CLIMBING["campaign_id"]}, "no other campaign's clicks have become dear", dear_ones)
    others = {one["labels"]["alertname"] for _, _, body in stack.webhook.received for one in body["alerts"]}
    print(f"     beside them: {', '.join(sorted(others - {name for name, _, _ in watch.table}))}")


def check_outage(checks: Checks, stack: Stack, watch: Watch) -> None:
    """Every account of Meta fails, and then none."""
    alert, since = "MarketingMessagesApiUnavailable", watch.now()
    down = {"raw": {"status": 503, "body": "", "headers": []}}
    stack.change({"fault": {"endpoint": "insights", "times": 1_000_000, "fault": down}})
    fired, path, _ = watch.fires(alert, source="meta")
    checks.that(path == "/on-call", "an API that is down is for whoever is on call", path)
    up = watch.now()
    stack.change({"calm": None})
    watch.resolves(alert, fired - since, up, source="meta")
    checks.that(True, "an API that is down raises one alert, and is resolved when it is up")


def check_rules(checks: Checks, stack: Stack) -> None:
    """Every rule is evaluated without an error, and every recording rule records."""
    _, _, body = get(f"{stack.prometheus}/api/v1/rules")
    rules = [rule for group in json.loads(body)["data"]["groups"] for rule in group["rules"]]
    ill = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]
    checks.that(not ill, f"all {len(rules)} rules are evaluated", "\n".join(ill))
    # Nothing of this happens, and nothing should.
    quiet = {
        "target:marketing_messages_data:stale_seconds",
        "campaign:marketing_messages_spend:without_clicks",
        "campaign:marketing_messages_cost_per_link_click:high",
        "campaign:marketing_messages_read_ratio:fall",
        "campaign:marketing_messages_website_purchase_roas:low",
    }
    recorded = sorted({rule["name"] for rule in rules if rule["type"] == "recording"} - quiet)
    table(
        checks, "recording rules", [(name, query(stack.prometheus, f"last_over_time({name}[1m])")) for name in recorded]
    )


def panel_queries() -> Iterator[tuple[str, str]]:
    """Every query of every panel as (name, expression), for the demo's campaign that climbs."""
    values = {
        "source": ".*",
        "account": ".*",
        "campaign": CLIMBING["campaign_id"],
        "window": "today",
        "currency": ".*",
        "last": "30s",
        "least": "1",
        "__rate_interval": "30s",
        "__range": "1m",
    }
    for board in dashboards():
        for panel in board["panels"]:
            for number, target in enumerate(panel["targets"], 1):
                expression = hastened(filled(target["expr"], values))
                name = f"{board['uid']}: {panel['title']}" + (f" ({number})" if len(panel["targets"]) > 1 else "")
                yield name, expression


QUIET = "mme-exporter: Alerts that fire"


def check_panels(checks: Checks, stack: Stack) -> None:
    """Every query of every panel returns data."""
    results = [(name, query(stack.prometheus, expression)) for name, expression in panel_queries()]
    # Perhaps nothing about the exporter fires just now; the same query about campaigns must find something.
    table(checks, "queries of panels", [one for one in results if one[0] != QUIET or one[1]])


# What two exporters do twice: their own panels, and requests, which all count against one allowance.
TWICE = {
    "Exporters",
    "Failed polls",
    "Requests",
    "Series of a scrape",
    "Duration of a scrape",
    "Memory",
    "Firing alerts",
    "Alerts that fire",
    "Duration of the rules",
    "Missed rounds of the rules",
    "Age of the figures",
    "Oldest figures",
}


def check_pair(checks: Checks, stack: Stack) -> None:
    """With two exporters every query is understood, has data, and counts nothing twice."""
    stack.wait(
        "both exporters are scraped",
        DATA,
        lambda: len(query(stack.pair, f'up{{job="{JOB}"}} == 1')) == 2,
    )
    queries = [one for one in [*panel_queries(), *recipes()] if one[0] != QUIET]
    # The rules of the pair have seen as much as the queries look back.
    stack.wait(
        "the pair has a past",
        CHANGE,
        lambda: query(stack.pair, "min_over_time(up[60s]) and up offset 60s"),
    )
    both = [(name, query(stack.prometheus, expression), query(stack.pair, expression)) for name, expression in queries]
    table(checks, "queries with two exporters", [(name, pair) for name, _, pair in both])
    for _, expression in recipes("README.md"):
        query(stack.pair, expression)
    twice = [
        name
        for name, one, pair in both
        if name.split(": ")[-1].split(" (")[0] not in TWICE and len(one) and len(pair) == 2 * len(one)
    ]
    checks.that(not twice, "two exporters make no second row", "\n".join(twice))

    def total(result: Series) -> float:
        return sum(value for _, value in result if value == value)

    # Figures move between two queries, by a few per cent and never to the double.
    double = [
        f"{name}: {total(one)} and {total(pair)}"
        for name, one, pair in both
        if name.split(": ")[-1].split(" (")[0] not in TWICE and total(one) > 0 and 1.8 < total(pair) / total(one) < 2.2
    ]
    checks.that(not double, f"all {len(both)} queries count once what two exporters serve", "\n".join(double))


def check_variables(checks: Checks, stack: Stack) -> None:
    """Every variable of every dashboard has choices, and those by name have ids and names."""
    results: list[tuple[str, Series]] = []
    for board in dashboards():
        for variable in board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            asked = filled(variable["definition"], {"source": ".*", "account": ".*", "campaign": ".*"})
            label = re.fullmatch(r"label_values\((.+), (\w+)\)", asked)
            if label:
                series = query(stack.prometheus, f"group by ({label[2]}) ({label[1]})")
                choices = [labels.get(label[2], "") for labels, _ in series]
            else:
                series = query(stack.prometheus, asked.removeprefix("query_result(").removesuffix(")"))
                pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
                # As Grafana writes a series: its labels in order, nothing escaped.
                texts = [
                    "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "} 1"
                    for labels, _ in series
                ]
                found = [pattern.search(text) for text in texts]
                wanted = {
                    (labels[f"{variable['name']}_id"], labels[f"{variable['name']}_name"]) for labels, _ in series
                }
                named = {(match["value"], match["text"]) for match in found if match}
                choices = [value for value, _ in named]
                checks.that(named == wanted, f"{board['uid']}: every {variable['name']} has an id and a name")
            results.append((f"{board['uid']}: ${variable['name']}", [({"choice": choice}, 1.0) for choice in choices]))
    table(checks, "variables", results)


def queries(file: Path) -> list[str]:
    return re.findall(r"(?s)```promql\n(.*?)\n```", file.read_text())


def recipes(file: str = "docs/cookbook.md") -> Iterator[tuple[str, str]]:
    """A document's queries as (beginning, expression); a block may have several, each after a comment."""
    for recipe in (one for block in queries(ROOT / file) for one in re.split(r"(?m)^#.*$", block) if one.strip()):
        recipe = shortened(recipe.replace(DAY, "[1d]"))
        yield " ".join(recipe.split())[:90], recipe


def check_documents(checks: Checks, stack: Stack) -> None:
    """Every recipe returns data; every query of a runbook is one."""
    table(
        checks,
        "recipes",
        [(name, query(stack.prometheus, recipe)) for name, recipe in [*recipes(), *recipes("README.md")]],
    )
    count = 0
    for runbook in sorted((ROOT / "docs/runbooks").glob("*.md")):
        for expression in queries(runbook):
            query(stack.prometheus, shortened(expression))
            count += 1
    checks.that(count > 0, f"all {count} queries of the runbooks are understood")


def table(checks: Checks, what: str, results: Queries) -> None:
    """Prints how many series each query returned, and wants some of each, with numbers."""
    print(f"     {what:<90}  series")
    for name, result in results:
        print(f"     {name:<90}  {len(result):>6}")
    empty = [name for name, result in results if not any(value == value for _, value in result)]
    checks.that(not empty, f"all {len(results)} {what} return data", "\n".join(empty))


def whole(checks: Checks, binary: str) -> None:
    with Stack(binary) as stack:
        start(checks, stack)
        check_text(checks, stack.address)
        check_families(checks, stack.binary, stack.prometheus)
        check_life(checks, stack)
        check_open_metrics(checks, stack.address)
        check_alerts(checks, stack)
        check_stop(checks, stack.exporter)


if __name__ == "__main__":
    arguments = command_line(__doc__).parse_args()
    run("e2e", lambda checks: whole(checks, arguments.binary))
