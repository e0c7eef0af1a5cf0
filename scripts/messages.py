#!/usr/bin/env python3
"""Counts the messages that a cause brings: the shipped rules, and Alertmanager with its shipped configuration.

What an exporter would show minute by minute is written down as series. promtool evaluates the shipped rules over them,
with their own times; the alerts that fire are sent to a real Alertmanager as Prometheus sends them, where a minute
takes a fraction of a second, and a webhook counts what comes out. Fails beyond what each case allows.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lib.alertmanager import DEPLOY, Notification, Webhook, start_alertmanager
from lib.checks import Checks, run
from lib.command import command_line
from lib.process import Failed
from lib.web import post
from lib.world import World

# In the order in which rules read each other.
RULES = [DEPLOY / f"prometheus/rules/{name}.yml" for name in ("thresholds", "figures", "cost", "campaigns", "exporter")]
OWN = "marketing_messages_exporter_"
INTERVAL = 15  # minutes between two polls
EVALUATION = 600  # seconds that promtool may take
RETRIES = [0, 0.25, 0.75, 1.75, 3.75, 7.75]  # minutes after a failed poll; then every interval

SERVED = {"job": "marketing-messages", "instance": "exporter:10396"}
ACCOUNTS = [str(1001 + n) for n in range(50)]
TARGETS = [(target, window) for window in ("today", "last_7d", "last_30d") for target in ("account", "totals")]

Labels = Mapping[str, str]
Series = dict[str, list[str]]  # the value of each minute, as promtool writes it
Alert = frozenset[tuple[str, str]]
Timeline = list[set[Alert]]  # what fires at each minute


def named(name: str, labels: Labels) -> str:
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"


@dataclass
class Case:
    """Something that happens, what it may cost, and what it did cost."""

    what: str
    minutes: int
    begins: int
    story: Callable[["Case"], Series]
    most: int  # messages that something fires, from when it begins
    pages: int  # of these, to whoever is on call
    resolves: bool = True  # whether anything may be resolved
    fires: str = ""  # what fires, and still does at the end where the cause is still there
    lasts: bool = False
    ends: int = 10**6  # when the cause is gone
    minute: float = 0.2  # seconds that a minute takes
    messages: list[tuple[float, str, str]] = field(default_factory=list)  # (minute, path, kind)

    def count(self, kind: str, path: str = "") -> int:
        return sum(at >= self.begins and one == kind and to.startswith(path) for at, to, one in self.messages)


def exporter(case: Case, down: range = range(0)) -> Series:
    """An exporter that is there, but for some minutes; in the first of them what it showed becomes stale."""
    there = range(case.minutes)
    return {
        named("up", SERVED): ["0" if minute in down else "1" for minute in there],
        named(OWN + "build_info", {**SERVED, "version": "1"}): ["1"] * case.minutes,
    }


def missed(series: Series, down: range) -> Series:
    """What is scraped of an exporter that cannot be scraped in these minutes."""

    def at(minute: int, value: str) -> str:
        return value if minute not in down else "stale" if minute == down[0] else "_"

    return {
        name: values if name.startswith("up{") else [at(minute, value) for minute, value in enumerate(values)]
        for name, values in series.items()
    }


def phase(account: str, target: tuple[str, str]) -> float:
    """The minute of its interval in which a target is polled: spread as the exporter does it."""
    number = ACCOUNTS.index(account) * len(TARGETS) + TARGETS.index(target)
    return number * 0.618 * INTERVAL % INTERVAL


def failures(minute: float, first: float, until: float, refused: bool) -> int:
    """Polls that failed in a row by a minute, of a target whose first failed one was at `first`."""
    if minute < first or first >= until:
        return 0
    if refused:
        # Nobody asks again until there is another credential, and then at once.
        return int(minute < until + 1)
    tries = [first + retry for retry in RETRIES]
    while tries[-1] <= max(minute, until):
        tries.append(tries[-1] + INTERVAL)
    # The first try after the API is back is a good one.
    back = next(at for at in tries if at >= until)
    return 0 if minute >= back else sum(at <= minute for at in tries)


def polled(case: Case, account: str, credential: str, down: range, refused: bool = False) -> Series:
    """The targets of an account: they fail while the API is down, or while the credential is refused."""
    series: Series = {}
    for target in TARGETS:
        labels = {
            "source": "meta",
            "credential": credential,
            "account_id": account,
            "target": target[0],
            "window": target[1],
            **SERVED,
        }
        at = phase(account, target)
        first = next((n for n in range(case.minutes) if n >= down.start and n % INTERVAL == int(at)), case.minutes)
        failed, last, success = list[int](), list[float](), 0.0
        for minute in range(case.minutes):
            row = failures(minute, first + at % 1, down.stop, refused)
            if row == 0 and (minute % INTERVAL == int(at) or (failed and failed[-1] > 0)):
                success = float(minute)
            failed.append(row)
            last.append(success)
        series[named(OWN + "target_up", labels)] = ["0" if row else "1" for row in failed]
        series[named(OWN + "target_consecutive_failures", labels)] = list(map(str, failed))
        series[named(OWN + "target_last_success_timestamp_seconds", labels)] = [f"{at * 60:.0f}" for at in last]
        series[named(OWN + "target_poll_interval_seconds", labels)] = [str(INTERVAL * 60)] * case.minutes
    return series


def fleet(case: Case, down: range, refused: bool = False) -> Series:
    series = exporter(case)
    for account in ACCOUNTS:
        series |= polled(case, account, "main", down, refused)
    return series


def credential(case: Case, name: str, refused: range, ends: int | None = None) -> Series:
    labels = {"source": "meta", "credential": name, **SERVED}
    series = {
        named(OWN + "credential_valid", labels): [str(int(minute not in refused)) for minute in range(case.minutes)]
    }
    if ends is not None:
        series[named(OWN + "credential_expires_timestamp_seconds", labels)] = [str(ends * 60)] * case.minutes
    return series


def missed_scrape(case: Case) -> Series:
    """Much fires already: a refused credential, failing polls, an error in the configuration, money without clicks."""
    always = range(case.minutes)
    series = exporter(case, range(case.begins, case.begins + 1))
    series |= credential(case, "other", always)
    series |= polled(case, ACCOUNTS[0], "main", always) | polled(case, ACCOUNTS[1], "main", range(0))
    series[named(OWN + "config_last_reload_successful", SERVED)] = ["0"] * case.minutes
    field_labels = {"source": "meta", "credential": "main", "field": "reach", **SERVED}
    series[named(OWN + "field_supported", field_labels)] = ["0"] * case.minutes
    here = {"source": "meta", "account_id": ACCOUNTS[1], **SERVED}
    for campaign, spend, clicks in [("1", 50, 0), ("2", 50, 400)]:
        of = {**here, "campaign_id": campaign}
        name = {"campaign_name": f"Campaign {campaign}", "status": "ACTIVE"}
        series[named("marketing_messages_campaign_info", {**of, **name})] = ["1"] * case.minutes
        today = {**of, "window": "today"}
        money = {**today, "currency": "EUR"}
        series[named("marketing_messages_spend", money)] = [str(spend)] * case.minutes
        series[named("marketing_messages_link_clicks", today)] = [str(clicks)] * case.minutes
    return missed(series, range(case.begins, case.begins + 1))


def outage(case: Case) -> Series:
    return fleet(case, range(case.begins, case.ends))


def one_account(case: Case) -> Series:
    """It fails, as the others do not."""
    series = fleet(case, range(0))
    return series | polled(case, ACCOUNTS[0], "main", range(case.begins, case.ends))


def dead_token(case: Case) -> Series:
    """It ends at its time, so that it was about to end before."""
    gone = range(case.begins, case.ends)
    return fleet(case, gone, refused=True) | credential(case, "main", gone, ends=case.begins)


def exporter_down(case: Case) -> Series:
    gone = range(case.begins, case.minutes)
    series = exporter(case, gone) | polled(case, ACCOUNTS[0], "main", range(0)) | credential(case, "main", range(0))
    return missed(series, gone)


CASES = [
    Case("one missed scrape", 190, 130, missed_scrape, most=0, pages=0, resolves=False),
    Case(
        "50 accounts out for three hours: the API is down",
        285,
        30,
        outage,
        most=2,
        pages=1,
        fires="MarketingMessagesApiUnavailable",
        ends=210,
    ),
    Case(
        "one account of 50 fails for three hours",
        285,
        30,
        one_account,
        most=1,
        pages=0,
        fires="MarketingMessagesTargetFailing",
        ends=210,
    ),
    Case(
        "a token of 50 accounts ends, a new one comes after three hours",
        285,
        30,
        dead_token,
        most=1,
        pages=1,
        fires="MarketingMessagesCredentialInvalid",
        ends=210,
    ),
    Case(
        "the exporter is down for 24 hours",
        1500,
        60,
        exporter_down,
        most=1,
        pages=1,
        resolves=False,
        fires="MarketingMessagesExporterDown",
        lasts=True,
        minute=0.05,
    ),
]


def alert_names() -> list[str]:
    return [name for file in RULES for name in re.findall(r"(?m)^      - alert: (\w+)$", file.read_text())]


def group_names() -> list[str]:
    return [name for file in RULES for name in re.findall(r"(?m)^  - name: (\S+)$", file.read_text())]


def evaluated(case: Case, folder: Path) -> Timeline:
    """What fires at each minute, by promtool: it names what fires where no alert is expected."""
    test = {
        "rule_files": [str(file) for file in RULES],
        "evaluation_interval": "1m",
        "group_eval_order": group_names(),
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": " ".join(values)} for name, values in case.story(case).items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{minute}m", "alertname": name}
                    for minute in range(case.minutes)
                    for name in alert_names()
                ],
            }
        ],
    }
    file = folder / f"{case.story.__name__}.json"
    file.write_text(json.dumps(test))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=EVALUATION, check=False
    )
    said = done.stdout + done.stderr
    timeline: Timeline = [set() for _ in range(case.minutes)]
    minute: int | None = None
    for line in said.splitlines():
        at = re.match(r"    alertname: \w+, time: (\w+)", line)
        labels = re.match(r"\s+Labels:\{(.*)\}\s*$", line)
        if at:
            minute = minutes(at[1])
        elif labels and minute is not None:
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels[1])
            timeline[minute].add(frozenset((key, json.loads(f'"{value}"')) for key, value in pairs))
        elif re.match(r"\s*(?:rule:|name:|error|parse)|.*\berr: ", line):
            raise Failed(f"promtool: {line}")
    if not any(timeline) and case.fires:
        raise Failed(f"promtool: nothing fires\n{said[-1500:]}")
    return timeline


def minutes(text: str) -> int:
    """Of a duration as promtool writes it: 1d2h5m."""
    return sum(
        int(number) * {"d": 1440, "h": 60, "m": 1, "s": 0}[unit] for number, unit in re.findall(r"(\d+)(\w)", text)
    )


def scaled(text: str, minute: float) -> str:
    """The times of a configuration, where a minute takes so many seconds."""
    unit = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}

    def one(match: re.Match[str]) -> str:
        # Half a minute is too short on a busy machine: what one request brings has to come together.
        return f"{match[1]}: {max(100, round(int(match[2]) * unit[match[3]] * minute * 1000))}ms"

    return re.sub(r"\b(group_wait|group_interval|repeat_interval): (\d+)(\w)\b", one, text)


def sent(alerts: Iterable[Alert], since: Mapping[Alert, str], ends: datetime) -> list[dict[str, object]]:
    return [
        {"labels": dict(alert), "annotations": {}, "startsAt": since[alert], "endsAt": ends.isoformat()}
        for alert in alerts
    ]


def play(case: Case, timeline: Timeline, url: str) -> float:
    """Sends what fires, each minute, and what does no more, once; the instant at which it began."""
    began, since = time.monotonic(), dict[Alert, str]()
    far = datetime.fromtimestamp(time.time() + 86400, UTC)
    before: set[Alert] = set()
    for minute, firing in enumerate(timeline):
        pause = began + minute * case.minute - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        now = datetime.now(UTC)
        since.update({alert: now.isoformat() for alert in firing - before})
        body = sent(firing, since, far) + sent(before - firing, since, now)
        if body:
            # One request, so that what explains comes with what it explains.
            post(f"{url}/api/v2/alerts", json.dumps(body).encode())
        before = firing
    return began


def kinds(
    case: Case, received: Sequence[tuple[float, str, Notification]], began: float
) -> Iterator[tuple[float, str, str]]:
    """Each message as (minute, path, kind): something fires that did not, or did already, or is resolved."""
    known: dict[tuple[str, str], set[str]] = {}
    for at, path, body in received:
        group = (path, body["groupKey"])
        firing = {alert["fingerprint"] for alert in body["alerts"] if alert["status"] == "firing"}
        over = [alert for alert in body["alerts"] if alert["status"] == "resolved"]
        kind = "new" if firing - known.get(group, set()) else "resolved" if over else "repeated"
        known[group] = firing
        yield (at - began) / case.minute, path, kind


def tell(case: Case, world: World) -> Timeline:
    timeline = evaluated(case, world.folder)
    webhook = Webhook()
    try:
        url = start_alertmanager(world, case.story.__name__, webhook, lambda text: scaled(text, case.minute))
        began = play(case, timeline, url)
        case.messages = list(kinds(case, webhook.received, began))
    finally:
        webhook.stop()
    return timeline


def judge(checks: Checks, case: Case, timeline: Timeline) -> None:
    print(f"\n{case.what}")
    alerts = sorted({dict(alert)["alertname"] for firing in timeline[case.begins :] for alert in firing})
    most = max(len(firing) for firing in timeline[case.begins :])
    print(f"     at most {most} alerts at a time: {', '.join(alerts)}")
    new, pages, resolved = case.count("new"), case.count("new", "/on-call"), case.count("resolved")
    print(f"     {new} new ({pages} to on-call), {case.count('repeated')} repeated, {resolved} resolved", flush=True)
    checks.record(new <= case.most, f"{case.what}: at most {case.most} messages", case.messages)
    checks.record(pages == case.pages, f"{case.what}: {case.pages} to whoever is on call", case.messages)
    if not case.resolves:
        ended = [
            alert
            for one, two in zip(timeline[case.begins - 1 :], timeline[case.begins :], strict=False)
            for alert in one - two
        ]
        checks.record(not ended and not resolved, f"{case.what}: nothing is resolved", [*map(dict, ended)])
    if not case.fires:
        checks.record(timeline[case.begins], f"{case.what}: something fires that could be resolved")
        return
    named = [any(("alertname", case.fires) in alert for alert in firing) for firing in timeline]
    checks.record(named[min(case.ends, case.minutes) - 1], f"{case.what}: {case.fires} fires")
    checks.record(named[-1] == case.lasts, f"{case.what}: at the end it fires {'still' if case.lasts else 'no more'}")
    last = max(minute for minute, fires in enumerate(named) if fires)
    later = {dict(alert)["alertname"] for firing in timeline[last + 1 :] for alert in firing}
    checks.record(not later, f"{case.what}: what it explains is over before it", later)


def whole(checks: Checks) -> None:
    with World("", "messages") as world, ThreadPoolExecutor(len(CASES)) as threads:
        # Each has an Alertmanager of its own, and they run beside each other.
        for case, timeline in zip(CASES, threads.map(lambda case: tell(case, world), CASES), strict=True):
            judge(checks, case, timeline)


if __name__ == "__main__":
    command_line(__doc__, binary=False).parse_args()
    run("messages", whole)
