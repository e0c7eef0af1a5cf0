#!/usr/bin/env python3
"""The simulated APIs under the official SDKs: Meta's (`facebook_business`) and Alibaba Cloud's (CAMS).

What the days of tests/simulation are worth, the simulated APIs are worth. Both SDKs are asked for values, pages,
filters, windows and errors; it ends with a table, and with status 1 when a check did not hold. scripts/conformance.sh
installs the SDKs and runs it.
"""

import time
import warnings
from importlib.metadata import version

from facebook_business.exceptions import FacebookRequestError

from conformance_cams import PLAIN, TEMPORARY, check_cams
from conformance_graph import Graph
from conformance_insights import INSIGHTS
from conformance_meta import OBJECTS
from lib.checks import Checks, run
from lib.command import command_line
from lib.process import Failed
from lib.world import World

META, CAMS = "facebook_business", "alibabacloud_cams20200606"


SLOT = 900  # seconds after which the APIs refresh their figures


def settled(world: World) -> float:
    """Puts the world's clock into the middle of a quarter of an hour, so that nothing changes between two questions."""
    now = time.time()
    offset = SLOT / 2 - now % SLOT
    world.change({"set_offset": offset})
    return now + offset


def check_meta(world: World, checks: Checks, now: float) -> None:
    # The SDK warns of parameters that it does not know; here they are meant.
    warnings.simplefilter("ignore")
    graph = Graph(world, checks, now)
    for part in OBJECTS + INSIGHTS:
        try:
            part(graph)
        except (FacebookRequestError, LookupError, TypeError, ValueError, Failed) as error:
            checks.record(False, f"meta: {part.__name__} came to its end", repr(error))


def conformance(checks: Checks, binary: str) -> None:
    table: list[tuple[str, str, int, int]] = []

    def counted(package: str, what: str, before: tuple[int, int]) -> None:
        passed, failed = checks.passed - before[0], len(checks.failures) - before[1]
        table.append((f"{package} {version(package)}", what, passed, failed))

    with World(binary, "conformance") as world:
        world.simulate()
        now = settled(world)
        before = checks.passed, len(checks.failures)
        check_meta(world, checks, now)
        counted(META, "system user's token", before)
        for name, what, key in (("cams", "plain key", PLAIN), ("cams, STS", "temporary key (STS)", TEMPORARY)):
            before = checks.passed, len(checks.failures)
            check_cams(world, checks, name, key)
            counted(CAMS, what, before)
    print(f"\n{'SDK':36}{'credential':22}{'checks':>8}{'failed':>8}")
    for package, what, passed, failed in table:
        print(f"{package:36}{what:22}{passed + failed:8}{failed:8}")
    print()


if __name__ == "__main__":
    options = command_line(__doc__).parse_args()
    run("conformance", lambda checks: conformance(checks, options.binary))
