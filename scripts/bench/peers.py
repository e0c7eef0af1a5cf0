"""Who is compared: a peer is a row of a table."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from process import Process

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "benches" / "peers"
TARGET = ROOT / "target" / "bench"
BINARIES = TARGET / "peers" / "release"
LOAD = BINARIES / "load"
EXPORTER = ROOT / "target" / "release" / "marketing-messages-exporter"
VENV = TARGET / "venv"

CONFIGURATION = """\
poll: {{interval: {interval}}}
exposition: {{max_series: 100000000}}
meta:
  main:
    token: token-main
    base_url: {api}
    budget: 1.0
    windows: [{windows}]
    labels: {{team: growth}}
    accounts: [{accounts}]
"""


@dataclass(frozen=True)
class World:
    """A simulated API and what is read of it."""

    api: str
    accounts: int
    windows: tuple[str, ...]
    folder: Path


def build_rust():
    subprocess.run(
        ["cargo", "build", "--locked", "--release", "--quiet", "--target-dir", TARGET / "peers"], cwd=HERE, check=True
    )


def build_python():
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    have = subprocess.run([VENV / "bin" / "python", "-c", "import prometheus_client"], stderr=subprocess.DEVNULL)
    if have.returncode:
        subprocess.run([VENV / "bin" / "pip", "--quiet", "install", "prometheus_client==0.26.0"], check=True)


def build_go():
    """From Debian's packages, which are installed where that can be done."""
    packages = ["golang-go", "golang-github-prometheus-client-golang-dev"]
    sources = Path("/usr/share/gocode")
    if not (shutil.which("go") and (sources / "src/github.com/prometheus/client_golang").exists()):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    environment = {
        "GO111MODULE": "off",
        "GOPATH": str(sources),
        "GOCACHE": str(TARGET / "go-cache"),
        "PATH": "/usr/bin:/bin",
        "HOME": str(TARGET),
    }
    subprocess.run(
        ["go", "build", "-o", TARGET / "with_client_golang", "."], cwd=HERE / "go", env=environment, check=True
    )


@dataclass(frozen=True)
class Peer:
    name: str
    # What is compared, for a reader of the table.
    what: str
    build: Callable[[], None]
    command: tuple
    # The first round is awaited so long, for each 10,000 campaigns.
    patience: float = 30


PEERS = [
    Peer("prometheus", "Rust, crate prometheus, GaugeVec", build_rust, (BINARIES / "with_prometheus",)),
    Peer("prometheus-client", "Rust, crate prometheus-client", build_rust, (BINARIES / "with_prometheus_client",)),
    Peer("client_golang", "Go, client_golang of Debian", build_go, (TARGET / "with_client_golang",)),
    Peer(
        "python",
        "Python, prometheus_client",
        build_python,
        (VENV / "bin" / "python", HERE / "with_prometheus_client.py"),
    ),
]


class Running:
    """An exporter that shows every campaign: where it is, and how long that took to be so."""

    def __init__(self, name, process, address):
        self.name, self.process, self.address = name, process, address
        self.start_s = self.lines = None


def start_peer(peer, world, interval):
    flags = {"api": world.api, "accounts": world.accounts, "windows": ",".join(world.windows), "interval": interval}
    command = [*peer.command, *(f"--{name}={value}" for name, value in flags.items())]
    process = Process(command, world.folder / f"{peer.name}.log")
    running = Running(peer.name, process, process.line("listening "))
    process.line("ready")
    return running


def start_floor(world, plain, gzip):
    process = Process([BINARIES / "floor", "--plain", plain, "--gzip", gzip], world.folder / "floor.log")
    return Running("floor", process, process.line("listening "))
