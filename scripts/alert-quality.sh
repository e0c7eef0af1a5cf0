#!/usr/bin/env bash
# Replays the alerts over simulated campaigns, and writes the tables to target/alert-quality.md. The long form measures the
# rules of FORMER beside those of the tree; --check is the short form, with a comparison of the evaluator with promtool
# (scripts/install-peers.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
manifest=tools/alert-quality/Cargo.toml
program=target/alert-quality/debug/alert-quality
# The last commit with the rules that did not ask what chance explains.
former=103a050
cargo build --locked --quiet --manifest-path "$manifest" --target-dir target/alert-quality

if [ "${1:-}" = --check ]; then
    shift
    options=(--short --campaigns 50)
    cases=$(mktemp -d)
    trap 'rm -rf "$cases"' EXIT
    "$program" "${options[@]}" --promtool "$cases"
    promtool test rules "$cases"/*/test.yaml
else
    if ! git cat-file -e "$former^{commit}" 2>/dev/null; then
        echo "scripts/alert-quality.sh: commit $former is missing; fetch the whole history: git fetch --unshallow" >&2
        exit 1
    fi
    folder=target/alert-quality/former
    rm -rf "$folder"
    mkdir -p "$folder"
    git archive "$former" deploy/prometheus/rules | tar -x -C "$folder"
    options=(--before "$folder/deploy/prometheus/rules")
fi
"$program" "${options[@]}" "$@" | tee target/alert-quality.md
