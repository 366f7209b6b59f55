#!/usr/bin/env bash
# Installs what the tests of real clients need, and runs all of them. Debian or Ubuntu, as root; Go and Node 20 or later have to be
# there. Arguments go to go test: "./ci.sh -count=10".
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v chromium >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium
fi
npm --prefix node ci

CI=true go test -timeout 60m "$@" ./...
