#!/usr/bin/env bash
# The gate of CI: allocations to the number, costs within wide margins; then a short run of the command, to see that all of it works,
# and the attacks, none of which this module may let in.
# Without the race detector, under which both are others; the tests that do not measure run under it, too.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v wrk >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends wrk
fi
if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql
fi
npm --prefix node ci

go test -p 1 -count=1 ./... # one package at a time: they measure
go test -race . ./attacks ./corpus ./peers ./plot ./report ./soak
go run . -short
go run ./attacks
go run ./fleet -short
