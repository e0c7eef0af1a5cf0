"""Processes that a script starts, and the one way to wait for what they do."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]

START = 60  # seconds until a process has to be of use
STOP = 10  # seconds from SIGTERM until it is killed

T = TypeVar("T")


class Failed(Exception):
    """A check that did not hold, or a process that did not do what it has to."""


class Process:
    """A process whose output goes to a file in a folder, named after it."""

    def __init__(self, name: str, command: Iterable[object], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        words = [str(word) for word in command]
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.pid = self.child.pid

    def ensure_running(self) -> None:
        status = self.child.poll()
        if status is not None:
            raise Failed(f"{self.name} ended with status {status}\n{self.tail()}")

    def output(self) -> str:
        """All that it wrote so far."""
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 30) -> str:
        return "\n".join(f"  {self.name}: {line}" for line in self.output().splitlines()[-lines:])

    def line(self, pattern: str, pause: float = 0.05, seconds: float = START) -> re.Match[str]:
        """The first whole line of its output that the pattern finds something in."""
        whole = re.compile(f"{pattern}.*\n")
        return wait(f"{self.name} writes {pattern}", seconds, [self], lambda: whole.search(self.output()), pause)

    def file(self, path: Path, pause: float = 0.05) -> str:
        """What it writes into a file, which is complete when it ends in a newline."""

        def content() -> str | None:
            text = path.read_text()
            return text.strip() if text.endswith("\n") else None

        return wait(f"{self.name} writes {path.name}", START, [self], content, pause)

    def send(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def end(self, seconds: float) -> int:
        """Sends SIGTERM, and gives the status with which it ended in time."""
        self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs {seconds:.0f} s after SIGTERM") from None

    def stop(self) -> None:
        """Ends it, whatever it takes."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(STOP)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def status(self, field: str) -> int:
        """A number of /proc/PID/status."""
        try:
            text = Path(f"/proc/{self.pid}/status").read_text()
        except ProcessLookupError:
            text = ""
        found = re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)
        if not found:
            self.ensure_running()
            raise Failed(f"{self.name}: /proc/{self.pid}/status has no {field}")
        return int(found[1])

    def memory(self, field: str = "VmRSS") -> int:
        """The same of memory, in bytes."""
        return self.status(field) * 1024


def wait(what: str, seconds: float, processes: Sequence[Process], ask: Callable[[], T | None], pause: float = 0.1) -> T:
    """The first truthy answer of `ask`, while the processes run; connections and files may be missing until then."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        for process in processes:
            process.ensure_running()
        try:
            answer = ask()
            if answer:
                return answer
        except (OSError, ValueError) as error:
            last = error
        time.sleep(pause)
    raise Failed(f"not within {seconds} s: {what}" + (f" (last: {last})" if last else ""))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
