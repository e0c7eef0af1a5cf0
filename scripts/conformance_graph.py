"""Meta's Python SDK, pointed at the simulated Graph API of `simulate` without its stories."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from lib.checks import Checks
from lib.world import World

EUROPE, BRAZIL, INDIA = 2398765432, 2398765433, 2398765434
TOKEN, OTHER_TOKEN = "demo-main", "demo-growth"
APP, SECRET = "1234567890", "demo-app-secret"
VERSION = "v27.0"

DELIVERED = "marketing_messages_delivered"
CLICKS = "marketing_messages_link_btn_click"
SPEND = "marketing_messages_spend"
COUNTS = [DELIVERED, CLICKS, SPEND]

TIMEOUT = 30  # seconds of one request

Row = Mapping[str, Any]
Error = tuple[int, int, int | None]  # status, code, subcode


class Graph:
    """The SDK, pointed at the simulated API, and the checks of what it gets."""

    def __init__(self, world: World, checks: Checks, now: float) -> None:
        self.world = world
        self.checks = checks
        self.api = self.client(TOKEN)
        self.account = self.node(AdAccount, f"act_{EUROPE}")
        self.today = datetime.fromtimestamp(now, ZoneInfo("Europe/Berlin")).date()

    def client(self, token: str, version: str = VERSION, secret: str | None = None) -> Any:
        session = FacebookSession(APP, secret, token, timeout=TIMEOUT)
        session.GRAPH = self.world.api
        # Neither proxies nor certificates of the environment have any business on loopback.
        session.requests.trust_env = False
        return FacebookAdsApi(session, version)

    def node(self, kind: Any, identity: object, api: Any = None) -> Any:
        return kind(str(identity), api=api or self.api)

    def call(self, path: str, method: str = "GET", api: Any = None, **parameters: object) -> Any:
        return (api or self.api).call(method, path.split("/"), parameters).json()

    def rows(self, fields: Sequence[str], node: Any = None, **parameters: object) -> list[Row]:
        """Every row of every page."""
        given = {"date_preset": "last_7d", "level": "ad", "limit": 500, **parameters}
        given = {name: value for name, value in given.items() if value is not None}
        return [row.export_all_data() for row in (node or self.account).get_insights(fields=fields, params=given)]

    def holds(self, what: str, holds: object) -> None:
        self.checks.record(holds, f"meta: {what}")

    def equal(self, what: str, seen: object, expected: object) -> None:
        self.checks.record(seen == expected, f"meta: {what}", f"seen {seen!r}\nnot  {expected!r}")

    def refused(
        self, what: str, expected: Error, part: str, ask: Callable[..., object], *given: Any, **named: Any
    ) -> None:
        """Status, code and subcode of the error that a call brings, and a part of its message."""
        told = refusal(ask, *given, **named)
        fine = told is not None and told[:3] == expected and part in told[3]
        self.checks.record(fine, f"meta: {what}", f"seen {told}\nnot  {expected} {part}")


def refusal(ask: Callable[..., object], *given: Any, **named: Any) -> tuple[int, int, int | None, str] | None:
    """Status, code, subcode and message of the error that a call brings."""
    try:
        ask(*given, **named)
    except FacebookRequestError as error:
        code, subcode = error.api_error_code(), error.api_error_subcode()
        return error.http_status(), code, subcode, error.api_error_message() or ""
    return None


def total(rows: Iterable[Row], field: str) -> float:
    return round(sum(float(row[field]) for row in rows), 2)


def column(rows: Iterable[Row], field: str) -> list[Any]:
    return [row.get(field) for row in rows]


def ads(graph: Graph, **parameters: object) -> list[Row]:
    """Rows of messages at the level of ads."""
    return [row for row in graph.rows(["ad_id", *COUNTS], **parameters) if DELIVERED in row]
