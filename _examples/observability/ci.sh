#!/usr/bin/env bash
# The tests, with a real Prometheus, and the example itself.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prometheus
fi
export CI=true # nothing may be skipped

go test -race -count=1 ./...
go run . >/dev/null
