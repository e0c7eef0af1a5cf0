"""HTTP to what runs on loopback."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any

from lib.process import Failed

REQUEST = 30  # seconds for one request

# Proxies of the environment have no business on loopback.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Series = list[tuple[dict[str, str], float]]


def send(
    request: urllib.request.Request | str, http: urllib.request.OpenerDirector = HTTP, seconds: float = REQUEST
) -> tuple[int, Message, bytes]:
    """Status, headers and body, whatever the status."""
    try:
        with http.open(request, timeout=seconds) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Message, bytes]:
    return send(urllib.request.Request(url, headers=dict(headers or {})))


def read(url: str) -> str:
    """The body of an answer that has to be 200; another is an error like a broken connection, which may pass."""
    status, _, body = get(url)
    if status != 200:
        raise OSError(f"{url}: {status} {body[:200]!r}")
    return body.decode()


def post(url: str, body: bytes) -> None:
    """Has to be answered with success."""
    headers = {"Content-Type": "application/json"}
    status, _, answer = send(urllib.request.Request(url, body, headers, method="POST"))
    if status >= 300:
        raise Failed(f"POST {url}: {status} {answer[:500]!r}")


def ask_prometheus(url: str, path: str, **parameters: object) -> Any:
    """What a Prometheus answers to a query of its API."""
    status, _, body = get(f"{url}/api/v1/{path}?" + urllib.parse.urlencode(parameters))
    answer = json.loads(body)
    if status != 200 or answer["status"] != "success":
        raise Failed(f"{path} {parameters}: {status} {body[:500]!r}")
    return answer["data"]


def query(prometheus: str, expression: str) -> Series:
    """The result of an instant query, as a list of (labels, value)."""
    data = ask_prometheus(prometheus, "query", query=expression)
    if data["resultType"] == "scalar":
        return [({}, float(data["result"][1]))]
    return [(series["metric"], float(series["value"][1])) for series in data["result"]]
