#!/usr/bin/env python3
"""Clients that mean no good, and one that scrapes all the while.

Two daemons, one in plain HTTP and one with TLS, serve the same simulated accounts. Attackers of every kind come from
some addresses of loopback, each in a process of its own, while a client of another address scrapes each daemon every
second. It ends with a table, and with status 1 when a scrape failed, or a bound was broken.

Needs openssl.
"""

import contextlib
import http.client
import multiprocessing
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess

from attackers import PLAIN, TLS, WITH_TLS, Victim, connect, request, silent
from e2e_tls import certificate
from lib.checks import Checks, run
from lib.command import command_line
from lib.process import Failed, wait
from lib.world import World

ACCOUNTS, CAMPAIGNS = 4, 500
PLACES, CONNECTIONS = 40, 512  # what the daemon runs with

SCRAPE_TIMEOUT = 10.0  # seconds that Prometheus waits for a scrape, unless told otherwise
TOKEN = "token-of-the-attacked"
MORE_MEMORY = 128 << 20  # bytes above what the daemon takes when all is quiet
STOP = 10.0  # seconds from SIGTERM to the end, of which answers under way get five

PREFIX = "marketing_messages_exporter_"

CONFIGURATION = """\
meta:
  main:
    token_file: {folder}/token
    base_url: {api}
    windows: [today]
    accounts: [{accounts}]
"""

WEB_CONFIG = """\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
"""

# Those who are attacked.


class Attacked:
    """A daemon, and the client that scrapes it."""

    def __init__(self, world: World, name: str, tls: bool) -> None:
        self.name = name
        flags = ["--web.config.file", world.folder / "web.yml"] if tls else []
        self.process = world.daemon("--config.file", world.folder / "config.yaml", *flags, name=name)
        host, port = self.process.address.rsplit(":", 1)
        self.victim = Victim(host, int(port), tls)
        wait("every target", 60, [self.process], lambda: self.ask("/-/ready")[0] == 200)
        self.times: list[float] = []
        self.failures: list[str] = []
        self.quiet = self.process.memory()
        # Known at the end.
        self.connections = self.refused = self.stopped = 0.0
        self.peak = self.free = 0

    def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body, over a connection of its own as Prometheus makes one after a failure."""
        host, port, tls = self.victim
        connection: http.client.HTTPConnection
        if tls:
            connection = http.client.HTTPSConnection(host, port, timeout=SCRAPE_TIMEOUT, context=TLS)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=SCRAPE_TIMEOUT)
        try:
            packed = "gzip" if path == "/metrics" else "identity"
            connection.request("GET", path, headers={"Accept-Encoding": packed})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def scrape(self) -> None:
        started = time.monotonic()
        try:
            status, body = self.ask("/metrics")
            if status != 200:
                self.failures.append(f"status {status}: {body[:100]!r}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        self.times.append(time.monotonic() - started)
        # The timeout of a socket starts again with each byte.
        if self.times[-1] > SCRAPE_TIMEOUT:
            self.failures.append(f"it took {self.times[-1]:.1f} s")

    def own(self) -> dict[str, float]:
        """The samples of the exporter's own."""
        lines = self.ask("/metrics?account_id=1")[1].decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line.startswith(PREFIX))
        return {series: float(value) for series, value in samples}

    def places_free(self) -> int:
        """How many scrapes it begins for clients that read nothing, each from an address of its own."""
        held = []
        try:
            for number in range(PLACES):
                connection = connect(self.victim, f"127.0.9.{number + 1}", narrow=True)
                held.append(connection)
                connection.sendall(request("/metrics"))
                if not connection.recv(12).endswith(b" 200"):
                    return number
            return PLACES
        finally:
            for connection in held:
                connection.close()

    def wait_for_places(self) -> None:
        wait("every place is free", 60, [self.process], lambda: self.places_free() == PLACES)
        self.free = self.places_free()

    def end(self) -> float:
        """Seconds from SIGTERM to the end."""
        started = time.monotonic()
        status = self.process.end(60)
        if status != 0:
            raise Failed(f"{self.name} ended with status {status}")
        return time.monotonic() - started


@contextlib.contextmanager
def under_attack(daemons: Sequence[Attacked], seconds: float) -> Iterator[None]:
    """Lets every attacker loose, scrapes for a while, and ends them after what is done then."""
    attackers: list[BaseProcess] = []
    for daemon in daemons:
        for number, attack in enumerate(WITH_TLS if daemon.victim.tls else PLAIN):
            # Two addresses for each kind; those of silence have four.
            last = [10 * number + 2, 10 * number + 3] + ([4, 5] if attack is silent else [])
            sources = [f"127.0.0.{byte}" for byte in last]
            attackers.append(multiprocessing.Process(target=attack, args=(daemon.victim, sources), daemon=True))
    for attacker in attackers:
        attacker.start()
    try:
        scrape_all(daemons, time.monotonic() + seconds)
        ended = [attacker.exitcode for attacker in attackers if not attacker.is_alive()]
        if ended:
            raise Failed(f"attackers gave up: {ended}")
        yield
    finally:
        for attacker in attackers:
            attacker.kill()
            attacker.join()


def scrape_all(daemons: Sequence[Attacked], end: float) -> None:
    def scrape(daemon: Attacked) -> None:
        while time.monotonic() < end:
            daemon.scrape()
            time.sleep(max(0.0, 1 - daemon.times[-1]))

    clients = [threading.Thread(target=scrape, args=(daemon,)) for daemon in daemons]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def start(world: World) -> list[Attacked]:
    """The simulated API, and both daemons."""
    world.simulate("--accounts", ACCOUNTS, "--campaigns", CAMPAIGNS)
    world.change({"set_token": ["main", TOKEN]})
    world.write("token", TOKEN)
    accounts = ", ".join(f"{{id: {1001 + number}}}" for number in range(ACCOUNTS))
    world.write("config.yaml", CONFIGURATION.format(folder=world.folder, api=world.api, accounts=accounts))
    world.write("web.yml", WEB_CONFIG)
    certificate(world.folder)
    return [Attacked(world, "plain", False), Attacked(world, "tls", True)]


def print_table(daemons: Sequence[Attacked]) -> None:
    columns = f"{'scrapes':>8}{'failed':>7}{'slowest':>9}{'quiet':>9}{'peak':>9}"
    print(f"\n{'':6}{columns}{'connections':>12}{'turned away':>12}{'places free':>12}{'stop':>7}")
    for daemon in daemons:
        print(
            f"{daemon.name:6}{len(daemon.times):8}{len(daemon.failures):7}{max(daemon.times):7.2f} s"
            f"{daemon.quiet >> 20:5} MiB{daemon.peak >> 20:5} MiB{daemon.connections:12.0f}{daemon.refused:12.0f}"
            f"{daemon.free:6} of {PLACES}{daemon.stopped:5.1f} s"
        )
    print()


def judge(checks: Checks, daemon: Attacked) -> None:
    """The bounds."""
    name, more, failures = daemon.name, daemon.peak - daemon.quiet, "\n".join(daemon.failures[:5])
    checks.record(not failures, f"{name}: no scrape failed or took {SCRAPE_TIMEOUT:.0f} s", failures)
    checks.record(more < MORE_MEMORY, f"{name}: it took less than {MORE_MEMORY >> 20} MiB more", f"{more >> 20} MiB")
    bounded = 0 < daemon.connections <= CONNECTIONS
    checks.record(bounded, f"{name}: never more than {CONNECTIONS} connections", daemon.connections)
    checks.record(daemon.refused > 0, f"{name}: connections were turned away")
    lines = [line for line in daemon.process.output().splitlines() if "turned away" in line]
    checks.record(0 < len(lines) <= 4, f"{name}: the log says so once for each reason", "\n".join(lines[:9]))
    checks.record(daemon.free == PLACES, f"{name}: every place is free at the end", daemon.free)
    checks.record(daemon.stopped < STOP, f"{name}: it stops within {STOP:.0f} s while it is attacked", daemon.stopped)


def attacked(checks: Checks, binary: str, seconds: float) -> None:
    with World(binary, "hostile") as world:
        daemons = start(world)
        with under_attack(daemons, seconds):
            for daemon in daemons:
                own = daemon.own()
                daemon.connections = own[PREFIX + "web_connections"]
                refused = PREFIX + "web_connections_refused_total"
                daemon.refused = sum(value for series, value in own.items() if series.startswith(refused))
                daemon.peak = daemon.process.memory("VmHWM")
        for daemon in daemons:
            daemon.wait_for_places()
        with under_attack(daemons, 3):
            for daemon in daemons:
                daemon.stopped = daemon.end()
        print_table(daemons)
        for daemon in daemons:
            judge(checks, daemon)


if __name__ == "__main__":
    arguments = command_line(__doc__)
    arguments.add_argument("--seconds", type=int, default=30, help="how long the attack takes")
    options = arguments.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    run("hostile", lambda checks: attacked(checks, options.binary, options.seconds))
