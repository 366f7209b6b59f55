package main

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// missing skips a test, or fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI is true: see ci.sh", what)
	}
	t.Skipf("SKIPPED, nothing was tested: %s is missing: see ci.sh", what)
}

func program(t *testing.T, what string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	missing(t, what)
	return ""
}

func startWorld(t *testing.T, dist string) *world {
	t.Helper()
	w, err := newWorld(dist, "localhost:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// built is a folder in the place of what Vite builds, for tests that need no browser.
func built(t *testing.T) string {
	t.Helper()
	dist := t.TempDir()
	for _, name := range []string{"index.html", "redirect.html"} {
		if err := os.WriteFile(filepath.Join(dist, name), []byte("<!DOCTYPE html><title>Orders</title>"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dist
}

// The answers are as they have to be, within the width of a terminal.
func TestChecks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := startWorld(t, built(t)).check(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 || strings.Contains(line, "WRONG") {
			t.Errorf("got=%q", line)
		}
	}
	if !strings.Contains(out.String(), "answers, all as they have to be") {
		t.Errorf("got=%s", out.String())
	}
}

// An answer that comes out otherwise is told, and is an error in the end: here the page is at another origin than the API knows.
func TestChecksCanFail(t *testing.T) {
	t.Parallel()
	w := startWorld(t, built(t))
	w.page = strings.Replace(w.page, "localhost", "127.0.0.1", 1)
	var out bytes.Buffer
	if err := w.check(t.Context(), &out); err == nil || !strings.Contains(out.String(), "WRONG") {
		t.Errorf("got=%v\n%s", err, out.String())
	}
}

// Without the page it says what to run.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	w, err := newWorld(t.TempDir(), "localhost:0", slog.New(slog.DiscardHandler))
	if !errors.Is(err, errNotBuilt) || !strings.Contains(err.Error(), "npm --prefix _examples/spa/page start") {
		t.Errorf("got=%v", err)
	}
	if w != nil {
		t.Error("something runs")
	}
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	for addr, good := range map[string]bool{"localhost:0": true, "127.0.0.1:0": true, "0.0.0.0:0": false, ":0": false, "example.com:0": false, "localhost": false} {
		socket, err := loopback(addr)
		if (err == nil) != good {
			t.Errorf("%s: got=%v", addr, err)
		}
		if socket != nil {
			if err := socket.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Chromium signs in and calls.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium, node := program(t, "Chromium", os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"), program(t, "Node", "node")
	if _, err := os.Stat("../../mockidp/msaltest/node/node_modules/playwright-core"); err != nil {
		missing(t, "playwright-core (npm --prefix ../../mockidp/msaltest/node ci)")
	}
	const dist = "page/dist"
	if _, err := os.Stat(filepath.Join(dist, "index.html")); err != nil {
		missing(t, "the built page (npm --prefix page ci && npm --prefix page run build)")
	}
	w := startWorld(t, dist)
	cmd := exec.CommandContext(t.Context(), node, "--test", "--test-reporter=spec", "--test-timeout=600000", "browser/spa.test.mjs")
	cmd.Env = os.Environ()
	env := map[string]string{"SPA_PAGE": w.page, "SPA_API": w.api, "SPA_IDP": w.microsoft, "CHROMIUM": chromium}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
