#!/usr/bin/env bash
# Checks what is not Rust: Python, shell, Markdown, and the spelling of all. Installs the tools, in the versions of
# lint-tools.txt, beside the project where they are missing. With --fix it repairs what repairs itself.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
mapfile -t requirements < <(grep -v '^#' scripts/lint-tools.txt)
python_tools scripts/lint.sh .tools/lint "${requirements[@]}"
bin=$PWD/.tools/lint/bin

# The environment of the tools is not the project's.
export MYPY_CACHE_DIR=target/lint/mypy RUFF_CACHE_DIR=target/lint/ruff RUMDL_CACHE_DIR=target/lint/rumdl
if [ "${1:-}" = --fix ]; then
    "$bin/ruff" check --quiet --fix
    "$bin/ruff" format --quiet
    "$bin/rumdl" check --quiet --fix
fi

failed=
# try NAME COMMAND...: what it says is shown only where it fails, and the others are still run.
try() {
    name=$1
    shift
    if said=$("$@" 2>&1); then
        echo "ok   $name"
    else
        printf '%s\nFAILED %s\n' "$said" "$name"
        failed=yes
    fi
}

shell=(scripts/*.sh .ci/run)
try 'Python: rules' "$bin/ruff" check
try 'Python: format' "$bin/ruff" format --check
try 'Python: types' "$bin/mypy"
try 'shell' "$bin/shellcheck" --external-sources "${shell[@]}"
try 'Markdown' "$bin/rumdl" check .
try 'spelling' "$bin/typos"
[ ! "$failed" ]
