#!/usr/bin/env python3
"""Compares the exporter with a floor and with home-made exporters, side by side in one run.

docs/performance.md says what is measured and how to read it. Everything runs on loopback against the
simulated API; the results are also written as JSON.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# A folder that is run finds its own modules only.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import show
from bench.measure import Scenario, figures
from bench.meter import machine
from bench.peers import EXPORTER, PEERS, TARGET
from lib.process import Failed


def numbers(text: str) -> list[int]:
    return [int(part.replace("_", "")) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--campaigns",
        type=numbers,
        default=[1_000, 10_000, 100_000],
        help="sizes, separated by commas: 1000,10000,100000",
    )
    parser.add_argument("--windows", type=numbers, default=[1], help="numbers of windows, 1 to 3: 1,3")
    parser.add_argument(
        "--peers", default=",".join(peer.name for peer in PEERS), help="who is compared beside the floor: %(default)s"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of scrapes; slow exporters get fewer")
    parser.add_argument("--still", action="store_true", help="leave out what needs moving figures")
    parser.add_argument(
        "--check",
        action="store_true",
        help="judge a few ratios of CPU at two sizes and fail when one is below its floor",
    )
    parser.add_argument("--json", type=Path, default=TARGET / "results.json", help="where the results go: %(default)s")
    options = parser.parse_args()
    options.peers = [name for name in options.peers.split(",") if name]
    unknown = set(options.peers) - {peer.name for peer in PEERS}
    if (
        unknown
        or not set(options.windows) <= {1, 2, 3}
        or any(size > 1000 and size % 1000 for size in options.campaigns)
    ):
        parser.error(
            f"unknown peers: {unknown}" if unknown else "windows are 1 to 3, sizes above 1,000 whole thousands"
        )
    if options.check:
        options.campaigns, options.windows, options.peers, options.still = (
            [1_000, 10_000],
            [1],
            ["prometheus-client"],
            True,
        )
    return options


def build(names: Sequence[str]) -> list[str]:
    """Builds who is wanted; who cannot be built here is skipped, and said so."""
    if not EXPORTER.exists():
        raise Failed(f"{EXPORTER} is missing: make release")
    TARGET.mkdir(parents=True, exist_ok=True)
    built = []
    PEERS[0].build()  # The floor and the load client come with the peers in Rust.
    for peer in (peer for peer in PEERS if peer.name in names):
        try:
            peer.build()
            built.append(peer.name)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"*** SKIPPED: {peer.name} ({peer.what}) cannot be built here: {error}", flush=True)
    return built


def main() -> None:
    options = arguments()
    names = build(options.peers)
    connections = (1,) if options.check else (1, 4)
    results, begun = list[dict[str, Any]](), time.monotonic()
    for windows in options.windows:
        for campaigns in options.campaigns:
            print(f"{campaigns:,} campaigns, {windows} {'window' if windows == 1 else 'windows'}", flush=True)
            with Scenario(campaigns, windows, names, options.rounds, connections) as scenario:
                scenario.still()
                if not options.still:
                    scenario.moving()
            scenario.result["figures"] = figures(scenario.result)
            results.append(scenario.result)
            options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    if not options.check:
        for result in results:
            show.scenario(result, connections)
    print("## Floors\n" if options.check else "## Goals\n")
    met = show.verdicts(results, options.check)
    about = machine()
    took = f"{time.monotonic() - begun:.0f} s"
    print(f"\n{about['cores']} cores, {about['cpu']}, load {about['load']:.1f}; {took}; {options.json}")
    if options.check and not met:
        raise SystemExit(1)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"bench: {failed}")
