#!/usr/bin/env python3
"""One web configuration file, TLS and a login in it, serves Debian's node exporter and ours alike, and a
real Prometheus scrapes both over it.

Needs prometheus, prometheus-node-exporter and openssl (scripts/install-peers.sh).
"""

import ssl
import subprocess
import urllib.request
from base64 import b64encode
from email.message import Message
from pathlib import Path

from e2e import DATA
from lib.checks import Checks, run
from lib.command import command_line
from lib.process import START, free_port
from lib.web import REQUEST, query, send
from lib.world import Daemon, World

USER, PASSWORD = "prometheus", "an open secret"
# Of that password.
HASH = "$2y$06$vFYrvkjmdv0LjYGa44Jqqu8pRyDtY1xtJG.IviI5gveoywBXciiPi"

WEB_CONFIG = f"""\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  min_version: TLS12
http_server_config:
  headers:
    X-Frame-Options: deny
basic_auth_users:
  {USER}: {HASH}
"""

PROMETHEUS_CONFIG = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: exporters
    scheme: https
    basic_auth: {{username: {user}, password: {password}}}
    tls_config: {{ca_file: {folder}/server.crt}}
    static_configs: [{{targets: ["{ours}", "{theirs}"]}}]
"""


def certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 that vouches for itself."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-noenc",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=exporters", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")]
    subprocess.run(command, check=True, capture_output=True, timeout=REQUEST)


def status(context: ssl.SSLContext, address: str, password: str | None = None) -> tuple[int, Message]:
    """Status and headers of /metrics, asked with a password or without a login."""
    http = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(f"https://{address}/metrics")
    if password is not None:
        request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{password}".encode()).decode())
    code, headers, _ = send(request, http)
    return code, headers


def start(world: World) -> tuple[Daemon, str, Path]:
    """Both exporters with the same file; theirs by its address."""
    config = world.write("web.yml", WEB_CONFIG)
    theirs = f"127.0.0.1:{free_port()}"
    command = ["prometheus-node-exporter", f"--web.listen-address={theirs}", f"--web.config.file={config}"]
    ours = world.daemon("demo", "--web.config.file", config, name="exporter")
    world.start("node-exporter", command)
    return ours, theirs, config


def check_answers(checks: Checks, name: str, context: ssl.SSLContext, address: str, world: World) -> None:
    world.wait(f"{name} answers", START, lambda: status(context, address)[0])
    answers = [status(context, address, password) for password in (None, "a guess", PASSWORD, "a guess", PASSWORD)]
    codes = [code for code, _ in answers]
    checks.that(codes == [401, 401, 200, 401, 200], f"{name}: TLS, and only with the password", codes)
    frames = {headers.get("X-Frame-Options") for _, headers in answers}
    checks.that(frames == {"deny"}, f"{name}: the header is on every answer", frames)


def is_up(url: str, target: str) -> bool:
    return bool(query(url, f'up{{instance="{target}"}} == 1'))


def check_prometheus(checks: Checks, ours: str, theirs: str, world: World) -> None:
    folder = world.folder
    text = PROMETHEUS_CONFIG.format(user=USER, password=PASSWORD, folder=folder, ours=ours, theirs=theirs)
    config = world.write("prometheus.yml", text)
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    world.start("prometheus", [*command, f"--web.listen-address={address}", "--log.level=warn"])
    url = f"http://{address}"
    world.wait("ours is up", DATA, lambda: is_up(url, ours))
    world.wait("the node exporter is up", DATA, lambda: is_up(url, theirs))
    world.wait("figures arrive", DATA, lambda: query(url, "marketing_messages_delivered"))
    checks.that(True, "Prometheus scrapes both over TLS with the password")


def both(checks: Checks, binary: str) -> None:
    with World(binary, "e2e-tls") as world:
        certificate(world.folder)
        context = ssl.create_default_context(cafile=str(world.folder / "server.crt"))
        ours, theirs, config = start(world)
        check_answers(checks, "the node exporter", context, theirs, world)
        check_answers(checks, "ours", context, ours.address, world)
        health = [
            str(world.binary),
            "healthcheck",
            "--web.listen-address",
            ours.address,
            "--web.config.file",
            str(config),
        ]
        healthy = subprocess.run(health, check=False, capture_output=True, text=True, timeout=REQUEST)
        checks.that(healthy.returncode == 0, "healthcheck finds the way in", healthy.stdout + healthy.stderr)
        check_prometheus(checks, ours.address, theirs, world)
        log = ours.output()
        checks.that(PASSWORD not in log and HASH not in log, "no password is in the log")


if __name__ == "__main__":
    arguments = command_line(__doc__).parse_args()
    run("e2e_tls", lambda checks: both(checks, arguments.binary))
