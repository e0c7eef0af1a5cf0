#!/usr/bin/env python3
"""Lets the daemon live through random faults, reloads and token rotations while two clients scrape it, and then
through a minute of ten reloads a second.

The daemon and the simulated API run as processes of their own on loopback. Before and after, when all is
quiet, memory, threads and file descriptors are counted. It ends with a table, and with status 1 when a
scrape failed or something leaked.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib

ACCOUNTS, CAMPAIGNS = 6, 200

# Accounts that every configuration names, and their samples of one family, in two windows: these are never missing.
KEPT = ("1001", "1002")
KEPT_SAMPLES = len(KEPT) * CAMPAIGNS * 2

CONFIGURATION = """
poll: {{interval: 1s, timeout: 2s, stale_after: 1h}}
state: {{file: {folder}/state}}
meta:
  main:
    token_file: {folder}/token
    base_url: {api}
    labels: {{team: "{team}"}}
    accounts: [{accounts}]
"""

PREFIX = "marketing_messages_exporter_"


def read(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=30) as answer:
        return answer.read().decode()


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"never came true: {what}")


class World:
    """The simulated API, and what is done to it."""

    def __init__(self, binary, folder):
        command = [
            binary,
            "simulate",
            "--listen-address",
            "127.0.0.1:0",
            "--accounts",
            str(ACCOUNTS),
            "--campaigns",
            str(CAMPAIGNS),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.api = self.process.stdout.readline().split()[-1]
        self.folder, self.tokens = folder, 0
        self.change({"set_restless": True})
        self.rotate()

    def change(self, change):
        read(self.api + "/_control/change", json.dumps(change).encode())

    def rotate(self):
        """A new token, which the file holds a moment later, as it is when somebody replaces it by hand."""
        self.tokens += 1
        token = f"token-{self.tokens}"
        self.change({"set_token": ["main", token]})
        with open(f"{self.folder}/token.new", "w") as file:
            file.write(token)
        os.chmod(file.name, 0o600)
        os.rename(file.name, f"{self.folder}/token")

    def disturb(self):
        spent = '{"error":{"message":"too many calls","code":80000,"error_subcode":2446079}}'
        usage = ["x-ad-account-usage", '{"acc_id_util_pct":100,"reset_time_duration":2}']
        fault = random.choice(
            [
                "truncated",
                "reset",
                "stall",
                {"slow": {"millis": random.randint(50, 1500)}},
                {"huge": {"bytes": 64 << 20}},
                {"raw": {"status": 400, "body": spent, "headers": [usage]}},
                {"raw": {"status": 502, "body": "<html>Bad Gateway</html>", "headers": []}},
                {"raw": {"status": 200, "body": "Service Unavailable", "headers": []}},
                {"graph": {"status": 500, "code": 2, "subcode": None, "message": "temporarily unavailable"}},
                {"graph": {"status": 400, "code": 190, "subcode": 463, "message": "expired"}},
            ]
        )
        account = f"act_{1001 + random.randrange(ACCOUNTS)}"
        self.change(
            {
                "fault": {
                    "endpoint": "insights",
                    "contains": account,
                    "skip": 0,
                    "times": random.randint(1, 4),
                    "fault": fault,
                }
            }
        )


class Daemon:
    """The daemon, and what can be seen of it from outside."""

    def __init__(self, binary, world, folder):
        self.world, self.folder, self.reloads = world, folder, 0
        self.configure(ACCOUNTS)
        command = [
            binary,
            "--config.file",
            f"{folder}/config.yaml",
            "--web.listen-address",
            "127.0.0.1:0",
            "--web.port-file",
            f"{folder}/port",
            "--web.enable-lifecycle",
        ]
        self.log = open(f"{folder}/log", "w")
        self.process = subprocess.Popen(command, stderr=self.log)
        wait_for(
            "the port is known",
            lambda: os.path.exists(f"{folder}/port") and open(f"{folder}/port").read().endswith("\n"),
        )
        self.address = open(f"{folder}/port").read().strip()
        wait_for("ready", lambda: read(f"http://{self.address}/-/ready"))

    def configure(self, accounts):
        listed = ", ".join(f"{{id: {1001 + n}, windows: [last_7d, today]}}" for n in range(accounts))
        team = random.choice(["growth", "crm"])
        with open(f"{self.folder}/config.new", "w") as file:
            file.write(CONFIGURATION.format(folder=self.folder, api=self.world.api, accounts=listed, team=team))
        os.rename(file.name, f"{self.folder}/config.yaml")

    def reload(self):
        self.configure(random.randint(len(KEPT), ACCOUNTS))
        self.process.send_signal(signal.SIGHUP)
        self.reloads += 1

    def storm(self, seconds):
        """Ten reloads a second, each answered before the next."""
        for turn in range(10 * seconds):
            begun = time.monotonic()
            self.configure(len(KEPT) + turn % 3)
            read(f"http://{self.address}/-/reload", b"")
            self.reloads += 1
            time.sleep(max(0, begun + 0.1 - time.monotonic()))

    def status(self, key):
        line = next(line for line in open(f"/proc/{self.process.pid}/status") if line.startswith(key))
        return int(line.split()[1])

    def descriptors(self):
        """Open files and sockets, but for connections to the API: how many of these are kept varies."""
        port = f":{int(self.world.api.rsplit(':', 1)[1]):04X}"
        to_api = {
            line.split()[9] for line in open(f"/proc/{self.process.pid}/net/tcp") if line.split()[2].endswith(port)
        }
        folder = f"/proc/{self.process.pid}/fd"
        links = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]
        return sum(1 for link in links if not any(link == f"socket:[{inode}]" for inode in to_api))

    def samples(self, family):
        pattern = re.compile(rf"^{PREFIX}{family}(?:\{{(.*)\}})? (\S+)$", re.M)
        return [(labels, float(value)) for labels, value in pattern.findall(read(f"http://{self.address}/metrics"))]

    def all_up(self):
        return sum(value for _, value in self.samples("target_up")) == ACCOUNTS * 2 * 2

    def quiet(self):
        """Waits until every target is up and idle threads have ended, then counts."""
        self.world.change("calm")
        # The API may have refused the last one; a refused token is not tried again.
        self.world.rotate()
        self.configure(ACCOUNTS)
        self.process.send_signal(signal.SIGHUP)
        wait_for("every target is up", self.all_up, 600)
        time.sleep(15)
        return {"memory": self.status("VmRSS:"), "threads": self.status("Threads:"), "descriptors": self.descriptors()}


class Scraper(threading.Thread):
    """Scrapes on a kept connection, and looks at each body whole."""

    def __init__(self, address, headers):
        super().__init__(daemon=True)
        self.address, self.headers = address, headers
        self.scrapes, self.failures, self.stopped = 0, [], False

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        while not self.stopped:
            try:
                connection.request("GET", "/metrics", headers=self.headers)
                answer = connection.getresponse()
                self.look_at(answer, answer.read())
            except Exception as error:  # Whatever it is, it is a failed scrape.
                self.failures.append(repr(error))
                connection.close()
            self.scrapes += 1
            time.sleep(0.25)
        connection.close()

    def look_at(self, answer, body):
        if answer.status != 200:
            return self.failures.append(f"status {answer.status}")
        if answer.getheader("content-encoding") == "gzip":
            body = zlib.decompress(body, zlib.MAX_WBITS | 16)
        text = body.decode()
        if "openmetrics" in self.headers.get("Accept", "") and not text.endswith("# EOF\n"):
            self.failures.append("no end")
        series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
        if len(set(series)) != len(series):
            self.failures.append("a series stands twice")
        kept = sum(
            name.startswith("marketing_messages_delivered{") and any(f'account_id="{id}"' in name for id in KEPT)
            for name in series
        )
        if kept != KEPT_SAMPLES:
            self.failures.append(f"{kept} samples of {KEPT_SAMPLES}")


def live(minutes, daemon, world):
    """Disturbs both for so long, and tells what the scrapers saw."""
    scrapers = [
        Scraper(daemon.address, {"Accept-Encoding": "gzip"}),
        Scraper(daemon.address, {"Accept": "application/openmetrics-text;version=1.0.0"}),
    ]
    for scraper in scrapers:
        scraper.start()
    begun, turn, memory = time.monotonic(), 0, []
    while (passed := time.monotonic() - begun) < 60 * minutes:
        turn += 1
        if passed >= 60 * len(memory):
            memory.append(daemon.status("VmRSS:"))
        world.disturb()
        if turn % 5 == 0:
            daemon.reload()
        if turn % 13 == 0:
            world.rotate()
        if daemon.process.poll() is not None:
            sys.exit("the daemon ended")
        time.sleep(random.uniform(0.2, 0.8))
    daemon.storm(round(min(60, 20 * minutes)))
    for scraper in scrapers:
        scraper.stopped = True
    for scraper in scrapers:
        scraper.join()
    return scrapers, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(options.binary, folder)
        daemon = Daemon(options.binary, world, folder)
        try:
            # The first disturbances touch what is set up once: compressors, caches, connections.
            live(min(2, options.minutes / 5), daemon, world)
            before = daemon.quiet()
            scrapers, memory = live(options.minutes, daemon, world)
            after = daemon.quiet()
            polls = sum(value for _, value in daemon.samples("polls_total"))
            faults = {labels: value for labels, value in daemon.samples("poll_failures_total") if value}
        finally:
            for process in (daemon.process, world.process):
                process.send_signal(signal.SIGTERM)
            codes = [process.wait(timeout=30) for process in (daemon.process, world.process)]
        problems = [line for line in open(f"{folder}/log") if "panicked" in line]
    growth = after["memory"] / before["memory"] - 1
    scrapes, failed = sum(s.scrapes for s in scrapers), [f for s in scrapers for f in s.failures]
    rows = [("polls", f"{polls:.0f}"), ("reloads", daemon.reloads), ("tokens", world.tokens)]
    rows += [
        (f"faults, {re.search('reason=.([a-z_]+)', labels).group(1)}", f"{value:.0f}")
        for labels, value in sorted(faults.items())
    ]
    rows += [
        ("scrapes", scrapes),
        ("failed scrapes", len(failed)),
        (
            "memory at start and end",
            f"{before['memory'] / 1024:.1f} and {after['memory'] / 1024:.1f} MiB ({growth:+.1%})",
        ),
        ("memory each minute, MiB", " ".join(f"{size / 1024:.1f}" for size in memory)),
        ("threads at start and end", f"{before['threads']} and {after['threads']}"),
        ("descriptors at start and end", f"{before['descriptors']} and {after['descriptors']}"),
        ("exit status of the daemon", codes[0]),
    ]
    for name, value in rows:
        print(f"{name:<32}{value}")
    wrong = [*failed[:5], *problems[:5]]
    wrong += [f"memory grew by {growth:.1%}"] * (growth >= 0.05)
    wrong += [f"{what} leaked" for what in ("threads", "descriptors") if after[what] > before[what]]
    wrong += ["the daemon did not end well"] * (codes[0] != 0)
    for what in wrong:
        print(f"WRONG: {what}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
