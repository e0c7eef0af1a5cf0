#!/usr/bin/env python3
"""Runs the demo under a real Prometheus, with the scrape configuration as it is shipped.

Needs prometheus and promtool (scripts/install-peers.sh) and nothing beyond Python's standard library.
Everything that it starts is stopped at its end, and its files lie in a temporary directory.
"""

import argparse
import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

SCRAPE_CONFIG = Path(__file__).resolve().parent.parent / "deploy/prometheus/prometheus.yml"
SHIPPED_TARGET = "localhost:10396"
JOB = "marketing-messages"
DELIVERED_TODAY = 'marketing_messages_delivered{window="today"}'

START = 60  # seconds until a child has to be of use
DATA = 60  # seconds until Prometheus has to know something
CHANGE = 180  # seconds until a figure has to change
STOP = 5  # seconds from SIGTERM to the end
REQUEST = 10  # seconds for one HTTP request

# Proxies of the environment have no business on loopback.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failed(Exception):
    """A check that did not hold."""


class Checks:
    """Counts what held, and stops at what did not."""

    def __init__(self):
        self.passed = 0

    def that(self, holds, what, detail=""):
        if not holds:
            raise Failed(f"{what}\n{detail}".rstrip())
        self.passed += 1
        print(f"ok   {what}", flush=True)


class Child:
    """A process whose output goes to a file."""

    def __init__(self, name, command, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def ensure_running(self):
        status = self.process.poll()
        if status is not None:
            raise Failed(f"{self.name} ended with status {status}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self, lines=30):
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {self.name}: {line}" for line in text[-lines:])


def wait(what, seconds, children, ask):
    """The first truthy answer of `ask`; connections may fail until then."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        for child in children:
            child.ensure_running()
        try:
            answer = ask()
            if answer:
                return answer
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.2)
    raise Failed(f"not within {seconds} s: {what}" + (f" (last: {last})" if last else ""))


def get(url, headers=None):
    """Status, headers and body, whatever the status."""
    try:
        with HTTP.open(urllib.request.Request(url, headers=headers or {}), timeout=REQUEST) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def query(prometheus, expression):
    """The result of an instant query, as a list of (labels, value)."""
    status, _, body = get(f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    answer = json.loads(body)
    if status != 200 or answer["status"] != "success":
        raise Failed(f"query {expression}: {status} {body[:500]!r}")
    return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]


def default_families(reference):
    """The campaign and account families that are on without being asked for, from the reference's tables."""
    families, section, columns = [], "", []
    for line in reference.splitlines():
        if line.startswith("## "):
            section, columns = line[3:], []
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: ") or section == "The exporter itself":
            continue
        if not columns:
            columns = cells
            continue
        row = dict(zip(columns, cells))
        if row.get("on by", "default") == "default":
            families.append(row["family"].strip("`"))
    return families


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape_config(address, folder):
    """The shipped file, but for the target's address and the interval."""
    text = SCRAPE_CONFIG.read_text()
    if text.count(f'"{SHIPPED_TARGET}"') != 1:
        raise Failed(f"{SCRAPE_CONFIG} does not name the target {SHIPPED_TARGET} once")
    text = text.replace(f'"{SHIPPED_TARGET}"', f'"{address}"')
    text, intervals = re.subn(r"(?m)^(\s*scrape_interval:\s*)\S+", r"\g<1>1s", text)
    if intervals == 0:
        raise Failed(f"{SCRAPE_CONFIG} has no scrape_interval")
    file = folder / "prometheus.yml"
    file.write_text(text)
    return file


def start_exporter(checks, binary, folder, children):
    port_file = folder / "address"
    command = [binary, "demo", "--web.listen-address", "127.0.0.1:0", "--web.port-file", str(port_file)]
    exporter = Child("exporter", command, folder)
    children.append(exporter)
    address = wait("the port file", START, [exporter], lambda: port_file.exists() and port_file.read_text().strip())
    wait("ready", START, [exporter], lambda: get(f"http://{address}/-/ready")[0] == 200)
    checks.that(True, "the demo is ready")
    return exporter, address


def start_prometheus(checks, address, folder, children):
    config = scrape_config(address, folder)
    url = f"http://127.0.0.1:{free_port()}"
    prometheus = Child(
        "prometheus",
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--log.level=warn",
        ],
        folder,
    )
    children.append(prometheus)
    wait("Prometheus is ready", START, children, lambda: get(f"{url}/-/ready")[0] == 200)
    wait("the target is up", DATA, children, lambda: query(url, f'up{{job="{JOB}"}} == 1'))
    wait("a query returns data", DATA, children, lambda: query(url, DELIVERED_TODAY))
    checks.that(True, "Prometheus scrapes with the shipped configuration")
    return url


def check_text(checks, address):
    status, headers, body = get(f"http://{address}/metrics")
    checks.that(status == 200, "GET /metrics is 200", str(status))
    content_type = headers.get("Content-Type", "")
    checks.that(content_type.startswith("text/plain; version=0.0.4"), "plain text is the default", content_type)
    lint = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=60)
    findings = (lint.stdout + lint.stderr).decode(errors="replace")
    if findings:
        print(findings, end="")
    checks.that(lint.returncode == 0, "promtool check metrics", f"status {lint.returncode}")


def check_open_metrics(checks, address):
    headers = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    status, headers, body = get(f"http://{address}/metrics", headers)
    content_type = headers.get("Content-Type", "")
    wanted = "application/openmetrics-text; version=1.0.0"
    checks.that(status == 200 and content_type.startswith(wanted), "OpenMetrics is served when asked for", content_type)
    encoding = headers.get("Content-Encoding", "")
    checks.that(encoding == "gzip", "gzip is served when accepted", f"Content-Encoding: {encoding}")
    text = gzip.decompress(body).decode()
    checks.that(text.endswith("\n# EOF\n") and text.count("# EOF") == 1, "OpenMetrics ends in # EOF", text[-200:])


def check_families(checks, binary, prometheus):
    reference = subprocess.run([binary, "metrics"], check=True, capture_output=True, text=True, timeout=60).stdout
    families = default_families(reference)
    known = {"delivered", "account_delivered", "window_start_timestamp_seconds", "campaign_info", "account_info"}
    missing = {f"marketing_messages_{name}" for name in known} - set(families)
    checks.that(not missing, "the reference lists the default families", f"not found: {sorted(missing)}")
    counts = {}
    for family in families:
        result = query(prometheus, f"count({family})")
        counts[family] = int(result[0][1]) if result else 0
    width = max(map(len, families))
    print(f"     {'family':<{width}}  series")
    for family, count in counts.items():
        print(f"     {family:<{width}}  {count:>6}")
    empty = [family for family, count in counts.items() if count == 0]
    checks.that(not empty, f"all {len(families)} default families have series", f"without: {', '.join(empty)}")


def check_life(checks, prometheus, children):
    def values():
        return {tuple(sorted(labels.items())): value for labels, value in query(prometheus, DELIVERED_TODAY)}

    first = values()
    moved = wait(
        f"a value of {DELIVERED_TODAY} changes",
        CHANGE,
        children,
        lambda: sum(labels in first and first[labels] != value for labels, value in values().items()),
    )
    checks.that(moved > 0, f"figures follow the API: {moved} of {len(first)} series changed")
    up = query(prometheus, f'up{{job="{JOB}"}}')
    checks.that([value for _, value in up] == [1.0], "up is 1", str(up))


def check_stop(checks, exporter):
    started = time.monotonic()
    exporter.process.send_signal(signal.SIGTERM)
    try:
        status = exporter.process.wait(STOP)
    except subprocess.TimeoutExpired:
        raise Failed(f"the exporter still runs {STOP} s after SIGTERM") from None
    checks.that(status == 0, f"SIGTERM ends it with status 0 ({time.monotonic() - started:.1f} s)", f"status {status}")
    log = exporter.log.read_text(errors="replace")
    checks.that("panicked" not in log, "nothing panicked")


def run(binary, checks):
    children = []
    with tempfile.TemporaryDirectory(prefix="marketing-messages-e2e-") as name:
        folder = Path(name)
        try:
            exporter, address = start_exporter(checks, binary, folder, children)
            check_text(checks, address)
            prometheus = start_prometheus(checks, address, folder, children)
            check_families(checks, binary, prometheus)
            check_life(checks, prometheus, children)
            check_open_metrics(checks, address)
            check_stop(checks, exporter)
        except Failed:
            for child in children:
                print(child.tail(), file=sys.stderr)
            raise
        finally:
            for child in reversed(children):
                child.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the exporter: target/release/... or target/debug/...")
    arguments = parser.parse_args()
    # A script that is told to stop stops its children too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    checks = Checks()
    try:
        run(str(Path(arguments.binary).resolve()), checks)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"e2e: FAILED after {checks.passed} checks: {error}")
    print(f"e2e: {checks.passed} checks passed")


if __name__ == "__main__":
    main()
