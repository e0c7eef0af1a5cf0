# Sourced by the install scripts.

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
