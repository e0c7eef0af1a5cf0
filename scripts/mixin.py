#!/usr/bin/env python3
"""Builds deploy/mixin: by default it is the shipped files, and each key of its configuration does its work.

Runs under the Python that has gojsonnet (scripts/mixin.sh), and needs promtool.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _gojsonnet

from lib.checks import Checks, run
from lib.process import ROOT

Files = Mapping[str, str]

MIXIN = ROOT / "deploy/mixin"
SHIPPED = {
    "rules": (ROOT / "deploy/prometheus/rules", "*.yml"),
    "dashboards": (ROOT / "deploy/grafana/dashboards", "*.json"),
}
ALERT = "MarketingMessagesDataStale"


def files(config: str | None = None) -> dict[str, str]:
    """What a configuration makes, by name."""
    tla = {"config": config} if config else {}
    made: dict[str, str] = json.loads(_gojsonnet.evaluate_file(str(MIXIN / "files.jsonnet"), tla_codes=tla))
    return made


def mixin(expression: str, config: str = "{}") -> Any:
    """A part of the mixin as its users take it in."""
    source = f"local mixin = (import 'mixin.libsonnet') {{ _config+:: {config} }}; {expression}"
    return json.loads(_gojsonnet.evaluate_snippet(str(MIXIN / "check.jsonnet"), source))


def changed(before: Files, after: Files) -> list[tuple[str, str]]:
    """Lines of all files that a configuration changed, as (was, is)."""
    pairs = []
    for name, text in before.items():
        old, new = text.split("\n"), after[name].split("\n")
        pairs += (
            [(a, b) for a, b in zip(old, new, strict=True) if a != b] if len(old) == len(new) else [(name, after[name])]
        )
    return pairs


def check_with_promtool(checks: Checks, made: Files, what: str) -> None:
    """The rules that a configuration makes are rules."""
    with tempfile.TemporaryDirectory(prefix="marketing-messages-mixin-") as folder:
        paths = []
        for name, text in made.items():
            if name.startswith("rules/"):
                path = Path(folder) / Path(name).name
                path.write_text(text)
                paths.append(str(path))
        command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *paths]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    checks.that(ran.returncode == 0, what, ran.stdout + ran.stderr)


def check_shipped(checks: Checks) -> Files:
    made = files()
    wanted: dict[str, str] = {}
    for kind, (folder, pattern) in SHIPPED.items():
        wanted |= {f"{kind}/{file.name}": file.read_text() for file in folder.glob(pattern)}
    checks.that(sorted(made) == sorted(wanted), f"the mixin makes all {len(wanted)} shipped files")
    differing = [name for name, text in wanted.items() if made[name] != text]
    checks.that(
        not differing,
        "they are the shipped ones byte for byte" + (f", but {', '.join(differing)}" if differing else ""),
    )
    return made


def check_keys(checks: Checks, shipped: Files) -> None:
    rises = [line for _, line in changed(shipped, files("{ thresholds: { cost_rise: 1.75 } }"))]
    checks.that(
        len(rises) == 1 and "threshold: cost_rise}" in rises[0] and 'expr: "1.75"' in rises[0],
        "a threshold changes its line alone",
    )
    rupees = [line for _, line in changed(shipped, files("{ thresholds: { minimum_spend: { INR: 800 } } }"))]
    checks.that(
        len(rupees) == 1 and "currency: INR" in rupees[0] and 'expr: "800"' in rupees[0],
        "a threshold of a currency changes that of the currency",
    )
    for config, told in (
        ("{ thresholds: { cost_rize: 2 } }", "cost_rise"),
        ("{ alerts: { MarketingMessagesStale: {} } }", ALERT),
    ):
        try:
            files(config)
            refused = ""
        except RuntimeError as error:
            refused = str(error)
        checks.that(
            "unknown" in refused and told in refused,
            f"a name that does not exist is refused, with those that do: {config}",
        )

    pattern = "https://wiki.example.net/%s?run"
    made = files(f"{{ runbookURLPattern: '{pattern}' }}")
    urls = re.findall(r"- alert: (\w+)|runbook_url: (\S+)", "\n".join(made.values()))
    alerts, links = [name for name, _ in urls if name], [url for _, url in urls if url]
    checks.that(
        alerts and links == [pattern.replace("%s", name) for name in alerts],
        f"all {len(alerts)} runbooks are where the pattern says",
    )
    checks.that(
        "example/marketing-messages-exporter/blob" not in "".join(made.values()), "no link leads to the old place"
    )

    made = files("{ grafanaURL: 'https://charts.example.net/g', statusURLPattern: 'https://%s/status' }")
    checks.that(
        "grafana.example.com" not in "".join(made.values())
        and "https://${__data.fields.Instance}/status" in made["dashboards/exporter.json"],
        "links lead to the dashboards and status pages of the installation",
    )

    before = dict(re.findall(r"- alert: (\w+)\n((?:.*\n)*?)        labels:", "".join(shipped.values())))
    made = files(f"{{ alerts: {{ {ALERT}: {{ 'for': '17m', keep_firing_for: '23m', severity: 'critical' }} }} }}")
    after = dict(re.findall(r"- alert: (\w+)\n((?:.*\n)*?)        labels:", "".join(made.values())))
    others = {name for name in before if before[name] != after[name]}
    checks.that(
        others == {ALERT} and after[ALERT].count("for: 17m") == 1 and after[ALERT].count("keep_firing_for: 23m") == 1,
        "the times of one alert change, and those of no other",
    )
    check_with_promtool(checks, made, "promtool takes them")

    made = files("{ interval: '77s', tags: ['sales'], refresh: '5m', timezone: 'utc' }")
    rules = "".join(text for name, text in made.items() if name.startswith("rules/"))
    checks.that(rules.count("interval: 77s") == rules.count("\n  - name: "), "every group has the interval")
    check_with_promtool(checks, made, "promtool takes the interval")
    boards = [json.loads(text) for name, text in made.items() if name.startswith("dashboards/")]
    checks.that(
        all(
            board["tags"] == ["sales"]
            and board["links"][0]["tags"] == ["sales"]
            and board["refresh"] == "5m"
            and board["timezone"] == "utc"
            for board in boards
        ),
        "dashboards have the tags, the refresh and the time zone",
    )


def unselected(text: str) -> list[str]:
    """The exporter's families in queries that lack the matcher; comments aside."""
    queries = re.sub(r"(?m)^\s*#.*$", "", text).replace('\\"', '"')
    return re.findall(r"(?<![\w:])marketing_messages_\w+(?![\w:])(?!\{cluster=)", queries)


def check_selector(checks: Checks, shipped: Files) -> None:
    made = files("{ exporterSelector: 'cluster=\"eu\"' }")
    bare = {name: found for name, text in made.items() if (found := unselected(text))}
    checks.that(not bare, "every family that the exporter serves gets the matcher" + (f", but {bare}" if bare else ""))
    plain = {
        name: text.replace('cluster=\\"eu\\", ', "")
        .replace('{cluster=\\"eu\\"}', "")
        .replace('cluster="eu", ', "")
        .replace('{cluster="eu"}', "")
        .replace("cluster='eu', ", "")
        for name, text in made.items()
    }
    checks.that(plain == shipped and made != shipped, "and nothing else changes")
    check_with_promtool(checks, made, "promtool takes them")


def check_objects(checks: Checks) -> None:
    groups = mixin("mixin.prometheusAlerts.groups + mixin.prometheusRules.groups")
    folder, pattern = SHIPPED["rules"]
    named = sorted(
        name for file in folder.glob(pattern) for name in re.findall(r"(?m)^  - name: (.+)$", file.read_text())
    )
    checks.that(
        sorted(group["name"] for group in groups) == named,
        f"prometheusAlerts and prometheusRules hold all {len(named)} groups",
    )
    boards = mixin("mixin.grafanaDashboards")
    checks.that(
        {board["uid"] for board in boards.values()} == {f"mme-{name.removesuffix('.json')}" for name in boards},
        "grafanaDashboards have their uids",
    )
    made = mixin("mixin.prometheusRules", "{ thresholds: { cost_rise: 1.75 } }")
    checks.that('"expr": "1.75"' in json.dumps(made), "they follow the configuration")


def whole(checks: Checks) -> None:
    shipped = check_shipped(checks)
    check_keys(checks, shipped)
    check_selector(checks, shipped)
    check_objects(checks)


if __name__ == "__main__":
    run("mixin", whole)
