#!/bin/sh
# Installs what `make e2e` runs against: Prometheus with promtool, Alertmanager, the node exporter,
# openssl, and the tools of systemd. For Debian and its kin, as root. Does nothing when all are there.
set -eu

peers="prometheus promtool prometheus-alertmanager prometheus-node-exporter openssl systemd-analyze"
missing=
for peer in $peers; do
    command -v "$peer" >/dev/null || missing=$peer
done
[ "$missing" ] || exit 0

# shellcheck source=scripts/packages.sh
. "$(dirname "$0")/packages.sh"
set -- prometheus prometheus-alertmanager prometheus-node-exporter openssl systemd
guard scripts/install-peers.sh "$missing" "$@"

# Debian starts a service when its package is installed. Only the programs are wanted here, so that
# is refused for as long as this script runs; a policy that is there already is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
elif [ ! -x "$policy" ]; then
    echo "install-peers: $policy is not executable, so services may start" >&2
fi

install_packages "$@"

for peer in $peers; do
    command -v "$peer" >/dev/null
done
