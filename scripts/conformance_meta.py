"""What Meta's Python SDK makes of the simulated Graph API: objects, listings, batches, refusals."""

import json
from typing import Any

from facebook_business.adobjects.ad import Ad
from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.adset import AdSet
from facebook_business.adobjects.campaign import Campaign
from facebook_business.adobjects.user import User

from conformance_graph import (
    APP,
    BRAZIL,
    DELIVERED,
    EUROPE,
    INDIA,
    OTHER_TOKEN,
    SECRET,
    TOKEN,
    VERSION,
    Graph,
    ads,
    column,
    refusal,
    total,
)
from lib.process import wait
from lib.web import get

ENDED, LIVING = "v24.0", ("v25.0", "v26.0", "v27.0")


def identity(graph: Graph) -> None:
    """Who asks."""
    graph.equal("me is the token's user", User("me", api=graph.api).api_get(fields=["name"])["name"], "main")
    accounts = User("me", api=graph.api).get_ad_accounts
    mine = [f"act_{EUROPE}", f"act_{BRAZIL}"]
    graph.equal("me/adaccounts lists what the token may read", column(accounts(), "id"), mine)
    named = {"name": "Acme Europe", "id": mine[0]}
    graph.equal("me/adaccounts has the fields asked for", dict(accounts(fields=["name"])[0]), named)
    graph.equal("me/adaccounts comes in pages", len(list(accounts(params={"limit": 1}))), 2)

    def debug(token: str, api: Any) -> Any:
        return graph.call("debug_token", api=api, input_token=token)["data"]

    app = graph.client(f"{APP}|{SECRET}")
    fields = ("app_id", "is_valid", "expires_at", "type")
    facts = [APP, True, 0, "SYSTEM_USER"]
    graph.equal("debug_token by the app", [debug(TOKEN, app)[name] for name in fields], facts)
    graph.equal("debug_token by the token itself", debug(TOKEN, graph.api)["is_valid"], True)
    graph.equal("debug_token of an unknown token", debug("nonsense", app)["error"]["code"], 190)
    graph.refused("debug_token of a foreign token", (400, 100, None), "app access", debug, OTHER_TOKEN, graph.api)
    wrong = graph.client(f"{APP}|wrong")
    graph.refused("debug_token by a wrong secret", (400, 190, None), "signature", debug, TOKEN, wrong)

    proven = graph.client(TOKEN, secret=SECRET)
    graph.equal("the proof of the app's secret", graph.call("me", api=proven)["id"], "9")
    forged = graph.client(TOKEN, secret="wrong")
    graph.refused("a wrong proof", (400, 100, None), "appsecret_proof", graph.call, "me", api=forged)


def nodes(graph: Graph) -> None:
    """Objects by their ids."""
    account = graph.account
    graph.equal("an account without fields", sorted(account.api_get()), ["account_id", "id"])
    fields = ["name", "currency", "timezone_name", "account_status"]
    again = graph.node(AdAccount, f"act_{EUROPE}")
    graph.equal("an account has the fields asked for", sorted(again.api_get(fields=fields)), sorted([*fields, "id"]))
    graph.equal("its currency", account.api_get(fields=["currency"])["currency"], "EUR")
    ids = next(iter(account.get_ads(fields=["campaign_id", "adset_id", "name"], params={"limit": 1})))
    for kind, key in ((Ad, "id"), (AdSet, "adset_id"), (Campaign, "campaign_id")):
        node, name = graph.node(kind, ids[key]), kind.__name__
        graph.equal(f"{name} without fields", sorted(node.api_get()), ["id"])
        read = node.api_get(fields=["name", "effective_status", "account_id"])
        seen = [read["name"], read["effective_status"], read["account_id"]]
        graph.equal(f"{name}: name, status, account", seen, [ids["name"], "ACTIVE", str(EUROPE)])
        colour = (400, 100, None)
        part = f"nonexisting field (colour) on node type ({name})"
        graph.refused(f"{name}: an unknown field", colour, part, node.api_get, fields=["colour"])
        graph.refused(f"{name}: DELETE is not GET", (403, 294, None), "ads_management", node.api_delete)
    nested = graph.node(Ad, ids["id"])
    marked = {"is_message_campaign": True, "id": ids["campaign_id"]}
    expansion = ["campaign{is_message_campaign}"]
    graph.equal("a field of the object above", dict(nested.api_get(fields=expansion)["campaign"]), marked)
    missing = graph.node(Ad, 7)
    graph.refused("an object that does not exist", (400, 100, 33), "Object with ID '7'", missing.api_get)
    foreign = graph.node(AdAccount, f"act_{INDIA}")
    graph.refused("an account of somebody else", (403, 200, None), "NOT granted", foreign.api_get)
    graph.refused("a change", (403, 294, None), "", graph.node(Ad, ids["id"]).api_update, params={"status": "PAUSED"})


def listings(graph: Graph) -> None:
    """The edges of an account."""
    account = graph.account
    count = 24 + 3
    for name, edge in (("ads", account.get_ads), ("adsets", account.get_ad_sets), ("campaigns", account.get_campaigns)):
        listed = list(edge(params={"limit": 10}))
        graph.equal(f"{name}: three pages of ten", len({row["id"] for row in listed}), count)
        graph.equal(f"{name}: nothing but ids unless asked for", list(listed[0]), ["id"])
        graph.equal(f"{name}: 25 a page by default", len(edge()), 25)
        graph.equal(f"{name}: how many there are", edge().total(), count)
        graph.equal(f"{name}: names", "Spring sale 🌷 1" in column(edge(fields=["name"]), "name"), True)
    marks = list(account.get_campaigns(fields=["is_message_campaign"], params={"limit": 100}))
    graph.equal("campaigns: marked", sum(row["is_message_campaign"] for row in marks), 24)
    first = marks[0]["id"]
    graph.world.change({"set_status": [int(account.get_ads()[0]["id"]), "ARCHIVED"]})
    try:
        alive = len(account.get_campaigns(params={"limit": 100}))
        graph.equal("campaigns: archived ones are hidden", alive, count - 1)
        archived = account.get_campaigns(params={"effective_status": ["ARCHIVED"]})
        graph.equal("campaigns: unless asked for", column(archived, "id"), [first])
        visible = len(graph.rows(["ad_id"]))
        shown = [{"field": "ad.effective_status", "operator": "IN", "value": ["ACTIVE", "ARCHIVED"]}]
        graph.equal("rows of archived ads need a filter", len(graph.rows(["ad_id"], filtering=shown)), visible + 1)
        whole = graph.rows([DELIVERED], level="account")
        graph.holds("an account sums them up", total(whole, DELIVERED) > total(ads(graph), DELIVERED))
    finally:
        graph.world.change(
            {"set_status": [int(account.get_ads(params={"effective_status": ["ARCHIVED"]})[0]["id"]), "ACTIVE"]}
        )
    odd = {"effective_status": ["ODD"]}
    graph.refused(
        "campaigns: an unknown status", (400, 100, None), "effective_status", account.get_campaigns, params=odd
    )
    other = {"is_completed": True}
    graph.refused(
        "campaigns: what is not simulated", (400, 100, None), "is_completed", account.get_campaigns, params=other
    )
    named = [{"field": "ad.name", "operator": "CONTAIN", "value": "flash"}]
    found = account.get_ads(fields=["name"], params={"filtering": named})
    graph.equal("ads: a filter by name", len(found), 2)


def batches(graph: Graph) -> None:
    """Several calls in one."""
    got: list[Any] = []
    bad: list[Any] = []
    batch = graph.api.new_batch()

    def take(answer: Any) -> None:
        got.append(answer.json())

    def mind(answer: Any) -> None:
        bad.append(answer.error())

    graph.account.api_get(fields=["currency"], batch=batch, success=take, failure=mind)
    params = {"level": "ad", "limit": 2, "date_preset": "last_7d"}
    graph.account.get_insights(fields=["ad_id", "spend"], params=params, batch=batch, success=take, failure=mind)
    graph.node(Ad, 7).api_get(batch=batch, success=take, failure=mind)
    graph.equal("a batch leaves nothing to retry", batch.execute(), None)
    graph.equal("the calls of a batch that succeed", len(got), 2)
    graph.equal("a node in a batch", got[0]["currency"], "EUR")
    graph.equal("insights in a batch", sorted(got[1]["data"][0]), ["ad_id", "date_start", "date_stop", "spend"])
    graph.equal("the call of a batch that fails", [error.api_error_subcode() for error in bad], [33])
    raw = graph.call("", "POST", batch=[{"method": "GET", "relative_url": "me"}])
    names = {header["name"] for header in raw[0]["headers"]}
    graph.holds("each has its headers", {"facebook-api-version", "content-type"} <= names)
    plain = graph.call("", "POST", batch=[{"method": "GET", "relative_url": "me"}], include_headers=False)
    graph.equal("unless nobody wants them", sorted(plain[0]), ["body", "code"])
    many = [{"method": "GET", "relative_url": "me"}] * 51
    graph.refused("a batch of 51", (400, 100, None), "Maximum batch size is 50", graph.call, "", "POST", batch=many)
    graph.world.change({"fault": {"endpoint": "me", "times": 1, "fault": "reset"}})
    lost = graph.api.new_batch()
    User("me", api=graph.api).api_get(batch=lost, success=take, failure=mind)
    again = lost.execute()
    graph.holds("a call without an answer is tried again", again is not None and len(again) == 1)


def versions(graph: Graph) -> None:
    """The version that is asked for answers, or nothing does."""
    for version in LIVING:
        api = graph.client(TOKEN, version)
        answer = api.call("GET", (f"act_{EUROPE}",))
        graph.equal(f"{version} answers", answer.headers().get("facebook-api-version"), version)
    old, never = graph.client(TOKEN, ENDED), graph.client(TOKEN, "v99.0")
    insights = f"act_{EUROPE}/insights"
    graph.refused(f"{ENDED} has ended", (400, 2635, None), "deprecated version", graph.call, insights, api=old)
    graph.equal("but not for what is no figure", graph.call("me", api=old)["name"], "main")
    graph.refused("v99.0 does not exist", (400, 2500, None), "Unknown path components", graph.call, "me", api=never)
    status, _, body = get(f"{graph.world.api}/{insights}?access_token={TOKEN}")
    code = json.loads(body)["error"]["code"]
    graph.equal("figures need a version", (status, code), (400, 2635))


def credentials(graph: Graph) -> None:
    """Tokens that are refused."""
    graph.refused(
        "an unknown token",
        (400, 190, None),
        "Cannot parse access token",
        graph.call,
        "me",
        api=graph.client("nonsense"),
    )
    status, _, body = get(f"{graph.world.api}/{VERSION}/me")
    graph.equal("no token", (status, json.loads(body)["error"]["code"]), (400, 2500))
    for subcode, part in ((463, "expired"), (460, "invalidated"), (467, "logged out")):
        graph.world.change({"refuse_token": ["main", subcode]})
        graph.refused(f"a token refused with {subcode}", (400, 190, subcode), part, graph.call, "me")
    graph.world.change({"refuse_token": ["main", None]})
    graph.equal("and accepted again", graph.call("me")["id"], "9")


def allowances(graph: Graph) -> None:
    """Calls beyond what an account may be asked."""
    brazil = graph.node(AdAccount, f"act_{BRAZIL}")
    bounds = {"score": 9000, "decay": 300, "block": 2, "hourly": 19000}

    def read() -> Any:
        return brazil.api_get(fields=["name"])

    usage = graph.api.call("GET", (f"act_{BRAZIL}",)).headers()
    business = json.loads(usage["x-business-use-case-usage"])[str(BRAZIL)][0]
    graph.holds(
        "usage in headers", business["type"] == "ads_insights" and "acc_id_util_pct" in usage["x-ad-account-usage"]
    )
    graph.world.change({"set_allowance": [BRAZIL, {**bounds, "score": 0.5}]})
    graph.refused("too many at a time", (400, 17, 2446079), "(#17) User request limit reached", read)
    graph.world.change({"set_allowance": [BRAZIL, {**bounds, "hourly": 1, "block": 0}]})

    def hourly() -> bool:
        told = refusal(read)
        return told is not None and told[1] == 80004

    wait("the block is over", 10, graph.world.processes, hourly)
    graph.refused(
        "too many in an hour: objects", (400, 80004, 2446079), "(#80004) There have been too many calls to this", read
    )
    graph.refused(
        "too many in an hour: insights",
        (400, 80000, 2446079),
        "(#80000) There have been too many calls from this",
        graph.rows,
        [],
        brazil,
    )
    graph.world.change({"set_allowance": [BRAZIL, bounds]})
    graph.equal("and within it again", read()["name"], "Acme Brasil")


OBJECTS = (identity, nodes, listings, batches, versions, credentials, allowances)
