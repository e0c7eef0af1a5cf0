#!/usr/bin/env python3
"""Breaks the code in one line at a time, and tells whether the simulated days notice.

    scripts/sabotage.py                 every sabotage, days 1 to 8 each
    scripts/sabotage.py --only block    those with this word in their name
    scripts/sabotage.py --days 1 40     other days

Works in a copy below `target`. Prints which day noticed each, and fails if one that should be noticed was not, or if
the code has changed so that a sabotage no longer fits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lib.command import command_line
from lib.process import ROOT

COPY = ROOT / "target" / "sabotage"
TEST = "what_must_hold_holds_through_a_day_of_changes"
LONGEST = 600  # seconds that a day may take: a broken engine may ask for ever


class Sabotage(NamedTuple):
    name: str
    file: str
    line: str
    instead: str


ANSWER, ENGINE, PLANNING = "engine/answer.rs", "engine/mod.rs", "engine/targets/planning.rs"
MEMBERSHIP, WARM = "engine/membership.rs", "engine/warm_start.rs"
SCHEDULE, GATES, AGES = "domain/schedule.rs", "domain/schedule/gates.rs", "domain/snapshot/ages.rs"

SABOTAGES = [
    Sabotage("a late refusal of former keys counts", ANSWER, "used < newest))", "used < newest && newest < used))"),
    Sabotage("half an answer counts as whole", ANSWER, "whole: !partial && !outgrown,", "whole: true,"),
    Sabotage("rows of a question that was edited are not narrowed", ANSWER, "if outgrown {", "if false {"),
    Sabotage(
        "half a listing takes the other half's names",
        ANSWER,
        "_ if partial && key.subject.is_discovery() => false,",
        "",
    ),
    Sabotage(
        "what joined meanwhile waits for the next poll",
        ANSWER,
        "if std::mem::take(&mut target.ask_again) {",
        "if false && std::mem::take(&mut target.ask_again) {",
    ),
    Sabotage("a page counts as a poll", ANSWER, "let rows = result.is_ok()", "let rows = result.is_err()"),
    Sabotage(
        "new keys are not tried where others were refused",
        ENGINE,
        "self.schedule.credential_changed(credential);",
        "",
    ),
    Sabotage("a removed credential keeps its refusal", ENGINE, "self.schedule.credential_changed(&old.id);", ""),
    Sabotage(
        "a channel forgets its list while all campaigns are looked for",
        ENGINE,
        "self.targets.keep_listed(&former.fleet, &self.plan.fleet);",
        "self.targets.keep_listed(&Default::default(), &self.plan.fleet);",
    ),
    Sabotage(
        "another version is never asked for",
        PLANNING,
        "target.wire = with.plan.wire(planned).unwrap_or_else(|| target.wire.clone());",
        "",
    ),
    Sabotage(
        "other labels come with the next poll only",
        PLANNING,
        "if former.of_samples() != terms.of_samples() {",
        "if false && former.of_samples() != terms.of_samples() {",
    ),
    Sabotage("another interval is not taken over", PLANNING, "if former.interval != terms.interval {", "if false {"),
    Sabotage("rows do not change hands", PLANNING, "if !from.is_empty() {", "if from.is_empty() {"),
    Sabotage(
        "a request for fewer campaigns shows them all",
        PLANNING,
        "with.out.change(Change::Narrow { key: planned.key.clone(), only, metrics });",
        "let _ = (only, metrics);",
    ),
    Sabotage("a target that left is shown on", PLANNING, "with.out.change(Change::Gone(key.clone()));", ""),
    Sabotage(
        "a campaign joins the account that another credential named",
        MEMBERSHIP,
        "(campaign.terms.credential.clone(), campaign.id)",
        "(CredentialId { name: Default::default(), ..campaign.terms.credential.clone() }, campaign.id)",
    ),
    Sabotage(
        "campaigns never part from an account that is refused",
        MEMBERSHIP,
        "failures < REFUSALS_TO_PART {",
        "failures < REFUSALS_TO_PART || now.as_secs_f64() > 0.0 {",
    ),
    Sabotage(
        "a restart is a way past a block", WARM, "with.schedule.block(lane, uptime(*until));", "let _ = (lane, until);"
    ),
    Sabotage(
        "what was due days ahead stays so after a restart",
        WARM,
        ".min(now.uptime + terms.interval.mul_f64(1.5));",
        "+ terms.interval.mul_f64(9.0);",
    ),
    Sabotage("rows never expire", AGES, "if freshness.expires(None, bound) <= now {", "if false {"),
    Sabotage(
        "what changes hands is new again",
        AGES,
        "let freshness = Freshness::joined(&parts)?;",
        "let freshness = Freshness { age: Default::default(), ..Freshness::joined(&parts)? };",
    ),
    Sabotage(
        "a refused credential stops nothing",
        GATES,
        "Some(Reason::Unauthorized) => self.reject(credential, now),",
        "Some(Reason::Unauthorized) => {}",
    ),
    Sabotage(
        "a block stops nothing",
        GATES,
        "let until = now + backoff::after_throttle(source, fault.wait, blocks, dice);",
        "let until = now.min(now + backoff::after_throttle(source, fault.wait, blocks, dice));",
    ),
    Sabotage(
        "a failed poll is not asked for again before its next interval",
        SCHEDULE,
        "now + backoff::after_fault(fault.reason, slot.failures, slot.interval, dice).max(asked)",
        "now + 20 * backoff::after_fault(fault.reason, slot.failures, slot.interval, dice).max(asked)",
    ),
    Sabotage(
        "every poll is twice as often as configured",
        SCHEDULE,
        "let interval = slot.interval.mul_f64(stretch);",
        "let interval = slot.interval.mul_f64(stretch / 2.0);",
    ),
]


def copy() -> None:
    """The files that git knows, without their history. The build in the copy is kept from run to run."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, COPY / name
        if source.is_file() and not (target.is_file() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)


def days(first: int, last: int) -> str:
    """Plays days until one notices; says which, or what else became of it."""
    build = ["cargo", "test", "--locked", "--test", "simulation", "--no-run"]
    built = subprocess.run(build, cwd=COPY, capture_output=True, text=True, check=False)
    if built.returncode:
        return "does not build"
    for seed in range(first, last + 1):
        play = ["cargo", "test", "--locked", "--quiet", "--test", "simulation", "--", TEST]
        environment = os.environ | {"FROM": str(seed), "SEEDS": "1"}
        try:
            played = subprocess.run(play, cwd=COPY, env=environment, capture_output=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return f"day {seed} does not end"
        if played.returncode:
            return f"day {seed}"
    return "not noticed"


def sabotage(one: Sabotage, first: int, last: int) -> str:
    file = COPY / "src" / one.file
    text = file.read_text()
    if text.count(one.line) != 1:
        return "does not fit the code"
    file.write_text(text.replace(one.line, one.instead))
    try:
        return days(first, last)
    finally:
        file.write_text(text)


def main() -> int:
    parser = command_line(__doc__, binary=False)
    parser.add_argument("--only", default="", help="a word of the names of the sabotages to try")
    parser.add_argument("--days", type=int, nargs=2, default=(1, 8), metavar=("FIRST", "LAST"), help="seeds")
    options = parser.parse_args()
    first, last = options.days
    copy()
    if not options.only and (found := days(first, last)) != "not noticed":
        print(f"without any sabotage: {found}", file=sys.stderr)
        return 1
    missed = 0
    for one in (one for one in SABOTAGES if options.only in one.name):
        found = sabotage(one, first, last)
        missed += not found.startswith("day")
        print(f"{found:<16} {Path(one.file).name:<14} {one.name}", flush=True)
    print(f"{missed} not noticed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
