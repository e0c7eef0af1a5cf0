"""The world that a script plays in: a folder, the simulated APIs, and daemons that poll them."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from lib.process import START, Process, wait
from lib.web import get, post

T = TypeVar("T")


class Daemon(Process):
    """An exporter; its address is known once it listens."""

    address: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class World:
    """Processes and their files; a context manager that leaves nothing behind, and shows their output at a failure."""

    def __init__(self, binary: Path | str, name: str) -> None:
        self.binary = Path(binary).resolve()
        self.processes: list[Process] = []
        self.temporary = tempfile.TemporaryDirectory(prefix=f"marketing-messages-{name}-")
        self.folder = Path(self.temporary.name)
        self.api = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is not None and issubclass(kind, Exception):
            for process in self.processes:
                print(process.tail(), file=sys.stderr)
        for process in reversed(self.processes):
            process.stop()
        self.temporary.cleanup()

    def start(self, name: str, command: Iterable[object]) -> Process:
        process = Process(name, command, self.folder)
        self.processes.append(process)
        return process

    def wait(self, what: str, seconds: float, ask: Callable[[], T | None]) -> T:
        """The first truthy answer while all of the world runs."""
        return wait(what, seconds, self.processes, ask)

    def write(self, name: str, text: str) -> Path:
        """Replaces a file at once, as it is when somebody edits it; only its owner may read it."""
        new, file = self.folder / f"{name}.new", self.folder / name
        new.write_text(text)
        new.chmod(0o600)
        new.rename(file)
        return file

    def simulate(self, *flags: object) -> Process:
        """The simulated APIs."""
        process = self.start("simulate", [self.binary, "simulate", "--listen-address", "127.0.0.1:0", *flags])
        self.api = process.line(r"# simulated Meta and CAMS APIs: (\S+)")[1]
        return process

    def change(self, change: object) -> None:
        """Changes what the simulated APIs say."""
        post(f"{self.api}/_control/change", json.dumps(change).encode())

    def daemon(self, *words: object, name: str = "daemon", listen: str = "127.0.0.1:0", pause: float = 0.05) -> Daemon:
        """An exporter with this command line, once it listens."""
        port_file = self.folder / f"{name}.address"
        port_file.unlink(missing_ok=True)
        flags = ["--web.listen-address", listen, "--web.port-file", port_file]
        daemon = Daemon(name, [self.binary, *words, *flags], self.folder)
        self.processes.append(daemon)
        daemon.address = daemon.file(port_file, pause)
        return daemon

    def ready(self, daemon: Daemon) -> None:
        """Waits until every target was polled."""
        self.wait(f"{daemon.name} is ready", START, lambda: get(f"{daemon.url}/-/ready")[0] == 200)
