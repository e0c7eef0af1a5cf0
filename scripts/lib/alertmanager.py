"""Alertmanager with the shipped configuration, and the webhook that its receivers are."""

import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lib.process import ROOT, START, Failed, free_port
from lib.web import get
from lib.world import World

DEPLOY = ROOT / "deploy"
WEBHOOK = "localhost:9095"

Notification = dict[str, Any]


def replaced(text: str, pattern: str, replacement: str, file: Path) -> str:
    """The text with every match replaced; one without a match is a file that has changed."""
    text, count = re.subn(pattern, replacement, text)
    if count == 0:
        raise Failed(f"{file} has nothing like {pattern}")
    return text


class Webhook:
    """What Alertmanager's receivers get: a list of (seconds, path, notification)."""

    def __init__(self, show: Callable[[Notification], None] | None = None) -> None:
        received: list[tuple[float, str, Notification]] = []
        self.received = received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.append((time.monotonic(), self.path, body))
                if show:
                    show(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def start_alertmanager(world: World, name: str, webhook: Webhook, hastened: Callable[[str], str]) -> str:
    """Starts one with the shipped file, but for the address of the receivers and what `hastened` does to its times; its
    address."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not program:
        raise Failed("no Alertmanager: run scripts/install-peers.sh")
    shipped = DEPLOY / "alertmanager/alertmanager.yml"
    text = replaced(shipped.read_text(), re.escape(WEBHOOK), webhook.address, shipped)
    file = world.folder / f"{name}.yml"
    file.write_text(hastened(text))
    url = f"http://127.0.0.1:{free_port()}"
    world.start(
        name,
        [
            program,
            f"--config.file={file}",
            f"--storage.path={world.folder / name}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ],
    )
    world.wait("Alertmanager is ready", START, lambda: get(f"{url}/-/ready")[0] == 200)
    return url
