#!/usr/bin/env bash
# Builds the mixin and holds it to the shipped files. Installs jsonnet beside the project where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.tools/jsonnet
if ! "$tools/bin/python" -c 'import _gojsonnet' 2>/dev/null; then
    python3 -m venv "$tools"
    "$tools/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: gojsonnet==0.22.0
fi
"$tools/bin/python" scripts/mixin.py
