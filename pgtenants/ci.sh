#!/usr/bin/env bash
# Installs PostgreSQL, and runs the tests on it. Debian or Ubuntu, as root. Arguments go to go test: "./ci.sh -count=10".
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql
fi

CI=true go test -race -timeout 20m "$@" ./...
