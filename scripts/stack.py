#!/usr/bin/env python3
"""Starts the simulated APIs, the exporter, Prometheus with the shipped rules, and Alertmanager, on loopback.

The shipped files are used as they are, but for addresses, and for times: hours become seconds, so that the demo's stories
are told within minutes. Notifications are printed. Ctrl-C ends everything; files lie in a temporary directory.
"""

import argparse
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
EXPORTER, ALERTMANAGER, WEBHOOK, PROMETHEUS = "localhost:10396", "localhost:9093", "localhost:9095", "localhost:9090"

START = 60  # seconds until a child has to be of use
STOP = 5  # seconds from SIGTERM to the end
REQUEST = 10  # seconds for one HTTP request

# What becomes of the rules' times: the order among them stays.
SECONDS = {"3h": 15, "1d": 16, "2d": 17, "7d": 18, "27h": 31, "171h": 33, "1h": 20, "6h": 60}

# Thresholds of one's own, as docs/alerting.md tells to write them.
OWN_RULES = """
groups:
  - name: own-thresholds
    rules:
      - record: marketing_messages:threshold:custom
        labels: {threshold: cost_ceiling, currency: EUR}
        expr: "0.32"
      - record: marketing_messages:threshold:custom
        labels: {threshold: pace_high}
        expr: "20"
      - record: marketing_messages:threshold:custom
        labels: {threshold: budget_month, account_id: "2398765432"}
        expr: "60000"
      - record: marketing_messages:threshold:custom
        labels: {threshold: minimum_spend, currency: INR}
        expr: "5"
"""

# Proxies of the environment have no business on loopback.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failed(Exception):
    """A check that did not hold."""


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
    if answer["data"]["resultType"] == "scalar":
        return [({}, float(answer["data"]["result"][1]))]
    return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replaced(text, pattern, replacement, file):
    """The text with every match replaced; one without a match is a file that has changed."""
    text, count = re.subn(pattern, replacement, text)
    if count == 0:
        raise Failed(f"{file} has nothing like {pattern}")
    return text


def shortened(text):
    """A query or a file of rules, with hours as seconds."""
    text = re.sub(r"\boffset (\w+)", lambda match: f"offset {SECONDS[match[1]]}s", text)
    text = re.sub(r"\[(\w+)(:\w+)?\]", lambda match: f"[{SECONDS[match[1]]}s{':1s' if match[2] else ''}]", text)
    text = re.sub(r"(?m)^(\s*)> 60$", r"\1> 0", text)  # the minute of grace before figures are stale
    return re.sub(r"(?m)^(\s*(?:for|keep_firing_for):) \w+$", r"\1 2s", text)


class Webhook:
    """What Alertmanager's receivers get: a list of (seconds, path, notification)."""

    def __init__(self, show=None):
        received = self.received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.append((time.monotonic(), self.path, body))
                if show:
                    show(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Stack:
    """All of it; a context manager that leaves nothing behind."""

    def __init__(self, binary, listen="127.0.0.1:0", show=None):
        self.binary, self.listen, self.show = binary, listen, show
        self.children = []

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="marketing-messages-stack-")
        self.folder = Path(self.temporary.name)
        self.webhook = Webhook(self.show)
        return self

    def __exit__(self, kind, *_):
        if kind is not None and issubclass(kind, Failed):
            for child in self.children:
                print(child.tail(), file=sys.stderr)
        for child in reversed(self.children):
            child.stop()
        self.webhook.stop()
        self.temporary.cleanup()

    def child(self, name, command):
        child = Child(name, command, self.folder)
        self.children.append(child)
        return child

    def start_exporter(self):
        port_file = self.folder / "address"
        command = [self.binary, "demo", "--web.listen-address", self.listen, "--web.port-file", str(port_file)]
        self.exporter = self.child("exporter", command)
        self.address = wait(
            "the port file", START, [self.exporter], lambda: port_file.exists() and port_file.read_text().strip()
        )
        wait("ready", START, [self.exporter], lambda: get(f"http://{self.address}/-/ready")[0] == 200)
        self.control = wait(
            "the control's address",
            START,
            [self.exporter],
            lambda: re.search(r"(http://[\d.:]+/_control/)", self.exporter.log.read_text(errors="replace")),
        )[1]

    def change(self, **change):
        """Changes the simulated world."""
        request = urllib.request.Request(
            self.control + "change", json.dumps(change).encode(), {"Content-Type": "application/json"}
        )
        with HTTP.open(request, timeout=REQUEST):
            pass

    def start_alertmanager(self):
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if not program:
            raise Failed("no Alertmanager: run scripts/install-peers.sh")
        shipped = DEPLOY / "alertmanager/alertmanager.yml"
        text = replaced(shipped.read_text(), re.escape(WEBHOOK), self.webhook.address, shipped)
        text = replaced(text, r"(group_wait|group_interval): \w+", r"\1: 1s", shipped)
        file = self.folder / "alertmanager.yml"
        file.write_text(text)
        self.alertmanager = f"http://127.0.0.1:{free_port()}"
        self.child(
            "alertmanager",
            [
                program,
                f"--config.file={file}",
                f"--storage.path={self.folder / 'alertmanager'}",
                f"--web.listen-address={self.alertmanager.removeprefix('http://')}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
        )
        wait("Alertmanager is ready", START, self.children, lambda: get(f"{self.alertmanager}/-/ready")[0] == 200)

    def start_prometheus(self):
        self.prometheus = self.run_prometheus("prometheus", [self.address])

    def start_second_prometheus(self):
        """One that scrapes the exporter under two names, as two exporters with the same accounts are scraped."""
        host, port = self.address.rsplit(":", 1)
        self.pair = self.run_prometheus(
            "pair", [self.address, f"localhost:{port}" if host == "127.0.0.1" else f"127.0.0.1:{port}"]
        )

    def run_prometheus(self, name, addresses):
        """Starts one with the shipped rules and configuration; its address."""
        if not shutil.which("prometheus"):
            raise Failed("no Prometheus: run scripts/install-peers.sh")
        own = self.folder / name
        rules = own / "rules"
        rules.mkdir(parents=True)
        for shipped in sorted((DEPLOY / "prometheus/rules").glob("*.yml")):
            (rules / shipped.name).write_text(shortened(shipped.read_text()))
        (rules / "own.yml").write_text(OWN_RULES)
        shipped = DEPLOY / "prometheus/prometheus.yml"
        text = replaced(
            shipped.read_text(), f'"{EXPORTER}"', ", ".join(f'"{address}"' for address in addresses), shipped
        )
        text = replaced(text, f'"{ALERTMANAGER}"', f'"{self.alertmanager.removeprefix("http://")}"', shipped)
        text = replaced(text, r"(scrape_interval|evaluation_interval): \w+", r"\1: 1s", shipped)
        url = f"http://127.0.0.1:{free_port()}"
        text = replaced(text, f'"{PROMETHEUS}"', f'"{url.removeprefix("http://")}"', shipped)
        file = own / "prometheus.yml"
        file.write_text(text)
        self.child(
            name,
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={own / 'data'}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--log.level=warn",
            ],
        )
        wait("Prometheus is ready", START, self.children, lambda: get(f"{url}/-/ready")[0] == 200)
        return url


def open_to_people(base, pages):
    """The first of a program's pages that shows something. Debian packages these programs without their web interface;
    in its place there may be a page that says so, without a script."""
    for page in pages:
        path, _, fragment = page.partition("#")
        status, _, body = get(base + path)
        if status == 200 and (b"<script" in body or not fragment):
            return base + page
    raise Failed(f"{base} answers none of {', '.join(pages)}")


def show(notification, shown={}):
    """A notification as a chat would show it, without what it repeats of the ones before."""
    for alert in notification["alerts"]:
        labels, texts, identity = alert["labels"], alert["annotations"], alert["fingerprint"]
        if shown.get(identity) == (alert["status"], alert["startsAt"]):
            continue
        shown[identity] = (alert["status"], alert["startsAt"])
        state = "RESOLVED" if alert["status"] == "resolved" else labels["severity"].upper()
        print(f"{time.strftime('%H:%M:%S')}  {state:<8}  {texts['summary']}", flush=True)
        if alert["status"] == "firing":
            print(f"                    {texts['description']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the exporter: target/release/... or target/debug/...")
    binary = str(Path(parser.parse_args().binary).resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A shell that starts this in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Stack(binary, f"127.0.0.1:{free_port()}", show) as stack:
            stack.start_exporter()
            stack.start_alertmanager()
            stack.start_prometheus()
            exporter = f"http://{stack.address}"
            for name, base, pages in [
                ("status page", exporter, ["/"]),
                ("metrics", exporter, ["/metrics"]),
                ("Prometheus", stack.prometheus, ["/alerts", "/classic/alerts", "/api/v1/alerts"]),
                ("Alertmanager", stack.alertmanager, ["/#/alerts", "/api/v2/alerts"]),
                ("simulated APIs", stack.control, ["statistics"]),
            ]:
                print(f"{name:<15} {open_to_people(base, pages)}")
            print(
                "Hours are seconds here. Notifications follow; the first within two minutes. Ctrl-C ends everything.",
                flush=True,
            )
            while True:
                for child in stack.children:
                    child.ensure_running()
                time.sleep(1)
    except KeyboardInterrupt:
        pass
    except (Failed, OSError) as error:
        sys.exit(f"stack: {error}")


if __name__ == "__main__":
    main()
