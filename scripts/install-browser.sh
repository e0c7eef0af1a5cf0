#!/bin/sh
# Installs what `make browser`, `make screenshot` and `make dashboards-preview` drive: Chromium, its driver, and fonts
# for the names of campaigns, emoji among them. For Debian and its kin, as root. Does nothing when all are there.
set -eu

missing=
for program in chromium chromedriver fc-list; do
    command -v "$program" >/dev/null || missing=$program
done
# U+1F337, a tulip: the first campaign of the demo has one.
[ "$missing" ] || fc-list ':charset=1f337' family | grep -q . || missing='a font with emoji'
[ "$missing" ] || exit 0

# shellcheck source=scripts/packages.sh
. "$(dirname "$0")/packages.sh"
set -- chromium chromium-driver fontconfig fonts-dejavu-core fonts-noto-color-emoji
guard scripts/install-browser.sh "$missing" "$@"
install_packages "$@"
command -v chromedriver >/dev/null
