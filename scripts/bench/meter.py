"""What a process costs: its CPU between two instants, and the machine on which that was measured."""

import collections
import contextlib
import os
import time
from pathlib import Path
from typing import Any

from lib.process import Process


def cpu_ns(process: Process) -> int:
    """CPU time of all threads, those that ended among them."""
    # The id that clock_getcpuclockid(3) makes of a process.
    return time.clock_gettime_ns((~process.pid << 3) | 2)


def cpu_ns_by_thread(process: Process) -> dict[int, tuple[str, int]]:
    """The same of the threads that live, by id, with their names."""
    threads = {}
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            spent = int((task / "schedstat").read_text().split()[0])
            threads[int(task.name)] = ((task / "comm").read_text().strip(), spent)
    return threads


class Meter:
    """CPU of a process between two instants."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.total, self.threads = cpu_ns(process), cpu_ns_by_thread(process)

    def read(self) -> tuple[float, dict[str, float]]:
        """Milliseconds in all, and by the name of the threads."""
        total = cpu_ns(self.process) - self.total
        names: collections.Counter[str] = collections.Counter()
        for thread, (name, spent) in cpu_ns_by_thread(self.process).items():
            names[name] += spent - self.threads.get(thread, (name, 0))[1]
        return total / 1e6, {name: round(spent / 1e6, 3) for name, spent in names.most_common() if spent > 0}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release, "load": os.getloadavg()[0]}
