#!/usr/bin/env bash
# Replays the shipped alerts over simulated campaigns and writes the tables to target/alert-quality.md. --check is the
# short form, with a comparison of the evaluator with promtool (scripts/install-peers.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
manifest=tools/alert-quality/Cargo.toml
program=target/alert-quality/debug/alert-quality
# The rules before a rise was judged by chance, for the comparison.
former=103a050
cargo build --locked --quiet --manifest-path "$manifest" --target-dir target/alert-quality

options=()
if [ "${1:-}" = --check ]; then
    shift
    options=(--short --campaigns 50)
    cases=$(mktemp -d)
    trap 'rm -rf "$cases"' EXIT
    "$program" --short --promtool "$cases"
    promtool test rules "$cases"/*/test.yaml
elif git cat-file -e "$former^{commit}" 2>/dev/null; then
    rm -rf target/alert-quality/former
    mkdir -p target/alert-quality/former
    git archive "$former" deploy/prometheus/rules | tar -x -C target/alert-quality/former
    options=(--before target/alert-quality/former/deploy/prometheus/rules)
fi
"$program" "${options[@]}" "$@" | tee target/alert-quality.md
