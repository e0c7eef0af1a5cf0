#!/bin/sh
# Has systemd read the shipped units: any output is a failure, and so is a service that is more exposed
# than it needs to be.
#   scripts/verify-units.sh BINARY
set -eu

units=$(dirname "$0")/../deploy/systemd
name=marketing-messages-exporter
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# The program is looked for where the unit says.
sed "s#/usr/local/bin/$name#$(realpath "$1")#" "$units/$name.service" >"$folder/$name.service"
cp "$units/$name.socket" "$folder/"
said=$(systemd-analyze verify --man=no "$folder/$name.service" "$folder/$name.socket" 2>&1) || said="$said (refused)"
if [ "$said" ]; then
    echo "$said"
    exit 1
fi
systemd-analyze security --offline=true --threshold=15 --no-pager "$folder/$name.service" >"$folder/security" || {
    tail -n 1 "$folder/security"
    exit 1
}
echo "ok   systemd reads the units: $(tail -n 1 "$folder/security" | sed 's/.*: //')"
