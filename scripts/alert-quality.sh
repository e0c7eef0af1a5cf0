#!/usr/bin/env bash
# Replays the alerts that judge a rise by chance over simulated campaigns, the shipped ones beside, and writes the tables
# to target/alert-quality.md. --check is the short form, with a comparison of the evaluator with promtool
# (scripts/install-peers.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
manifest=tools/alert-quality/Cargo.toml
program=target/alert-quality/debug/alert-quality
# The commit with the rules that judge a rise by chance: they are shipped once `make e2e` can play them.
judged=4cd6bd4
if ! git cat-file -e "$judged^{commit}" 2>/dev/null; then
    echo "scripts/alert-quality.sh: commit $judged is missing; fetch the whole history: git fetch --unshallow" >&2
    exit 1
fi
cargo build --locked --quiet --manifest-path "$manifest" --target-dir target/alert-quality
folder=target/alert-quality/judged
rm -rf "$folder"
mkdir -p "$folder"
git archive "$judged" deploy/prometheus/rules | tar -x -C "$folder"
options=(--rules "$folder/deploy/prometheus/rules")

if [ "${1:-}" = --check ]; then
    shift
    options+=(--short --campaigns 50)
    cases=$(mktemp -d)
    trap 'rm -rf "$cases"' EXIT
    "$program" "${options[@]}" --promtool "$cases"
    promtool test rules "$cases"/*/test.yaml
else
    options+=(--before deploy/prometheus/rules)
fi
"$program" "${options[@]}" "$@" | tee target/alert-quality.md
