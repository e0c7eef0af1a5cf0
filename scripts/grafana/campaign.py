"""One campaign: what it costs compared with what chance explains, day by day, and what changed."""

from .overview import ACCOUNT_CHOICE, LAST_WEEK, SOURCE, WINDOW_CHOICE
from .panels import annotation, by_name, column, dashboard, days, fixed, lines, named, stat, table, variable
from .queries import (
    ACCOUNT,
    ACCOUNTS,
    ALERTS,
    CAMPAIGN,
    CHANCE,
    COST_RISE,
    JUDGED,
    ONE,
    USUAL,
    clicks,
    daily,
    extra,
    figure,
    per_click,
    spend,
    usual_clicks,
)

CHOSEN = ONE + ', window="$window"'
TODAY = ONE + ', window=~"today|unspecified"'

CAMPAIGN_CHOICE = variable(
    "campaign",
    "Campaign",
    f"query_result(campaign:marketing_messages_name:info{{{ACCOUNTS}}})",
    named("campaign"),
    several=False,
)
LAST = fixed("interval", "last", "Last", ["1h", "3h", "6h", "12h"], "6h", refresh=2)
LEAST = fixed("custom", "least", "Clicks at least", ["1", "10", "25", "100"], "25", includeAll=False, multi=False)

USUAL_HERE = f"{USUAL} and on ({CAMPAIGN}) campaign:marketing_messages_name:info{{{ONE}}}"
COST = per_click(spend(CHOSEN), clicks(CHOSEN))
TIMES_USUAL = (
    f"{spend(CHOSEN)} / on ({CAMPAIGN}, currency) ({USUAL} * on ({CAMPAIGN}) group_left () ({clicks(CHOSEN)} > 0))"
)
EXPECTED = f"({usual_clicks(CHOSEN)} >= {JUDGED})"
DAILY_COST = per_click(daily("spend", ONE, "currency"), daily("link_clicks", ONE))
DAILY_EXTRA = (
    f"{daily('spend', ONE, 'currency')} - on ({CAMPAIGN}, currency) {USUAL} * on ({CAMPAIGN}) group_left () "
    f"{daily('link_clicks', ONE)}"
)


def edge(sign: str) -> str:
    """Where the cost per click lies if so many clicks fewer, or more, came than the money usually buys."""
    return f"{USUAL} / on ({CAMPAIGN}, currency) (1 {sign} {CHANCE} / sqrt{EXPECTED})"


def began(offset: str = "") -> str:
    """When the window of the figure began: a figure that began anew is not compared with the one before."""
    return (
        f"max by ({ACCOUNT}, window) (marketing_messages_window_start_timestamp_seconds{{{ACCOUNTS}, "
        f'window=~"today|unspecified"}}{offset})'
    )


def gained(family: str, *labels: str) -> str:
    """What was added to a figure within the chosen time; where it began anew meanwhile, all of it."""
    by = ", ".join([CAMPAIGN, "window", *labels])
    now = f"max by ({by}) (marketing_messages_{family}{{{TODAY}}})"
    before = f"max by ({by}) (marketing_messages_{family}{{{TODAY}}} offset $last)"
    same = f"and on ({ACCOUNT}, window) ({began()} == {began(' offset $last')})"
    return f"max without (window) (({now} - ({before} {same})) or {now})"


PANELS = [
    stat(
        "Campaign",
        6,
        "Name and status.",
        f"campaign:marketing_messages_name:info{{{ONE}}}",
        "none",
        None,
        "{{campaign_name}}  {{status}}",
        mappings=[{"type": "value", "options": {"1": {"text": " ", "index": 0}}}],
    ),
    stat("Cost per click", 4, "Spend divided by clicks, in the selected window.", COST, "none", 3, "{{currency}}"),
    stat(
        "Usual cost per click",
        4,
        "Cost per click of the long window, without the days of the short one.",
        USUAL_HERE,
        "none",
        3,
        "{{currency}}",
    ),
    stat("Times the usual", 3, "Cost per click divided by the usual cost per click.", TIMES_USUAL, "none", 2),
    stat(
        "Of the threshold",
        3,
        "Times the usual, as a share of the account's threshold `cost_rise`. At 100 %, the rise is large enough for an "
        "alert, which also requires enough clicks.",
        f"{TIMES_USUAL} / on ({ACCOUNT}, currency) group_left () {COST_RISE}",
        "percentunit",
        0,
        steps=[("green", None), ("orange", 0.85), ("red", 1)],
    ),
    stat(
        "Costs more than usual",
        4,
        "Spend of the window minus the price of its clicks at the usual cost. Negative: it costs less than usual.",
        extra(CHOSEN),
        "none",
        2,
        "{{currency}}",
    ),
    lines(
        "Cost per click, and what chance allows",
        24,
        f"In the selected window. A cost inside the band may be chance: the band reaches {CHANCE} standard deviations "
        f"of a Poisson count to either side of the usual cost. It is drawn once {JUDGED} clicks are expected, so "
        "`today` begins some hours after midnight.",
        [
            (f"{COST} and on ({CAMPAIGN}) {EXPECTED}", "cost per click {{currency}}"),
            (edge("-"), "upper edge"),
            (edge("+"), "lower edge"),
            (f"{USUAL} and on ({CAMPAIGN}, currency) {EXPECTED}", "usual"),
        ],
        "none",
        3,
        height=9,
        overrides=[
            by_name(
                "upper edge",
                custom__fillBelowTo="lower edge",
                custom__lineWidth=0,
                custom__fillOpacity=18,
                color={"mode": "fixed", "fixedColor": "blue"},
            ),
            by_name(
                "lower edge", custom__lineWidth=0, custom__fillOpacity=0, color={"mode": "fixed", "fixedColor": "blue"}
            ),
            by_name(
                "usual",
                custom__lineWidth=1,
                custom__fillOpacity=0,
                custom__lineStyle={"fill": "dash", "dash": [8, 8]},
                color={"mode": "fixed", "fixedColor": "text"},
            ),
        ],
    ),
    days(
        "Cost per click a day",
        12,
        "What a click cost each day. Days begin at midnight in the dashboard's time zone: set it to the account's.",
        [(DAILY_COST, "{{currency}}")],
        "none",
        3,
    ),
    days("Spend a day", 12, "What was spent each day.", [(daily("spend", ONE, "currency"), "{{currency}}")], "none"),
    days(
        "Cost beyond the usual, a day",
        12,
        "Spend of each day minus the price of its clicks at the usual cost: what a rise costs in money. Negative: the "
        "day cost less than usual.",
        [(DAILY_EXTRA, "{{currency}}")],
        "none",
    ),
    lines(
        "Cost of the last clicks",
        12,
        "Spend of the last hours (variable “Last”), or since midnight if that is later, divided by the clicks in that "
        "time. It moves earlier than the day's mean. Times with fewer clicks than “Clicks at least” are left out, "
        "because the cost of a few clicks is noise.",
        [
            (
                f"{gained('spend', 'currency')} / on ({CAMPAIGN}) group_left () ({gained('link_clicks')} >= $least)",
                "{{currency}}",
            )
        ],
        "none",
        3,
    ),
    lines(
        "Cost per click, against a week ago",
        12,
        "Cost in the selected window, now and at the same time a week ago.",
        [
            (f"{COST} and on ({CAMPAIGN}) ({clicks(CHOSEN)} >= {JUDGED})", "now {{currency}}"),
            (
                f"{per_click(spend(CHOSEN, offset=LAST_WEEK), clicks(CHOSEN, offset=LAST_WEEK))} "
                f"and on ({CAMPAIGN}) ({clicks(CHOSEN, offset=LAST_WEEK)} >= {JUDGED})",
                "a week ago {{currency}}",
            ),
        ],
        "none",
        3,
    ),
    lines(
        "Delivered and clicked",
        12,
        "In the selected window. Clicks use the axis on the right.",
        [(f"max({figure('delivered', CHOSEN)})", "delivered"), (f"max({clicks(CHOSEN)})", "link clicks")],
        "locale",
        0,
        overrides=[by_name("link clicks", custom__axisPlacement="right")],
    ),
    lines(
        "Click ratio",
        12,
        "Link clicks per delivered message, for each window with at least “Clicks at least” clicks.",
        [
            (
                f"max by (window) (marketing_messages_link_click_ratio{{{ONE}}}) and on (window) "
                f"max by (window) (marketing_messages_link_clicks{{{ONE}}}) >= $least",
                "{{window}}",
            )
        ],
        "percentunit",
        1,
    ),
    lines(
        "Read ratio",
        12,
        "Messages read per delivered message, for each window with at least 100 messages.",
        [
            (
                f"max by (window) (marketing_messages_read_ratio{{{ONE}}}) and on (window) "
                f"max by (window) (marketing_messages_delivered{{{ONE}}}) >= 100",
                "{{window}}",
            )
        ],
        "percentunit",
        1,
        axisSoftMax=1,
    ),
    table(
        "Windows",
        24,
        7,
        "The same figures in every window that is polled. Windows overlap: never add them up.",
        [
            column("Delivered", f"max by (window) (marketing_messages_delivered{{{ONE}}})", "locale", 0),
            column("Link clicks", f"max by (window) (marketing_messages_link_clicks{{{ONE}}})", "locale", 0),
            column("Click ratio", f"max by (window) (marketing_messages_link_click_ratio{{{ONE}}})", "percentunit", 2),
            column("Read ratio", f"max by (window) (marketing_messages_read_ratio{{{ONE}}})", "percentunit", 2),
            column("Spend", f"max by (window, currency) (marketing_messages_spend{{{ONE}}})", "none", 2),
            column(
                "Cost per message",
                f"max by (window, currency) (marketing_messages_cost_per_delivered{{{ONE}}})",
                "none",
                4,
            ),
            column(
                "Cost per click",
                f"max by (window, currency) (marketing_messages_cost_per_link_click{{{ONE}}})",
                "none",
                3,
            ),
        ],
        {"window": "Window", "currency": "Currency"},
    ),
    table(
        "Names and states",
        12,
        6,
        "Every name and status that the campaign had in the time range, and when each was first and last seen.",
        [
            column(
                "From",
                f"min by (campaign_name, status) "
                f"(min_over_time(timestamp(marketing_messages_campaign_info{{{ONE}}})[$__range:5m])) * 1000",
                "dateTimeAsIso",
            ),
            column(
                "Until",
                f"max by (campaign_name, status) "
                f"(max_over_time(timestamp(marketing_messages_campaign_info{{{ONE}}})[$__range:5m])) * 1000",
                "dateTimeAsIso",
            ),
        ],
        {"campaign_name": "Name", "status": "Status"},
        "From",
    ),
    table(
        "Thresholds",
        12,
        6,
        "The thresholds that apply to the campaign's account, including your own.",
        [
            column(
                "Threshold",
                f"max by (threshold, currency) (account:marketing_messages_threshold:value{{{ACCOUNTS}}} < "
                f"Inf and on ({ACCOUNT}) "
                f"campaign:marketing_messages_name:info{{{ONE}}})",
                "none",
                2,
            )
        ],
        {"threshold": "Name", "currency": "Currency"},
    ),
]

# A point in time is lost between two steps of a long range, so that what is new is marked for an hour.
NEW = f"group by ({CAMPAIGN}, campaign_name, status) (marketing_messages_campaign_info{{{ONE}}})"
BEFORE = f"group by ({CAMPAIGN}, campaign_name, status) (marketing_messages_campaign_info{{{ONE}}} offset 1h)"
BUDGET_NOW = (
    'max by (source, account_id, currency) (account:marketing_messages_threshold:value{threshold="budget_month"}%s)'
)
ITS_ACCOUNT = f"and on ({ACCOUNT}) campaign:marketing_messages_name:info{{{ONE}}}"

BOARD = dashboard(
    "mme-campaign",
    "Marketing messages: campaign",
    "Everything about one campaign, and what changed.",
    [SOURCE, ACCOUNT_CHOICE, CAMPAIGN_CHOICE, WINDOW_CHOICE, LAST, LEAST],
    PANELS,
    [
        annotation(
            "Alerts",
            f'ALERTS{{{ALERTS}, alertstate="firing", campaign_id="$campaign"}}',
            "{{alertname}}",
            "{{campaign_name}}, {{window}}",
            "red",
        ),
        annotation(
            "Name or status changed",
            f"{NEW} unless {BEFORE} and on ({CAMPAIGN}) {BEFORE}",
            "Name or status changed",
            "“{{campaign_name}}” is {{status}}",
            "orange",
        ),
        annotation(
            "Budget changed",
            f"{BUDGET_NOW % ''} != {BUDGET_NOW % ' offset 1h'} {ITS_ACCOUNT}",
            "Budget of the month changed",
            "{{account_id}} {{currency}}",
            "purple",
        ),
        annotation(
            "A new day",
            f'max by ({ACCOUNT}) (marketing_messages_window_start_timestamp_seconds{{{ACCOUNTS}, window="today"}}) '
            f"> max by ({ACCOUNT}) (marketing_messages_window_start_timestamp_seconds{{{ACCOUNTS}, "
            f'window="today"}} offset 1h) {ITS_ACCOUNT}',
            "A new day",
            "today began",
            "blue",
        ),
    ],
)
