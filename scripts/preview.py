#!/usr/bin/env python3
"""Draws the dashboards as PNG files, light and dark: two weeks of history, drawn by Grafana's own libraries.

The history is asked of a real Prometheus. Needs Chromium and npm beside Prometheus and promtool. It shows what panels
look like; that a Grafana server takes the dashboards in is not shown by it.
"""

import copy
import json
import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import history
import replay
from dashboards import dashboards
from grafana.panels import Json
from grafana.queries import filled
from lib.command import command_line
from lib.process import ROOT, Failed
from lib.world import World

HERE = Path(__file__).resolve().parent / "preview"
TOOLS = ROOT / ".tools/preview"
WIDTH = 1400
ROW = 38
SHOWN = 14  # days
HISTORY = 22  # days: a week more, to compare with
SPRING_SALE, SIDE_BY_SIDE = "120201432000000", "120201432000000|120201432000001|120201432000003|120201433000001"
VALUES = {"source": ".*", "account": ".*", "window": "today", "currency": ".*", "last": "6h", "least": "25"}
CAMPAIGNS = {"mme-compare": SIDE_BY_SIDE}
STEPS = (60, 300, 900, 1800, 3600, 7200, 10800, 21600, 86400)
THEMES = ["light", "dark"]

OWN_RULES = """
groups:
  - name: own-thresholds
    rules:
      - record: marketing_messages:threshold:custom
        labels: {threshold: budget_month, account_id: "2398765432"}
        expr: "62000"
      - record: marketing_messages:threshold:custom
        labels: {threshold: budget_month, account_id: "2398765433"}
        expr: "15500"
"""

PAGE = """<!doctype html><meta charset=utf-8><link rel=stylesheet href=out/panels.css><div id=root></div>
<script src={name}.js></script><script src=out/panels.js></script>"""


def bundle() -> None:
    """Installs the libraries once, and packs them with the page's code."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "panels.jsx", "bundle.mjs", "check.mjs"):
        shutil.copy(HERE / name, TOOLS / name)
    if not (TOOLS / "node_modules").exists():
        subprocess.run(
            ["npm", "install", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=TOOLS,
            check=True,
        )
    subprocess.run(["node", "bundle.mjs"], cwd=TOOLS, check=True)


def check() -> None:
    """Holds the files against the types that Grafana publishes."""
    files = sorted(str(file) for file in (ROOT / "deploy/grafana/dashboards").glob("*.json"))
    subprocess.run(["node", "check.mjs", *files], cwd=TOOLS, check=True)


def seconds(text: str) -> int:
    return int(text[:-1]) * {"m": 60, "h": 3600, "d": 86400}[text[-1]]


def answer(
    database: replay.Database, target: Json, values: Mapping[str, str], width: int, begin: int, end: int
) -> list[Json]:
    """What Prometheus has for a panel's query, now or over the time shown, with a step as Grafana chooses it."""
    step = next(step for step in STEPS if (end - begin) / step <= width * WIDTH / 24)
    step = seconds(target["interval"]) if "interval" in target else step
    values = {**values, "__rate_interval": f"{max(step, 60) + 240}s", "__range": f"{int(end - begin)}s"}
    expression = filled(target["expr"], values)
    if target["instant"]:
        return database.ask(expression, time=end)
    return database.ask(expression, start=math.floor(begin / step) * step, end=math.floor(end / step) * step, step=step)


def values_of(board: Json) -> dict[str, str]:
    return {**VALUES, "campaign": CAMPAIGNS.get(board["uid"], SPRING_SALE)}


def repeated(board: Json, database: replay.Database, end: int) -> Iterator[tuple[Json, dict[str, str]]]:
    """The panels as a browser lays them out: a panel that is repeated by a variable once for each of its values."""
    choices: dict[str, list[str]] = {}
    chosen = values_of(board)
    for variable in board["templating"]["list"]:
        label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.get("definition", ""))
        if label:
            found = database.ask(f"group by ({label[2]}) ({filled(label[1], chosen)})", time=end)
            choices[variable["name"]] = sorted(one["metric"].get(label[2], "") for one in found)
    for panel in board["panels"]:
        name = panel.pop("repeat", None)
        if not name:
            yield panel, {}
            continue
        place, several = panel["gridPos"], choices[name]
        width = 24 // min(len(several), panel["maxPerRow"])
        for n, value in enumerate(several[: panel["maxPerRow"]]):
            one = copy.deepcopy(panel)
            one |= {
                "id": panel["id"] * 100 + n,
                "title": panel["title"].replace(f"${name}", value),
                "gridPos": {**place, "x": n * width, "w": width},
            }
            yield one, {name: value}


def draw(board: Json, database: replay.Database, end: int, theme: str, out: Path) -> None:
    begin = end - seconds(board["time"]["from"].removeprefix("now-"))
    name = board["uid"].removeprefix("mme-")
    board = copy.deepcopy(board)
    panels: list[Json] = []
    answers: dict[str, list[Json]] = {}
    for panel, chosen in repeated(board, database, end):
        values = {**values_of(board), **chosen}
        found = {
            f"{panel['id']}/{target['refId']}": answer(database, target, values, panel["gridPos"]["w"], begin, end)
            for target in panel["targets"]
        }
        # A currency that none of the chosen campaigns has; a browser shows an empty panel.
        if any(found.values()) or not chosen:
            panels.append(panel)
            answers |= found
    board["panels"] = panels
    preview = {"dashboard": board, "answers": answers, "from": begin, "to": end, "width": WIDTH, "theme": theme}
    (TOOLS / f"{name}.js").write_text("window.PREVIEW = " + json.dumps(preview))
    (TOOLS / f"{name}.html").write_text(PAGE.format(name=name))
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * ROW
    chromium = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        f"--window-size={WIDTH},{height}",
        "--virtual-time-budget=8000",
    ]
    page = f"file://{TOOLS / name}.html"
    suffix = "" if theme == THEMES[0] else f"-{theme}"
    picture = out / f"{name}{suffix}.png"
    subprocess.run([*chromium, f"--screenshot={picture}", page], check=True, capture_output=True, timeout=120)
    dom = subprocess.run(
        [*chromium, "--dump-dom", page], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    drawn = dom.count('class="panel"')
    empty = re.findall(r'data-title="([^"]*)" data-state="(?:empty|failed)"', dom)
    if drawn != len(panels) or empty:
        raise Failed(f"{name}: {drawn} of {len(panels)} panels; without data: {', '.join(empty)}; see {picture}")
    print(f"{picture}: {drawn} panels", flush=True)


def rule_groups(files: Sequence[Path]) -> list[str]:
    return [name for file in files for name in re.findall(r"(?m)^  - name: (.+)$", file.read_text())]


def preview(out: Path, end: int) -> None:
    bundle()
    check()
    shipped = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    with World("", "preview") as world:
        database = replay.Database(world, [*shipped, world.write("own.yml", OWN_RULES)])
        first, end = history.times(end, HISTORY)

        def write(file: TextIO) -> None:
            history.write(file, first, end, groups=rule_groups(shipped))

        database.add("history", write)
        replay.record(database, first, end, history.STEP)
        replay.record(database, end - 86400, end, history.FINE, only="target:")
        replay.alert(database, end - SHOWN * 86400, end, history.STEP)
        for board in dashboards():
            for theme in THEMES:
                draw(board, database, end, theme, out)


def main() -> None:
    parser = command_line(__doc__, binary=False)
    parser.add_argument("--out", type=Path, default=ROOT / "target/images")
    parser.add_argument("--end", type=int, default=int(time.time()), help="unix time at which the history ends")
    options = parser.parse_args()
    missing = [
        program for program in ("npm", "node", "chromium", "prometheus", "promtool") if not shutil.which(program)
    ]
    if missing:
        sys.exit(f"preview: install {', '.join(missing)}")
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        preview(options.out, options.end)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"preview: {error}")


if __name__ == "__main__":
    main()
