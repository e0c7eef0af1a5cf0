"""What Meta's Python SDK makes of the simulated insights: values, windows, filters, order, pages, reports."""

import time
from datetime import date, timedelta

from facebook_business.adobjects.ad import Ad
from facebook_business.adobjects.adreportrun import AdReportRun
from facebook_business.adobjects.adsinsights import AdsInsights

from conformance_graph import CLICKS, COUNTS, DELIVERED, EUROPE, SPEND, Graph, Row, ads, column, refusal, total
from lib.process import wait


def values(graph: Graph) -> None:
    """Figures of rows."""
    rows = ads(graph)
    graph.equal("a row for each ad that delivered", len(rows), 23)
    graph.holds("every value is a text", all(isinstance(value, str) for row in rows for value in row.values()))
    metrics = sorted(name for name in vars(AdsInsights.Field).values() if str(name).startswith("marketing_messages_"))
    for name in [*metrics, "clicks", "reach", "impressions", "spend", "ctr", "cpm", "cpc"]:
        graph.holds(f"the SDK's field {name} is known", len(graph.rows([name])) > 0)
    row = next(row for row in graph.rows([*metrics, "account_currency"]) if float(row.get(CLICKS, 0)) > 0)
    delivered, clicks, spend = (float(row[name]) for name in COUNTS)

    def near(field: str, value: float) -> bool:
        return abs(float(row[f"marketing_messages_{field}"]) - value) < 1e-3

    graph.holds("the click rate is percent", near("link_btn_click_rate", 100 * clicks / delivered))
    graph.holds("the cost of a click", near("cost_per_link_btn_click", spend / clicks))
    graph.holds("the cost of a message", near("cost_per_delivered", spend / delivered))
    graph.equal("the currency of spend", row["marketing_messages_spend_currency"], "EUR")
    ids = ["ad_id", "adset_id", "campaign_id", "ad_name"]
    for level, present in (("ad", 4), ("adset", 2), ("campaign", 1), ("account", 0)):
        seen = graph.rows(ids, level=level)[0]
        graph.equal(f"ids at the level {level}", sum(name in seen for name in ids), present)
        summed = [row for row in graph.rows(COUNTS, level=level) if DELIVERED in row]
        for field in COUNTS:
            off = abs(total(summed, field) - total(rows, field))
            graph.holds(f"{field} at the level {level}", off < 0.3)
    one = rows[0]
    node = graph.node(Ad, one["ad_id"])
    graph.equal("an ad's own insights", graph.rows([DELIVERED], node, level=None)[0][DELIVERED], one[DELIVERED])
    default = graph.rows([], limit=1)[0]
    graph.equal("fields by default", sorted(default), ["date_start", "date_stop", "impressions", "spend"])


def windows(graph: Graph) -> None:
    """Which days a row is about."""
    today, day = graph.today, timedelta(days=1)
    for preset in sorted(name for word, name in vars(AdsInsights.DatePreset).items() if not word.startswith("_")):
        seen = graph.rows([DELIVERED], date_preset=preset, level="account", limit=1)
        graph.holds(f"the SDK's preset {preset} is known", len(seen) == 1)
    for preset, first, last in (
        ("today", today, today),
        ("yesterday", today - day, today - day),
        ("last_7d", today - 7 * day, today - day),
        ("this_month", today.replace(day=1), today),
    ):
        row = graph.rows([DELIVERED], date_preset=preset, level="account")[0]
        days = (row["date_start"], row["date_stop"])
        graph.equal(f"the days of {preset}, in the account's zone", days, (str(first), str(last)))
    since = today - 40 * day
    span = {"since": str(since), "until": str(today - 31 * day)}
    row = graph.rows([DELIVERED], time_range=span)[0]
    graph.equal("a range beats a preset", (row["date_start"], row["date_stop"]), (span["since"], span["until"]))
    ranges = [span, {"since": str(today - 5 * day), "until": str(today - 5 * day)}]
    rows = graph.rows([DELIVERED], time_ranges=ranges, time_range=span, level="account")
    graph.equal("a list of ranges beats both", column(rows, "date_start"), [each["since"] for each in ranges])
    for increment, count in ((1, 10), ("1", 10), (7, 2), ("all_days", 1)):
        rows = graph.rows(COUNTS, time_range=span, level="account", time_increment=increment)
        graph.equal(f"time_increment {increment!r}: rows", len(rows), count)
    for level in ("ad", "campaign", "account"):
        whole = [row for row in graph.rows(COUNTS, time_range=span, level=level) if DELIVERED in row]
        rows = graph.rows(COUNTS, time_range=span, level=level, time_increment=1, limit=50)
        daily = [row for row in rows if DELIVERED in row]
        for field, most in ((DELIVERED, 0.0), (CLICKS, 0.0), (SPEND, 0.01 * len(daily))):
            off = abs(total(daily, field) - total(whole, field))
            graph.holds(f"days sum up to the window: {field} at the level {level}", off <= most)
        one = all(row["date_start"] == row["date_stop"] for row in rows)
        graph.holds(f"each of these rows is of one day, at the level {level}", one)
    dates = column(graph.rows([DELIVERED], time_range=span, level="account", time_increment=1), "date_start")
    graph.equal("days in order", dates, [str(since + n * day) for n in range(10)])
    months = graph.rows(
        [DELIVERED],
        time_range={"since": str(month_before(today)), "until": str(today)},
        level="account",
        time_increment="monthly",
    )
    graph.equal("months", column(months, "date_start"), [str(month_before(today)), str(today.replace(day=1))])
    refused = graph.refused
    old = {"since": "2020-01-01", "until": "2020-01-02"}
    refused("a range of long ago", (400, 3018, None), "37 months", graph.rows, [], time_range=old)
    turned = {"since": str(today), "until": str(since)}
    refused("a range that ends before it begins", (400, 100, None), "time_range", graph.rows, [], time_range=turned)
    refused("an unknown preset", (400, 100, None), "date_preset", graph.rows, [], date_preset="lifetime")
    for wrong in (0, 91, "daily"):
        refused(f"time_increment {wrong!r}", (400, 100, None), "time_increment", graph.rows, [], time_increment=wrong)


def month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def filters(graph: Graph) -> None:
    """Which rows are shown, and in which order."""
    rows = graph.rows(["ad_id", "campaign_id", "adset_id", "ad_name", *COUNTS])
    messages = [row for row in rows if DELIVERED in row]
    some = messages[:3]
    middle = sorted(int(row[DELIVERED]) for row in messages)[len(messages) // 2]

    def shown(field: str, operator: str, value: object, level: str = "ad") -> list[Row]:
        return graph.rows(["ad_id"], level=level, filtering=[{"field": field, "operator": operator, "value": value}])

    wanted = column(some, "ad_id")
    for field in ("ad.id", "adset.id", "campaign.id"):
        ids = column(some, field.replace(".", "_"))
        graph.equal(f"{field} IN", column(shown(field, "IN", ids), "ad_id"), wanted)
        numbers = [int(text) for text in ids]
        graph.equal(f"{field} IN numbers", column(shown(field, "IN", numbers), "ad_id"), wanted)
        graph.equal(f"{field} EQUAL", column(shown(field, "EQUAL", ids[0]), "ad_id"), wanted[:1])
        left = len(rows) - 3
        graph.equal(f"{field} NOT_IN", len(shown(field, "NOT_IN", ids)), left)
    graph.equal(
        "campaign.id IN at the level campaign",
        len(shown("campaign.id", "IN", column(some, "campaign_id"), "campaign")),
        3,
    )
    above = sum(int(row[DELIVERED]) > middle for row in messages)
    for operator, count in (
        ("GREATER_THAN", above),
        ("GREATER_THAN_OR_EQUAL", sum(int(row[DELIVERED]) >= middle for row in messages)),
        ("LESS_THAN", sum(int(row[DELIVERED]) < middle for row in messages)),
        ("EQUAL", sum(int(row[DELIVERED]) == middle for row in messages)),
    ):
        graph.equal(f"{DELIVERED} {operator}", len(shown(DELIVERED, operator, middle)), count)
    for operator, value, count in (("CONTAIN", "SALE", 2), ("STARTS_WITH", "VIP", 2), ("NOT_CONTAIN", "ordinary", 23)):
        graph.equal(f"ad.name {operator}", len(shown("ad.name", operator, value)), count)
    graph.equal("ad.effective_status IN", len(shown("ad.effective_status", "IN", ["PAUSED"])), 0)
    summed = graph.rows(COUNTS, level="account", filtering=[{"field": "ad.id", "operator": "IN", "value": wanted}])
    graph.equal("an account sums up what is filtered", total(summed, DELIVERED), total(some, DELIVERED))
    purchases = [{"field": "action_type", "operator": "IN", "value": ["offsite_conversion.fb_pixel_purchase"]}]
    kinds = {
        action["action_type"]
        for row in graph.rows(["actions"], filtering=purchases)
        for action in row.get("actions", [])
    }
    graph.equal("action_type IN", kinds, {"offsite_conversion.fb_pixel_purchase"})

    numbers = [int(row[DELIVERED]) for row in ads(graph, sort=[f"{DELIVERED}_descending"])]
    graph.equal("sort downwards", numbers, sorted(numbers, reverse=True))
    names = column(graph.rows(["ad_name"], sort=["ad_name_ascending"]), "ad_name")
    graph.equal("sort by name", names, sorted(names))

    refused = graph.refused
    invalid = (400, 100, None)
    refused("an unknown filter field", invalid, "colour", shown, "colour", "IN", ["red"])
    refused("an unknown operator", invalid, "filtering[0][operator]", shown, "ad.id", "LIKE", "1")
    refused("an operator that is not simulated", invalid, "not simulated", shown, "ad.id", "TOP", "1")
    refused("a field with an underline", invalid, "campaign.id instead", shown, "campaign_id", "IN", ["1"])
    refused("sort without a direction", invalid, "sort", graph.rows, [], sort=["spend"])
    refused("sort by an unknown field", invalid, "colour", graph.rows, [], sort=["colour_ascending"])


def pages(graph: Graph) -> None:
    """Rows page by page."""
    whole = column(graph.rows(["ad_id"]), "ad_id")
    for limit in (1, 7, 26, 500):
        graph.equal(f"pages of {limit}", column(graph.rows(["ad_id"], limit=limit), "ad_id"), whole)
    path = f"act_{EUROPE}/insights"
    page = graph.call(path, level="ad", limit=5, date_preset="last_7d")
    graph.holds("a page names the next one", "access_token=" in page["paging"]["next"])
    last = graph.call(path, level="ad", limit=500, date_preset="last_7d")["paging"]
    graph.equal("the last one has cursors and no next one", sorted(last), ["cursors"])
    graph.refused("a cursor from elsewhere", (400, 2642, None), "cursor", graph.call, path, after="nonsense")
    for wrong in (0, -1, "all"):
        graph.refused(f"limit {wrong}", (400, 100, None), "limit", graph.call, path, limit=wrong)


def strangers(graph: Graph) -> None:
    """What is wrong, or known to the real API alone, is refused by its name."""
    invalid = (400, 100, None)
    for name, value, part in (
        ("breakdowns", ["age"], "`breakdowns`: age"),
        ("breakdowns", ["marketing_messages_btn_name"], "`breakdowns`: marketing_messages_btn_name"),
        ("action_breakdowns", ["action_device"], "`action_breakdowns`: action_device"),
        ("action_attribution_windows", ["1d_click"], "`action_attribution_windows`: 1d_click"),
        ("summary", ["spend"], "`summary`: spend"),
        ("default_summary", True, "`default_summary`: true"),
        ("product_id_limit", 3, "`product_id_limit`"),
        ("export_format", "csv", "`export_format`"),
        ("level", "page", "level must be one of"),
    ):
        graph.refused(f"{name} {value}", invalid, part, graph.rows, [], **{name: value})
    graph.refused("an unknown field", invalid, "colour are not valid for fields param", graph.rows, ["spend", "colour"])
    for name, harmless in (
        ("breakdowns", []),
        ("action_breakdowns", ["action_type"]),
        ("action_attribution_windows", ["default"]),
        ("default_summary", False),
        ("use_unified_attribution_setting", True),
        ("action_report_time", "mixed"),
    ):
        graph.holds(f"{name} {harmless} changes nothing", len(graph.rows([], **{name: harmless})) > 0)
    graph.refused("the removed ?ids=", (500, 100, None), "ids query parameter", graph.call, "", ids="1,2")
    colours = f"act_{EUROPE}/colours"
    graph.refused("an unknown edge", (400, 2500, None), "Unknown path components: /colours", graph.call, colours)


def reports(graph: Graph) -> None:
    """Insights that are asked for now and read later."""
    params = {"level": "ad", "date_preset": "last_7d", "time_increment": 1}
    run = graph.account.get_insights_async(fields=["ad_id", DELIVERED], params=dict(params))
    graph.holds("a run has an id of digits", str(run["report_run_id"]).isdigit())
    run = graph.node(AdReportRun, run["report_run_id"])
    began = time.monotonic()
    early = refusal(run.get_result)
    if time.monotonic() - began < 3:
        graph.equal("a run is not read before its end", early and early[:3], (400, 2601, 1815107))
    seen: list[str] = []

    def complete() -> bool:
        status = run.api_get()
        seen.append(status["async_status"])
        return (status["async_status"], status["async_percent_completion"]) == ("Job Completed", 100)

    wait("the report is complete", 30, graph.world.processes, complete)
    known = vars(AdReportRun.Field).values()
    graph.holds("a run is watched", seen[0] != "Job Completed" and set(run.api_get()) <= set(known))
    expected = graph.rows(["ad_id", DELIVERED], **params)
    read = [row.export_all_data() for row in run.get_result(params={"limit": 10})]
    graph.equal("a run has the rows that a plain call has", read, expected)
    page = {"limit": 5}
    rows = [row.export_all_data() for row in run.get_insights(params=page)]
    graph.equal("and again, page by page", rows, expected)
    start, wrong = graph.account.get_insights_async, {"level": "page"}
    graph.refused("a run of a wrong question", (400, 100, None), "level", start, fields=[], params=wrong)
    graph.refused("a run that nobody asked for", (400, 100, 33), "", graph.node(AdReportRun, 6044775540000).api_get)


INSIGHTS = (values, windows, filters, pages, strangers, reports)
