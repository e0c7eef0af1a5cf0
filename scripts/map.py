#!/usr/bin/env python3
"""Writes the code map of ARCHITECTURE.md from the first sentence of each file's module documentation.

scripts/map.py            write it
scripts/map.py --check    fail when it is not what the files say
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lib.process import ROOT

PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- code map: written by scripts/map.py -->\n", "<!-- end of code map -->\n"


def sentence(file: Path) -> str:
    """The first sentence of a file's module documentation."""
    lines = []
    for line in file.read_text().splitlines():
        if not line.startswith("//!"):
            break
        lines.append(line.removeprefix("//!").strip())
    paragraph = " ".join(lines).split("  ")[0]
    first = re.split(r"(?<=[.:]) (?=[A-Z])|```", paragraph)[0].strip()
    # Links of the documentation lead nowhere here.
    return re.sub(r"\[(`[^`]+`)\](?:\([^)]*\))?", r"\1", first).rstrip(":.")


def rows() -> list[str]:
    """A line for each file below `src/`; a folder's own file stands for the folder."""
    source = ROOT / "src"
    files = [file for file in source.rglob("*.rs") if "tests" not in file.relative_to(source).with_suffix("").parts]
    named = []
    for file in files:
        path = file.relative_to(source)
        folder = file.with_suffix("").is_dir() and file.with_suffix("")
        name = f"{path.parent}/" if path.name == "mod.rs" else (f"{path.with_suffix('')}/" if folder else str(path))
        depth = len(Path(name).parts) - 1
        shown = f"{Path(name).name}{'/' if name.endswith('/') else ''}"
        named.append((name, f"| {'&ensp;' * 2 * depth}`{shown}` | {sentence(file)} |"))

    def order(entry: tuple[str, str]) -> list[tuple[bool, str]]:
        parts = entry[0].rstrip("/").split("/")
        return [(index < len(parts) - 1 or entry[0].endswith("/"), part) for index, part in enumerate(parts)]

    return [row for _, row in sorted(named, key=order)]


def main() -> int:
    """Writes the map, or says whether it is what the files say."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    table = "\n".join(["", "| file | what it holds |", "|---|---|", *rows(), "", ""])
    wanted = before + BEGIN + table + END + after
    if sys.argv[1:] == ["--check"]:
        if wanted != text:
            print("the code map of ARCHITECTURE.md is not what the files say: run scripts/map.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
