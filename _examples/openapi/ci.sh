#!/usr/bin/env bash
# Installs what the example's tests need, looks whether the generated server is that of the document, and runs the tests. Debian or
# Ubuntu, as root; Go and Node 20 or later have to be there. Arguments go to go test.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v chromium >/dev/null; then
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium
fi
npm --prefix ../../mockidp/msaltest/node ci

before=$(mktemp)
trap 'rm "$before"' EXIT
cp api.gen.go "$before"
go generate ./...
diff -u "$before" api.gen.go

CI=true go test -race -timeout 10m "$@" ./...
