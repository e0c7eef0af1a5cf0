#!/usr/bin/env python3
"""Starts the simulated APIs, the exporter, Prometheus with the shipped rules, and Alertmanager, on loopback.

The shipped files are used as they are, but for addresses, and for times: hours and days become seconds, so that the
demo's stories are told within minutes. Notifications are printed. Ctrl-C ends everything; files lie in a temporary
directory.
"""

import itertools
import math
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from lib.alertmanager import DEPLOY, Notification, Webhook, replaced, start_alertmanager
from lib.command import command_line
from lib.process import START, Failed, free_port
from lib.web import get
from lib.world import World

EXPORTER, ALERTMANAGER, PROMETHEUS = "localhost:10396", "localhost:9093", "localhost:9090"

# What becomes of the rules' times. From a day on, days are told shorter than the hours in them, or a week would last
# half an hour; a day and three hours is still three hours more than a day.
HOUR = 3  # seconds
FIRST_DAY, DAY = 37, 10  # seconds: of the first, and of each after it
HOURS = {"m": 1 / 60, "h": 1, "d": 24}

# Custom thresholds, written as docs/alerting.md shows.
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
        expr: "4000"
      - record: marketing_messages:threshold:custom
        labels: {threshold: minimum_spend, currency: INR}
        expr: "5"
      # Three hours are nine seconds here.
      - record: marketing_messages:threshold:custom
        labels: {threshold: minimum_delivered}
        expr: "20"
      # A mistake, which an alert names.
      - record: marketing_messages:threshold:custom
        labels: {threshold: cost_rise, campaign_name: "Flash Friday"}
        expr: "1.1"
"""


def squeezed(span: str) -> int:
    """Seconds that stand for a span of the rules, such as 30m, 27h or 7d."""
    days, hours = divmod(int(span[:-1]) * HOURS[span[-1]], 24)
    return math.ceil(hours * HOUR + (FIRST_DAY + (days - 1) * DAY if days else 0))


def shortened(text: str) -> str:
    """A query or a file of rules, with hours and days as seconds. What is longer stays longer."""
    spans = {span for found in re.findall(r"\boffset (\w+)|\[(\w+)(?::\w+)?\]", text) for span in found if span}
    for one, other in itertools.combinations(sorted(spans, key=lambda span: int(span[:-1]) * HOURS[span[-1]]), 2):
        if squeezed(one) > squeezed(other):
            raise Failed(f"{one} and {other} become {squeezed(one)} and {squeezed(other)} s")
    text = re.sub(r"\boffset (\w+)", lambda match: f"offset {squeezed(match[1])}s", text)
    text = re.sub(r"\[(\w+)(:\w+)?\]", lambda match: f"[{squeezed(match[1])}s{':1s' if match[2] else ''}]", text)
    text = re.sub(r"> (\d+) \* 3600\b", lambda match: f"> {squeezed(match[1] + 'h')}", text)  # since midnight
    text = re.sub(r"(?m)^(\s*)> 60$", r"\1> 0", text)  # the minute of grace before figures are stale
    text = re.sub(r"(?m)^(\s*interval:) \w+$", r"\1 1s", text)
    return re.sub(r"(?m)^(\s*(?:for|keep_firing_for):) \w+$", r"\1 2s", text)


class Stack(World):
    """The demo, Alertmanager and Prometheus around it."""

    def __init__(
        self, binary: str, listen: str = "127.0.0.1:0", show: Callable[[Notification], None] | None = None
    ) -> None:
        super().__init__(binary, "stack")
        self.listen = listen
        self.webhook = Webhook(show)
        self.prometheus = self.pair = self.alertmanager = ""
        self.began = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, *more: BaseException | TracebackType | None) -> None:
        super().__exit__(kind, *more)
        self.webhook.stop()

    def start_exporter(self) -> None:
        self.exporter = self.daemon("demo", name="exporter", listen=self.listen)
        self.address = self.exporter.address
        self.ready(self.exporter)
        self.api = self.exporter.line(r"(http://[\d.:]+)/_control/")[1]

    def elapsed(self) -> float:
        """Seconds of the simulated world's own time, about."""
        return time.monotonic() - self.began

    def start_alertmanager(self) -> None:
        self.alertmanager = start_alertmanager(
            self,
            "alertmanager",
            self.webhook,
            lambda text: re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text),
        )

    def start_prometheus(self) -> None:
        self.prometheus = self.run_prometheus("prometheus", [self.address])

    def start_second_prometheus(self) -> None:
        """One that scrapes the exporter under two names, as two exporters with the same accounts are scraped."""
        host, port = self.address.rsplit(":", 1)
        self.pair = self.run_prometheus(
            "pair", [self.address, f"localhost:{port}" if host == "127.0.0.1" else f"127.0.0.1:{port}"]
        )

    def run_prometheus(self, name: str, addresses: Sequence[str]) -> str:
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
        self.start(
            name,
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={own / 'data'}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--log.level=warn",
            ],
        )
        self.wait("Prometheus is ready", START, lambda: get(f"{url}/-/ready")[0] == 200)
        return url


def open_to_people(base: str, pages: Sequence[str]) -> str:
    """The first of a program's pages that shows something. Debian packages these programs without their web interface;
    in its place there may be a page that says so, without a script."""
    for page in pages:
        path, _, fragment = page.partition("#")
        status, _, body = get(base + path)
        if status == 200 and (b"<script" in body or not fragment):
            return base + page
    raise Failed(f"{base} answers none of {', '.join(pages)}")


class Chat:
    """Notifications as a chat would show them, without what they repeat of the ones before."""

    def __init__(self) -> None:
        self.shown: dict[str, tuple[str, str]] = {}

    def show(self, notification: Notification) -> None:
        for alert in notification["alerts"]:
            labels, texts, identity = alert["labels"], alert["annotations"], alert["fingerprint"]
            if self.shown.get(identity) == (alert["status"], alert["startsAt"]):
                continue
            self.shown[identity] = (alert["status"], alert["startsAt"])
            state = "RESOLVED" if alert["status"] == "resolved" else labels["severity"].upper()
            print(f"{time.strftime('%H:%M:%S')}  {state:<8}  {texts['summary']}", flush=True)
            if alert["status"] == "firing":
                print(f"                    {texts['description']}", flush=True)


def main() -> None:
    binary = command_line(__doc__).parse_args().binary
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A shell that starts this in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Stack(binary, f"127.0.0.1:{free_port()}", Chat().show) as stack:
            stack.start_exporter()
            stack.start_alertmanager()
            stack.start_prometheus()
            exporter = f"http://{stack.address}"
            for name, base, pages in [
                ("status page", exporter, ["/"]),
                ("metrics", exporter, ["/metrics"]),
                ("Prometheus", stack.prometheus, ["/alerts", "/classic/alerts", "/api/v1/alerts"]),
                ("Alertmanager", stack.alertmanager, ["/#/alerts", "/api/v2/alerts"]),
                ("simulated APIs", f"{stack.api}/_control/", ["statistics"]),
            ]:
                print(f"{name:<15} {open_to_people(base, pages)}")
            print(
                "An hour is three seconds. Notifications follow, the first within a minute. Ctrl-C ends everything.",
                flush=True,
            )
            while True:
                for process in stack.processes:
                    process.ensure_running()
                time.sleep(1)
    except KeyboardInterrupt:
        pass
    except (Failed, OSError) as error:
        sys.exit(f"stack: {error}")


if __name__ == "__main__":
    main()
