#!/usr/bin/env python3
"""Draws the dashboards as PNG files: the demo's figures, asked of a real Prometheus, drawn by Grafana's own libraries.

Needs Chromium and npm beside what scripts/stack.py needs. It shows what panels look like; that a Grafana server takes the
dashboards in is not shown by it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from dashboards import dashboards, filled
from stack import ROOT, Failed, Stack, get

HERE = Path(__file__).resolve().parent / "preview"
TOOLS = ROOT / ".tools/preview"
WIDTH = 1400
ROW = 38
VALUES = {"source": ".*", "account": ".*", "campaign": "120201432000000", "window": "today", "currency": ".*", "last": "30s",
          "__rate_interval": "15s"}

BUNDLE = """
import * as esbuild from 'esbuild';
await esbuild.build({ entryPoints: ['panels.jsx'], bundle: true, outfile: 'out/panels.js', format: 'iife', platform: 'browser',
  jsx: 'transform', logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis', 'process.env.NODE_DEBUG': '""' },
  loader: { '.svg': 'dataurl', '.png': 'dataurl', '.woff2': 'dataurl', '.woff': 'dataurl', '.ttf': 'dataurl' },
  mainFields: ['module', 'browser', 'main'], conditions: ['import', 'browser'], external: ['fs', 'path', 'stream', 'util'] });
"""
PAGE = """<!doctype html><meta charset=utf-8><link rel=stylesheet href=out/panels.css><div id=root></div>
<script src={name}.js></script><script src=out/panels.js></script>"""


def bundle():
    """Installs the libraries once, and packs them with the page's code."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "panels.jsx", "check.mjs"):
        shutil.copy(HERE / name, TOOLS / name)
    if not (TOOLS / "node_modules").exists():
        subprocess.run(["npm", "install", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error"], cwd=TOOLS, check=True)
    (TOOLS / "bundle.mjs").write_text(BUNDLE)
    subprocess.run(["node", "bundle.mjs"], cwd=TOOLS, check=True)


def check():
    """Holds the files against the types that Grafana publishes."""
    files = sorted(str(file) for file in (ROOT / "deploy/grafana/dashboards").glob("*.json"))
    subprocess.run(["node", "check.mjs", *files], cwd=TOOLS, check=True)


def answer(prometheus, target, begin, end):
    """What Prometheus has for a panel's query, now or over the time shown."""
    expression = filled(target["expr"], VALUES)
    if target["instant"]:
        path, times = "query", {"time": end}
    else:
        path, times = "query_range", {"start": begin, "end": end, "step": 1}
    _, _, body = get(f"{prometheus}/api/v1/{path}?" + urllib.parse.urlencode({"query": expression, **times}))
    found = json.loads(body)
    if found["status"] != "success":
        raise Failed(f"{expression}: {found['error']}")
    return found["data"]["result"]


def draw(board, stack, begin, out):
    end = time.time()
    name = board["uid"].removeprefix("mme-")
    answers = {f"{panel['id']}/{target['refId']}": answer(stack.prometheus, target, begin, end)
               for panel in board["panels"] for target in panel["targets"]}
    preview = {"dashboard": board, "answers": answers, "from": begin, "to": end, "width": WIDTH}
    (TOOLS / f"{name}.js").write_text("window.PREVIEW = " + json.dumps(preview))
    (TOOLS / f"{name}.html").write_text(PAGE.format(name=name))
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * ROW
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files",
                f"--window-size={WIDTH},{height}", "--virtual-time-budget=8000"]
    page = f"file://{TOOLS / name}.html"
    picture = out / f"{name}.png"
    subprocess.run([*chromium, f"--screenshot={picture}", page], check=True, capture_output=True, timeout=120)
    dom = subprocess.run([*chromium, "--dump-dom", page], check=True, capture_output=True, text=True, timeout=120).stdout
    drawn = dom.count('class="panel"')
    if drawn != len(board["panels"]) or "No data" in dom or "cannot be drawn" in dom:
        raise Failed(f"{name}: {drawn} of {len(board['panels'])} panels, or one without data: see {picture}")
    print(f"{picture}: {drawn} panels")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seconds", type=int, default=120, help="of the demo that is shown")
    parser.add_argument("--out", type=Path, default=ROOT / "target/images", help="folder of the pictures")
    options = parser.parse_args()
    missing = [program for program in ("npm", "node", "chromium") if not shutil.which(program)]
    if missing:
        sys.exit(f"preview: install {', '.join(missing)}")
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    try:
        bundle()
        check()
        with Stack(str(Path(options.binary).resolve())) as stack:
            stack.start_exporter()
            stack.start_alertmanager()
            stack.start_prometheus()
            begin = time.time() + 5
            # The climbing campaign climbs, and an account is throttled meanwhile.
            stack.change(set_offset=160)
            time.sleep(options.seconds)
            for board in dashboards():
                draw(board, stack, begin, out)
    except (Failed, subprocess.SubprocessError) as error:
        sys.exit(f"preview: {error}")


if __name__ == "__main__":
    main()
