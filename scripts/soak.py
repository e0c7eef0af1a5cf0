#!/usr/bin/env python3
"""Lets the daemon live through random faults, reloads and token rotations while two clients scrape it, and then
through a minute of ten reloads a second.

The daemon and the simulated API run as processes of their own on loopback. Before and after, when all is
quiet, memory, threads and file descriptors are counted. It ends with a table, and with status 1 when a
scrape failed or something leaked.
"""

import http.client
import os
import random
import re
import signal
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lib.checks import Checks, run
from lib.command import command_line
from lib.web import post, read
from lib.world import Daemon, World

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

IDLE = 15  # seconds after which idle threads have ended
GROWTH = 0.05  # share by which memory may grow

PREFIX = "marketing_messages_exporter_"


class Soak(World):
    """The simulated API, the daemon, and what is done to both."""

    def __init__(self, binary: str) -> None:
        super().__init__(binary, "soak")
        self.tokens = self.reloads = 0
        self.simulate("--accounts", ACCOUNTS, "--campaigns", CAMPAIGNS)
        self.change({"set_restless": True})
        self.rotate()
        self.configure(ACCOUNTS)
        config = self.folder / "config.yaml"
        self.exporter: Daemon = self.daemon("--config.file", config, "--web.enable-lifecycle")
        self.ready(self.exporter)

    def rotate(self) -> None:
        """A new token, which the file holds a moment later, as it is when somebody replaces it by hand."""
        self.tokens += 1
        token = f"token-{self.tokens}"
        self.change({"set_token": ["main", token]})
        self.write("token", token)

    def disturb(self) -> None:
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
        account, times = f"act_{1001 + random.randrange(ACCOUNTS)}", random.randint(1, 4)
        change = {"endpoint": "insights", "contains": account, "skip": 0, "times": times, "fault": fault}
        self.change({"fault": change})

    def configure(self, accounts: int) -> None:
        listed = ", ".join(f"{{id: {1001 + n}, windows: [last_7d, today]}}" for n in range(accounts))
        team = random.choice(["growth", "crm"])
        text = CONFIGURATION.format(folder=self.folder, api=self.api, accounts=listed, team=team)
        self.write("config.yaml", text)

    def reload(self) -> None:
        self.configure(random.randint(len(KEPT), ACCOUNTS))
        self.exporter.send(signal.SIGHUP)
        self.reloads += 1

    def storm(self, seconds: int) -> None:
        """Ten reloads a second, each answered before the next."""
        for turn in range(10 * seconds):
            begun = time.monotonic()
            self.configure(len(KEPT) + turn % 3)
            post(f"{self.exporter.url}/-/reload", b"")
            self.reloads += 1
            time.sleep(max(0, begun + 0.1 - time.monotonic()))

    def descriptors(self) -> int:
        """Open files and sockets, but for connections to the API: how many of these are kept varies."""
        port, pid = f":{int(self.api.rsplit(':', 1)[1]):04X}", self.exporter.pid
        with open(f"/proc/{pid}/net/tcp") as table:
            rows = [line.split() for line in table]
        to_api = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(port)}
        folder = f"/proc/{pid}/fd"
        return sum(os.readlink(f"{folder}/{name}") not in to_api for name in os.listdir(folder))

    def samples(self, family: str) -> list[tuple[str, float]]:
        pattern = re.compile(rf"^{PREFIX}{family}(?:\{{(.*)\}})? (\S+)$", re.MULTILINE)
        return [(labels, float(value)) for labels, value in pattern.findall(read(f"{self.exporter.url}/metrics"))]

    def all_up(self) -> bool:
        return sum(value for _, value in self.samples("target_up")) == ACCOUNTS * 2 * 2

    def quiet(self) -> "Counts":
        """Waits until every target is up and idle threads have ended, then counts."""
        self.change("calm")
        # The API may have refused the last one; a refused token is not tried again.
        self.rotate()
        self.configure(ACCOUNTS)
        self.exporter.send(signal.SIGHUP)
        self.wait("every target is up", 600, self.all_up)
        time.sleep(IDLE)
        return Counts(self.exporter.memory(), self.exporter.status("Threads"), self.descriptors())


class Counts(NamedTuple):
    """What the daemon takes when all is quiet."""

    memory: int
    threads: int
    descriptors: int


class Scraper(threading.Thread):
    """Scrapes on a kept connection, and looks at each body whole."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.address, self.headers = address, headers
        self.scrapes, self.stopped = 0, False
        self.failures: list[str] = []

    def run(self) -> None:
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

    def look_at(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        if answer.status != 200:
            self.failures.append(f"status {answer.status}")
            return
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


def live(minutes: float, soak: Soak) -> tuple[list[Scraper], list[int]]:
    """Disturbs both for so long; what the scrapers saw, and the memory of each minute."""
    accepted = [{"Accept-Encoding": "gzip"}, {"Accept": "application/openmetrics-text;version=1.0.0"}]
    scrapers = [Scraper(soak.exporter.address, headers) for headers in accepted]
    for scraper in scrapers:
        scraper.start()
    begun, turn, memory = time.monotonic(), 0, list[int]()
    while (passed := time.monotonic() - begun) < 60 * minutes:
        turn += 1
        if passed >= 60 * len(memory):
            memory.append(soak.exporter.memory())
        soak.disturb()
        if turn % 5 == 0:
            soak.reload()
        if turn % 13 == 0:
            soak.rotate()
        soak.exporter.ensure_running()
        time.sleep(random.uniform(0.2, 0.8))
    soak.storm(round(min(60, 20 * minutes)))
    for scraper in scrapers:
        scraper.stopped = True
    for scraper in scrapers:
        scraper.join()
    return scrapers, memory


class Record(NamedTuple):
    """All that a run has seen."""

    before: Counts
    after: Counts
    scrapers: Sequence[Scraper]
    memory: Sequence[int]
    polls: float
    faults: Mapping[str, float]
    status: int
    panics: Sequence[str]

    @property
    def growth(self) -> float:
        return self.after.memory / self.before.memory - 1

    @property
    def failed(self) -> list[str]:
        return [failure for scraper in self.scrapers for failure in scraper.failures]


def lived(soak: Soak, minutes: float) -> Record:
    # The first disturbances touch what is set up once: compressors, caches, connections.
    live(min(2, minutes / 5), soak)
    before = soak.quiet()
    scrapers, memory = live(minutes, soak)
    after = soak.quiet()
    polls = sum(value for _, value in soak.samples("polls_total"))
    faults = {labels: value for labels, value in soak.samples("poll_failures_total") if value}
    status = soak.exporter.end(30)
    panics = [line for line in soak.exporter.output().splitlines() if "panicked" in line]
    return Record(before, after, scrapers, memory, polls, faults, status, panics)


def mib(size: int) -> str:
    return f"{size / 2**20:.1f}"


def print_table(soak: Soak, record: Record) -> None:
    before, after = record.before, record.after
    rows: list[tuple[str, object]] = [
        ("polls", f"{record.polls:.0f}"),
        ("reloads", soak.reloads),
        ("tokens", soak.tokens),
    ]
    for labels, value in sorted(record.faults.items()):
        reason = re.search("reason=.([a-z_]+)", labels)
        rows.append((f"faults, {reason[1] if reason else labels}", f"{value:.0f}"))
    rows += [
        ("scrapes", sum(scraper.scrapes for scraper in record.scrapers)),
        ("failed scrapes", len(record.failed)),
        ("memory at start and end", f"{mib(before.memory)} and {mib(after.memory)} MiB ({record.growth:+.1%})"),
        ("memory each minute, MiB", " ".join(mib(size) for size in record.memory)),
        ("threads at start and end", f"{before.threads} and {after.threads}"),
        ("descriptors at start and end", f"{before.descriptors} and {after.descriptors}"),
        ("exit status of the daemon", record.status),
    ]
    for name, shown in rows:
        print(f"{name:<32}{shown}")


def judge(checks: Checks, record: Record) -> None:
    checks.record(not record.failed, "no scrape failed", "\n".join(record.failed[:5]))
    checks.record(not record.panics, "nothing panicked", "\n".join(record.panics[:5]))
    checks.record(record.growth < GROWTH, f"memory grew by less than {GROWTH:.0%}", f"{record.growth:.1%}")
    checks.record(record.after.threads <= record.before.threads, "no thread leaked")
    checks.record(record.after.descriptors <= record.before.descriptors, "no descriptor leaked")
    checks.record(record.status == 0, "SIGTERM ends the daemon with status 0", record.status)


def soak_for(checks: Checks, binary: str, minutes: float) -> None:
    with Soak(binary) as soak:
        record = lived(soak, minutes)
        print_table(soak, record)
        judge(checks, record)


if __name__ == "__main__":
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    run("soak", lambda checks: soak_for(checks, options.binary, options.minutes))
