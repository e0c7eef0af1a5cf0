"""The first dashboard: accounts, firing alerts, top movers, and whether the month's budget lasts."""

from .panels import (
    CAMPAIGN_LINK,
    FOR_EACH_CURRENCY,
    RUNBOOKS,
    annotation,
    column,
    dashboard,
    days,
    lines,
    named,
    red_above,
    stat,
    table,
    variable,
)
from .queries import (
    ACCOUNT,
    ACCOUNT_NAME,
    ACCOUNTS,
    ALERTS,
    ALERTS_OF_ACCOUNTS,
    ANY,
    ANY_MONEY,
    BUDGET,
    CAMPAIGN,
    CAMPAIGN_NAME,
    CHANCE,
    CURRENCY,
    JUDGED,
    MONEY,
    SOURCES,
    USUAL,
    WINDOW,
    WITH_TEAM,
    account_cost,
    account_sum,
    against_last_week,
    clicks,
    clicks_by_currency,
    daily_of_account,
    deviations,
    extra,
    per_click,
    spend,
)

SOURCE = variable("source", "Source", "label_values(marketing_messages_account_info, source)")
ACCOUNT_CHOICE = variable(
    "account", "Account", f"query_result(account:marketing_messages_name:info{{{SOURCES}}})", named("account")
)
WINDOW_CHOICE = variable(
    "window", "Window", f"label_values(marketing_messages_delivered{{{ACCOUNTS}}}, window)", several=False
)
WINDOW_CHOICE["current"] = {"text": "today", "value": "today"}
CURRENCY_CHOICE = variable(
    "currency", "Currency", f"label_values(account:marketing_messages_currency:info{{{ACCOUNTS}}}, currency)"
)

IDENTITY = "alertname, severity, source, account_id, campaign_id, campaign_name, credential, instance"
SINCE = (
    f"max by ({IDENTITY}) (time() - ALERTS_FOR_STATE{{{ALERTS_OF_ACCOUNTS}}} "
    f'and ignoring (alertstate) ALERTS{{{ALERTS_OF_ACCOUNTS}, alertstate="firing"}})'
)

# Since the account's own midnight of the first; a day into the month, its number of days is the same in every time
# zone.
MONTH_BEGAN = (
    f'max by ({ACCOUNT}) (marketing_messages_window_start_timestamp_seconds{{{ACCOUNTS}, window="this_month"}})'
)
MONTH_GONE = f"(time() - {MONTH_BEGAN}) / 86400 / days_in_month({MONTH_BEGAN} + 86400)"
SPENT = (
    f"max by ({ACCOUNT}, currency) "
    f'(account:marketing_messages_spend:sum{{{ACCOUNTS}, {CURRENCY}, window="this_month"}})'
)
SHARE_SPENT = f"{SPENT} / on ({ACCOUNT}, currency) {BUDGET}"
# Shares of the month have no currency: each is put on what is spent.
PROJECTED = f"{SPENT} / on ({ACCOUNT}) group_left () ({MONTH_GONE}) and on ({ACCOUNT}, currency) {BUDGET}"
SHARE_PROJECTED = f"{SPENT} / on ({ACCOUNT}, currency) {BUDGET} / on ({ACCOUNT}) group_left () ({MONTH_GONE})"

MOVERS = (
    f"topk by (currency) (8, abs({extra(WINDOW)} and on ({CAMPAIGN}, currency) abs({deviations(WINDOW)}) >= {CHANCE}))"
)


def moved(expression: str) -> str:
    """A column about the campaigns that moved most."""
    return f"({expression}) {CAMPAIGN_NAME} and on ({CAMPAIGN}, currency) {MOVERS}"


def named_account(expression: str) -> str:
    return f"({expression}) {ACCOUNT_NAME}"


def by_team(expression: str, *labels: str) -> str:
    return f"sum by ({', '.join(['team', *labels])}) ({expression} {WITH_TEAM})"


CLICKS_WITH_CURRENCY = f"({spend(WINDOW)} >= bool 0) * on ({CAMPAIGN}) group_left () {clicks(WINDOW)}"
SPEND_BY_CURRENCY = f"sum by (currency) ({account_sum('spend', MONEY)})"
CLICKS_BY_CURRENCY = f"sum by (currency) ({clicks_by_currency(WINDOW, MONEY)})"
# All names begin so; links and labels keep the whole name.
SHORT_ALERT = {"Alert": ("^MarketingMessages(.*)$", "$1")}
BUDGET_STEPS = [("green", None), ("orange", 1), ("red", 1.1)]
CHANGE_STEPS = [("text", None), ("orange", 0.3)]
LAST_WEEK = " offset 7d"

PANELS = [
    stat(
        "Spend",
        6,
        "Spend in the window, by currency. Amounts in different currencies are never added up.",
        SPEND_BY_CURRENCY,
        "none",
        2,
        "{{currency}}",
    ),
    stat("Delivered", 4, "Messages delivered in the window.", f"sum({account_sum('delivered', WINDOW)})", "locale", 0),
    stat(
        "Cost per click",
        6,
        "Total spend divided by total link clicks in the window, by currency.",
        f"{SPEND_BY_CURRENCY} / ({CLICKS_BY_CURRENCY} > 0)",
        "none",
        3,
        "{{currency}}",
    ),
    stat(
        "Firing alerts",
        4,
        "Alerts about the selected accounts, their credentials and the exporters. The table below lists them.",
        f"count({SINCE}) or vector(0)",
        "none",
        0,
        steps=red_above(1),
    ),
    stat(
        "Oldest figures",
        4,
        "Time since the last successful poll of the target that has waited longest.",
        f"max(target:marketing_messages_data:age_seconds{{{ACCOUNTS}}})",
        "s",
        0,
        steps=[("green", None), ("orange", 3600), ("red", 14400)],
    ),
    table(
        "Alerts that fire",
        24,
        7,
        "Each alert with its campaign or credential. Click an alert for its runbook, or a campaign for its dashboard.",
        [column("For", SINCE, "s", 0)],
        {
            "alertname": "Alert",
            "severity": "Severity",
            "campaign_name": "Campaign",
            "account_id": "Account",
            "campaign_id": "Id",
            "credential": "Credential",
            "instance": "Instance",
        },
        "For",
        {"Alert": RUNBOOKS, "Campaign": CAMPAIGN_LINK},
        SHORT_ALERT,
    ),
    table(
        "Accounts",
        24,
        7,
        "Each account's figures in the selected window; CAMS has only one window. Ratios are computed from sums.",
        [
            column("Spend", named_account(account_sum("spend", ANY_MONEY)), "none", 2),
            column("Delivered", named_account(account_sum("delivered", ANY)), "locale", 0),
            column("Link clicks", named_account(account_sum("link_clicks", ANY)), "locale", 0),
            column(
                "Click ratio",
                named_account(f"{account_sum('link_clicks', ANY)} / ({account_sum('delivered', ANY)} > 0)"),
                "percentunit",
                2,
            ),
            column("Cost per click", named_account(account_cost(ANY, ANY_MONEY)), "none", 3),
        ],
        {"account_name": "Account", "account_id": "Id", "source": "Source", "window": "Window", "currency": "Currency"},
    ),
    table(
        "Top movers",
        24,
        8,
        "Campaigns whose clicks cost more or less than usual, largest extra cost first. “Extra cost” is the spend "
        "of the window minus the price of its clicks at the usual cost. Only changes beyond chance are listed: at "
        f"least {JUDGED} clicks were expected, and the actual number differs by {CHANCE} standard deviations or more.",
        [
            column("Extra cost", moved(extra(WINDOW)), "none", 2),
            column("Cost per click", moved(per_click(spend(WINDOW), clicks(WINDOW))), "none", 3),
            column("Usual", moved(USUAL), "none", 3),
            column(
                "Times the usual",
                moved(
                    f"{spend(WINDOW)} / on ({CAMPAIGN}, currency) ({USUAL} * on ({CAMPAIGN}) group_left () "
                    f"({clicks(WINDOW)} > 0))"
                ),
                "none",
                2,
            ),
            column("Deviations", moved(deviations(WINDOW)), "none", 1),
        ],
        {"campaign_name": "Campaign", "campaign_id": "Id", "account_id": "Account", "currency": "Currency"},
        "Extra cost",
        {"Campaign": CAMPAIGN_LINK},
    ),
    table(
        "Budget of the month",
        16,
        7,
        "Accounts that have a threshold `budget_month` and poll the window `this_month`. “Projected” is the spend of "
        "the whole month if it continues at the current rate.",
        [
            column("Budget", named_account(BUDGET), "none", 2),
            column("Spent", named_account(f"{SPENT} and on ({ACCOUNT}, currency) {BUDGET}"), "none", 2),
            column("Share spent", named_account(SHARE_SPENT), "percentunit", 1, BUDGET_STEPS),
            column(
                "Month gone",
                named_account(
                    f"({SPENT} >= bool 0) * on ({ACCOUNT}) group_left () ({MONTH_GONE}) "
                    f"and on ({ACCOUNT}, currency) {BUDGET}"
                ),
                "percentunit",
                1,
            ),
            column("Projected", named_account(PROJECTED), "none", 2),
            column("Share", named_account(SHARE_PROJECTED), "percentunit", 0, BUDGET_STEPS),
        ],
        {"account_name": "Account", "currency": "Currency"},
        "Share",
    ),
    lines(
        "Pacing",
        8,
        "How much of the monthly budget is spent, and how much of the month has passed (dashed). An account above the "
        "dashed line spends too fast.",
        [
            (named_account(SHARE_SPENT), "{{account_name}} {{currency}}"),
            (f"max({MONTH_GONE} and on ({ACCOUNT}) {BUDGET})", "month"),
        ],
        "percentunit",
        0,
        height=7,
        axisSoftMax=1,
        overrides=[
            {
                "matcher": {"id": "byName", "options": "month"},
                "properties": [
                    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
                    {"id": "custom.fillOpacity", "value": 0},
                    {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}},
                ],
            }
        ],
    ),
    days(
        "Spend a day in $currency",
        24,
        "What each account spent each day. Days begin at midnight in the dashboard's time zone: set it to the "
        "account's. For CAMS, a day is the increase of its only window.",
        [(named_account(daily_of_account("spend", f"{ACCOUNTS}, {CURRENCY}", "currency")), "{{account_name}}")],
        "none",
        stacked=True,
        more=FOR_EACH_CURRENCY,
    ),
    lines(
        "Cost per click a day in $currency",
        24,
        "What a click cost each day, by account, computed from sums.",
        [
            (
                named_account(
                    per_click(
                        daily_of_account("spend", f"{ACCOUNTS}, {CURRENCY}", "currency"),
                        daily_of_account("link_clicks", ACCOUNTS),
                        ACCOUNT,
                    )
                ),
                "{{account_name}}",
            )
        ],
        "none",
        3,
        step="1d",
        more=FOR_EACH_CURRENCY,
        showPoints="always",
        pointSize=7,
    ),
    table(
        "Week over week",
        24,
        7,
        "The window compared with the same window a week ago, at the same time of day.",
        [
            column("Spend", named_account(account_sum("spend", MONEY)), "none", 2),
            column("A week ago", named_account(account_sum("spend", MONEY, LAST_WEEK)), "none", 2),
            column(
                "Change",
                named_account(against_last_week(account_sum("spend", MONEY), account_sum("spend", MONEY, LAST_WEEK))),
                "percentunit",
                1,
            ),
            column(
                "Clicks, change",
                named_account(
                    against_last_week(clicks_by_currency(WINDOW, MONEY), clicks_by_currency(WINDOW, MONEY, LAST_WEEK))
                ),
                "percentunit",
                1,
            ),
            column("Cost per click", named_account(account_cost(WINDOW, MONEY)), "none", 3),
            column("Cost a week ago", named_account(account_cost(WINDOW, MONEY, LAST_WEEK)), "none", 3),
            column(
                "Cost, change",
                named_account(
                    against_last_week(account_cost(WINDOW, MONEY), f"({account_cost(WINDOW, MONEY, LAST_WEEK)})")
                ),
                "percentunit",
                1,
                CHANGE_STEPS,
            ),
        ],
        {"account_name": "Account", "currency": "Currency"},
        "Cost, change",
    ),
    table(
        "Teams",
        12,
        7,
        "Totals of each team's campaigns. The team is the static label `team` of the configuration; the row without a "
        "name is for campaigns without one.",
        [
            column("Spend", by_team(spend(MONEY), "currency"), "none", 2),
            column("Link clicks", by_team(CLICKS_WITH_CURRENCY, "currency"), "locale", 0),
            column(
                "Cost per click",
                f"{by_team(spend(MONEY), 'currency')} / ({by_team(CLICKS_WITH_CURRENCY, 'currency')} > 0)",
                "none",
                3,
            ),
        ],
        {"team": "Team", "currency": "Currency"},
        "Team",
    ),
    table(
        "Currencies",
        12,
        7,
        "Totals of the accounts in each currency. Amounts in different currencies are never added up.",
        [
            column("Spend", SPEND_BY_CURRENCY, "none", 2),
            column("Link clicks", CLICKS_BY_CURRENCY, "locale", 0),
            column("Cost per click", f"{SPEND_BY_CURRENCY} / ({CLICKS_BY_CURRENCY} > 0)", "none", 3),
            column("Accounts", f"count by (currency) ({account_sum('spend', MONEY)})", "none", 0),
        ],
        {"currency": "Currency"},
        "Currency",
    ),
    lines(
        "Age of the figures",
        24,
        "Time since the last successful poll of each account's oldest target. It rises until the next poll, then falls "
        "to 0.",
        [
            (
                f"max by ({ACCOUNT}) (target:marketing_messages_data:age_seconds{{{ACCOUNTS}}})",
                "{{source}} {{account_id}}",
            )
        ],
        "s",
        0,
    ),
]

BOARD = dashboard(
    "mme-overview",
    "Marketing messages: overview",
    "Accounts, spend, cost per click, firing alerts and top movers.",
    [SOURCE, ACCOUNT_CHOICE, WINDOW_CHOICE, CURRENCY_CHOICE],
    PANELS,
    [
        annotation(
            "Alerts",
            f'ALERTS{{{ALERTS}, alertstate="firing", severity="critical"}}',
            "{{alertname}}",
            "{{campaign_name}} {{account_id}}",
            "red",
        )
    ],
)
