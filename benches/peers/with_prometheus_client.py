"""A home-made exporter with Python's prometheus_client: a Gauge for each family.

The flags are those of the peers in Rust (src/read.rs).
"""

import argparse
import json
import time
import urllib.parse
from collections.abc import Iterator
from http.client import HTTPConnection

from prometheus_client import CollectorRegistry, Gauge, start_http_server

# Name in the exposition, the API's field, percent on the wire, money.
FAMILIES = [
    ("delivered", "delivered", False, False),
    ("link_clicks", "link_btn_click", False, False),
    ("link_click_ratio", "link_btn_click_rate", True, False),
    ("read_ratio", "read_rate", True, False),
    ("delivery_ratio", "delivery_rate", True, False),
    ("spend", "spend", False, True),
    ("cost_per_delivered", "cost_per_delivered", False, True),
    ("cost_per_link_click", "cost_per_link_btn_click", False, True),
]
PREFIX = "marketing_messages_"
LABELS = ["source", "account_id", "campaign_id", "window", "team"]


def pages(connection: HTTPConnection, account: int, window: str) -> Iterator[list[dict[str, str]]]:
    fields = ",".join(["account_id", "account_currency", "ad_id", *(PREFIX + field for _, field, _, _ in FAMILIES)])
    after: str | None = ""
    while after is not None:
        query = urllib.parse.urlencode(
            {"level": "ad", "fields": fields, "date_preset": window, "limit": 500, "after": after}
        )
        connection.request(
            "GET", f"/v26.0/act_{account}/insights?{query}", headers={"Authorization": "Bearer token-main"}
        )
        page = json.loads(connection.getresponse().read())
        yield page["data"]
        after = page["paging"]["cursors"]["after"] if "next" in page["paging"] else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", required=True)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--windows", required=True)
    parser.add_argument("--interval", type=float, required=True)
    options = parser.parse_args()
    registry = CollectorRegistry()
    gauges = [
        Gauge(PREFIX + name, name, [*LABELS, *["currency"] * money], registry=registry)
        for name, _, _, money in FAMILIES
    ]
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(f"listening 127.0.0.1:{server.server_port}", flush=True)
    connection = HTTPConnection(urllib.parse.urlsplit(options.api).netloc)
    first = True
    while True:
        started = time.monotonic()
        for window in options.windows.split(","):
            for account in range(1001, 1001 + options.accounts):
                for row in (row for page in pages(connection, account, window) for row in page):
                    for gauge, (_, field, percent, money) in zip(gauges, FAMILIES, strict=True):
                        text = row.get(PREFIX + field)
                        if text is not None:
                            labels = ["meta", row["account_id"], row["ad_id"], window, "growth"]
                            labels += [row["account_currency"]] * money
                            gauge.labels(*labels).set(float(text + "e-2" * percent))
        if first:
            print("ready", flush=True)
            first = False
        time.sleep(max(0, options.interval - (time.monotonic() - started)))


if __name__ == "__main__":
    main()
