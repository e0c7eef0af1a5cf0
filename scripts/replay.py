"""What the shipped rules would have recorded, and which alerts would have fired, over a history in Prometheus.

promtool can replay recording rules, but none that read each other, and no alerts. Here each rule is asked of a real
Prometheus as a range query, those first that others read; what comes back is put beside the history as blocks.
"""

import functools
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from lib.process import START, Failed, Process, free_port, wait
from lib.web import ask_prometheus, get
from lib.world import World

SLICE = 6 * 86400  # seconds of one range query
LOOKBACK = 890  # seconds for which a sample counts: until the next one, a quarter of an hour later, and never beside it


Labels = Mapping[str, str]
Samples = list[tuple[int, str]]  # (time, value), as Prometheus writes them
Rule = dict[str, Any]


class Database:
    """A Prometheus that scrapes nothing, over a folder of blocks."""

    def __init__(self, world: World, rules: Sequence[Path]) -> None:
        self.world, self.folder = world, world.folder
        self.data = self.folder / "data"
        self.data.mkdir()
        self.config = self.folder / "prometheus.yml"
        # Rules are loaded to be read through the API, and hardly ever evaluated.
        names = json.dumps([str(file) for file in rules])
        self.config.write_text(f"global: {{evaluation_interval: 1d}}\nrule_files: {names}\n")
        self.process: Process | None = None
        self.number = 0
        self.url = ""

    def start(self) -> None:
        """Blocks are seen at the start, so that one follows each addition."""
        if self.process:
            self.process.stop()
        self.number += 1
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = self.world.start(
            f"prometheus-{self.number}",
            [
                "prometheus",
                f"--config.file={self.config}",
                f"--storage.tsdb.path={self.data}",
                "--storage.tsdb.retention.time=400d",
                f"--query.lookback-delta={LOOKBACK}s",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=warn",
            ],
        )
        wait("Prometheus is ready", START, [self.process], lambda: get(f"{self.url}/-/ready")[0] == 200)

    def add(self, name: str, write: Callable[[TextIO], None]) -> None:
        """Puts samples that `write` writes as OpenMetrics into the database."""
        file = self.folder / f"{name}.om"
        with file.open("w") as out:
            write(out)
        made = subprocess.run(
            [
                "promtool",
                "tsdb",
                "create-blocks-from",
                "openmetrics",
                "--max-block-duration=720h",
                str(file),
                str(self.data),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        file.unlink()
        if made.returncode:
            raise Failed(f"promtool: {made.stdout[-500:]}{made.stderr[-500:]}")
        self.start()

    def ask(self, expression: str, **times: float) -> list[dict[str, Any]]:
        path = "query_range" if "step" in times else "query"
        return list(ask_prometheus(self.url, path, query=expression, **times)["result"])

    def over(self, expression: str, first: int, end: int, step: int) -> list[tuple[Labels, Samples]]:
        """A range of any length, as one list of (labels, [(time, value)])."""
        series: dict[str, Samples] = {}
        while first <= end:
            last = min(end, first + SLICE)
            for one in self.ask(expression, start=first, end=last, step=step):
                series.setdefault(json.dumps(one["metric"], sort_keys=True), []).extend(one["values"])
            first += SLICE + step - SLICE % step
        return [(json.loads(labels), values) for labels, values in series.items()]

    def rules(self) -> list[Rule]:
        return [rule for group in ask_prometheus(self.url, "rules")["groups"] for rule in group["rules"]]


def written(name: str, labels: Labels) -> str:
    text = ",".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels.items() if key != "__name__"
    )
    return f"{name}{{{text}}}"


def levels(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Recording rules, those of each level read by none of the levels before it."""
    left: dict[str, list[Rule]] = {}
    for rule in rules:
        left.setdefault(rule["name"], []).append(rule)
    while left:
        free = [
            name
            for name, of in left.items()
            if not any(word in left and word != name for rule in of for word in re.findall(r"[\w:]+", rule["query"]))
        ]
        if not free:
            raise Failed(f"rules read each other in a circle: {', '.join(left)}")
        yield [rule for name in free for rule in left.pop(name)]


def record(database: Database, first: int, end: int, step: int, only: str = "") -> None:
    """Every recording rule whose name begins so, over the whole of the history."""
    recording = [rule for rule in database.rules() if rule["type"] == "recording" and rule["name"].startswith(only)]
    for number, level in enumerate(levels(recording)):
        database.add(
            f"level-{only.rstrip(':')}{number}", functools.partial(write_level, database, level, first, end, step)
        )


def write_level(database: Database, level: Sequence[Rule], first: int, end: int, step: int, out: TextIO) -> None:
    for name in sorted({rule["name"] for rule in level}):
        out.write(f"# TYPE {name} gauge\n")
        for rule in (rule for rule in level if rule["name"] == name):
            for labels, values in database.over(rule["query"], first, end, step):
                series = written(name, {**labels, **rule.get("labels", {})})
                out.writelines(f"{series} {value} {at}\n" for at, value in values)
    out.write("# EOF\n")


def spans(values: Samples, hold: int, keep: int, step: int) -> list[list[int]]:
    """(pending since, firing from, firing until) of a condition that held at these times."""
    runs: list[list[int]] = []
    for at in (at for at, _ in values):
        if runs and at - runs[-1][1] <= step:
            runs[-1][1] = at
        else:
            runs.append([at, at])
    firing: list[list[int]] = []
    for since, until in runs:
        if firing and since - firing[-1][2] <= 0:
            firing[-1][2] = max(firing[-1][2], until + keep)
        elif until - since >= hold:
            firing.append([since, since + hold, until + keep])
    return firing


def alert(database: Database, first: int, end: int, step: int) -> None:
    """ALERTS and ALERTS_FOR_STATE of the alerts that fire, as Prometheus would have written them; nothing pending."""
    found = []
    for rule in (rule for rule in database.rules() if rule["type"] == "alerting"):
        for labels, values in database.over(rule["query"], first, end, step):
            labels = {**labels, **rule["labels"], "alertname": rule["name"]}
            for since, begin, until in spans(values, rule["duration"], rule.get("keepFiringFor", 0), step):
                times = [at for at in range(first, end + 1, step) if begin <= at <= until]
                found.append((labels, since, times))

    def write(out: TextIO) -> None:
        out.write("# TYPE ALERTS gauge\n")
        for labels, _, times in found:
            series = written("ALERTS", {**labels, "alertstate": "firing"})
            out.writelines(f"{series} 1 {at}\n" for at in times)
        out.write("# TYPE ALERTS_FOR_STATE gauge\n")
        for labels, since, times in found:
            series = written("ALERTS_FOR_STATE", labels)
            out.writelines(f"{series} {since} {at}\n" for at in times)
        out.write("# EOF\n")

    if any(times for _, _, times in found):
        database.add("alerts", write)
