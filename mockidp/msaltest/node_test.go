package msaltest

import (
	"bytes"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// The tests of node/ run in Node, each file with a server of its own.
func TestNode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		file    string
		browser bool
	}{
		{"msal-node.test.mjs", false},
		{"openid-client.test.mjs", false},
		{"msal-browser.test.mjs", true},
		{"loopback.test.mjs", true},
		{"pages.test.mjs", true},
		{"tokenpage.test.mjs", true},
	} {
		t.Run(row.file, func(t *testing.T) {
			t.Parallel()
			runNode(t, row.file, row.browser)
		})
	}
}

func runNode(t *testing.T, file string, browser bool) {
	spa := startSPA(t)
	w := newWorld(t, spa)
	env := map[string]string{
		"MOCKIDP_ORIGIN":      w.origin,
		"MOCKIDP_API":         w.api,
		"MOCKIDP_PRODUCTION":  productionAPI(t, w),
		"MOCKIDP_SPA":         spa,
		"MOCKIDP_KEY":         ownCertificate().keyPEM(),
		"MOCKIDP_CERTIFICATE": ownCertificate().pem(),
		"MOCKIDP_FOREIGN_KEY": foreignCertificate().keyPEM(),
		"MOCKIDP_FOREIGN":     foreignCertificate().pem(),
		"NODE_EXTRA_CA_CERTS": caFile(t, w),
	}
	if browser {
		env["CHROMIUM"] = chromium(t)
	}
	cmd := node(t, "--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=300000", file)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("node --test %s: %v\n%s", file, err, out.String())
	}
	t.Log(out.String())
	equal(t, "instance discoveries by clients that know the authority", w.Count(mockidp.InstanceDiscovery), 0)
}

// node is Node in the folder with the packages.
func node(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "Node", "node"), args...)
	if _, err := os.Stat("node/node_modules"); err != nil {
		missing(t, "the packages of node/ (npm ci)")
	}
	cmd.Dir, cmd.Env = "node", os.Environ()
	return cmd
}

func chromium(t *testing.T) string {
	t.Helper()
	return program(t, "Chromium", os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
}

// program finds a program, and skips the test or fails it where there is none.
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

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI is true: see ci.sh", what)
	}
	t.Skipf("%s is missing: see ci.sh", what)
}

// caFile is where Node finds the server's authority.
func caFile(t *testing.T, w *world) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.CACertificate().Raw})
	worked(t, "WriteFile", os.WriteFile(file, text, 0o600))
	return file
}

// startSPA serves the single-page application and MSAL Browser as the package comes, over TLS: a page and a provider on https and
// localhost are the same site, so that the provider gets its cookie in hidden frames.
func startSPA(t *testing.T) string {
	t.Helper()
	const lib = "node/node_modules/@azure/msal-browser/lib"
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("node/spa")))
	mux.Handle("/lib/", http.StripPrefix("/lib/", http.FileServer(http.Dir(lib))))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium first tries whether it trusts the certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}
