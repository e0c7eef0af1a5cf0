#!/usr/bin/env bash
# Builds the mixin and holds it to the shipped files. Installs jsonnet beside the project where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
tools=.tools/jsonnet
python_tools scripts/mixin.sh "$tools" gojsonnet==0.22.0
"$tools/bin/python" scripts/mixin.py
