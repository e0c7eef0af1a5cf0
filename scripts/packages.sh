# shellcheck shell=sh
# Sourced by the scripts that install something.

# guard SCRIPT MISSING PACKAGE...: ends with a sentence where packages of Debian cannot be installed. MISSING is what
# was looked for and not found.
guard() {
    script=$1 missing=$2
    shift 2
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "$script: $missing is missing. Install what Debian calls $*, or run this script as root on Debian." >&2
        exit 1
    fi
}

# install_packages PACKAGE...
install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# python_tools SCRIPT FOLDER REQUIREMENT...: a virtual environment with these, each in one version. Does nothing when
# all are there. What ends early leaves no mark, and is done again.
python_tools() {
    script=$1 tools=$2
    shift 2
    wanted=$(printf '%s\n' "$@")
    [ "$(cat "$tools/installed" 2>/dev/null)" != "$wanted" ] || return 0
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        guard "$script" "Python's venv" python3 python3-venv
        install_packages python3 python3-venv
    fi
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: "$@"
    echo "$wanted" >"$tools/installed"
}
