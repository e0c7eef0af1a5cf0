"""Who is compared: a peer is a row of a table."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib.fleet import Fleet
from lib.process import ROOT, Process

HERE = ROOT / "benches" / "peers"
TARGET = ROOT / "target" / "bench"
BINARIES = TARGET / "peers" / "release"
LOAD = BINARIES / "load"
EXPORTER = ROOT / "target" / "release" / "marketing-messages-exporter"
VENV = TARGET / "venv"

FIRST_ROUND = 1800  # seconds that the slowest may take for all campaigns
PAUSE = 0.002  # seconds between two looks at what starts, because its start is measured


def build_rust() -> None:
    subprocess.run(
        ["cargo", "build", "--locked", "--release", "--quiet", "--target-dir", TARGET / "peers"], cwd=HERE, check=True
    )


def build_python() -> None:
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    have = subprocess.run(
        [VENV / "bin" / "python", "-c", "import prometheus_client"], stderr=subprocess.DEVNULL, check=False
    )
    if have.returncode:
        subprocess.run([VENV / "bin" / "pip", "--quiet", "install", "prometheus_client==0.26.0"], check=True)


def build_go() -> None:
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
    command: tuple[Path, ...]


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

    def __init__(self, name: str, process: Process, address: str) -> None:
        self.name, self.process, self.address = name, process, address
        self.start_s = 0.0
        self.lines = 0


def start_peer(peer: Peer, fleet: Fleet, interval: int) -> Running:
    flags = {"api": fleet.api, "accounts": fleet.accounts, "windows": ",".join(fleet.windows), "interval": interval}
    process = fleet.start(peer.name, [*peer.command, *(f"--{name}={value}" for name, value in flags.items())])
    running = Running(peer.name, process, process.line(r"(?m)^listening (\S+)", PAUSE)[1])
    process.line("(?m)^ready", PAUSE, FIRST_ROUND)
    return running


def start_floor(fleet: Fleet, plain: Path, gzip: Path) -> Running:
    process = fleet.start("floor", [BINARIES / "floor", "--plain", plain, "--gzip", gzip])
    return Running("floor", process, process.line(r"(?m)^listening (\S+)")[1])
