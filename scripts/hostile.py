#!/usr/bin/env python3
"""Clients that mean no good, and one that scrapes all the while.

Two daemons, one in plain HTTP and one with TLS, serve the same simulated accounts. Attackers of every kind come from
some addresses of loopback, each in a process of its own, while a client of another address scrapes each daemon every
second. It ends with a table, and with status 1 when a scrape failed, or a bound was broken.

Needs openssl.
"""

import argparse
import http.client
import multiprocessing
import random
import resource
import select
import signal
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

from e2e import Checks
from e2e_tls import certificate
from stack import Child, Failed, wait

ACCOUNTS, CAMPAIGNS = 4, 500
PLACES, CONNECTIONS = 40, 512  # what the daemon runs with

SILENT = 2000  # connections that send nothing, to each daemon
SLOW_READERS, PACE = 45, 200_000  # readers of a large body, and bytes a second for each
UNREAD_PAGES = 60
STREAMS = 40  # requests at once over a connection of HTTP/2

SCRAPE_TIMEOUT = 10.0  # seconds that Prometheus waits for a scrape, unless told otherwise
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

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
HTTP2 = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HTTP2.check_hostname, HTTP2.verify_mode = False, ssl.CERT_NONE
HTTP2.set_alpn_protocols(["h2"])


# What goes over the wire.


def connect(daemon, source, narrow=False, context=None):
    """A connection from an address; a narrow one takes next to nothing unless it is read."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if narrow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.bind((source, 0))
        connection.connect(daemon.address)
        context = context or (TLS if daemon.tls else None)
        return context.wrap_socket(connection) if context else connection
    except OSError:
        connection.close()
        raise


def request(path, host="Host: x\r\n"):
    return f"GET {path} HTTP/1.1\r\n{host}\r\n".encode()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def preface(window):
    """The beginning of HTTP/2 with so much taken of each answer without being asked."""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack(">HI", 4, window)) + frame(4, 1, 0)


def get(stream, path):
    """HEADERS of a request: GET and https from the static table, path and authority as they are."""
    head = b"\x82\x87\x04" + bytes([len(path)]) + path.encode() + b"\x01\x01x"
    return frame(1, 0x05, stream, head)


# The attackers. Each goes on until its process is ended.


def hold(count, open_one, each, pause, replaced):
    """Keeps so many connections open, does something with each again and again, and replaces at most so many at a time
    of those that the daemon closes: more would be a trial of the machine."""
    connections, new = [], count
    while True:
        for _ in range(min(new, count - len(connections))):
            try:
                connections.append(open_one())
            except OSError:
                break
        new = replaced
        kept = []
        for connection in connections:
            try:
                if each(connection):
                    kept.append(connection)
                    continue
            except ssl.SSLWantReadError:
                kept.append(connection)
                continue
            except OSError:
                pass
            connection.close()
        connections = kept
        time.sleep(pause)


def is_open(connection):
    """Whether the daemon has not closed it. What came otherwise is left where it is."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return not poll.poll(0)


def silent(daemon, sources):
    """Nothing at all is sent, not even a TLS handshake."""

    def open_one():
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(1)
        connection.bind((random.choice(sources), 0))
        connection.connect(daemon.address)
        return connection

    hold(SILENT, open_one, is_open, 0.5, 100)


def slow_heads(daemon, sources):
    def open_one():
        connection = connect(daemon, random.choice(sources))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
        return connection

    def each(connection):
        connection.sendall(b"y")
        return is_open(connection)

    hold(50, open_one, each, 0.2, 10)


def slow_readers(daemon, sources):
    """A large body, taken steadily and slowly: not packed, so that it is large."""

    def open_one():
        connection = connect(daemon, random.choice(sources), narrow=True)
        connection.sendall(request("/metrics"))
        connection.setblocking(False)
        return connection

    def each(connection):
        left = PACE // 10
        while left > 0:
            try:
                read = len(connection.recv(left))
            except (BlockingIOError, ssl.SSLWantReadError):
                return True
            if read == 0:
                return False
            left -= read
        return True

    hold(SLOW_READERS, open_one, each, 0.1, 10)


def unread_pages(daemon, sources):
    def open_one():
        connection = connect(daemon, random.choice(sources), narrow=True)
        connection.sendall(request(random.choice(["/", "/config", "/api/v1/targets"])))
        return connection

    hold(UNREAD_PAGES, open_one, is_open, 0.1, 2)


def aborted_downloads(daemon, sources):
    while True:
        try:
            connection = connect(daemon, random.choice(sources))
            connection.sendall(request("/metrics"))
            connection.recv(1024)
            # A reset, not an end in good order.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        except OSError:
            pass
        time.sleep(0.2)


def odd_requests(daemon, sources):
    """Without Host, without a path, with a head that does not end in what it should."""
    odd = [request("/metrics", ""), request("*"), b"\x00" * 64, b"GET /metrics\r\n\r\n"]
    odd.append(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    while True:
        try:
            connection = connect(daemon, random.choice(sources))
            connection.sendall(random.choice(odd))
            connection.recv(1024)
            connection.close()
        except OSError:
            pass
        time.sleep(0.2)


def http2(daemon, sources, count, begin):
    def open_one():
        connection = connect(daemon, random.choice(sources), narrow=True, context=HTTP2)
        connection.sendall(begin)
        return connection

    hold(count, open_one, is_open, 0.1, 10)


def without_preface(daemon, sources):
    http2(daemon, sources, 50, b"")


def without_pong(daemon, sources):
    """One request, and then no sign of life."""
    http2(daemon, sources, 50, preface(1 << 20) + get(1, "/-/healthy"))


def closed_windows(daemon, sources):
    requests = [get(2 * number + 1, "/metrics") for number in range(STREAMS)]
    http2(daemon, sources, 10, preface(0) + b"".join(requests))


PLAIN = [silent, slow_heads, slow_readers, unread_pages, aborted_downloads, odd_requests]
WITH_TLS = [silent, slow_readers, aborted_downloads, without_preface, without_pong, closed_windows]


# Those who are attacked.


class Daemon:
    """The exporter, and the client that scrapes it."""

    def __init__(self, name, binary, folder, tls):
        self.name, self.tls = name, tls
        self.address = None
        port_file = folder / f"{name}.address"
        command = [binary, "--config.file", str(folder / "config.yaml"), "--web.port-file", str(port_file)]
        command += ["--web.listen-address", "127.0.0.1:0"]
        command += ["--web.config.file", str(folder / "web.yml")] if tls else []
        self.child = Child(name, command, folder)
        text = wait("the port file", 60, [self.child], lambda: port_file.exists() and port_file.read_text().strip())
        host, port = text.rsplit(":", 1)
        self.address = host, int(port)
        wait("every target", 60, [self.child], lambda: self.ask("/-/ready")[0] == 200)
        self.times, self.failures = [], []
        self.quiet = self.memory("VmRSS")

    def ask(self, path):
        """Status and body, over a connection of its own as Prometheus makes one after a failure."""
        host, port = self.address
        if self.tls:
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

    def scrape(self):
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

    def memory(self, field):
        lines = Path(f"/proc/{self.child.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field + ":"))

    def own(self):
        """The samples of the exporter's own."""
        lines = self.ask("/metrics?account_id=1")[1].decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line.startswith(PREFIX))
        return {series: float(value) for series, value in samples}

    def places_free(self):
        """How many scrapes it begins for clients that read nothing, each from an address of its own."""
        held = []
        try:
            for number in range(PLACES):
                connection = connect(self, f"127.0.9.{number + 1}", narrow=True)
                held.append(connection)
                connection.sendall(request("/metrics"))
                if not connection.recv(12).endswith(b" 200"):
                    return number
            return PLACES
        finally:
            for connection in held:
                connection.close()

    def stop(self):
        """Seconds from SIGTERM to the end."""
        started = time.monotonic()
        self.child.process.send_signal(signal.SIGTERM)
        status = self.child.process.wait(60)
        if status != 0:
            raise Failed(f"{self.name} ended with status {status}")
        return time.monotonic() - started


def under_attack(daemons, seconds):
    """Lets every attacker loose for a while, scrapes meanwhile, and gives the processes."""
    attackers = []
    for daemon in daemons:
        for number, attack in enumerate(WITH_TLS if daemon.tls else PLAIN):
            # Two addresses for each kind; those of silence have four.
            last = [10 * number + 2, 10 * number + 3] + ([4, 5] if attack is silent else [])
            sources = [f"127.0.0.{byte}" for byte in last]
            attackers.append(multiprocessing.Process(target=attack, args=(daemon, sources), daemon=True))
    for attacker in attackers:
        attacker.start()
    end = time.monotonic() + seconds

    def scrape(daemon):
        while time.monotonic() < end:
            daemon.scrape()
            time.sleep(max(0.0, 1 - daemon.times[-1]))

    clients = [threading.Thread(target=scrape, args=(daemon,)) for daemon in daemons]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    ended = [attacker.exitcode for attacker in attackers if not attacker.is_alive()]
    if ended:
        raise Failed(f"attackers gave up: {ended}")
    return attackers


def end(attackers):
    for attacker in attackers:
        attacker.kill()
        attacker.join()


def start(binary, folder, children):
    """The simulated API, and both daemons."""
    command = [binary, "simulate", "--listen-address", "127.0.0.1:0"]
    api = Child("simulate", [*command, "--accounts", str(ACCOUNTS), "--campaigns", str(CAMPAIGNS)], folder)
    children.append(api)
    lines = wait("the simulated API", 60, children, lambda: api.log.read_text().splitlines())
    url = lines[0].split()[-1]
    control = http.client.HTTPConnection(url.split("//")[1], timeout=10)
    control.request("POST", "/_control/change", b'{"set_token": ["main", "token-of-the-attacked"]}')
    control.getresponse().read()
    control.close()
    (folder / "token").write_text("token-of-the-attacked")
    (folder / "token").chmod(0o600)
    accounts = ", ".join(f"{{id: {1001 + number}}}" for number in range(ACCOUNTS))
    (folder / "config.yaml").write_text(CONFIGURATION.format(folder=folder, api=url, accounts=accounts))
    (folder / "web.yml").write_text(WEB_CONFIG)
    certificate(folder)
    daemons = [Daemon("plain", binary, folder, False), Daemon("tls", binary, folder, True)]
    children += [daemon.child for daemon in daemons]
    return daemons


def judge(daemons, checks):
    """The table, and the bounds."""
    columns = f"{'scrapes':>8}{'failed':>7}{'slowest':>9}{'quiet':>9}{'peak':>9}"
    print(f"\n{'':6}{columns}{'connections':>12}{'turned away':>12}{'places free':>12}{'stop':>7}")
    for daemon in daemons:
        print(
            f"{daemon.name:6}{len(daemon.times):8}{len(daemon.failures):7}{max(daemon.times):7.2f} s"
            f"{daemon.quiet >> 20:5} MiB{daemon.peak >> 20:5} MiB{daemon.connections:12.0f}{daemon.refused:12.0f}"
            f"{daemon.free:6} of {PLACES}{daemon.stopped:5.1f} s"
        )
    print()
    for daemon in daemons:
        name, more = daemon.name, daemon.peak - daemon.quiet
        failures = "\n".join(daemon.failures[:5])
        checks.that(not failures, f"{name}: no scrape failed or took {SCRAPE_TIMEOUT:.0f} s", failures)
        checks.that(more < MORE_MEMORY, f"{name}: it took less than {MORE_MEMORY >> 20} MiB more", f"{more >> 20} MiB")
        checks.that(0 < daemon.connections <= CONNECTIONS, f"{name}: never more than {CONNECTIONS} connections")
        checks.that(daemon.refused > 0, f"{name}: connections were turned away")
        lines = [line for line in daemon.child.log.read_text().splitlines() if "turned away" in line]
        checks.that(0 < len(lines) <= 4, f"{name}: the log says so once for each reason", "\n".join(lines[:9]))
        checks.that(daemon.free == PLACES, f"{name}: every place is free at the end", str(daemon.free))
        checks.that(daemon.stopped < STOP, f"{name}: it stops within {STOP:.0f} s while it is attacked")


def attacked(binary, seconds, checks):
    children = []
    with tempfile.TemporaryDirectory(prefix="mme-hostile-") as folder:
        try:
            daemons = start(binary, Path(folder), children)
            attackers = under_attack(daemons, seconds)
            for daemon in daemons:
                own = daemon.own()
                daemon.connections = own[PREFIX + "web_connections"]
                refused = PREFIX + "web_connections_refused_total"
                daemon.refused = sum(value for series, value in own.items() if series.startswith(refused))
                daemon.peak = daemon.memory("VmHWM")
            end(attackers)
            for daemon in daemons:
                wait("every place is free", 60, children, lambda daemon=daemon: daemon.places_free() == PLACES)
                daemon.free = daemon.places_free()
            attackers = under_attack(daemons, 3)
            for daemon in daemons:
                daemon.stopped = daemon.stop()
            end(attackers)
            judge(daemons, checks)
        finally:
            for child in children:
                child.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", required=True, help="the program")
    arguments.add_argument("--seconds", type=int, default=30, help="how long the attack takes")
    options = arguments.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    checks = Checks()
    try:
        attacked(options.binary, options.seconds, checks)
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
    print(f"{checks.passed} checks held")


if __name__ == "__main__":
    main()
