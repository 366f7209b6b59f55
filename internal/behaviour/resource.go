package behaviour

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// K6
func testResourceMetadata[M any](t *testing.T, f Framework[M]) {
	const metadata = `resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"`
	resource := identity.Resource{
		URL: "https://api.example/v1", Scopes: []string{"api://c/Orders.Read", "api://c/Orders.Write"}, Name: "Orders",
		AuthorizationServers: []string{"https://login.microsoftonline.com/" + tenantA + "/v2.0"}, Documentation: "https://docs.example/",
	}
	a := newAPI(t, f, setup[M]{
		config: func(cfg *identity.Config) { cfg.Resource = resource }, guards: []M{f.RequireAuthContext("c1")},
	}, nil)
	for _, row := range []struct {
		got     *answer
		missing bool
	}{
		{a.do(request{}.build("")), true},
		{a.do(header("Basic x").build("")), true},
		{a.get("a.b.c"), false},
		{a.get(a.token(mockidp.ExpiresIn(-time.Hour))), false},
		{a.get(a.token(mockidp.Without("scp"))), false},
		{a.get(a.token(mockidp.Claim("xms_cc", []string{"cp1"}))), false}, // the guard's
	} {
		challenge := row.got.header.Get("WWW-Authenticate")
		if row.got.status != http.StatusUnauthorized || !strings.HasSuffix(challenge, metadata) {
			t.Fatalf("got=%d %s, want=401 with %s", row.got.status, challenge, metadata)
		}
		if row.missing != (row.got.challenge(t)["scope"] == "api://c/Orders.Read api://c/Orders.Write") {
			t.Fatalf("got=%s, want the scopes only where a client has to start", challenge)
		}
	}
	if got := a.get(a.token()); got.status != http.StatusForbidden || got.header.Get("WWW-Authenticate") != "" {
		t.Fatalf("got=%d %s, want=403 without a challenge", got.status, got.header)
	}
	// Scopes that are only advertised are not enforced, and a guard asks for its own.
	plain := newAPI(t, f, setup[M]{
		idp: a.idp, config: func(cfg *identity.Config) { cfg.Resource = resource }, guards: []M{f.RequireScope("Orders.Delete")},
	}, nil)
	plain.get(a.token(mockidp.Scopes("Orders.Delete"))).accepted(t)
	got := plain.get(a.token())
	got.refused(t, identity.ErrScope)
	if challenge := got.header.Get("WWW-Authenticate"); !strings.HasSuffix(challenge, metadata) || got.challenge(t)["scope"] != "Orders.Delete" {
		t.Fatalf("got=%s, want the guard's scope and the metadata", challenge)
	}

	for _, row := range []struct {
		advertised []string
		required   string
		want       string
	}{
		{resource.Scopes, "Orders.Write", "api://c/Orders.Write"},
		{resource.Scopes, "Write", "Write"}, // the end of a name is not the name
		{[]string{"api://c/Read", "api://d/Read"}, "Read", "Read"},
		{[]string{"https://c.onmicrosoft.com/orders/Read", "Write"}, "Read", "https://c.onmicrosoft.com/orders/Read"},
		{[]string{"https://c.onmicrosoft.com/orders/Read", "Write"}, "Write", "Write"},
		{nil, "Read", "Read"},
	} {
		named := newAPI(t, f, setup[M]{idp: a.idp, config: func(cfg *identity.Config) {
			cfg.Resource = identity.Resource{URL: resource.URL, Scopes: row.advertised}
		}, guards: []M{f.RequireScope("also", row.required)}}, nil)
		for range 2 { // the second refusal is like the first
			got := named.get(a.token(mockidp.Scopes("also")))
			got.refused(t, identity.ErrScope)
			if scope := got.challenge(t)["scope"]; scope != "also "+row.want {
				t.Fatalf("advertised %q: got=%s, want=also %s", row.advertised, scope, row.want)
			}
		}
		named.get(a.token(mockidp.Scopes("also", row.required))).accepted(t)
	}

	const path = "/.well-known/oauth-protected-resource/v1"
	forged := httptest.NewRequest(http.MethodGet, path, nil)
	forged.Host = "attacker.example"
	forged.Header.Set("X-Forwarded-Host", "attacker.example")
	for _, got := range []*answer{a.path(http.MethodGet, path, ""), a.path(http.MethodGet, path, "a.b.c"), a.do(forged)} {
		var fields map[string]any
		err := json.Unmarshal([]byte(got.body), &fields)
		want := map[string]any{
			"resource": resource.URL, "scopes_supported": []any{resource.Scopes[0], resource.Scopes[1]}, "resource_name": "Orders",
			"authorization_servers": []any{resource.AuthorizationServers[0]}, "bearer_methods_supported": []any{"header"},
			"resource_documentation": "https://docs.example/",
		}
		if err != nil || got.status != http.StatusOK || fmt.Sprint(fields) != fmt.Sprint(want) {
			t.Fatalf("got=%d %s %v, want=%v", got.status, got.body, err, want)
		}
		if got.header.Get("Content-Type") != "application/json" || got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("got=%v, want JSON for every origin", got.header)
		}
	}
	if got := a.path(http.MethodHead, path, ""); got.status != http.StatusOK || got.body != "" {
		t.Fatalf("HEAD: got=%d %s, want=200 without a body", got.status, got.body)
	}
	for _, other := range []string{"/.well-known/oauth-protected-resource", path + "/", path + "/x"} {
		a.path(http.MethodGet, other, "").refused(t, identity.ErrTokenMissing)
	}
	a.path(http.MethodPost, path, "").refused(t, identity.ErrTokenMissing)

	// Without authorization servers there is no such member, and the document stands on the root for a resource without a path.
	a = newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example" }}, nil)
	got = a.path(http.MethodGet, "/.well-known/oauth-protected-resource", "")
	if got.status != http.StatusOK || strings.Contains(got.body, "authorization_servers") || strings.Contains(got.body, "scopes_supported") {
		t.Fatalf("got=%d %s, want a document without them", got.status, got.body)
	}
	a = newAPI(t, f, setup[M]{}, nil) // not configured
	a.path(http.MethodGet, "/.well-known/oauth-protected-resource", "").refused(t, identity.ErrTokenMissing)
	if challenge := a.get("a.b.c").header.Get("WWW-Authenticate"); strings.Contains(challenge, "resource_metadata") {
		t.Fatalf("got=%s, want no metadata", challenge)
	}
}

// RFC 9728 §3.1: a resource identifier with an escaped path has its document at that path, escaped as it was. The slash behind a path
// may stay or go; the one behind the host goes.
func testResourcePaths[M any](t *testing.T, f Framework[M]) {
	for _, row := range []struct {
		url, address string
		also         string // where the document is too
	}{
		{"https://api.example/a%20b%22%2Fc/", "https://api.example/.well-known/oauth-protected-resource/a%20b%22%2Fc", "https://api.example/.well-known/oauth-protected-resource/a%20b%22%2Fc/"},
		{"https://api.example/", "https://api.example/.well-known/oauth-protected-resource", ""},
		{"https://api.example/v1", "https://api.example/.well-known/oauth-protected-resource/v1", ""},
		{"http://localhost:8080/v1", "http://localhost:8080/.well-known/oauth-protected-resource/v1", ""},
	} {
		a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.Resource.URL = row.url }}, nil)
		if got := a.do(request{}.build("")).challenge(t)["resource_metadata"]; got != row.address {
			t.Fatalf("got=%s, want=%s", got, row.address)
		}
		addresses := []string{row.address}
		if row.also != "" {
			addresses = append(addresses, row.also)
		}
		for _, address := range addresses {
			got := a.path(http.MethodGet, address, "")
			if got.status != http.StatusOK || !strings.Contains(got.body, `"resource":"`+row.url+`"`) {
				t.Fatalf("got=%d %s, want the document at %s", got.status, got.body, address)
			}
		}
		a.path(http.MethodGet, row.address+"%20", "").refused(t, identity.ErrTokenMissing)
	}
}

// RFC 9728 §2: bearer_methods_supported says how this API takes tokens; cookies and subprotocols are none of the three ways.
func testResourceMethods[M any](t *testing.T, f Framework[M]) {
	for lookup, want := range map[string]string{
		"": `["header"]`, "header,form,query": `["header","body","query"]`, "query": `["query"]`, "cookie:t,header": `["header"]`,
		"cookie:t,websocket:bearer.": `[]`,
	} {
		a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) {
			cfg.TokenLookup, cfg.Resource.URL = lookup, "https://api.example"
		}}, nil)
		if got := a.path(http.MethodGet, "/.well-known/oauth-protected-resource", ""); !strings.Contains(got.body, `"bearer_methods_supported":`+want) {
			t.Fatalf("%q: got=%s, want=%s", lookup, got.body, want)
		}
	}
}

// Clients in browsers send headers of their own with the request for the document, so they ask first.
func testResourcePreflight[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example/v1" }}, nil)
	ask := func(path, origin string) *answer {
		r := httptest.NewRequest(http.MethodOptions, path, nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		r.Header.Set("Access-Control-Request-Method", "GET")
		r.Header.Set("Access-Control-Request-Headers", "mcp-protocol-version")
		return a.do(r)
	}
	const path = "/.well-known/oauth-protected-resource/v1"
	got := ask(path, "https://app.example")
	if got.status != http.StatusNoContent || got.body != "" || got.header.Get("Access-Control-Allow-Origin") != "*" ||
		got.header.Get("Access-Control-Allow-Headers") != "*" || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), "GET") {
		t.Fatalf("got=%d %v, want=204 that allows everything", got.status, got.header)
	}
	ask(path, "").refused(t, identity.ErrTokenMissing)
	ask("/", "https://app.example").refused(t, identity.ErrTokenMissing)
}

// K6, I20: on an optional route, it is the guard that tells a client without a token where to start.
func testResourceOptional[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) {
		cfg.Optional, cfg.Resource = true, identity.Resource{URL: "https://api.example", Scopes: []string{"api://c/read"}}
	}, guards: []M{f.RequireScope("access_as_user")}}, nil)
	got := a.do(request{}.build(""))
	got.refused(t, identity.ErrNotAuthenticated)
	if got.err != nil && !errors.Is(got.err, identity.ErrNotAuthenticated) {
		t.Fatal(got.err)
	}
	attributes := got.challenge(t)
	if attributes["resource_metadata"] != "https://api.example/.well-known/oauth-protected-resource" || attributes["scope"] != "api://c/read" || attributes["error"] != "" {
		t.Fatalf("got=%v, want the metadata and the scopes, and no error", attributes)
	}
	a.get(a.token()).accepted(t)
}
