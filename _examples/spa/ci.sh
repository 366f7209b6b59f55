#!/usr/bin/env bash
# Installs what the example and its tests need, builds the page, runs the tests, and lets the example show its answers. Debian or
# Ubuntu, as root; Go and Node 20.19 or later have to be there. Arguments go to go test.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v chromium >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium
fi
npm --prefix ../../mockidp/msaltest/node ci
npm --prefix page ci
npm --prefix page run build

CI=true go test -race -timeout 20m "$@" ./...
go run .
