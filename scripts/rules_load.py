#!/usr/bin/env python3
"""Measures what the rules cost a Prometheus: seconds of evaluation a minute, and the series that they record.

The exporter serves a fleet of campaigns over three windows from a simulated API with noise; a Prometheus scrapes it.
What rules look back at is put there before: one sample at each offset that they name. Groups are evaluated more often
than they ask for, so that a measurement takes minutes, and what a round took is counted as often as they do ask for it.

Whatever else runs makes rounds longer. Therefore the seconds are of Prometheus' processor time, without what it takes
when there are no rules, and shared out by how long each rule took. With --before, the rules of a commit are measured
first. Fails beyond the budgets.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lib.checks import Checks, run
from lib.command import command_line
from lib.fleet import Fleet
from lib.process import ROOT, START, Failed, Process, free_port
from lib.web import ask_prometheus, get, query, read

SHIPPED = "deploy/prometheus/rules"
FIRST_ROUND = 600  # seconds until every campaign was polled
ROUND = 20  # seconds between two rounds of a group here
USUAL = 30  # seconds between them where a group does not say
ROUNDS = 5  # that are measured, after the first
SETTLED = 300  # seconds until they are over

MOST_SECONDS = 1.5  # of evaluation a minute
MOST_RECORDED = 0.15  # of the series that are scraped
BUDGETED = 10_000  # campaigns that the budget of seconds is for

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Labels = Mapping[str, str]


def seconds(span: str) -> int:
    return int(span[:-1]) * SECONDS[span[-1]]


def looked_back_at(rules: str) -> dict[str, set[int]]:
    """Names of series, with the offsets in seconds that rules ask of them."""
    found: dict[str, set[int]] = {}
    for name, span in re.findall(r"([a-z_:]+)(?:\{[^}]*\})?(?:\[\w+\])? offset (\w+)", rules):
        found.setdefault(name, set()).add(seconds(span))
    return found


def before(value: float, offset: int) -> float:
    """What a figure of today was: half as much some hours ago, and the same at this time on another day."""
    return value / 2 if offset < SECONDS["d"] else value


def write_past(out: TextIO, series: Mapping[str, list[tuple[str, float]]], offsets: Mapping[str, set[int]]) -> None:
    """A sample of each series at each offset, as OpenMetrics."""
    now = int(time.time())
    for name, members in series.items():
        out.write(f"# TYPE {name} gauge\n")
        for labels, value in members:
            for offset in sorted(offsets[name], reverse=True):
                out.write(f"{name}{{{labels}}} {before(value, offset)} {now - offset}\n")
    out.write("# EOF\n")


@dataclass
class Measured:
    """What one set of rules cost."""

    title: str
    busy: float = 1  # seconds of a clock for one of the processor
    scraped: float = 0
    recorded: float = 0
    groups: dict[str, float] = field(default_factory=dict)  # seconds a minute
    rules: dict[str, float] = field(default_factory=dict)  # the same

    @property
    def seconds(self) -> float:
        return sum(self.groups.values())

    def show(self, dearest: int) -> None:
        print(f"\n{self.title}")
        print(f"  scraped series   {self.scraped:>9,.0f}")
        print(f"  recorded series  {self.recorded:>9,.0f}  {self.recorded / self.scraped:.1%} of them")
        print(f"  evaluation       {self.seconds:>9.2f}  seconds a minute; by the clock {self.seconds * self.busy:.2f}")
        for name, cost in sorted(self.groups.items(), key=lambda one: -one[1]):
            if cost >= 0.005:
                print(f"    {cost:>6.2f}  {name}")
        print("  the dearest rules")
        for name, cost in sorted(self.rules.items(), key=lambda one: -one[1])[:dearest]:
            print(f"    {cost:>6.3f}  {name}", flush=True)


class Load(Fleet):
    """The fleet, its exporter, and one Prometheus after another."""

    def __init__(self, binary: str, campaigns: int) -> None:
        super().__init__(binary, "rules-load", campaigns, ["today", "last_7d", "last_30d"])
        self.address = ""
        self.url = ""
        self.idle = 0.0  # seconds of the processor a second
        self.past: dict[str, list[tuple[str, float]]] = {}

    def start_exporter(self) -> None:
        self.serve("--noise")
        file = self.configure("15m", totals=True)
        exporter = self.daemon("run", "--config.file", file, "--log.level", "error", name="exporter")
        self.address = exporter.address
        self.wait("every campaign was polled", FIRST_ROUND, lambda: get(f"{exporter.url}/-/ready")[0] == 200)
        self.past = {}
        for line in read(f"{exporter.url}/metrics").splitlines():
            sample = re.fullmatch(r"(marketing_messages_[a-z_]+)\{(.*window=\"today\".*)\} (\S+)", line)
            if sample:
                labels = f'{sample[2]},instance="{self.address}",job="marketing-messages"'
                self.past.setdefault(sample[1], []).append((labels, float(sample[3])))

    def add_past(
        self, data: Path, series: Mapping[str, list[tuple[str, float]]], offsets: Mapping[str, set[int]]
    ) -> None:
        """Puts what rules look back at into the data of a Prometheus that does not run."""
        known = {name: members for name, members in series.items() if name in offsets and members}
        file = self.folder / "past.om"
        with file.open("w") as out:
            write_past(out, known, offsets)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h", file, data]
        made = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False)
        file.unlink()
        if made.returncode:
            raise Failed(f"promtool: {made.stdout[-500:]}{made.stderr[-500:]}")

    def start_prometheus(self, name: str, rules: Path, data: Path) -> Process:
        """Its samples count for half an hour, so that one stands at each offset for as long as is measured."""
        self.url = f"http://127.0.0.1:{free_port()}"
        config = {
            "global": {"scrape_interval": "30s", "evaluation_interval": f"{ROUND}s"},
            "rule_files": [f"{rules}/*.yml"],
            "scrape_configs": [
                {
                    "job_name": "marketing-messages",
                    "scrape_timeout": "25s",
                    "static_configs": [{"targets": [self.address]}],
                }
            ],
        }
        file = self.write(f"{name}.yml", json.dumps(config))
        process = self.start(
            name,
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=60d",
                "--query.lookback-delta=30m",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=warn",
            ],
        )
        self.wait("Prometheus is ready", START, lambda: get(f"{self.url}/-/ready")[0] == 200)
        self.wait("it has scraped", SETTLED, lambda: query(self.url, "scrape_samples_scraped > 1000"))
        return process

    def stop(self, process: Process) -> None:
        self.processes.remove(process)
        process.stop()

    def groups(self) -> list[dict[str, Any]]:
        return list(ask_prometheus(self.url, "rules")["groups"])

    def spent(self, process: Process) -> tuple[float, float, float]:
        """Seconds of a clock, of the processor, and of the evaluation of rules, so far."""
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        found = re.search(r"(?m)^prometheus_rule_group_duration_seconds_sum (\S+)$", read(f"{self.url}/metrics"))
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), float(found[1]) if found else 0.0

    def measure_idle(self) -> None:
        """What Prometheus takes of the processor when it only scrapes."""
        rules, data = self.folder / "no-rules", self.folder / "idle-data"
        rules.mkdir()
        process = self.start_prometheus("idle", rules, data)
        before = self.spent(process)
        count = "count_over_time(scrape_samples_scraped[5m])"
        first = query(self.url, count)[0][1]
        self.wait("it has scraped again", SETTLED, lambda: query(self.url, count)[0][1] >= first + 4)
        after = self.spent(process)
        self.idle = (after[1] - before[1]) / (after[0] - before[0])
        self.stop(process)
        shutil.rmtree(data)

    def rounds(self, count: int) -> Iterator[list[dict[str, Any]]]:
        """The groups after each of so many rounds that began from now on."""

        def begun() -> dict[str, str]:
            return {group["name"]: group["lastEvaluation"] for group in self.groups()}

        for _ in range(count):
            last = begun()

            def all_over(last: dict[str, str] = last) -> bool:
                return all(at != last[name] for name, at in begun().items())

            self.wait("every group is evaluated once more", SETTLED, all_over)
            yield self.groups()

    def measure(self, title: str, name: str, texts: Mapping[str, str]) -> Measured:
        rules, data = self.folder / f"{name}-rules", self.folder / f"{name}-data"
        rules.mkdir()
        asked: dict[str, int] = {}
        for file, text in texts.items():
            for head in re.split(r"(?m)^(?=  - name: )", text)[1:]:
                interval = re.search(r"(?m)^    interval: (\w+)$", head)
                group = re.match(r"  - name: (\S+)", head)
                asked[group[1] if group else ""] = seconds(interval[1]) if interval else USUAL
            (rules / file).write_text(re.sub(r"(?m)^    interval: \w+$", f"    interval: {ROUND}s", text))
        offsets = looked_back_at("\n".join(texts.values()))
        data.mkdir()
        self.add_past(data, self.past, offsets)
        # What the rules record is looked back at too: it is known once they have run.
        process = self.start_prometheus(f"{name}-first", rules, data)
        for _ in self.rounds(2):
            pass
        recorded = {
            name: [(written(labels), value) for labels, value in query(self.url, name)]
            for name in offsets
            if ":" in name
        }
        self.stop(process)
        self.add_past(data, recorded, offsets)
        process = self.start_prometheus(name, rules, data)
        for _ in self.rounds(1):
            pass
        measured = self.sampled(process, Measured(title), asked)
        self.stop(process)
        shutil.rmtree(data)
        return measured

    def sampled(self, process: Process, measured: Measured, asked: Mapping[str, int]) -> Measured:
        before = self.spent(process)
        groups: dict[str, list[float]] = {}
        rules: dict[str, list[float]] = {}
        names: set[str] = set()
        for after in self.rounds(ROUNDS):
            for group in after:
                a_minute = 60 / asked[group["name"]]
                groups.setdefault(group["name"], []).append(group["evaluationTime"] * a_minute)
                for number, rule in enumerate(group["rules"]):
                    if rule["health"] != "ok":
                        raise Failed(f"{rule['name']}: {rule.get('lastError')}")
                    key = f"{rule['name']} ({group['name']}, rule {number + 1})"
                    rules.setdefault(key, []).append(rule["evaluationTime"] * a_minute)
                    if rule["type"] == "recording":
                        names.add(rule["name"])
        clock, processor, evaluation = (late - early for early, late in zip(before, self.spent(process), strict=True))
        measured.busy = evaluation / (processor - self.idle * clock)
        measured.groups = {name: statistics.median(costs) / measured.busy for name, costs in groups.items()}
        measured.rules = {name: statistics.median(costs) / measured.busy for name, costs in rules.items()}
        measured.scraped = query(self.url, "sum(scrape_samples_scraped)")[0][1]
        counts = [query(self.url, f"count({name})") for name in sorted(names)]
        measured.recorded = sum(count[0][1] for count in counts if count)
        return measured


def written(labels: Labels) -> str:
    return ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items() if name != "__name__")


def of_tree() -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted((ROOT / SHIPPED).glob("*.yml"))}


def of_commit(commit: str) -> dict[str, str]:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    files = git("ls-tree", "--name-only", f"{commit}:{SHIPPED}").split()
    return {file: git("show", f"{commit}:{SHIPPED}/{file}") for file in files}


def whole(checks: Checks, binary: str, campaigns: int, commits: list[str], dearest: int) -> None:
    missing = [program for program in ("prometheus", "promtool") if not shutil.which(program)]
    if missing:
        raise Failed(f"no {' and no '.join(missing)}: run scripts/install-peers.sh")
    with Load(binary, campaigns) as load:
        load.start_exporter()
        checks.that(True, f"{load.accounts * load.per_account:,} campaigns are served in three windows")
        load.measure_idle()
        for number, commit in enumerate(commits):
            load.measure(f"rules of {commit}", f"before-{number}", of_commit(commit)).show(dearest)
        measured = load.measure("rules of this tree", "tree", of_tree())
        measured.show(dearest)
        bound = MOST_SECONDS * campaigns / BUDGETED
        checks.record(
            measured.seconds <= bound,
            f"the rules take at most {bound:.2f} s a minute",
            f"{measured.seconds:.2f} s",
        )
        share = measured.recorded / measured.scraped
        checks.record(share <= MOST_RECORDED, f"they record at most {MOST_RECORDED:.0%} of what is scraped", share)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--campaigns", type=int, default=BUDGETED, help="thousands (default: %(default)s)")
    parser.add_argument("--before", metavar="COMMIT", action="append", default=[], help="measure its rules first")
    parser.add_argument("--dearest", type=int, default=12, help="rules to list (default: %(default)s)")
    options = parser.parse_args()
    if options.campaigns < 1:
        sys.exit("rules-load: --campaigns: 1 or more")
    run("rules-load", lambda checks: whole(checks, options.binary, options.campaigns, options.before, options.dearest))


if __name__ == "__main__":
    main()
