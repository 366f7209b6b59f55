package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/getkin/kin-openapi/openapi3"
)

func start(t *testing.T) *world {
	t.Helper()
	w, err := newWorld("localhost:0", slog.New(slog.DiscardHandler))
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

// What the example prints is true, and fits a terminal.
func TestShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := start(t).show(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 || strings.Contains(line, "WRONG") {
			t.Errorf("got=%q", line)
		}
	}
}

// A wrong answer is told, and is an error in the end: here the job has left orders that nobody closed.
func TestShowCanFail(t *testing.T) {
	t.Parallel()
	w := start(t)
	token := w.idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Write"), mockidp.IssuedBy(w.idp.URL))
	if got, err := send(t.Context(), http.MethodPost, w.url+"/orders", token, `{"item": "ink"}`); err != nil || got.status != http.StatusCreated {
		t.Fatalf("got=%v %v", got, err)
	}
	var out bytes.Buffer
	if err := w.show(t.Context(), &out); err == nil || !strings.Contains(out.String(), "WRONG") {
		t.Errorf("got=%v\n%s", err, &out)
	}
}

// A body that is larger than any order is not read to its end.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	w := start(t)
	token := w.idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Write"), mockidp.IssuedBy(w.idp.URL))
	for size, status := range map[int]int{1 << 10: http.StatusCreated, 2 << 20: http.StatusRequestEntityTooLarge} {
		body := `{"item": "ink"` + strings.Repeat(" ", size) + `}`
		if got, err := send(t.Context(), http.MethodPost, w.url+"/orders", token, body); err != nil || got.status != status {
			t.Errorf("%d bytes: got=%v %v, want=%d", size, got, err, status)
		}
	}
}

// The document that is served says where to sign in, is valid, and asks for the scopes that it declares.
func TestDocument(t *testing.T) {
	t.Parallel()
	w := start(t)
	got, err := send(t.Context(), http.MethodGet, w.url+"/openapi.json", "", "")
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData([]byte(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	flow := document.Components.SecuritySchemes[userScheme].Value.Flows.AuthorizationCode
	if want := w.idp.URL + "/" + mockidp.Contoso + "/oauth2/v2.0/authorize"; flow.AuthorizationURL != want {
		t.Errorf("got=%s, want=%s", flow.AuthorizationURL, want)
	}
	asked := 0
	for _, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Security == nil || len(*operation.Security) == 0 {
				t.Errorf("%s %s: is open to everybody", method, operation.OperationID)
				continue
			}
			for _, scope := range (*operation.Security)[0][userScheme] {
				if asked++; flow.Scopes[scope] == "" {
					t.Errorf("%s: %s is not declared", operation.OperationID, scope)
				}
			}
		}
	}
	if asked != 2 {
		t.Errorf("got=%d scopes asked for, want 2", asked)
	}
}

// A configuration that does not fit the document is an error at start, and not with the first request.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	good := config{
		url: "http://localhost:1", clientID: apiID, appIDURI: appIDURI, docsID: docsID, logger: slog.New(slog.DiscardHandler),
		tenant: identity.Tenant{ID: mockidp.Contoso},
	}
	if _, err := newServer(good); err != nil {
		t.Fatal(err)
	}
	other := good
	other.appIDURI = "api://orders.example"
	if _, err := newServer(other); err == nil || !strings.Contains(err.Error(), "GET /orders") || !strings.Contains(err.Error(), "POST /orders") {
		t.Errorf("got=%v, want both operations whose scopes belong to another API", err)
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

// Chromium presses the buttons of Swagger UI.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium, node := program(t, "Chromium", os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"), program(t, "Node", "node")
	if _, err := os.Stat("../../mockidp/msaltest/node/node_modules/playwright-core"); err != nil {
		missing(t, "playwright-core (npm --prefix ../../mockidp/msaltest/node ci)")
	}
	w := start(t)
	cmd := exec.CommandContext(t.Context(), node, "--test", "--test-reporter=spec", "--test-timeout=240000", "browser/openapi.test.mjs")
	cmd.Env = append(os.Environ(), "OPENAPI_URL="+w.url, "OPENAPI_IDP="+w.idp.URL, fmt.Sprintf("OPENAPI_USERS=%s %s", user, colleague), "CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

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
