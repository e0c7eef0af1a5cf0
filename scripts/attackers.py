"""Clients that mean no good, for scripts/hostile.py: each goes on until its process is ended."""

import random
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

SILENT = 2000  # connections that send nothing, to each daemon
SLOW_READERS, PACE = 45, 200_000  # readers of a large body, and bytes a second for each
UNREAD_PAGES = 60
STREAMS = 40  # requests at once over a connection of HTTP/2

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
HTTP2 = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HTTP2.check_hostname, HTTP2.verify_mode = False, ssl.CERT_NONE
HTTP2.set_alpn_protocols(["h2"])


class Victim(NamedTuple):
    """Where a daemon listens, and whether with TLS."""

    host: str
    port: int
    tls: bool


Sources = Sequence[str]
Connection = socket.socket

# What goes over the wire.


def connect(victim: Victim, source: str, narrow: bool = False, context: ssl.SSLContext | None = None) -> Connection:
    """A connection from an address; a narrow one takes next to nothing unless it is read."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if narrow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.bind((source, 0))
        connection.connect((victim.host, victim.port))
        context = context or (TLS if victim.tls else None)
        return context.wrap_socket(connection) if context else connection
    except OSError:
        connection.close()
        raise


def request(path: str, host: str = "Host: x\r\n") -> bytes:
    return f"GET {path} HTTP/1.1\r\n{host}\r\n".encode()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def preface(window: int) -> bytes:
    """The beginning of HTTP/2 with so much taken of each answer without being asked."""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack(">HI", 4, window)) + frame(4, 1, 0)


def get(stream: int, path: str) -> bytes:
    """HEADERS of a request: GET and https from the static table, path and authority as they are."""
    head = b"\x82\x87\x04" + bytes([len(path)]) + path.encode() + b"\x01\x01x"
    return frame(1, 0x05, stream, head)


# The attackers. Each goes on until its process is ended.


def hold(
    count: int, open_one: Callable[[], Connection], each: Callable[[Connection], bool], pause: float, replaced: int
) -> NoReturn:
    """Keeps so many connections open, does something with each again and again, and replaces at most so many at a time
    of those that the daemon closes: more would be a trial of the machine."""
    connections: list[Connection] = []
    new = count
    while True:
        for _ in range(min(new, count - len(connections))):
            try:
                connections.append(open_one())
            except OSError:
                break
        new = replaced
        kept: list[Connection] = []
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


def is_open(connection: Connection) -> bool:
    """Whether the daemon has not closed it. What came otherwise is left where it is."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return not poll.poll(0)


def silent(victim: Victim, sources: Sources) -> NoReturn:
    """Nothing at all is sent, not even a TLS handshake."""

    def open_one() -> Connection:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(1)
        connection.bind((random.choice(sources), 0))
        connection.connect((victim.host, victim.port))
        return connection

    hold(SILENT, open_one, is_open, 0.5, 100)


def slow_heads(victim: Victim, sources: Sources) -> NoReturn:
    def open_one() -> Connection:
        connection = connect(victim, random.choice(sources))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
        return connection

    def each(connection: Connection) -> bool:
        connection.sendall(b"y")
        return is_open(connection)

    hold(50, open_one, each, 0.2, 10)


def slow_readers(victim: Victim, sources: Sources) -> NoReturn:
    """A large body, taken steadily and slowly: not packed, so that it is large."""

    def open_one() -> Connection:
        connection = connect(victim, random.choice(sources), narrow=True)
        connection.sendall(request("/metrics"))
        connection.setblocking(False)
        return connection

    def each(connection: Connection) -> bool:
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


def unread_pages(victim: Victim, sources: Sources) -> NoReturn:
    def open_one() -> Connection:
        connection = connect(victim, random.choice(sources), narrow=True)
        connection.sendall(request(random.choice(["/", "/config", "/api/v1/targets"])))
        return connection

    hold(UNREAD_PAGES, open_one, is_open, 0.1, 2)


def aborted_downloads(victim: Victim, sources: Sources) -> NoReturn:
    while True:
        try:
            connection = connect(victim, random.choice(sources))
            connection.sendall(request("/metrics"))
            connection.recv(1024)
            # A reset, not an end in good order.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        except OSError:
            pass
        time.sleep(0.2)


def odd_requests(victim: Victim, sources: Sources) -> NoReturn:
    """Without Host, without a path, with a head that does not end in what it should."""
    odd = [request("/metrics", ""), request("*"), b"\x00" * 64, b"GET /metrics\r\n\r\n"]
    odd.append(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    while True:
        try:
            connection = connect(victim, random.choice(sources))
            connection.sendall(random.choice(odd))
            connection.recv(1024)
            connection.close()
        except OSError:
            pass
        time.sleep(0.2)


def http2(victim: Victim, sources: Sources, count: int, begin: bytes) -> NoReturn:
    def open_one() -> Connection:
        connection = connect(victim, random.choice(sources), narrow=True, context=HTTP2)
        connection.sendall(begin)
        return connection

    hold(count, open_one, is_open, 0.1, 10)


def without_preface(victim: Victim, sources: Sources) -> NoReturn:
    http2(victim, sources, 50, b"")


def without_pong(victim: Victim, sources: Sources) -> NoReturn:
    """One request, and then no sign of life."""
    http2(victim, sources, 50, preface(1 << 20) + get(1, "/-/healthy"))


def closed_windows(victim: Victim, sources: Sources) -> NoReturn:
    requests = [get(2 * number + 1, "/metrics") for number in range(STREAMS)]
    http2(victim, sources, 10, preface(0) + b"".join(requests))


PLAIN = [silent, slow_heads, slow_readers, unread_pages, aborted_downloads, odd_requests]
WITH_TLS = [silent, slow_readers, aborted_downloads, without_preface, without_pong, closed_windows]
