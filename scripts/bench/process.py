"""A process under measurement: its start, its CPU, its memory."""

import collections
import os
import signal
import subprocess
import time
from pathlib import Path


class Process:
    """A child that says on its standard output where it listens, or writes it to a file."""

    alive = []

    def __init__(self, command, log):
        self.log = open(log, "w")
        self.child = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1
        )
        self.pid = self.child.pid
        self.alive.append(self)

    def line(self, begin):
        """The rest of the next line that begins so."""
        for line in self.child.stdout:
            if line.startswith(begin):
                return line[len(begin) :].strip()
        raise SystemExit(f"{self.child.args[0]} ended before it said {begin!r}; see {self.log.name}")

    @classmethod
    def stop_all(cls):
        for process in list(cls.alive):
            process.stop()

    def stop(self):
        self.alive.remove(self)
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()

    def cpu_ns(self):
        """CPU time of all threads, those that ended among them."""
        # The id that clock_getcpuclockid(3) makes of a process.
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def cpu_ns_by_thread(self):
        """The same of the threads that live, by id, with their names."""
        threads = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                threads[int(task.name)] = (
                    (task / "comm").read_text().strip(),
                    int((task / "schedstat").read_text().split()[0]),
                )
            except (FileNotFoundError, ProcessLookupError):
                pass
        return threads

    def memory(self, field):
        """Bytes, by the name of the field in /proc/PID/status."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise SystemExit(f"{self.child.args[0]} ended; see {self.log.name}")


class Meter:
    """CPU of a process between two instants."""

    def __init__(self, process):
        self.process = process
        self.total, self.threads = process.cpu_ns(), process.cpu_ns_by_thread()

    def read(self):
        """Milliseconds in all, and by the name of the threads."""
        total = self.process.cpu_ns() - self.total
        names = collections.Counter()
        for thread, (name, spent) in self.process.cpu_ns_by_thread().items():
            names[name] += spent - self.threads.get(thread, (name, 0))[1]
        return total / 1e6, {name: round(spent / 1e6, 3) for name, spent in names.most_common() if spent > 0}


def machine():
    """What the figures were measured on."""
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release, "load": os.getloadavg()[0]}
