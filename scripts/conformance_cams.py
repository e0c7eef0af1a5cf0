"""What Alibaba Cloud's own Python SDK makes of the simulated CAMS, with a plain access key and with a temporary one.

The world is that of `simulate` without its stories.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from alibabacloud_cams20200606 import models
from alibabacloud_cams20200606.client import Client
from alibabacloud_tea_openapi import models as openapi
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException, ClientException, ThrottlingException
from darabonba.exceptions import DaraException
from darabonba.runtime import RuntimeOptions

from lib.checks import Checks
from lib.process import Failed
from lib.world import World

SPACE, PAGE, ACCOUNT = "cams-demo", "323456789012345", "2399887766"
PLAIN = ("demo-key", "demo-secret", None)
TEMPORARY = ("STS.demo-key", "demo-sts-secret", "demo-sts-token")
CAMPAIGNS = 12

NOTHING: Mapping[str, str] = {}

Key = tuple[str, str, str | None]
Error = tuple[int, str]


class Cams:
    """The SDK, pointed at the simulated API, and the checks of what it gets."""

    def __init__(self, world: World, checks: Checks, name: str, key: Key) -> None:
        self.world = world
        self.checks = checks
        self.name = name
        self.client = self.connect(key)

    def connect(self, key: Key) -> Any:
        identity, secret, token = key
        config = openapi.Config(access_key_id=identity, access_key_secret=secret, security_token=token)
        config.endpoint = urlsplit(self.world.api).netloc
        config.protocol = "HTTP"
        config.no_proxy = "127.0.0.1"
        return Client(config)

    def insights(self, campaign: str, account: str = ACCOUNT, client: Any = None) -> Any:
        request = models.GetMessageCampaignInsightsRequest(
            cust_space_id=SPACE, page_id=PAGE, ad_account_id=account, campaign_id=campaign
        )
        return (client or self.client).get_message_campaign_insights(request).body

    def listing(self, index: int = 1, size: int = 50, filters: Mapping[str, str] = NOTHING) -> Any:
        page = models.ListMessageCampaignRequestPage(index=index, size=size)
        given = {"cust_space_id": SPACE, "page_id": PAGE, **filters}
        return self.client.list_message_campaign(models.ListMessageCampaignRequest(page=page, **given)).body

    def accounts(self, client: Any = None, **given: str) -> Any:
        request = models.ListPageAdAccountRequest(**{"cust_space_id": SPACE, "page_id": PAGE, **given})
        return (client or self.client).list_page_ad_account(request).body

    def raw(
        self,
        query: dict[str, str],
        action: str = "ListPageAdAccount",
        version: str = "2020-06-06",
        method: str = "POST",
    ) -> Any:
        """A call of any operation, signed by the SDK."""
        parameters = openapi.Params(
            action=action,
            version=version,
            protocol="HTTP",
            pathname="/",
            method=method,
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        return self.client.call_api(parameters, openapi.OpenApiRequest(query=query), RuntimeOptions())["body"]

    def equal(self, what: str, seen: object, expected: object) -> None:
        self.checks.record(seen == expected, f"{self.name}: {what}", f"seen {seen!r}\nnot  {expected!r}")

    def refused(self, what: str, expected: Error, ask: Callable[..., object], *given: Any, **named: Any) -> None:
        """Status and code of the gateway's error that a call brings, as the SDK's exception has them."""
        seen: object = None
        try:
            ask(*given, **named)
        except AlibabaCloudException as error:
            seen = (error.status_code, error.code)
        self.checks.record(seen == expected, f"{self.name}: {what}", f"seen {seen}\nnot  {expected}")


def listings(cams: Cams) -> list[str]:
    """Campaigns and accounts; the campaigns' ids."""
    everything = cams.listing()
    cams.equal("every campaign is listed", (everything.total, len(everything.data)), (CAMPAIGNS, CAMPAIGNS))
    cams.equal("with success", (everything.code, everything.message), ("OK", "OK"))
    ids = [str(row.campaign_id) for row in everything.data]
    pages = [[row.campaign_id for row in cams.listing(index, 5).data or []] for index in (1, 2, 3, 4)]
    cams.equal("page by page", [len(page) for page in pages], [5, 5, 2, 0])
    cams.equal("in the same order", [identity for page in pages for identity in page], ids)
    first = everything.data[0]
    account = (first.ad_account_id, first.page_id, first.status)
    cams.equal("whose it is, and its status", account, (ACCOUNT, PAGE, "AVAILABLE"))
    born = time.time() - first.create_time / 1000
    cams.equal("when it was created", 179 < born / 86400 < 182, True)
    cams.equal("its budget in cents", (first.budget, first.budget_type), (5000, "daily"))
    for what, filters, count in (
        ("CampaignId", {"campaign_id": ids[3]}, 1),
        ("AdAccountId", {"ad_account_id": ACCOUNT}, CAMPAIGNS),
        ("a foreign AdAccountId", {"ad_account_id": "1"}, 0),
        ("CampaignName", {"campaign_name": "sale"}, 1),
        ("Status", {"status": "AVAILABLE"}, CAMPAIGNS),
        ("another Status", {"status": "OVER"}, 0),
    ):
        cams.equal(f"a filter by {what}", cams.listing(filters=filters).total, count)
    found = cams.accounts().data
    seen = [(row.ad_account_id, row.ad_account_name, row.currency, row.page_id) for row in found]
    cams.equal("the accounts of a page", seen, [(ACCOUNT, "Acme Singapore", "SGD", PAGE)])
    return ids


def values(cams: Cams, ids: list[str]) -> None:
    """Figures."""
    answer = cams.insights(ids[0])
    cams.equal("figures come with success", (answer.code, answer.success), ("OK", True))
    cams.equal("in one row", len(answer.data), 1)
    row = answer.data[0]
    fields = vars(row)
    cams.equal("every value is a text", {type(value).__name__ for value in fields.values()}, {"str"})
    delivered, clicks = float(row.marketing_messages_delivered), float(row.marketing_messages_link_btn_click)
    spend = float(row.marketing_messages_spend)
    for what, text, value in (
        ("the click rate is percent", row.marketing_messages_link_btn_click_rate, 100 * clicks / delivered),
        ("the cost of a click", row.marketing_messages_cost_per_link_btn_click, spend / clicks),
        ("the cost of a message", row.marketing_messages_cost_per_delivered, spend / delivered),
    ):
        cams.equal(what, abs(float(text) - value) < 1e-3, True)
    cams.equal("the days", row.date_start < row.date_stop, True)
    more = [cams.insights(identity).data[0].marketing_messages_delivered for identity in ids[1:4]]
    cams.equal("campaigns differ", len({row.marketing_messages_delivered, *more}), 4)


def refusals(cams: Cams, ids: list[str]) -> None:
    """What is missing, wrong or unknown, by the gateway's codes and by those of the operation."""
    channel = {"CustSpaceId": SPACE, "PageId": PAGE}
    insights = {**channel, "AdAccountId": ACCOUNT, "CampaignId": ids[0]}
    for name in insights:
        rest = {other: value for other, value in insights.items() if other != name}
        cams.refused(f"without {name}", (400, f"Missing{name}"), cams.raw, rest, "GetMessageCampaignInsights")
    cams.refused("a listing without Page", (400, "MissingPage"), cams.raw, channel, "ListMessageCampaign")
    cams.refused("an unknown parameter", (400, "UnsupportedParameter"), cams.raw, {**channel, "Colour": "1"})
    cams.refused("another version", (404, "InvalidVersion"), cams.raw, channel, version="2014-05-26")
    cams.refused("an unknown operation", (404, "InvalidAction.NotFound"), cams.raw, channel, "DeleteMessageCampaign")
    cams.refused("another method", (400, "UnsupportedHTTPMethod"), cams.raw, channel, method="PUT")
    cams.equal("GET", cams.raw(channel, method="GET")["Code"], "OK")
    campaign, account = "InvalidParameter.CampaignId", "InvalidParameter.AdAccountId"
    cams.equal("an unknown campaign", (cams.insights("1").success, cams.insights("1").code), (False, campaign))
    cams.equal("a foreign account", cams.insights(ids[0], account="1").code, account)
    cams.equal("a foreign page", cams.accounts(page_id="1").code, "Unknown.ResourceOwnerId")
    cams.equal("a page of nothing", cams.listing(size=0).code, "InvalidParameter.PageInvalid")


def throttle(cams: Cams) -> None:
    """Calls beyond what a key may ask in a second."""
    for _ in range(200):
        try:
            cams.accounts()
        except ThrottlingException as error:
            told = (error.status_code, error.code)
            cams.equal("too many in a second", told, (400, "Throttling.User"))
            cams.equal("and when to come again", 1 <= error.retry_after <= 1000, True)
            time.sleep(error.retry_after / 1000)
            cams.equal("then there is room", cams.accounts().code, "OK")
            return
    cams.checks.record(False, f"{cams.name}: too many in a second", "200 calls were let through")


def keys(cams: Cams) -> None:
    """Keys that are refused."""
    identity, secret, token = TEMPORARY
    for what, key, status, code in (
        ("an unknown key", ("nobody", "x", None), 404, "InvalidAccessKeyId.NotFound"),
        ("a wrong secret", ("demo-key", "wrong", None), 400, "SignatureDoesNotMatch"),
        ("a temporary key without its token", (identity, secret, None), 400, "MissingSecurityToken"),
        ("a temporary key with another token", (identity, secret, "other"), 400, "InvalidSecurityToken.Expired"),
        (
            "a token with a plain key",
            ("demo-key", "demo-secret", token),
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
        ),
    ):
        client = cams.connect(key)
        cams.refused(what, (status, code), cams.accounts, client)
    cams.world.change(
        {
            "fault": {
                "endpoint": "ListPageAdAccount",
                "times": 1,
                "fault": {"gateway": {"status": 503, "code": "ServiceUnavailable"}},
            }
        }
    )
    cams.refused("a gateway that is down", (503, "ServiceUnavailable"), cams.accounts)


def check_cams(world: World, checks: Checks, name: str, key: Key) -> None:
    """All of them with one key."""
    cams = Cams(world, checks, name, key)
    try:
        ids = listings(cams)
        values(cams, ids)
        throttle(cams)
        refusals(cams, ids)
        if key == PLAIN:
            keys(cams)
    except (DaraException, ClientException, AttributeError, LookupError, TypeError, ValueError, Failed) as error:
        checks.record(False, f"{name}: it came to its end", repr(error))
