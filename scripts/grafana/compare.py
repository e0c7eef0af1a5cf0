"""Campaigns side by side: as many as are chosen, in one window."""

from .campaign import CAMPAIGN_CHOICE
from .overview import ACCOUNT_CHOICE, LAST_WEEK, SOURCE, WINDOW_CHOICE
from .panels import CAMPAIGN_LINK, FOR_EACH_CURRENCY, annotation, column, dashboard, days, lines, table, variable
from .queries import (
    ALERTS,
    CAMPAIGN,
    CAMPAIGN_NAME,
    CURRENCY,
    JUDGED,
    SEVERAL,
    USUAL,
    against_last_week,
    clicks,
    daily,
    extra,
    figure,
    per_click,
    spend,
)

CHOSEN = SEVERAL + ', window="$window"'
MONEY = f"{CHOSEN}, {CURRENCY}"
CURRENCY_CHOICE = variable("currency", "Currency", f"label_values(marketing_messages_spend{{{SEVERAL}}}, currency)")
SEVERAL_CHOICE = {**CAMPAIGN_CHOICE, "multi": True, "label": "Campaigns"}
NAME_AND_TEAM = f"* on ({CAMPAIGN}) group_left (campaign_name, team) campaign:marketing_messages_name:info"
LABELS = {"campaign_name": "Campaign", "campaign_id": "Id", "currency": "Currency"}


def named(expression: str) -> str:
    return f"({expression}) {CAMPAIGN_NAME}"


def cost(offset: str = "") -> str:
    return per_click(spend(MONEY, offset), clicks(CHOSEN, offset))


PANELS = [
    table(
        "Side by side",
        24,
        8,
        "The selected campaigns in the selected window. “Extra cost” is the spend minus the price of the clicks at the "
        "usual cost.",
        [
            column("Spend", f"({spend(MONEY)}) {NAME_AND_TEAM}", "none", 2),
            column("Delivered", f"({figure('delivered', CHOSEN)}) {NAME_AND_TEAM}", "locale", 0),
            column("Link clicks", f"({clicks(CHOSEN)}) {NAME_AND_TEAM}", "locale", 0),
            column(
                "Click ratio",
                f"({clicks(CHOSEN)} / ({figure('delivered', CHOSEN)} > 0)) {NAME_AND_TEAM}",
                "percentunit",
                2,
            ),
            column("Cost per click", f"({cost()}) {NAME_AND_TEAM}", "none", 3),
            column("Usual", f"({USUAL} and on ({CAMPAIGN}) {clicks(CHOSEN)}) {NAME_AND_TEAM}", "none", 3),
            column("Extra cost", f"({extra(CHOSEN)}) {NAME_AND_TEAM}", "none", 2),
        ],
        {"campaign_name": "Campaign", "campaign_id": "Id", "team": "Team", "currency": "Currency"},
        "Spend",
        {"Campaign": CAMPAIGN_LINK},
    ),
    lines(
        "Cost per click a day in $currency",
        24,
        "What a click cost each day, by campaign.",
        [
            (
                named(per_click(daily("spend", f"{SEVERAL}, {CURRENCY}", "currency"), daily("link_clicks", SEVERAL))),
                "{{campaign_name}}",
            )
        ],
        "none",
        3,
        step="1d",
        more=FOR_EACH_CURRENCY,
        showPoints="always",
        pointSize=7,
    ),
    days(
        "Spend a day in $currency",
        24,
        "What each campaign spent each day.",
        [(named(daily("spend", f"{SEVERAL}, {CURRENCY}", "currency")), "{{campaign_name}}")],
        "none",
        stacked=True,
        more=FOR_EACH_CURRENCY,
    ),
    lines(
        "Cost per click in $currency",
        24,
        f"In the selected window, once a campaign has {JUDGED} clicks.",
        [(named(f"{cost()} and on ({CAMPAIGN}) ({clicks(CHOSEN)} >= {JUDGED})"), "{{campaign_name}}")],
        "none",
        3,
        more=FOR_EACH_CURRENCY,
    ),
    days(
        "Delivered a day",
        12,
        "Messages delivered each day.",
        [(named(daily("delivered", SEVERAL)), "{{campaign_name}}")],
        "locale",
        0,
        stacked=True,
    ),
    lines(
        "Click ratio a day",
        12,
        "Link clicks per delivered message, each day.",
        [(named(f"{daily('link_clicks', SEVERAL)} / ({daily('delivered', SEVERAL)} > 0)"), "{{campaign_name}}")],
        "percentunit",
        1,
        step="1d",
        showPoints="always",
        pointSize=7,
    ),
    table(
        "Week over week",
        24,
        8,
        "The window compared with the same window a week ago, at the same time of day.",
        [
            column("Spend", named(spend(MONEY)), "none", 2),
            column("A week ago", named(spend(MONEY, LAST_WEEK)), "none", 2),
            column("Change", named(against_last_week(spend(MONEY), spend(MONEY, LAST_WEEK))), "percentunit", 1),
            column("Cost per click", named(cost()), "none", 3),
            column("Cost a week ago", named(cost(LAST_WEEK)), "none", 3),
            column(
                "Cost, change",
                named(against_last_week(cost(), cost(LAST_WEEK))),
                "percentunit",
                1,
                [("text", None), ("orange", 0.3)],
            ),
        ],
        LABELS,
        "Cost, change",
        {"Campaign": CAMPAIGN_LINK},
    ),
]

BOARD = dashboard(
    "mme-compare",
    "Marketing messages: campaigns side by side",
    "Several campaigns in one window.",
    [SOURCE, ACCOUNT_CHOICE, SEVERAL_CHOICE, WINDOW_CHOICE, CURRENCY_CHOICE],
    PANELS,
    [
        annotation(
            "Alerts",
            f'ALERTS{{{ALERTS}, alertstate="firing", campaign_id=~"$campaign"}}',
            "{{alertname}}",
            "{{campaign_name}}",
            "red",
        )
    ],
)
