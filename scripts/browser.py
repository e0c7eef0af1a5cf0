#!/usr/bin/env python3
"""Looks at the status page in a real browser: states, filter, sorting, a hostile name, light, dark and phone.

The daemon runs against the simulated APIs, which are made to fail in all the ways that the page has a word for. Chromium is
driven by the W3C's WebDriver protocol. With --images the page of an ordinary day is drawn as PNG files instead.
"""

import argparse
import base64
import json
import re
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from stack import HTTP, Child, Failed, free_port, get, wait

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
    channels: [{{cust_space_id: cams-demo, page_id: 323456789012345, ad_account_id: 2399887766, campaigns: [{CAMPAIGN}, 120201766000001]}}]
"""
STATES = {"refused", "stale", "failing", "waiting", "up"}

LIGHT, DARK, PHONE = "light", "dark", "phone"


def check(what, holds, seen=""):
    if not holds:
        raise Failed(f"{what}: {seen}"[:1500])
    print(f"ok   {what}")


def eventually(what, ask, holds):
    """The same of what a click brings: the browser does not wait for the page."""
    seen = None
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        seen = ask()
        if holds(seen):
            break
        time.sleep(0.05)
    check(what, holds(seen), seen)


class Browser:
    """A session of Chromium."""

    def __init__(self, folder):
        port = free_port()
        self.driver = Child("chromedriver", ["chromedriver", f"--port={port}"], folder)
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

    def ask(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            self.base + path, data=data, method=method, headers={"content-type": "application/json"}
        )
        try:
            with HTTP.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise Failed(f"{method} {path}: {error.read().decode()[:500]}") from None

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        return next(iter(self.ask("POST", "/element", {"using": "css selector", "value": selector}).values()))

    def click(self, selector):
        self.ask("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.ask("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())", selector)

    def protocol(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, kind):
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

    def draw(self, file):
        image = self.protocol("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(image["data"]))

    def complaints(self):
        """What the console says: of broken references, of what the policy refuses."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def stop(self):
        try:
            self.ask("DELETE", "")
        finally:
            self.driver.stop()


class World:
    """The simulated APIs and a daemon."""

    def __init__(self, binary, folder):
        self.children, self.binary, self.folder = [], binary, folder
        api = f"127.0.0.1:{free_port()}"
        self.api = f"http://{api}"
        self.start("simulate", ["simulate", "--listen-address", api])
        wait("the simulated APIs answer", 30, self.children, lambda: get(f"{self.api}/_control/statistics")[0])

    def start(self, name, arguments):
        self.children.append(Child(name, [self.binary, *arguments], self.folder))

    def start_daemon(self, configuration):
        file, port = self.folder / "config.yaml", self.folder / "port"
        file.write_text(configuration)
        self.start(
            "daemon", ["--config.file", str(file), "--web.listen-address", "127.0.0.1:0", "--web.port-file", str(port)]
        )
        address = wait("the daemon listens", 30, self.children, lambda: port.exists() and port.read_text().strip())
        self.page = f"http://{address}/"

    def bad_day(self):
        """A daemon that meets all the faults."""
        self.change({"rename": [int(CAMPAIGN), NAME]})
        usage = ["x-ad-account-usage", '{"acc_id_util_pct": 100, "reset_time_duration": 600}']
        spent = '{"error": {"message": "There have been too many calls", "code": 80000, "error_subcode": 2446079}}'
        self.fail("act_2398765433", 1, {"status": 400, "body": spent, "headers": [usage]})
        self.start_daemon(CONFIGURATION.replace("API", self.api))
        self.settle()

    def ordinary_day(self):
        """A daemon that polls everything as it would by default: one request fails, and the rest is up."""
        self.change({"set_expiry": ["main", int(time.time()) + 52 * 86400]})
        self.fail("totals", 3, {"status": 503, "body": "", "headers": []})
        self.start_daemon(self.children[0].log.read_text().replace("interval: 10s", "interval: 15m"))
        wait("every target was polled", 60, self.children, lambda: get(f"{self.page}-/ready")[0] == 200)
        wait(
            "the names are known",
            60,
            self.children,
            lambda: all(target["campaignName"] for target in self.overview("?q=cams")["targets"]),
        )

    def change(self, change):
        data = json.dumps(change).encode()
        with HTTP.open(urllib.request.Request(f"{self.api}/_control/change", data=data), timeout=10) as answer:
            answer.read()

    def fail(self, call, times, answer):
        """Answers calls whose name or text holds `call`, so often, with this instead."""
        name, text = ("insights", call) if call.startswith("act_") else (call, "")
        self.change(
            {"fault": {"endpoint": name, "contains": text, "skip": 0, "times": times, "fault": {"raw": answer}}}
        )

    def overview(self, query=""):
        status, _, body = get(f"{self.page}api/v1/targets{query}")
        if status != 200:
            raise Failed(f"/api/v1/targets{query}: {status} {body[:200]!r}")
        return json.loads(body)

    def states(self):
        return {state for state, number in self.overview()["states"].items() if number}

    def settle(self):
        """Until every state is there. What is stale was once good."""
        wait(
            "CAMS was good once", 60, self.children, lambda: [t for t in self.overview("?q=cams")["targets"] if t["up"]]
        )
        self.fail("GetMessageCampaignInsights", 100_000, {"status": 503, "body": "", "headers": []})
        wait(f"the states {sorted(STATES)} are all there", 90, self.children, lambda: self.states() >= STATES)

    def stop(self):
        for child in self.children:
            child.stop()


def check_page(browser, world):
    browser.look(LIGHT)
    browser.open(world.page)
    tiles = {re.sub(r"\d+\s*", "", text) for text in browser.texts(".states a")}
    check("every state has a word and a number", tiles >= STATES, tiles)
    words, colours = (
        browser.texts("table.targets .state"),
        browser.run(
            "return [...document.querySelectorAll('table.targets .state')].map(e => getComputedStyle(e).color)"
        ),
    )
    by_word = dict(zip(words, colours))
    check("each state has a colour of its own", len(set(by_word.values())) == len(by_word) >= len(STATES), by_word)
    check("the worst come first", words[0] == "refused" and words[-1] == "up", words)
    faults = " ".join(browser.texts("td.fault"))
    for part in [
        "unauthorized: the API does not accept the credential",
        "issue a new token",
        "unavailable: the API, or the way to it, is down",
    ]:
        check(f"a fault says “{part}”", part in faults, faults)
    check("nothing that is secret is shown", "hush" not in browser.run("return document.documentElement.outerHTML"))
    check(
        "bars show the allowance", browser.run("return document.querySelectorAll('.bar rect:not(.track)').length") >= 3
    )
    check(
        "a stopped lane says when it opens", any("opens in" in text for text in browser.texts("td[data-label=State]"))
    )
    complaints = browser.complaints()
    check("the console has nothing to say", not complaints, complaints)


def check_name(browser, world):
    wait(
        "the name is known",
        30,
        world.children,
        lambda: [target for target in world.overview(f"?q={CAMPAIGN}")["targets"] if target["campaignName"]],
    )
    browser.open(f"{world.page}?q={CAMPAIGN}")
    row = browser.texts("table.targets tbody td[data-label=Target]")
    check("a hostile name is text", len(row) == 1 and NAME in row[0], row)
    check("and nothing else", browser.run("return document.querySelectorAll('script, img').length") == 0)


def check_choices(browser, world):
    cells = lambda label: browser.texts(f"table.targets tbody td[data-label='{label}']")
    browser.open(world.page)
    browser.type("input[name=q]", "EUROPE last_3d")
    browser.click("form button")
    eventually(
        "words filter, whatever their case",
        lambda: cells("Target"),
        lambda rows: rows and all("Europe" in row and "last_3d" in row for row in rows),
    )
    kept = browser.run("return document.querySelector('input[name=q]').value")
    check("the box keeps them", kept == "EUROPE last_3d", kept)
    browser.open(world.page)
    browser.click(".states a.refused")
    states = lambda: set(browser.texts("table.targets .state"))
    eventually("a tile shows its state alone", states, lambda seen: seen == {"refused"})
    browser.click(".states a.refused")
    eventually("and a second click all", states, lambda seen: len(seen) > 1)
    for order in ("ascending", "descending"):
        browser.click("th:nth-child(7) a")
        told = lambda: browser.run("return document.querySelector('th:nth-child(7)').getAttribute('aria-sort')")
        eventually(f"a heading says how it sorts, {order}", told, lambda seen: seen == order)
        samples = [int(text) for text in cells("Samples")]
        check(
            f"and sorts, {order}",
            samples == sorted(samples, reverse=order == "descending") and len(set(samples)) > 1,
            samples,
        )
    browser.open(f"{world.page}?q=nothing-like-this")
    check("an empty table is explained", browser.texts(".empty") == ["No target is like that."])


def check_looks(browser, world, images=None):
    backgrounds = set()
    for kind in (LIGHT, DARK, PHONE):
        browser.look(kind)
        browser.open(world.page)
        backgrounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        seen = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        check(f"{kind}: nothing lies beyond the edge", seen[0] <= seen[1], seen)
        if images:
            images.mkdir(parents=True, exist_ok=True)
            file = images / f"status-{kind}.png"
            browser.draw(file)
            print(f"     {file}")
    check("dark is another page than light", len(backgrounds) == 2, backgrounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--images", type=Path, help="draw the page into this folder")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mme-browser-") as folder:
        world, browser = None, None
        try:
            world = World(options.binary, Path(folder))
            browser = Browser(Path(folder))
            if options.images:
                world.ordinary_day()
                check_looks(browser, world, options.images)
                return 0
            world.bad_day()
            check_page(browser, world)
            check_name(browser, world)
            check_choices(browser, world)
            check_looks(browser, world)
        except Failed as failed:
            print(f"FAILED {failed}", file=sys.stderr)
            for child in world.children if world else []:
                print(child.tail(), file=sys.stderr)
            return 1
        finally:
            for running in (browser, world):
                if running:
                    running.stop()
    print(f"the page holds in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
