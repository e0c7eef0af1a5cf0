"""What the exporter has to reach, in one table: for the verdicts of `make bench` and for `make bench-check`.

A goal holds at every size, or at the one that it names. `check` is the limit for the quick check on
ratios of CPU; it leaves room for a busy machine and another compiler. Goals without it are not part
of the check. Limits in milliseconds and seconds are for one window and grow with the windows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

AT_MOST, AT_LEAST = "<=", ">="


@dataclass(frozen=True)
class Goal:
    name: str
    # Name of the figure, as the conductor files it.
    figure: str
    sense: str
    limit: float
    unit: str = ""
    # Campaigns; None is every size.
    size: int | None = None
    # Whether the limit is for one window and grows with them.
    by_window: bool = False
    check: float | None = None
    # Not a goal of its own, only checked.
    only_check: bool = False

    def bound(self, windows: int, checking: bool) -> float:
        limit = self.check if checking and self.check is not None else self.limit
        return limit * windows if self.by_window else limit

    def met(self, value: float, windows: int, checking: bool) -> bool:
        bound = self.bound(windows, checking)
        return value <= bound if self.sense == AT_MOST else value >= bound


GOALS = [
    Goal("gzip scrape, wall over the floor", "gzip.wall_over_floor", AT_MOST, 4, "x"),
    Goal("gzip scrape, CPU over the floor", "gzip.cpu_over_floor", AT_MOST, 6, "x", check=8, only_check=True),
    Goal("gzip scrape, CPU of prometheus over ours", "gzip.cpu_ratio.prometheus", AT_LEAST, 80, "x"),
    Goal(
        "gzip scrape, CPU of prometheus-client over ours",
        "gzip.cpu_ratio.prometheus-client",
        AT_LEAST,
        40,
        "x",
        check=28,
    ),
    Goal("gzip scrape, CPU of Python over ours", "gzip.cpu_ratio.python", AT_LEAST, 500, "x"),
    Goal("plain scrape, wall over the floor", "plain.wall_over_floor", AT_MOST, 5, "x"),
    Goal("plain scrape, CPU over the floor", "plain.cpu_over_floor", AT_MOST, 6, "x", check=8, only_check=True),
    Goal("plain scrape, CPU of prometheus over ours", "plain.cpu_ratio.prometheus", AT_LEAST, 6, "x"),
    Goal(
        "plain scrape, CPU of prometheus-client over ours",
        "plain.cpu_ratio.prometheus-client",
        AT_LEAST,
        1.5,
        "x",
        check=1.2,
    ),
    Goal("plain scrape, CPU of Python over ours", "plain.cpu_ratio.python", AT_LEAST, 50, "x"),
    Goal("CPU of a gzip scrape", "gzip.cpu_ms", AT_MOST, 10, "ms", size=100_000, by_window=True),
    Goal(
        "gzip scrape, p99 while every value changes", "moving.p99_ms", AT_MOST, 60, "ms", size=100_000, by_window=True
    ),
    Goal("memory after scrapes", "memory.per_series", AT_MOST, 96, "bytes a series", size=100_000),
    Goal("memory at its peak", "memory.peak_per_series", AT_MOST, 128, "bytes a series", size=100_000),
    Goal("memory of the whole process", "memory.mib", AT_MOST, 24, "MiB", size=1_000),
    Goal("polling, CPU of 10,000 campaigns in a window", "moving.cpu_s_per_10k", AT_MOST, 0.06, "s"),
    Goal("requests for 500 campaigns in a window", "requests_per_500", AT_MOST, 1, ""),
    Goal("start to the first full scrape", "start_s", AT_MOST, 3, "s", size=100_000, by_window=True),
    Goal("a stuck scraper holds", "stuck.per_series", AT_MOST, 24, "bytes a series", size=100_000),
    Goal("gzip clients that read less than the whole", "gzip_clients_wrong", AT_MOST, 0, ""),
]


def judge(
    figures: Mapping[str, float], size: int, windows: int, checking: bool = False
) -> Iterator[tuple[Goal, float | None, bool | None]]:
    """Each goal of this size with its value and verdict; what was not measured has neither."""
    for goal in GOALS:
        wanted = goal.check is not None if checking else not goal.only_check
        if not wanted or goal.size not in (None, size):
            continue
        value = figures.get(goal.figure)
        yield goal, value, None if value is None else goal.met(value, windows, checking)
