#!/usr/bin/env python3
"""Measures the Rust code: its size, circles of files, names with two meanings, and comments inside functions.

    scripts/house.py                  the working tree
    scripts/house.py --rev REV        a commit, for comparison
    scripts/house.py --tests engine   the unit tests of each part of a module, and its lines, as a table

Circles are counted between files, from their `use` lines. A type has two meanings when its name is that of two
top-level types outside `settings/raw.rs`. Comments are those inside functions, as a share of the lines there; doc
comments do not count.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator

from lib.command import command_line
from lib.process import ROOT

Sources = dict[str, str]


def working_tree() -> Sources:
    """Every source file below `src/`, by its path from there."""
    files = sorted((ROOT / "src").rglob("*.rs"))
    return {str(file.relative_to(ROOT / "src")): file.read_text() for file in files}


def commit(rev: str) -> Sources:
    """The same of a commit."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    names = [name for name in git("ls-tree", "-r", "--name-only", rev, "src").splitlines() if name.endswith(".rs")]
    return {name.removeprefix("src/"): git("show", f"{rev}:{name}") for name in names}


def without_tests(text: str) -> str:
    """A file up to its unit tests."""
    return re.split(r"#\[cfg\(test\)\]\n(?:pub\(crate\) )?mod tests", text, maxsplit=1)[0]


def production(sources: Sources) -> Sources:
    """The files that are no tests, without their unit tests."""
    return {name: without_tests(text) for name, text in sources.items() if not is_test_file(name)}


def types(sources: Sources) -> dict[str, list[str]]:
    """The files of each top-level type."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in sources.items():
        if name == "settings/raw.rs":
            continue
        for match in re.finditer(r"^(?:pub(?:\([^)]*\))? )?(?:struct|enum|type|trait) (\w+)", text, re.MULTILINE):
            found[match.group(1)].append(name)
    return found


def implementations(sources: Sources) -> dict[str, set[str]]:
    """The files that hold an inherent `impl` of each type."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, text in sources.items():
        for match in re.finditer(r"^impl(?:<[^>]*>)? (\w+)(?:<[^{]*>)?(?: where[^{]*)? \{", text, re.MULTILINE):
            found[match.group(1)].add(name)
    return found


def functions(text: str) -> Iterator[list[str]]:
    """The lines inside each function, as rustfmt indents them."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        head = re.match(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe )*fn \w+", lines[at])
        if head and not lines[at].rstrip().endswith(("}", ";")):
            body = next((i for i in range(at, len(lines)) if lines[i].rstrip().endswith("{")), len(lines))
            end = next((i for i in range(body, len(lines)) if lines[i] == head.group(1) + "}"), len(lines))
            yield lines[body + 1 : end]
            at = end
        at += 1


def comment_share(sources: Sources) -> tuple[int, int]:
    """Comment lines inside functions, and all lines there."""
    bodies = [line.strip() for text in sources.values() for body in functions(text) for line in body]
    return sum(line.startswith("//") for line in bodies), sum(bool(line) for line in bodies)


def module(name: str) -> tuple[str, ...]:
    """The path of a file's module."""
    parts = name.removesuffix(".rs").split("/")
    return tuple(parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts)


def imports(sources: Sources) -> dict[str, set[str]]:
    """The files that each file uses, by its `use` lines."""
    files = {module(name): name for name in sources}
    graph: dict[str, set[str]] = defaultdict(set)
    for name, text in sources.items():
        here = module(name)
        for match in re.finditer(r"^\s*(?:pub(?:\([^)]*\))? )?use ((?:crate|super|self)\b[^;]*);", text, re.MULTILINE):
            head, _, items = match.group(1).partition("{")
            for item in items.rstrip("}").split(","):
                path = here
                for step in (head + item.strip()).rstrip(":").split("::"):
                    if step == "crate":
                        path = ()
                    elif step == "super":
                        path = path[:-1]
                    elif step != "self":
                        path = (*path, step)
                while path and path not in files:
                    path = path[:-1]
                if path in files and files[path] != name:
                    graph[name].add(files[path])
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of files that use each other around a corner (Tarjan). A `mod.rs` is no corner: it names its files."""
    plain = {
        file: {used for used in graph[file] if not used.endswith("mod.rs") and not file.endswith("mod.rs")}
        for file in list(graph)
    }
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(file: str) -> None:
        index[file] = low[file] = len(index)
        stack.append(file)
        for used in plain.get(file, set()):
            if used not in index:
                visit(used)
                low[file] = min(low[file], low[used])
            elif used in stack:
                low[file] = min(low[file], index[used])
        if low[file] == index[file]:
            group = []
            while True:
                group.append(stack.pop())
                if group[-1] == file:
                    break
            if len(group) > 1:
                found.append(sorted(group))

    for file in plain:
        if file not in index:
            visit(file)
    return found


def is_test_file(name: str) -> bool:
    """Whether a file holds nothing but unit tests."""
    return re.search(r"(^|/)tests(/|\.rs$)", name) is not None


def part_of(name: str, module_name: str) -> str:
    """The part of a module that a file belongs to: the first name below the module, or the module itself."""
    below = name.removeprefix(f"{module_name}/").removesuffix(".rs").split("/")[0]
    return module_name if below in ("mod", "tests") else below


def print_tests(sources: Sources, module_name: str) -> None:
    """Prints the parts of a module with their unit tests and lines. A part without tests is tested with the module."""
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, text in sources.items():
        if name.startswith(f"{module_name}/"):
            row = rows[part_of(name, module_name)]
            code = 0 if is_test_file(name) else len(without_tests(text).splitlines())
            row[0] += len(re.findall(r"^\s*#\[test\]", text, re.MULTILINE))
            row[1] += code
            row[2] += len(text.splitlines()) - code
    together = sorted(part for part, row in rows.items() if not row[0] and part != module_name)
    whole = ", ".join(f"`{part}`" for part in [module_name, *together])
    for part in together:
        rows[module_name] = [mine + its for mine, its in zip(rows[module_name], rows.pop(part), strict=True)]
    print("| part | tests | lines | lines of tests |\n|---|---|---|---|")
    for part, (tests, code, test_lines) in sorted(rows.items()):
        print(f"| {whole if part == module_name else f'`{part}`'} | {tests} | {code} | {test_lines} |")
    tests, code, test_lines = (sum(column) for column in zip(*rows.values(), strict=True))
    print(f"| all | {tests} | {code} | {test_lines} |")


def main() -> None:
    """Prints the figures."""
    parser = command_line(__doc__, binary=False)
    parser.add_argument("--rev", help="measure this commit instead of the working tree")
    parser.add_argument("--tests", metavar="MODULE", help="print the unit tests of this module, part by part")
    arguments = parser.parse_args()
    everything = commit(arguments.rev) if arguments.rev else working_tree()
    if arguments.tests:
        print_tests(everything, arguments.tests)
        return
    sources = production(everything)

    twice = {name: files for name, files in types(sources).items() if len(files) > 1}
    spread = {name: files for name, files in implementations(sources).items() if len(files) > 2}
    comments, lines = comment_share(sources)
    rings = circles(imports(sources))
    total = sum(len(text.splitlines()) for text in everything.values())

    print(f"lines, tests included            {total:>8,}")
    print(f"lines without tests              {sum(len(text.splitlines()) for text in sources.values()):>8,}")
    print(f"files                            {len(sources):>8,}")
    print(f"type names with two meanings     {len(twice):>8,}")
    print(f"comments inside functions        {100 * comments / max(lines, 1):>7.1f}%  ({comments} of {lines} lines)")
    print(f"circles of files                 {len(rings):>8,}")
    print(f"types with impls in > 2 files    {len(spread):>8,}")
    for name, files in sorted(twice.items()):
        print(f"  two meanings: {name}: {', '.join(files)}")
    for ring in rings:
        print(f"  circle: {', '.join(ring)}")
    for name, holders in sorted(spread.items()):
        print(f"  impls: {name}: {', '.join(sorted(holders))}")


if __name__ == "__main__":
    main()
