#!/usr/bin/env python3
"""Writes deploy/grafana/dashboards from the tables in scripts/grafana; with --check, says which file differs."""

import json
import sys

from grafana import campaign, compare, exporter, overview
from grafana.panels import Json
from lib.command import command_line
from lib.process import ROOT

FOLDER = ROOT / "deploy/grafana/dashboards"


def dashboards() -> list[Json]:
    return [overview.BOARD, campaign.BOARD, compare.BOARD, exporter.BOARD]


def text_of(board: Json) -> str:
    """Keys in order, as Grafana exports them and as jsonnet prints them."""
    return json.dumps(board, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    parser = command_line(__doc__, binary=False)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
    check = parser.parse_args().check
    stale = []
    for board in dashboards():
        file = FOLDER / f"{board['uid'].removeprefix('mme-')}.json"
        text = text_of(board)
        if not file.exists() or file.read_text() != text:
            stale.append(file.name)
            if not check:
                file.write_text(text)
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()
