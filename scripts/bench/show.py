"""Results as tables for people."""

import statistics
from collections.abc import Sequence
from typing import Any

from bench.goals import judge


def number(value: float | None, digits: int = 3) -> str:
    """So many significant digits, without an exponent."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def median(rounds: Sequence[dict[str, float]], key: str) -> str:
    return number(statistics.median(each[key] for each in rounds))


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    rows = [head, *body]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for index, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("| " + " | ".join(cells) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print()


def scenario(result: dict[str, Any], connections: Sequence[int]) -> None:
    windows, body = result["windows"], result["body"]
    print(
        f"\n## {result['campaigns']:,} campaigns, {windows} {'window' if windows == 1 else 'windows'}: "
        f"{result['series']:,} series\n"
    )
    print(
        f"Body: {body['plain_bytes']:,} bytes, {body['lines']:,} lines, {number(body['bytes_per_line'])} bytes a line; "
        f"gzip {body['gzip_bytes']:,} bytes, {number(body['gzip_bytes_per_series'])} a series.\n"
    )
    kinds = [(mode, count) for mode in ("plain", "gzip") for count in connections]
    heads = [f"{mode}, {count} at a time" if count > 1 else mode for mode, count in kinds]
    rows = []
    for name, exporter in result["exporters"].items():
        row = [name]
        for mode, count in kinds:
            rounds = exporter["scrapes"].get(f"{mode}.{count}")
            row.append(f"{median(rounds, 'wall_ms')} / {median(rounds, 'cpu_ms')}" if rounds else "-")
        rows.append(row)
    print("Still figures, milliseconds a scrape, wall / CPU:\n")
    table(["exporter", *heads], rows)
    rows = []
    for name, exporter in result["exporters"].items():
        memory, moving = exporter["memory"], exporter.get("moving", {})
        rows.append(
            [
                name,
                number(exporter["start_s"]),
                number(memory["rss"] / 2**20),
                number(memory["rss"] / result["series"]),
                number(memory["rss"] / exporter["lines"]),
                number(memory["peak"] / result["series"]),
                number(moving.get("cpu_s_per_10k")),
                number(moving.get("refreshed_per_s")),
                number(moving.get("p50_ms")),
                number(moving.get("p99_ms")),
                number(moving["rss"] / result["series"]) if moving else "-",
            ]
        )
    print(
        "Start, memory, and what happens while every figure moves each second (CPU of 10,000 campaigns "
        "refreshed in a window;\n"
        "gzip scrapes meanwhile):\n"
    )
    table(
        [
            "exporter",
            "start s",
            "RSS MiB",
            "bytes a series",
            "bytes a line",
            "peak",
            "poll CPU s",
            "campaigns/s",
            "p50 ms",
            "p99 ms",
            "bytes a series then",
        ],
        rows,
    )
    share = result["exporters"]["ours"].get("moving", {}).get("api_cpu_share", 0)
    print(f"The simulated API needed {100 * share:.0f} % of a core while ours polled.\n")
    threads(result)
    if stuck := result.get("stuck"):
        mib = {key: f"{stuck[key] / 2**20:,.1f} MiB" for key in ("before", "held", "after")}
        print(
            f"{stuck['scrapers']} stuck scrapers: {mib['before']} before, {mib['held']} while they hold, "
            f"{mib['after']} after they left.\n"
        )
    if clients := result.get("gzip_clients"):
        print(
            "Bytes that gzip clients see: "
            + ", ".join(f"{name} {size:,}" for name, size in clients["bytes"].items())
            + ".\n"
        )


def threads(result: dict[str, Any]) -> None:
    ours = result["exporters"]["ours"]
    for what, spent in [
        ("a gzip scrape", (ours["scrapes"].get("gzip.1") or [{}])[-1]),
        ("polling", ours.get("moving", {})),
    ]:
        if by_thread := spent.get("cpu_ms_by_thread"):
            whole = sum(by_thread.values())
            print(
                f"Threads of ours in {what}: "
                + ", ".join(f"{name} {100 * ms / whole:.0f} %" for name, ms in by_thread.items())
                + ".\n"
            )


def verdicts(results: Sequence[dict[str, Any]], checking: bool) -> bool:
    """Each goal with its value and verdict; whether all were met."""
    rows, all_met = [], True
    for result in results:
        for goal, value, met in judge(result["figures"], result["campaigns"], result["windows"], checking):
            bound = f"{goal.sense} {number(goal.bound(result['windows'], checking), 4)} {goal.unit}".strip()
            rows.append(
                (
                    goal.name,
                    f"{result['campaigns']:,} x {result['windows']}",
                    bound,
                    number(value),
                    {True: "met", False: "MISSED", None: "not measured"}[met],
                )
            )
            all_met &= met is not False
    rows.sort(key=lambda row: row[0])
    table(["goal", "campaigns x windows", "limit", "value", "verdict"], rows)
    counts = [
        f"{sum(row[-1] == verdict for row in rows)} {verdict.lower()}" for verdict in ("met", "MISSED", "not measured")
    ]
    print(f"{len(rows)} verdicts: {', '.join(counts)}.")
    return all_met
