#!/usr/bin/env python3
"""One web configuration file, TLS and a login in it, serves Debian's node exporter and ours alike, and a
real Prometheus scrapes both over it.

Needs prometheus, prometheus-node-exporter and openssl (scripts/install-peers.sh).
"""

import argparse
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

from e2e import DATA, Checks
from stack import REQUEST, START, Child, Failed, free_port, query, wait

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


def certificate(folder):
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


def status(context, address, password=None):
    """Status and headers of /metrics, asked with a password or without a login."""
    http = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(f"https://{address}/metrics")
    if password is not None:
        request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{password}".encode()).decode())
    try:
        with http.open(request, timeout=REQUEST) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


def start(binary, folder, children):
    """Both exporters with the same file; their addresses."""
    config, port_file = folder / "web.yml", folder / "address"
    config.write_text(WEB_CONFIG)
    flags = ["--web.listen-address", "127.0.0.1:0", "--web.port-file", str(port_file), "--web.config.file", str(config)]
    exporter = Child("exporter", [binary, "demo", *flags], folder)
    theirs = f"127.0.0.1:{free_port()}"
    command = ["prometheus-node-exporter", f"--web.listen-address={theirs}", f"--web.config.file={config}"]
    children += [exporter, Child("node-exporter", command, folder)]
    ours = wait("the port file", START, children, lambda: port_file.exists() and port_file.read_text().strip())
    return ours, theirs, config


def check_answers(checks, name, context, address, children):
    wait(f"{name} answers", START, children, lambda: status(context, address)[0])
    answers = [status(context, address, password) for password in (None, "a guess", PASSWORD, "a guess", PASSWORD)]
    codes = [code for code, _ in answers]
    checks.that(codes == [401, 401, 200, 401, 200], f"{name}: TLS, and only with the password", str(codes))
    frames = {headers.get("X-Frame-Options") for _, headers in answers}
    checks.that(frames == {"deny"}, f"{name}: the header is on every answer", str(frames))


def check_prometheus(checks, folder, ours, theirs, children):
    config = folder / "prometheus.yml"
    config.write_text(PROMETHEUS_CONFIG.format(user=USER, password=PASSWORD, folder=folder, ours=ours, theirs=theirs))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    children.append(Child("prometheus", [*command, f"--web.listen-address={address}", "--log.level=warn"], folder))
    url = f"http://{address}"
    for name, target in (("ours", ours), ("the node exporter", theirs)):
        wait(f"{name} is up", DATA, children, lambda: query(url, f'up{{instance="{target}"}} == 1'))
    wait("figures arrive", DATA, children, lambda: query(url, "marketing_messages_delivered"))
    checks.that(True, "Prometheus scrapes both over TLS with the password")


def run(binary, checks):
    children = []
    with tempfile.TemporaryDirectory(prefix="marketing-messages-e2e-tls-") as name:
        folder = Path(name)
        try:
            certificate(folder)
            context = ssl.create_default_context(cafile=str(folder / "server.crt"))
            ours, theirs, config = start(binary, folder, children)
            check_answers(checks, "the node exporter", context, theirs, children)
            check_answers(checks, "ours", context, ours, children)
            health = [binary, "healthcheck", "--web.listen-address", ours, "--web.config.file", str(config)]
            healthy = subprocess.run(health, capture_output=True, text=True, timeout=REQUEST)
            checks.that(healthy.returncode == 0, "healthcheck finds the way in", healthy.stdout + healthy.stderr)
            check_prometheus(checks, folder, ours, theirs, children)
            logs = "".join(child.log.read_text(errors="replace") for child in children[:1])
            checks.that(PASSWORD not in logs and HASH not in logs, "no password is in the log")
        except Failed:
            for child in children:
                print(child.tail(), file=sys.stderr)
            raise
        finally:
            for child in reversed(children):
                child.stop()


def main():
    parser = argparse.ArgumentParser(description="One web configuration file for two exporters, under Prometheus.")
    parser.add_argument("--binary", required=True, help="the exporter: target/release/... or target/debug/...")
    arguments = parser.parse_args()
    # A script that is told to stop stops its children too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    checks = Checks()
    try:
        run(str(Path(arguments.binary).resolve()), checks)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"e2e_tls: FAILED after {checks.passed} checks: {error}")
    print(f"e2e_tls: {checks.passed} checks passed")


if __name__ == "__main__":
    main()
