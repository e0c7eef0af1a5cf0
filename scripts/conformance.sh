#!/usr/bin/env bash
# Holds the simulated APIs to the official SDKs. Installs these, in the versions of conformance-requirements.txt, into
# target/conformance where they are missing. conformance.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
tools=target/conformance
mapfile -t requirements < <(grep -v '^#' scripts/conformance-requirements.txt)
mkdir -p target
# One of them is published as source alone.
python_tools scripts/conformance.sh "$tools" --no-binary=alibabacloud-tea "${requirements[@]}"
"$tools/bin/python" scripts/conformance.py --binary "$1"
