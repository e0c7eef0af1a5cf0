"""The measurements: everybody in turn on still figures, then one by one while every figure moves."""

import gzip
import http.client
import json
import re
import shutil
import socket
import statistics
import subprocess
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Self

from bench.meter import Meter
from bench.peers import EXPORTER, FIRST_ROUND, LOAD, PAUSE, PEERS, Peer, Running, start_floor, start_peer
from lib.fleet import Fleet
from lib.process import Failed, wait
from lib.web import HTTP

WINDOWS = ("last_7d", "last_14d", "last_28d")
FAMILIES = 8
PAGE = 500
# A measurement takes about so long, so that its CPU time can be trusted.
ENOUGH_MS = 400
# A scrape that takes longer is not asked for by four clients, and an exporter whose first round
# takes longer is not watched while it polls.
SLOW_SCRAPE_MS, SLOW_START_S = 4_000, 20
STILL, MOVING = 3600, 1


def median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def load(running: Running, *flags: object) -> Any:
    """Scrapes in a process of its own."""
    answer = subprocess.run([LOAD, running.address, *map(str, flags)], stdout=subprocess.PIPE, check=True)
    return json.loads(answer.stdout)


def say(text: str) -> None:
    print(f"  {text}", flush=True)


class Scenario:
    """One world, and everybody who reads it; a context manager that ends them."""

    def __init__(
        self, campaigns: int, windows: int, names: Sequence[str], rounds: int, connections: Sequence[int]
    ) -> None:
        self.campaigns, self.windows = campaigns, windows
        self.peers = [peer for peer in PEERS if peer.name in names]
        self.rounds, self.connections = rounds, connections
        self.series = campaigns * FAMILIES * windows
        self.fleet = Fleet(EXPORTER, f"bench-{campaigns}-{windows}", campaigns, WINDOWS[:windows])
        self.simulation = self.fleet.serve()
        self.folder = self.fleet.folder
        # What the first scrape took, by exporter and encoding.
        self.first_ms: dict[tuple[str, str], float] = {}
        self.result: dict[str, Any] = {
            "campaigns": campaigns,
            "windows": windows,
            "series": self.series,
            "exporters": {},
            "figures": {},
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *more: Any) -> None:
        self.fleet.__exit__(kind, *more)

    def start_ours(self, interval: int) -> Running:
        begun = time.monotonic()
        config = self.fleet.configure(f"{interval}s", totals=False)
        words = ["run", "--config.file", config, "--web.disable-exporter-metrics", "--log.level", "error"]
        daemon = self.fleet.daemon(*words, name="ours", pause=PAUSE)
        running = Running("ours", daemon, daemon.address)
        wait("the exporter is ready", FIRST_ROUND, [daemon], lambda: self.ready(running), PAUSE)
        return self.first_scrape(running, begun)

    @staticmethod
    def ready(running: Running) -> bool:
        connection = http.client.HTTPConnection(running.address, timeout=60)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        finally:
            connection.close()

    def start(self, peer: Peer, interval: int) -> Running:
        begun = time.monotonic()
        return self.first_scrape(start_peer(peer, self.fleet, interval), begun)

    def first_scrape(self, running: Running, begun: float) -> Running:
        # Reading is part of the start, checking what was read is not.
        load(running, "--gzip")
        running.start_s = time.monotonic() - begun
        found = load(running, "--gzip", "--verify")
        running.lines = found["lines"]
        if found["series"] != self.series:
            raise Failed(f"{running.name} shows {found['series']} campaign series, not {self.series}")
        return running

    # Still figures.

    def still(self) -> None:
        ours = self.start_ours(STILL)
        everybody = [ours]
        for peer in self.peers:
            everybody.append(self.start(peer, STILL))
            say(f"{peer.name} started in {everybody[-1].start_s:.1f} s")
        plain, packed = self.folder / "plain", self.folder / "gzip"
        text = load(ours, "--verify", "--keep", plain)
        size = load(ours, "--gzip", "--keep", packed)["bytes"]
        self.result["body"] = {
            "lines": text["lines"],
            "plain_bytes": text["bytes"],
            "gzip_bytes": size,
            "bytes_per_line": text["bytes"] / text["lines"],
            "bytes_per_series": text["bytes"] / self.series,
            "gzip_bytes_per_series": size / self.series,
        }
        if self.campaigns <= 10_000:
            self.same_samples(everybody)
        floor = start_floor(self.fleet, plain, packed)
        floor.start_s, floor.lines = 0, ours.lines
        everybody.append(floor)
        for running in everybody:
            self.result["exporters"][running.name] = {"start_s": running.start_s, "lines": running.lines, "scrapes": {}}
        for mode in ("plain", "gzip"):
            for connections in self.connections:
                self.in_turn(everybody, mode, connections)
        for running in everybody:
            rss, peak = (running.process.memory(field) for field in ("VmRSS", "VmHWM"))
            self.result["exporters"][running.name]["memory"] = {"rss": rss, "peak": peak}
        self.gzip_clients(ours, plain.read_text())
        # The others asked for every page once; the rest was ours.
        ours_asked = self.statistics()["insights"] - len(self.peers) * self.pages()
        self.result["figures"]["requests_per_500"] = ours_asked / self.pages()
        for running in everybody:
            running.process.stop()

    def pages(self) -> int:
        return self.windows * self.fleet.accounts * -(-min(self.campaigns, 1000) // PAGE)

    def in_turn(self, everybody: Sequence[Running], mode: str, connections: int) -> None:
        """A round is everybody once. The first scrape of each tells how many are enough, and is thrown away."""
        say(f"{mode}, {connections} {'client' if connections == 1 else 'clients'}")
        flags: list[object] = [*["--gzip"] * (mode == "gzip")]
        plan: dict[str, tuple[int, int]] = {}
        for running in everybody:
            if (running.name, mode) not in self.first_ms:
                self.first_ms[running.name, mode] = load(running, *flags)["milliseconds"][0]
            first = self.first_ms[running.name, mode]
            if connections > 1 and first > SLOW_SCRAPE_MS:
                continue
            share = first * connections
            plan[running.name] = (
                max(1, min(self.rounds, int(12_000 / share))),
                max(1, min(200, int(ENOUGH_MS / share))),
            )
        for round_ in range(self.rounds):
            for running in everybody:
                rounds, requests = plan.get(running.name, (0, 0))
                if round_ >= rounds:
                    continue
                meter = Meter(running.process)
                times = load(running, *flags, "--connections", connections, "--requests", requests)["milliseconds"]
                cpu, threads = meter.read()
                row = {
                    "wall_ms": median(times),
                    "cpu_ms": cpu / len(times),
                    "scrapes": len(times),
                    "cpu_ms_by_thread": threads,
                }
                self.result["exporters"][running.name]["scrapes"].setdefault(f"{mode}.{connections}", []).append(row)

    def same_samples(self, everybody: Sequence[Running]) -> None:
        """Nobody may win by showing less."""
        wanted: set[Sample] = set()
        for running in everybody:
            body = self.body(running)
            found = set(samples(body))
            wanted = wanted or found
            if found != wanted:
                raise Failed(f"{running.name} shows other samples than ours: {sorted(found ^ wanted)[:4]}")
        say(f"the same {len(wanted)} samples everywhere")

    @staticmethod
    def body(running: Running) -> str:
        with HTTP.open(f"http://{running.address}/metrics", timeout=120) as answer:
            return str(answer.read().decode())

    def gzip_clients(self, ours: Running, plain: str) -> None:
        url, wanted = f"http://{ours.address}/metrics", campaign_lines(plain)
        packed = (self.folder / "gzip").read_bytes()
        texts = {"zlib, one shot": zlib.decompressobj(31).decompress(packed), "gzip module": gzip.decompress(packed)}
        for name, command in {
            "curl": ["curl", "-s", "--compressed", url],
            "wget": ["wget", "-q", "-O", "-", "--compression=auto", url],
        }.items():
            if shutil.which(name):
                texts[name] = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            else:
                say(f"SKIPPED: {name} is not here, so it is not known to read the whole of a gzip body")
        seen = {name: len(text) for name, text in texts.items()}
        wrong = [name for name, text in texts.items() if campaign_lines(text.decode()) != wanted]
        self.result["gzip_clients"] = {"bytes": seen, "wrong": wrong}
        self.result["figures"]["gzip_clients_wrong"] = len(wrong)

    # Moving figures.

    def statistics(self) -> dict[str, int]:
        with HTTP.open(f"{self.fleet.api}/_control/statistics", timeout=60) as answer:
            return {"insights": 0, **json.load(answer)["endpoints"]}

    def moving(self) -> None:
        self.fleet.change({"set_restless": True})
        ours = self.start_ours(MOVING)
        self.watch(ours, seconds=10)
        self.stuck(ours)
        ours.process.stop()
        for peer in self.peers:
            if self.result["exporters"][peer.name]["start_s"] > SLOW_START_S:
                say(f"{peer.name} is not watched while it polls: a round takes it too long")
                continue
            running = self.start(peer, MOVING)
            self.watch(running, seconds=5)
            running.process.stop()

    def watch(self, running: Running, seconds: float) -> None:
        """CPU of polling without scrapes; then scrapes while it polls."""
        time.sleep(1)
        before, begun = self.statistics()["insights"], time.monotonic()
        meter, api = Meter(running.process), Meter(self.simulation)
        time.sleep(seconds)
        while self.statistics()["insights"] < before + self.pages() and time.monotonic() < begun + 60:
            time.sleep(0.1)
        (cpu, threads), (api_cpu, _) = meter.read(), api.read()
        passed = time.monotonic() - begun
        refreshed = (self.statistics()["insights"] - before) * min(PAGE, self.campaigns)
        scrapes = sorted(load(running, "--gzip", "--seconds", seconds, "--pause", 20)["milliseconds"])
        row = {
            "cpu_s_per_10k": cpu / 1e3 / refreshed * 1e4 if refreshed else None,
            "cpu_ms_by_thread": threads,
            "refreshed_per_s": refreshed / passed,
            "api_cpu_share": api_cpu / 1e3 / passed,
            "scrapes": len(scrapes),
            "p50_ms": median(scrapes),
            "p99_ms": scrapes[int(0.99 * (len(scrapes) - 1) + 0.5)],
            "rss": running.process.memory(),
            "peak": running.process.memory("VmHWM"),
        }
        self.result["exporters"].setdefault(running.name, {})["moving"] = row
        say(f"{running.name} polls {row['refreshed_per_s']:,.0f} campaigns a second")

    def stuck(self, ours: Running, scrapers: int = 20) -> None:
        """Scrapes that are asked for and never read, each of another moment."""
        before, sockets = highest(ours, 3), list[socket.socket]()
        host, port = ours.address.rsplit(":", 1)
        for _ in range(scrapers):
            stuck = socket.socket()
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect((host, int(port)))
            stuck.sendall(b"GET /metrics HTTP/1.1\r\nHost: stuck\r\nAccept-Encoding: gzip\r\n\r\n")
            sockets.append(stuck)
            time.sleep(0.3)
        held = highest(ours, 3)
        for stuck in sockets:
            stuck.close()
        after, end = ours.process.memory(), time.monotonic() + 30
        while after > before + (held - before) / 10 and time.monotonic() < end:
            time.sleep(0.1)
            after = min(after, ours.process.memory())
        self.result["stuck"] = {"scrapers": scrapers, "before": before, "held": held, "after": after}
        self.result["figures"]["stuck.per_series"] = max(0, held - before) / scrapers / self.series


def highest(running: Running, seconds: int) -> int:
    """The most memory that it takes meanwhile."""
    most = 0
    for _ in range(seconds * 10):
        time.sleep(0.1)
        most = max(most, running.process.memory())
    return most


def campaign_lines(text: str) -> list[str]:
    return [
        line
        for line in text.splitlines()
        if line.startswith("marketing_messages_") and not line.startswith("marketing_messages_exporter_")
    ]


Sample = tuple[str, tuple[tuple[str, str], ...], float]

OURS_ALONE = ("marketing_messages_campaign_info", "marketing_messages_account_info", "marketing_messages_window_")


def samples(text: str) -> Iterator[Sample]:
    """Name, labels in order and value of each sample that all exporters show."""
    for line in campaign_lines(text):
        if not line.startswith(OURS_ALONE):
            series, value = line.rsplit(" ", 1)
            name, labels = series.split("{", 1)
            yield name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels))), float(value)


def ratio(above: Sequence[dict[str, float]], below: Sequence[dict[str, float]], key: str) -> float | None:
    """The median of the ratios round by round; a figure that is too small to be seen has none."""
    return median([a[key] / b[key] for a, b in zip(above, below, strict=False) if b[key] > 0])


def figures(result: dict[str, Any]) -> dict[str, float]:
    """What the goals ask for: ratios round by round, medians of them."""
    found, exporters = dict(result["figures"]), result["exporters"]

    def rounds(name: str, mode: str) -> list[dict[str, float]]:
        return list(exporters.get(name, {}).get("scrapes", {}).get(f"{mode}.1", []))

    for mode in ("plain", "gzip"):
        ours = rounds("ours", mode)
        found[f"{mode}.cpu_ms"] = median([row["cpu_ms"] for row in ours])
        for key in ("wall", "cpu"):
            found[f"{mode}.{key}_over_floor"] = ratio(ours, rounds("floor", mode), f"{key}_ms")
        for name in exporters:
            if name not in ("ours", "floor"):
                found[f"{mode}.cpu_ratio.{name}"] = ratio(rounds(name, mode), ours, "cpu_ms")
    ours = exporters.get("ours", {})
    found["start_s"] = ours.get("start_s")
    if memory := ours.get("memory"):
        found["memory.per_series"] = memory["rss"] / result["series"]
        found["memory.peak_per_series"] = max(memory["peak"], ours.get("moving", memory)["peak"]) / result["series"]
        found["memory.mib"] = memory["rss"] / 2**20
    for key, value in ours.get("moving", {}).items():
        found[f"moving.{key}"] = value
    return {name: value for name, value in found.items() if value is not None}
