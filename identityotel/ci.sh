#!/usr/bin/env bash
# Twice: the race detector, and without it the allocations.
set -euo pipefail
cd "$(dirname "$0")"

go test -count=1 ./...
go test -race ./...
