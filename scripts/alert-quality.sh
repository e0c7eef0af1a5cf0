#!/usr/bin/env bash
# Replays the alerts over simulated campaigns and prints tables. The long form measures the former rules as well, and puts
# the tables into docs/alert-quality.md; --check is the short form, with a comparison of the evaluator with promtool
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
result=0
"$program" "${options[@]}" "$@" | tee target/alert-quality.md || result=$?
if [ "${options[0]}" = --before ] && grep -q '<!-- end -->' target/alert-quality.md; then
    page=docs/alert-quality.md
    awk -v tables=target/alert-quality.md '
        /<!-- alert-quality -->/ { while ((getline line < tables) > 0) print line; inside = 1 }
        !inside
        /<!-- end -->/ { inside = 0 }
    ' "$page" > target/alert-quality.page
    cp target/alert-quality.page "$page"
fi
exit "$result"
