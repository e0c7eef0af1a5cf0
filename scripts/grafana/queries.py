"""What panels ask: selectors, and expressions that hold for one exporter and for several that poll the same accounts.

Two exporters, or two scrape jobs of one, show each campaign twice. Therefore every figure is first reduced to what it
is about (`max by`), and only then added up. Every query selects one window, or keeps the label. Amounts keep their
currency.
"""

import re
from collections.abc import Mapping

ACCOUNT = "source, account_id"
CAMPAIGN = "source, account_id, campaign_id"
TARGET = "source, credential, account_id, target, window"
OWN = "marketing_messages_exporter_"

# Selectors, from the variables of the dashboards.
SOURCES = 'source=~"$source"'
ACCOUNTS = 'source=~"$source", account_id=~"$account"'
WINDOW = ACCOUNTS + ', window="$window"'
CURRENCY = 'currency=~"$currency"'
MONEY = f"{WINDOW}, {CURRENCY}"
# CAMS has no window to choose. Where rows stand beside each other, its only one is shown.
ANY = ACCOUNTS + ', window=~"$window|unspecified"'
ANY_MONEY = f"{ANY}, {CURRENCY}"
ONE = ACCOUNTS + ', campaign_id="$campaign"'
SEVERAL = ACCOUNTS + ', campaign_id=~"$campaign"'

# A day of a figure that starts from zero at midnight is its highest value. The range begins two hours late, because
# until the first poll of a day the figure is still that of the day before. The point stands at the beginning of its
# day.
DAY = "[1d] offset -26h"
# What CAMS shows in its only window grows all the time: a day of it is what came between its two midnights.
UNTIL_MIDNIGHT, SINCE_MIDNIGHT = "[1d] offset -24h", "[1d]"
# The window `yesterday`, asked for at noon of the day after: then it means the same day in every time zone.
NOON_AFTER = "[2h] offset -37h"

# How far chance alone moves a count of clicks, in standard deviations, before a panel calls it a change.
CHANCE = 3
# Expected clicks below which the band of chance is too wide to be of use.
JUDGED = 25

ACCOUNT_NAME = f"* on ({ACCOUNT}) group_left (account_name) account:marketing_messages_name:info"
CAMPAIGN_NAME = f"* on ({CAMPAIGN}) group_left (campaign_name) campaign:marketing_messages_name:info"
WITH_TEAM = f"* on ({CAMPAIGN}) group_left (team) campaign:marketing_messages_name:info"

USUAL = f"max by ({CAMPAIGN}, currency) (campaign:marketing_messages_cost_per_link_click:usual)"
COST_RISE = f'max by ({ACCOUNT}, currency) (account:marketing_messages_threshold:value{{threshold="cost_rise"}})'
BUDGET = (
    f"max by ({ACCOUNT}, currency) "
    f'(account:marketing_messages_threshold:value{{{ACCOUNTS}, {CURRENCY}, threshold="budget_month"}} < Inf)'
)

ALERTS = 'alertname=~"MarketingMessages.*"'
# Alerts without an account (a credential, an exporter) are everybody's.
ALERTS_OF_ACCOUNTS = ALERTS + ', source=~"$source|", account_id=~"$account|"'


def figure(family: str, selector: str, *labels: str, offset: str = "") -> str:
    """A campaign's figure, once however many exporters serve it; `labels` are those to keep besides the campaign's."""
    return f"max by ({', '.join([CAMPAIGN, *labels])}) (marketing_messages_{family}{{{selector}}}{offset})"


def spend(selector: str, offset: str = "") -> str:
    return figure("spend", selector, "currency", offset=offset)


def clicks(selector: str, offset: str = "") -> str:
    return figure("link_clicks", selector, offset=offset)


def each_day(by: str, metric: str, selector: str) -> str:
    """`yesterday` as it was at noon of the day after, else the most that `today` showed, else what CAMS gained."""

    def over(function: str, window: str, span: str) -> str:
        return f'max by ({by}) ({function}({metric}{{{selector}, window="{window}"}}{span}))'

    return (
        f"({over('last_over_time', 'yesterday', NOON_AFTER)} or {over('max_over_time', 'today', DAY)} "
        f"or {over('last_over_time', 'unspecified', UNTIL_MIDNIGHT)} - "
        f"{over('last_over_time', 'unspecified', SINCE_MIDNIGHT)} > 0)"
    )


def daily(family: str, selector: str, *labels: str) -> str:
    """A campaign's figure of each day."""
    return each_day(", ".join([CAMPAIGN, *labels]), f"marketing_messages_{family}", selector)


def daily_of_account(name: str, selector: str, *labels: str) -> str:
    """An account's sum of each day."""
    return each_day(", ".join([ACCOUNT, *labels]), f"account:marketing_messages_{name}:sum", selector)


def per_click(money: str, counted: str, on: str = CAMPAIGN) -> str:
    """Money with its currency, by clicks, which have none."""
    return f"{money} / on ({on}) group_left () ({counted} > 0)"


def account_sum(name: str, selector: str, offset: str = "") -> str:
    return f"account:marketing_messages_{name}:sum{{{selector}}}{offset}"


def account_cost(selector: str, money: str, offset: str = "") -> str:
    """An account's cost per click, from sums."""
    return per_click(
        account_sum("spend", money, offset), account_sum("link_clicks", selector, offset), f"{ACCOUNT}, window"
    )


def clicks_by_currency(selector: str, money: str, offset: str = "") -> str:
    """Clicks of accounts, with the currency of what they cost."""
    return (
        f"({account_sum('spend', money, offset)} >= bool 0) * on ({ACCOUNT}, window) group_left () "
        f"{account_sum('link_clicks', selector, offset)}"
    )


def against_last_week(now: str, before: str) -> str:
    """The change against the same time a week ago, as a share."""
    return f"({now}) / (({before}) > 0) - 1"


def usual_clicks(selector: str) -> str:
    """Clicks that the money spent buys at the usual cost."""
    return f"{spend(selector)} / on ({CAMPAIGN}, currency) {USUAL}"


def extra(selector: str) -> str:
    """What the clicks cost more than they usually do: spend less clicks at the usual cost."""
    return f"({spend(selector)} - on ({CAMPAIGN}, currency) {USUAL} * on ({CAMPAIGN}) group_left () {clicks(selector)})"


def deviations(selector: str) -> str:
    """How many standard deviations of a Poisson count fewer clicks came than the money usually buys."""
    expected = usual_clicks(selector)
    return (
        f"({expected} - on ({CAMPAIGN}) group_left () {clicks(selector)}) / on ({CAMPAIGN}, currency) "
        f"sqrt({expected} >= {JUDGED})"
    )


def filled(expression: str, values: Mapping[str, str]) -> str:
    """A query as a browser would send it, for those who try it elsewhere."""
    return re.sub(r"\$([a-z_]\w*)", lambda match: values[match[1]], expression)


def hastened(expression: str) -> str:
    """A query for a Prometheus that knows seconds of the demo and not weeks: days become half minutes."""
    expression = expression.replace(DAY, "[30s]").replace(NOON_AFTER, "[30s]").replace(UNTIL_MIDNIGHT, "[30s]")
    expression = re.sub(r"offset 7d", "offset 18s", expression)
    expression = re.sub(r"\[(?:1h|1d)\]", "[30s]", expression)
    return expression.replace(":5m]", ":1s]")
