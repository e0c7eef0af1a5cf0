#!/usr/bin/env python3
"""Prints weeks of what an exporter serves, as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

Made for drawing dashboards (scripts/preview.py): four accounts with noise, daily and weekly curves, clicks that come late,
and stories (a rise, a creep, a pause, a new name, an account that is throttled). The same seed gives the same weeks.
"""

import argparse
import math
import random
import sys
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

STEP = 900  # seconds between two polls, and two samples
FINE = 60  # seconds between two samples of the exporter's own figures, within the last day
DAY = 86400
BEFORE = 30  # days before the first sample, for the long windows
WINDOWS = {"meta": ["today", "last_7d", "last_28d", "this_month"], "cams": ["unspecified"]}
PREFIX = "marketing_messages_"
OWN = "marketing_messages_exporter_"

# Share of the clicks of a message that come in each quarter of an hour after it: half of them within thirty minutes.
LATE = [0.24, 0.22, 0.14, 0.1, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01]


class Account:
    def __init__(self, source, credential, number, name, currency, zone, price, team, campaigns):
        self.source, self.credential, self.id, self.name = source, credential, number, name
        self.currency, self.zone, self.price, self.team = currency, ZoneInfo(zone), price, team
        self.zone_name, self.campaigns = zone, campaigns


class Campaign:
    """`cost` tells how many times its usual a click costs, by the days that are left until the end."""

    def __init__(self, name, daily, ratio, cost=lambda left: 1.0, paused=None, former=None):
        self.name, self.daily, self.ratio, self.cost, self.paused, self.former = (
            name,
            daily,
            ratio,
            cost,
            paused,
            former,
        )


ACCOUNTS = [
    Account(
        "meta",
        "main",
        "2398765432",
        "Acme Europe",
        "EUR",
        "Europe/Berlin",
        0.085,
        "growth",
        [
            Campaign("Spring sale 🌷", 9000, 0.16, lambda left: 1.7 if left < 3.4 else 1.0),
            Campaign("Back in stock", 5200, 0.19),
            Campaign('Newsletter "Insider"', 2600, 0.12, former=("Newsletter", 6.3)),
            Campaign("Flash Friday", 4100, 0.21, paused=4.6),
            Campaign("Members' preview", 900, 0.23),
            Campaign("Cart reminder", 350, 0.31),
        ],
    ),
    Account(
        "meta",
        "main",
        "2398765433",
        "Acme Brasil",
        "USD",
        "America/Sao_Paulo",
        0.062,
        "growth",
        [
            Campaign("VIP invitation", 3300, 0.18),
            Campaign("Loyalty points", 4800, 0.15, lambda left: 1.03 ** max(0.0, 14 - left)),
            Campaign("Store opening São Paulo", 1500, 0.2),
        ],
    ),
    Account(
        "meta",
        "growth",
        "2398765434",
        "Acme India",
        "INR",
        "Asia/Kolkata",
        0.78,
        "emerging",
        [
            Campaign("Diwali offers ✨", 12000, 0.11, lambda left: 0.8 if left < 5 else 1.0),
            Campaign("Win-back 90 days", 6100, 0.09),
            Campaign("Cart reminder", 800, 0.26),
        ],
    ),
    Account(
        "cams",
        "sg",
        "2399887766",
        "Acme Singapore",
        "SGD",
        "Asia/Singapore",
        0.09,
        "growth",
        [
            Campaign("Ramadan greetings 🌙", 2100, 0.17),
            Campaign("Back in stock", 1300, 0.19),
        ],
    ),
]
THROTTLED = "2398765433"


def poisson(dice, mean):
    if mean > 40:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    bound, product, count = math.exp(-mean), dice.random(), 0
    while product > bound:
        product *= dice.random()
        count += 1
    return count


def curve(local):
    """Share of a day's messages in the quarter of an hour that begins then: a morning and an evening, fewer at weekends."""
    hour = local.hour + local.minute / 60
    shape = 0.15 + math.exp(-(((hour - 10.5) / 2.6) ** 2)) + 0.8 * math.exp(-(((hour - 18.5) / 2.4) ** 2))
    return shape / 41 * (0.7 if local.weekday() >= 5 else 1.0)


class Lines:
    """Samples by family, as OpenMetrics wants them together."""

    def __init__(self):
        self.families = {}

    def add(self, family, labels, value, at, kind="gauge"):
        text = ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())
        self.families.setdefault((family, kind), {}).setdefault(text, []).append(f"{value:.10g} {at}")

    def write(self, out):
        for (family, kind), series in self.families.items():
            out.write(f"# TYPE {family} {kind}\n")
            ending = "_total" if kind == "counter" else ""
            for labels, samples in series.items():
                out.writelines(f"{family}{ending}{{{labels}}} {sample}\n" for sample in samples)
        out.write("# EOF\n")


def escaped(text):
    return str(text).replace("\\", "\\\\").replace('"', '\\"')


def served(instance="exporter:10396", job="marketing-messages"):
    return {"instance": instance, "job": job}


class Sums:
    """Delivered, clicked, read, spent: of each quarter of an hour as running totals, and where each local day began."""

    def __init__(self, dice, account, campaign, begin, end):
        self.zone, self.begin, self.totals = account.zone, begin, [(0, 0, 0, 0.0)]
        spread, day, sent = 1.0, None, []
        for at in range(begin, end, STEP):
            local, left = datetime.fromtimestamp(at, account.zone), (end - at) / DAY
            if local.date() != day:
                day, spread = local.date(), math.exp(dice.gauss(0, 0.05))
            stopped = campaign.paused is not None and left < campaign.paused
            delivered = 0 if stopped else poisson(dice, campaign.daily * curve(local))
            sent.append(delivered / campaign.cost(left) / spread)
            clicked = poisson(
                dice, campaign.ratio * sum(share * sent[-1 - n] for n, share in enumerate(LATE) if n < len(sent))
            )
            last = self.totals[-1]
            self.totals.append(
                (
                    last[0] + delivered,
                    last[1] + clicked,
                    last[2] + poisson(dice, delivered * 0.83),
                    last[3] + delivered * account.price,
                )
            )

    def between(self, begin, end):
        first, last = (self.totals[min(len(self.totals) - 1, max(0, (at - self.begin) // STEP))] for at in (begin, end))
        return [b - a for a, b in zip(first, last)]


def bounds(window, at, zone, begin):
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


def figures(lines, account, labels, sums, window, at, prefix):
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


def campaigns(lines, seed, first, end):
    """All figures that a scrape would have shown."""
    for number, account in enumerate(ACCOUNTS):
        begin = first - BEFORE * DAY
        of_account = {"source": account.source, "account_id": account.id, **served()}
        every = [
            Sums(random.Random(f"{seed} {account.id} {n}"), account, campaign, begin, end)
            for n, campaign in enumerate(account.campaigns)
        ]
        ids = [str(120_201_432_000_000 + number * 1_000_000 + n) for n in range(len(every))]
        for at in range(first, end + 1, STEP):
            left = (end - at) / DAY
            lines.add(
                PREFIX + "account_info",
                {
                    **of_account,
                    "account_name": account.name,
                    "currency": account.currency,
                    "timezone": account.zone_name,
                    "status": "ACTIVE",
                    "team": account.team,
                },
                1,
                at,
            )
            for window in WINDOWS[account.source]:
                since, until, start, stop = bounds(window, at, account.zone, begin)
                sums = [one.between(since, until) for one in every]
                if account.source == "meta":
                    total = [sum(column) for column in zip(*sums)]
                    figures(lines, account, {**of_account, "team": account.team}, total, window, at, "account_")
                    edges = [""]
                else:
                    edges = ids
                for campaign in edges:
                    edge = {**of_account, "campaign_id": campaign, "window": window, "team": account.team}
                    lines.add(PREFIX + "window_start_timestamp_seconds", edge, start, at)
                    lines.add(PREFIX + "window_end_timestamp_seconds", edge, stop, at)
                for campaign, of in zip(ids, sums):
                    figures(
                        lines,
                        account,
                        {**of_account, "campaign_id": campaign, "team": account.team},
                        of,
                        window,
                        at,
                        "",
                    )
            for campaign, what in zip(ids, account.campaigns):
                name = what.former[0] if what.former and left > what.former[1] else what.name
                active, paused = ("ACTIVE", "PAUSED") if account.source == "meta" else ("AVAILABLE", "UNAVAILABLE")
                status = paused if what.paused is not None and left < what.paused else active
                lines.add(
                    PREFIX + "campaign_info",
                    {
                        **of_account,
                        "campaign_id": campaign,
                        "campaign_name": name,
                        "status": status,
                        "team": account.team,
                    },
                    1,
                    at,
                )


def targets(account):
    for window in WINDOWS[account.source]:
        yield "account", window
        if account.source == "meta":
            yield "totals", window


def own(lines, first, end, groups):
    """The exporter's own figures, every minute of the last day, and those of Prometheus about them."""
    dice = random.Random("own")
    started = first - 3 * DAY
    times = [*range(first, end - DAY - 7200, STEP), *range(end - DAY - 7200, end + 1, FINE)]
    for at in times:
        left, busy = (end - at) / 3600, 1 + 0.4 * math.sin(at / DAY * 2 * math.pi)
        blocked = 9 < left < 11.5
        lines.add(OWN + "build_info", {"version": "0.9.0", "revision": "", "rustversion": "1.90", **served()}, 1, at)
        lines.add("process_start_time_seconds", served(), started, at)
        lines.add(
            "process_resident_memory_bytes", served(), 11.4e6 + 0.3e6 * math.sin(at / 7000) + dice.random() * 2e5, at
        )
        lines.add("up", served(), 1, at)
        lines.add("scrape_samples_scraped", served(), 1148 if left > 70 else 1172, at)
        lines.add("scrape_duration_seconds", served(), 0.0042 + dice.random() * 0.0015, at)
        lines.add(OWN + "series_dropped", {"source": "meta", "credential": "main", **served()}, 0, at, "counter")
        for account in ACCOUNTS:
            throttled = blocked and account.id == THROTTLED
            here = {"source": account.source, "credential": account.credential, "account_id": account.id, **served()}
            lane = {**here, "account_id": "" if account.source == "cams" else account.id}
            demand, allowed = {"meta": (9.0 * len(WINDOWS["meta"]), 423.0), "cams": (16.0, 13500.0)}[account.source]
            lines.add(OWN + "api_demand_requests_per_hour", lane, demand, at)
            lines.add(
                OWN + "api_allowance_requests_per_hour",
                lane,
                allowed if account.id != THROTTLED else 60 + 363 * min(1, left / 200),
                at,
            )
            if account.source == "meta":
                used = 0.97 if throttled else (0.1 + 0.05 * busy + 0.01 * dice.random())
                lines.add(OWN + "api_usage_ratio", {**here, "limit": "calls"}, used, at)
            if throttled:
                lines.add(OWN + "api_blocked_until_timestamp_seconds", lane, end - 9 * 3600, at)
            for n, (target, window) in enumerate(targets(account)):
                whose = {**here, "target": target, "window": window}
                polled = at - (at + 211 * n + int(account.id)) % STEP - 2
                success = min(polled, end - int(11.5 * 3600)) if throttled else polled
                lines.add(OWN + "target_up", whose, 0 if throttled else 1, at)
                lines.add(OWN + "target_last_success_timestamp_seconds", whose, success, at)
                lines.add(OWN + "target_poll_interval_seconds", whose, STEP, at)
                lines.add(OWN + "target_consecutive_failures", whose, (at - success) // STEP, at)
                lines.add(OWN + "target_rows", whose, 1 if target == "totals" else len(account.campaigns), at)
        for credential, source, expires in (
            ("main", "meta", end + 41 * DAY),
            ("growth", "meta", end + 9 * DAY),
            ("sg", "cams", None),
        ):
            whose = {"source": source, "credential": credential, **served()}
            lines.add(OWN + "credential_valid", whose, 1, at)
            lines.add(OWN + "credential_last_read_timestamp_seconds", whose, started, at)
            if expires:
                lines.add(OWN + "credential_expires_timestamp_seconds", whose, expires, at)
            for endpoint, rate in (("insights", 0.02), ("campaigns", 0.004)):
                lines.add(
                    OWN + "api_requests",
                    {**whose, "endpoint": endpoint, "code": "200"},
                    round((at - started) * rate),
                    at,
                    "counter",
                )
            for reason in ("unauthorized", "throttled", "unavailable", "timeout"):
                failed = {
                    "throttled": max(0, min(10, int((11.5 - left) * 4))) if credential == "main" else 0,
                    "timeout": int((at - started) / 30000) if source == "meta" else 0,
                }.get(reason, 0)
                lines.add(OWN + "poll_failures", {**whose, "reason": reason}, failed, at, "counter")
        for source, mean in (("meta", 0.7), ("cams", 0.25)):
            count = int((at - started) / 40)
            for le in (0.1, 0.25, 0.5, 1, 2.5, 5, 10, "+Inf"):
                share = 1 if le == "+Inf" else 1 - math.exp(-le / mean)
                # Written as single series: only the buckets are asked for.
                lines.add(
                    OWN + "api_request_duration_seconds_bucket",
                    {"source": source, "le": le, **served()},
                    int(count * share),
                    at,
                )
        for n, group in enumerate(groups):
            whose = {
                "rule_group": f"/etc/prometheus/rules/rules.yml;{group}",
                **served("prometheus:9090", "prometheus"),
            }
            lines.add(
                "prometheus_rule_group_last_duration_seconds", whose, 0.03 + 0.05 * (n % 3) + 0.02 * dice.random(), at
            )
            lines.add("prometheus_rule_group_interval_seconds", whose, 60, at)
            lines.add("prometheus_rule_group_iterations_missed", whose, 0, at, "counter")
            lines.add("prometheus_rule_evaluation_failures", whose, 0, at, "counter")


def write(out, end, days, seed=7, groups=()):
    end -= end % STEP
    first = end - days * DAY
    lines = Lines()
    campaigns(lines, seed, first, end)
    own(lines, first, end, groups)
    lines.write(out)
    return first, end


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=22)
    parser.add_argument("--end", type=int, default=int(time.time()), help="unix time of the last sample")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    write(sys.stdout, options.end, options.days, options.seed)


if __name__ == "__main__":
    main()
