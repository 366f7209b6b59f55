#!/usr/bin/env bash
# Installs what the example and its tests need, runs the tests, and lets the example tell its story. Debian or Ubuntu, as root; Go and
# Node 20 or later have to be there. Arguments go to go test.
set -euo pipefail
cd "$(dirname "$0")"

packages=()
if ! command -v pg_ctl >/dev/null && ! ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1; then packages+=(postgresql); fi
if ! command -v chromium >/dev/null; then packages+=(chromium); fi
if [ ${#packages[@]} -gt 0 ]; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
fi
npm --prefix ../../mockidp/msaltest/node ci

CI=true go test -race -timeout 20m "$@" ./...
go run .
