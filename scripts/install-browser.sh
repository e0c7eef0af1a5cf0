#!/bin/sh
# Installs what `make browser` and `make screenshot` drive: Chromium, its driver, and a font. For Debian and
# its kin, as root. Does nothing when all are there.
set -eu

if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core >/dev/null
command -v chromedriver >/dev/null
