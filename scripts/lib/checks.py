"""Named checks, counted, and the line that closes a script."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from lib.process import Failed, wait

T = TypeVar("T")

MOST = 1500  # characters of a detail that are shown


class Checks:
    """Counts what held."""

    def __init__(self) -> None:
        self.passed = 0
        self.failures: list[str] = []

    def that(self, holds: object, what: str, detail: object = "") -> None:
        """Stops the script at what does not hold."""
        if not holds:
            raise Failed(f"{what}\n{str(detail)[:MOST]}".rstrip())
        self.passed += 1
        print(f"ok   {what}", flush=True)

    def record(self, holds: object, what: str, detail: object = "") -> None:
        """The same, but what comes after it is still checked."""
        try:
            self.that(holds, what, detail)
        except Failed as failed:
            print(f"FAILED {failed}", flush=True)
            self.failures.append(what)

    def eventually(self, what: str, ask: Callable[[], T], holds: Callable[[T], object], seconds: float = 10) -> None:
        """Of what takes a moment to be so."""
        seen: list[T] = []

        def held() -> bool:
            seen[:] = [ask()]
            return bool(holds(seen[0]))

        try:
            wait(what, seconds, [], held, pause=0.05)
        except Failed as failed:
            raise Failed(f"{failed}\nseen: {seen}"[:MOST]) from None
        self.that(True, what)


def run(script: str, body: Callable[[Checks], None]) -> None:
    """Runs a script's checks, and closes with their number; with status 1 when one did not hold."""
    # A script that is told to stop stops its processes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    checks, began = Checks(), time.monotonic()
    try:
        body(checks)
        if checks.failures:
            raise Failed("; ".join(checks.failures))
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"{script}: FAILED after {checks.passed} checks: {error}")
    print(f"{script}: {checks.passed} checks passed in {time.monotonic() - began:.0f} s")
