#!/usr/bin/env python3
"""Looks at the status page in a real browser: states, filter, sorting, a hostile name, light, dark and phone.

The daemon runs against the simulated APIs, which are made to fail in all the ways that the page has a word for.
Chromium is driven by the W3C's WebDriver protocol. With --images the page of an ordinary day is drawn as PNG files
instead.
"""

import base64
import json
import re
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lib.checks import Checks, run
from lib.command import command_line
from lib.process import Failed, Process, free_port, wait
from lib.web import get, read, send
from lib.world import Daemon, World

NAME = "<img src=x onerror=alert(1)>\"'&amp;<script>alert(2)</script> & more"
CAMPAIGN = "120201766000000"

# Up, waiting, failing (an account that the token may not see), refused (a token that is none), stale (made so below).
CONFIGURATION = f"""
poll: {{interval: 1s, timeout: 2s, stale_after: 4s}}
meta:
  shop:
    token: demo-main
    base_url: API
    accounts:
      - {{id: 2398765432, windows: [today, last_3d, last_28d]}}
      - {{id: 2398765433, windows: [today, last_28d]}}
      - {{id: 2398765999, windows: [today], totals: false}}
  archive:
    token: hush-worn-out
    base_url: API
    accounts: [{{id: 2398765434, windows: [last_7d], totals: false}}]
cams:
  sg:
    access_key_id: demo-key
    access_key_secret: demo-secret
    endpoint: API
    channels:
      - cust_space_id: cams-demo
        page_id: 323456789012345
        ad_account_id: 2399887766
        campaigns: [{CAMPAIGN}, 120201766000001]
"""
STATES = {"refused", "stale", "failing", "waiting", "up"}

FAULTS = [
    "unauthorized: the API does not accept the credential",
    "issue a new token",
    "unavailable: the API is down or cannot be reached",
]
EMPTY = "No target matches."

LIGHT, DARK, PHONE = "light", "dark", "phone"


class Browser:
    """A session of Chromium."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.driver = Process("chromedriver", ["chromedriver", f"--port={port}"], folder)
        self.base = f"http://127.0.0.1:{port}"
        wait("the driver answers", 30, [self.driver], lambda: get(f"{self.base}/status")[0] == 200)
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-proxy-server",
        ]
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.base += f"/session/{session['sessionId']}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers)
        status, _, answer = send(request, seconds=60)
        if status != 200:
            raise Failed(f"{method} {path}: {answer.decode()[:500]}")
        return json.loads(answer)["value"]

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> str:
        return str(next(iter(self.ask("POST", "/element", {"using": "css selector", "value": selector}).values())))

    def click(self, selector: str) -> None:
        self.ask("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self.ask("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def texts(self, selector: str) -> list[str]:
        texts: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())", selector
        )
        return texts

    def protocol(self, command: str, **parameters: object) -> Any:
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, kind: str) -> None:
        """Light or dark, wide or as a phone."""
        scheme = "dark" if kind == DARK else "light"
        self.protocol("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        width, height, scale = (390, 1300, 2) if kind == PHONE else (1400, 1300, 1)
        self.protocol(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=kind == PHONE,
        )

    def draw(self, file: Path) -> None:
        image = self.protocol("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(image["data"]))

    def complaints(self) -> list[str]:
        """What the console says: of broken references, of what the policy refuses."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def cells(self, label: str) -> list[str]:
        """A column of the table of targets."""
        return self.texts(f"table.targets tbody td[data-label='{label}']")

    def states(self) -> set[str]:
        return set(self.texts("table.targets .state"))

    def stop(self) -> None:
        try:
            self.ask("DELETE", "")
        finally:
            self.driver.stop()


class Day(World):
    """The simulated APIs and a daemon."""

    def __init__(self, binary: str) -> None:
        super().__init__(binary, "browser")
        self.simulation = self.simulate()

    def poll(self, configuration: str) -> None:
        self.exporter: Daemon = self.daemon("--config.file", self.write("config.yaml", configuration))
        self.page = f"{self.exporter.url}/"

    def bad(self) -> None:
        """A daemon that meets all the faults."""
        self.change({"rename": [int(CAMPAIGN), NAME]})
        usage = ["x-ad-account-usage", '{"acc_id_util_pct": 100, "reset_time_duration": 600}']
        spent = '{"error": {"message": "There have been too many calls", "code": 80000, "error_subcode": 2446079}}'
        self.fail("act_2398765433", 1, {"status": 400, "body": spent, "headers": [usage]})
        self.poll(CONFIGURATION.replace("API", self.api))
        self.settle()

    def ordinary(self) -> None:
        """A daemon that polls everything as it would by default: one request fails, and the rest is up."""
        self.change({"set_expiry": ["main", int(time.time()) + 52 * 86400]})
        self.fail("totals", 3, {"status": 503, "body": "", "headers": []})
        self.poll(self.simulation.output().replace("interval: 10s", "interval: 15m"))
        self.ready(self.exporter)
        self.wait("the names are known", 60, lambda: all(one["campaignName"] for one in self.targets("?q=cams")))

    def fail(self, call: str, times: int, answer: dict[str, Any]) -> None:
        """Answers calls whose name or text holds `call`, so often, with this instead."""
        name, text = ("insights", call) if call.startswith("act_") else (call, "")
        fault = {"endpoint": name, "contains": text, "skip": 0, "times": times, "fault": {"raw": answer}}
        self.change({"fault": fault})

    def overview(self, query: str = "") -> Any:
        return json.loads(read(f"{self.page}api/v1/targets{query}"))

    def targets(self, query: str) -> list[dict[str, Any]]:
        return list(self.overview(query)["targets"])

    def states(self) -> set[str]:
        return {state for state, number in self.overview()["states"].items() if number}

    def settle(self) -> None:
        """Until every state is there. What is stale was once good."""
        self.wait("CAMS was good once", 60, lambda: [one for one in self.targets("?q=cams") if one["up"]])
        self.fail("GetMessageCampaignInsights", 100_000, {"status": 503, "body": "", "headers": []})
        self.wait(f"the states {sorted(STATES)} are all there", 90, lambda: self.states() >= STATES)


def check_page(checks: Checks, browser: Browser, day: Day) -> None:
    browser.look(LIGHT)
    browser.open(day.page)
    tiles = {re.sub(r"\d+\s*", "", text) for text in browser.texts(".states a")}
    checks.that(tiles >= STATES, "every state has a word and a number", tiles)
    words = browser.texts("table.targets .state")
    colours = browser.run(
        "return [...document.querySelectorAll('table.targets .state')].map(e => getComputedStyle(e).color)"
    )
    by_word = dict(zip(words, colours, strict=True))
    distinct = len(set(by_word.values())) == len(by_word) >= len(STATES)
    checks.that(distinct, "each state has a colour of its own", by_word)
    checks.that(words[0] == "refused" and words[-1] == "up", "the worst come first", words)
    faults = " ".join(browser.texts("td.fault"))
    for part in FAULTS:
        checks.that(part in faults, f"a fault says “{part}”", faults)
    whole = browser.run("return document.documentElement.outerHTML")
    checks.that("hush" not in whole, "nothing that is secret is shown")
    bars = browser.run("return document.querySelectorAll('.bar rect:not(.track)').length")
    checks.that(bars >= 3, "bars show the allowance", bars)
    stopped = any("resumes in" in text for text in browser.texts("td[data-label=State]"))
    checks.that(stopped, "a blocked lane says when it resumes")
    complaints = browser.complaints()
    checks.that(not complaints, "the console has nothing to say", complaints)


def check_name(checks: Checks, browser: Browser, day: Day) -> None:
    query = f"?q={CAMPAIGN}"
    day.wait("the name is known", 30, lambda: [one for one in day.targets(query) if one["campaignName"]])
    browser.open(f"{day.page}{query}")
    row = browser.cells("Target")
    checks.that(len(row) == 1 and NAME in row[0], "a hostile name is text", row)
    checks.that(browser.run("return document.querySelectorAll('script, img').length") == 0, "and nothing else")


def hold_words(rows: Sequence[str]) -> bool:
    return bool(rows) and all("Europe" in row and "last_3d" in row for row in rows)


def check_filters(checks: Checks, browser: Browser, day: Day) -> None:
    browser.open(day.page)
    browser.type("input[name=q]", "EUROPE last_3d")
    browser.click("form button")
    checks.eventually("words filter, whatever their case", lambda: browser.cells("Target"), hold_words)
    kept = browser.run("return document.querySelector('input[name=q]').value")
    checks.that(kept == "EUROPE last_3d", "the box keeps them", kept)
    browser.open(day.page)
    browser.click(".states a.refused")
    checks.eventually("a tile shows its state alone", browser.states, lambda seen: seen == {"refused"})
    browser.click(".states a.refused")
    checks.eventually("and a second click all", browser.states, lambda seen: len(seen) > 1)
    browser.open(f"{day.page}?q=nothing-like-this")
    checks.that(browser.texts(".empty") == [EMPTY], "an empty table is explained")


def check_sorting(checks: Checks, browser: Browser, day: Day) -> None:
    browser.open(day.page)
    for order in ("ascending", "descending"):
        check_order(checks, browser, order)


def check_order(checks: Checks, browser: Browser, order: str) -> None:
    browser.click("th:nth-child(7) a")
    shown = "return document.querySelector('th:nth-child(7)').getAttribute('aria-sort')"
    checks.eventually(f"a heading says how it sorts, {order}", lambda: browser.run(shown), lambda seen: seen == order)
    samples = [int(text) for text in browser.cells("Samples")]
    in_order = samples == sorted(samples, reverse=order == "descending")
    checks.that(in_order and len(set(samples)) > 1, f"and sorts, {order}", samples)


def check_looks(checks: Checks, browser: Browser, day: Day, images: Path | None = None) -> None:
    backgrounds = set()
    for kind in (LIGHT, DARK, PHONE):
        browser.look(kind)
        browser.open(day.page)
        backgrounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        seen = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        checks.that(seen[0] <= seen[1], f"{kind}: nothing lies beyond the edge", seen)
        if images:
            images.mkdir(parents=True, exist_ok=True)
            file = images / f"status-{kind}.png"
            browser.draw(file)
            print(f"     {file}")
    checks.that(len(backgrounds) == 2, "dark is another page than light", backgrounds)


def look_at(checks: Checks, binary: str, images: Path | None) -> None:
    with Day(binary) as day:
        browser = Browser(day.folder)
        try:
            if images:
                day.ordinary()
                check_looks(checks, browser, day, images)
                return
            day.bad()
            check_page(checks, browser, day)
            check_name(checks, browser, day)
            check_filters(checks, browser, day)
            check_sorting(checks, browser, day)
            check_looks(checks, browser, day)
        finally:
            browser.stop()


if __name__ == "__main__":
    parser = command_line(__doc__)
    parser.add_argument("--images", type=Path, help="draw the page of an ordinary day into this folder instead")
    options = parser.parse_args()
    run("browser", lambda checks: look_at(checks, options.binary, options.images))
