#!/usr/bin/env bash
# Checks the shipped rules, and plays their tests, with promtool (scripts/install-peers.sh).
set -euo pipefail
cd "$(dirname "$0")/../deploy/prometheus"
promtool check rules --lint=all --lint-fatal rules/*.yml
promtool check config --syntax-only prometheus.yml
# One file of tests knows nothing of another.
printf '%s\0' tests/*.yml | xargs -0 -n 1 -P "$(nproc)" promtool test rules
