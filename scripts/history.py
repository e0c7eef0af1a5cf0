#!/usr/bin/env python3
"""Prints weeks of what an exporter serves, as OpenMetrics for `promtool tsdb create-blocks-from openmetrics`.

Made for drawing dashboards (scripts/preview.py): four accounts with noise, daily and weekly curves, clicks that come
late, and stories (a rise, a creep, a pause, a new name, an account that is throttled). The same seed gives the same
weeks.
"""

import math
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple, TextIO
from zoneinfo import ZoneInfo

from history_accounts import ACCOUNTS, THROTTLED, WINDOWS, Account, Campaign
from lib.command import command_line

STEP = 900  # seconds between two polls, and two samples
FINE = 60  # seconds between two samples of the exporter's own figures, within the last day
DAY = 86400
BEFORE = 30  # days before the first sample, for the long windows
PREFIX = "marketing_messages_"
OWN = "marketing_messages_exporter_"

# Share of the clicks of a message that come in each quarter of an hour after it: half of them within thirty minutes.
LATE = [0.24, 0.22, 0.14, 0.1, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01]


def poisson(dice: random.Random, mean: float) -> int:
    if mean > 40:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    bound, product, count = math.exp(-mean), dice.random(), 0
    while product > bound:
        product *= dice.random()
        count += 1
    return count


def curve(local: datetime) -> float:
    """Share of a day's messages in the quarter of an hour that begins then: mornings, evenings, fewer at weekends."""
    hour = local.hour + local.minute / 60
    shape = 0.15 + math.exp(-(((hour - 10.5) / 2.6) ** 2)) + 0.8 * math.exp(-(((hour - 18.5) / 2.4) ** 2))
    return shape / 41 * (0.7 if local.weekday() >= 5 else 1.0)


class Lines:
    """Samples by family, as OpenMetrics wants them together."""

    def __init__(self) -> None:
        self.families: dict[tuple[str, str], dict[str, list[str]]] = {}

    def add(self, family: str, labels: Mapping[str, str], value: float, at: int, kind: str = "gauge") -> None:
        text = ",".join(f'{name}="{escaped(label)}"' for name, label in labels.items())
        self.families.setdefault((family, kind), {}).setdefault(text, []).append(f"{value:.10g} {at}")

    def write(self, out: TextIO) -> None:
        for (family, kind), series in self.families.items():
            out.write(f"# TYPE {family} {kind}\n")
            ending = "_total" if kind == "counter" else ""
            for labels, samples in series.items():
                out.writelines(f"{family}{ending}{{{labels}}} {sample}\n" for sample in samples)
        out.write("# EOF\n")


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def served(instance: str = "exporter:10396", job: str = "marketing-messages") -> dict[str, str]:
    return {"instance": instance, "job": job}


class Totals(NamedTuple):
    delivered: int
    clicked: int
    read: int
    spent: float


class Sums:
    """Delivered, clicked, read, spent: of each quarter of an hour as running totals, and where each local day began."""

    def __init__(self, dice: random.Random, account: Account, campaign: Campaign, begin: int, end: int) -> None:
        self.begin, self.totals = begin, [Totals(0, 0, 0, 0.0)]
        spread, sent = 1.0, list[float]()
        day: date | None = None
        for at in range(begin, end, STEP):
            local, left = datetime.fromtimestamp(at, account.zone), (end - at) / DAY
            if local.date() != day:
                day, spread = local.date(), math.exp(dice.gauss(0, 0.05))
            stopped = campaign.paused is not None and left < campaign.paused
            delivered = 0 if stopped else poisson(dice, campaign.daily * curve(local))
            sent.append(delivered / campaign.cost(left) / spread)
            late = sum(share * sent[-1 - n] for n, share in enumerate(LATE) if n < len(sent))
            clicked = poisson(dice, campaign.ratio * late)
            last, read = self.totals[-1], poisson(dice, delivered * 0.83)
            spent = last.spent + delivered * account.price
            self.totals.append(Totals(last.delivered + delivered, last.clicked + clicked, last.read + read, spent))

    def at(self, moment: int) -> Totals:
        return self.totals[min(len(self.totals) - 1, max(0, (moment - self.begin) // STEP))]

    def between(self, begin: int, end: int) -> Totals:
        first, last = self.at(begin), self.at(end)
        delivered, clicked, read = (last[n] - first[n] for n in range(3))
        return Totals(int(delivered), int(clicked), int(read), last.spent - first.spent)


def bounds(window: str, at: int, zone: ZoneInfo, begin: int) -> tuple[int, int, int, int]:
    """Of a window, as of a moment, in unix time."""
    local = datetime.fromtimestamp(at - 1, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "unspecified":
        return begin, at, begin, at
    if window == "today":
        first, last = midnight, midnight + timedelta(days=1)
    elif window == "this_month":
        first, last = midnight.replace(day=1), midnight + timedelta(days=1)
    else:
        first, last = midnight - timedelta(days=int(window[5:-1])), midnight
    return int(first.timestamp()), min(at, int(last.timestamp())), int(first.timestamp()), int(last.timestamp())


def figures(
    lines: Lines, account: Account, labels: dict[str, str], sums: Totals, window: str, at: int, prefix: str
) -> None:
    delivered, clicked, read, spent = sums
    if not delivered:
        return
    money = {**labels, "currency": account.currency}
    for family, of, value in [
        ("delivered", labels, delivered),
        ("link_clicks", labels, clicked),
        ("link_click_ratio", labels, clicked / delivered),
        ("read_ratio", labels, read / delivered),
        ("spend", money, spent),
        ("cost_per_delivered", money, spent / delivered),
        *([("cost_per_link_click", money, spent / clicked)] if clicked else []),
    ]:
        lines.add(PREFIX + prefix + family, {**of, "window": window}, value, at)


def campaigns(lines: Lines, seed: int, first: int, end: int) -> None:
    """All figures that a scrape would have shown."""
    for number, account in enumerate(ACCOUNTS):
        begin = first - BEFORE * DAY
        of_account = {"source": account.source, "account_id": account.id, **served()}
        every = [
            Sums(random.Random(f"{seed} {account.id} {n}"), account, campaign, begin, end)
            for n, campaign in enumerate(account.campaigns)
        ]
        ids = [str(120_201_432_000_000 + number * 1_000_000 + n) for n in range(len(every))]
        about = {
            **of_account,
            "account_name": account.name,
            "currency": account.currency,
            "timezone": account.zone.key,
            "status": "ACTIVE",
            "team": account.team,
        }
        for at in range(first, end + 1, STEP):
            lines.add(PREFIX + "account_info", about, 1, at)
            for window in WINDOWS[account.source]:
                in_window(lines, account, of_account, dict(zip(ids, every, strict=True)), window, at, begin)
            for campaign, what in zip(ids, account.campaigns, strict=True):
                named(lines, account, {**of_account, "campaign_id": campaign}, what, at, (end - at) / DAY)


def in_window(
    lines: Lines,
    account: Account,
    of_account: dict[str, str],
    every: dict[str, Sums],
    window: str,
    at: int,
    begin: int,
) -> None:
    """The account's sum, the edges of the window and each campaign's figures."""
    since, until, start, stop = bounds(window, at, account.zone, begin)
    sums = [one.between(since, until) for one in every.values()]
    edges = [""]
    if account.source == "meta":
        total = Totals(*(sum(column) for column in zip(*sums, strict=True)))
        figures(lines, account, {**of_account, "team": account.team}, total, window, at, "account_")
    else:
        edges = list(every)
    for campaign in edges:
        edge = {**of_account, "campaign_id": campaign, "window": window, "team": account.team}
        lines.add(PREFIX + "window_start_timestamp_seconds", edge, start, at)
        lines.add(PREFIX + "window_end_timestamp_seconds", edge, stop, at)
    for campaign, of in zip(every, sums, strict=True):
        figures(lines, account, {**of_account, "campaign_id": campaign, "team": account.team}, of, window, at, "")


def named(lines: Lines, account: Account, labels: dict[str, str], campaign: Campaign, at: int, left: float) -> None:
    """A campaign's name and status, so many days before the end."""
    name = campaign.former[0] if campaign.former and left > campaign.former[1] else campaign.name
    active, paused = ("ACTIVE", "PAUSED") if account.source == "meta" else ("AVAILABLE", "UNAVAILABLE")
    status = paused if campaign.paused is not None and left < campaign.paused else active
    lines.add(
        PREFIX + "campaign_info", {**labels, "campaign_name": name, "status": status, "team": account.team}, 1, at
    )


def targets(account: Account) -> Iterator[tuple[str, str]]:
    for window in WINDOWS[account.source]:
        yield "account", window
        if account.source == "meta":
            yield "totals", window


@dataclass(frozen=True)
class Exporter:
    """The exporter's own figures, every minute of the last day, and those of Prometheus about them."""

    lines: Lines
    dice: random.Random
    started: int
    end: int

    def own(self, family: str, labels: Mapping[str, str], value: float, at: int, kind: str = "gauge") -> None:
        self.lines.add(OWN + family, labels, value, at, kind)

    def left(self, at: int) -> float:
        """Hours."""
        return (self.end - at) / 3600

    def scrape(self, at: int) -> None:
        memory = 11.4e6 + 0.3e6 * math.sin(at / 7000) + self.dice.random() * 2e5
        self.own("build_info", {"version": "0.9.0", "revision": "", "rustversion": "1.90", **served()}, 1, at)
        self.lines.add("process_start_time_seconds", served(), self.started, at)
        self.lines.add("process_resident_memory_bytes", served(), memory, at)
        self.lines.add("up", served(), 1, at)
        self.lines.add("scrape_samples_scraped", served(), 1148 if self.left(at) > 70 else 1172, at)
        self.lines.add("scrape_duration_seconds", served(), 0.0042 + self.dice.random() * 0.0015, at)
        self.own("series_dropped", {"source": "meta", "credential": "main", **served()}, 0, at, "counter")

    def account(self, account: Account, at: int) -> None:
        left = self.left(at)
        throttled = 9 < left < 11.5 and account.id == THROTTLED
        here = {"source": account.source, "credential": account.credential, "account_id": account.id, **served()}
        lane = {**here, "account_id": "" if account.source == "cams" else account.id}
        demand, allowed = {"meta": (9.0 * len(WINDOWS["meta"]), 423.0), "cams": (16.0, 13500.0)}[account.source]
        if account.id == THROTTLED:
            allowed = 60 + 363 * min(1, left / 200)
        self.own("api_demand_requests_per_hour", lane, demand, at)
        self.own("api_allowance_requests_per_hour", lane, allowed, at)
        if account.source == "meta":
            busy = 1 + 0.4 * math.sin(at / DAY * 2 * math.pi)
            used = 0.97 if throttled else (0.1 + 0.05 * busy + 0.01 * self.dice.random())
            self.own("api_usage_ratio", {**here, "limit": "calls"}, used, at)
        if throttled:
            self.own("api_blocked_until_timestamp_seconds", lane, self.end - 9 * 3600, at)
        for n, (target, window) in enumerate(targets(account)):
            whose = {**here, "target": target, "window": window}
            polled = at - (at + 211 * n + int(account.id)) % STEP - 2
            success = min(polled, self.end - int(11.5 * 3600)) if throttled else polled
            self.own("target_up", whose, 0 if throttled else 1, at)
            self.own("target_last_success_timestamp_seconds", whose, success, at)
            self.own("target_poll_interval_seconds", whose, STEP, at)
            self.own("target_consecutive_failures", whose, (at - success) // STEP, at)
            self.own("target_rows", whose, 1 if target == "totals" else len(account.campaigns), at)

    def credential(self, credential: str, source: str, expires: int | None, at: int) -> None:
        whose = {"source": source, "credential": credential, **served()}
        self.own("credential_valid", whose, 1, at)
        self.own("credential_last_read_timestamp_seconds", whose, self.started, at)
        if expires:
            self.own("credential_expires_timestamp_seconds", whose, expires, at)
        for endpoint, rate in (("insights", 0.02), ("campaigns", 0.004)):
            count = round((at - self.started) * rate)
            self.own("api_requests", {**whose, "endpoint": endpoint, "code": "200"}, count, at, "counter")
        throttled = max(0, min(10, int((11.5 - self.left(at)) * 4))) if credential == "main" else 0
        timeouts = int((at - self.started) / 30000) if source == "meta" else 0
        counts = {"unauthorized": 0, "throttled": throttled, "unavailable": 0, "timeout": timeouts}
        for reason, failed in counts.items():
            self.own("poll_failures", {**whose, "reason": reason}, failed, at, "counter")

    def durations(self, source: str, mean: float, at: int) -> None:
        count = int((at - self.started) / 40)
        for le in (0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.inf):
            labels = {"source": source, "le": "+Inf" if le == math.inf else str(le), **served()}
            # Written as single series: only the buckets are asked for.
            self.own("api_request_duration_seconds_bucket", labels, int(count * (1 - math.exp(-le / mean))), at)

    def rules(self, n: int, group: str, at: int) -> None:
        path = f"/etc/prometheus/rules/rules.yml;{group}"
        whose = {"rule_group": path, **served("prometheus:9090", "prometheus")}
        took = 0.03 + 0.05 * (n % 3) + 0.02 * self.dice.random()
        self.lines.add("prometheus_rule_group_last_duration_seconds", whose, took, at)
        self.lines.add("prometheus_rule_group_interval_seconds", whose, 60, at)
        self.lines.add("prometheus_rule_group_iterations_missed", whose, 0, at, "counter")
        self.lines.add("prometheus_rule_evaluation_failures", whose, 0, at, "counter")

    def write(self, first: int, groups: Sequence[str]) -> None:
        fine = self.end - DAY - 7200
        for at in [*range(first, fine, STEP), *range(fine, self.end + 1, FINE)]:
            self.scrape(at)
            for account in ACCOUNTS:
                self.account(account, at)
            self.credential("main", "meta", self.end + 41 * DAY, at)
            self.credential("growth", "meta", self.end + 9 * DAY, at)
            self.credential("sg", "cams", None, at)
            self.durations("meta", 0.7, at)
            self.durations("cams", 0.25, at)
            for n, group in enumerate(groups):
                self.rules(n, group, at)


def times(end: int, days: int) -> tuple[int, int]:
    """The first sample's and the last one's."""
    end -= end % STEP
    return end - days * DAY, end


def write(out: TextIO, first: int, end: int, seed: int = 7, groups: Sequence[str] = ()) -> None:
    lines = Lines()
    campaigns(lines, seed, first, end)
    Exporter(lines, random.Random("own"), first - 3 * DAY, end).write(first, groups)
    lines.write(out)


def main() -> None:
    parser = command_line(__doc__, binary=False)
    parser.add_argument("--days", type=int, default=22)
    parser.add_argument("--end", type=int, default=int(time.time()), help="unix time of the last sample")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    write(sys.stdout, *times(options.end, options.days), options.seed)


if __name__ == "__main__":
    main()
