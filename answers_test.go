package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
)

// K2: each 403 has a reason of its own, and only scopes are asked for. TestPermissions, TestGuests and the like have the cases.
func TestForbiddenAnswers(t *testing.T) {
	t.Parallel()
	reasons := make(map[identity.Reason]bool)
	for _, row := range []struct {
		sentinel error
		config   func(*identity.Config)
		guard    echo.MiddlewareFunc
		code     string
		scope    string
	}{
		{sentinel: identity.ErrScope, guard: identity.RequireScope("a"), code: "insufficient_scope", scope: "a"},
		{sentinel: identity.ErrScopeOrRole, guard: identity.RequireScopeOrRole([]string{"a"}, []string{"Secret.Role"}), code: "insufficient_scope", scope: "a"},
		{sentinel: identity.ErrRole, guard: identity.RequireRole("Secret.Role"), code: "insufficient_scope"},
		{sentinel: identity.ErrAppOnly, guard: identity.RequireAppOnly()},
		{sentinel: identity.ErrGroup, guard: identity.RequireGroup(nil, "Secret.Group")},
		{sentinel: identity.ErrGuest, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, DenyGuests: true})
		}},
		{sentinel: identity.ErrClient, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Clients: []string{mockidp.API}})
		}},
	} {
		var guards []echo.MiddlewareFunc
		if row.guard != nil {
			guards = append(guards, row.guard)
		}
		a := newAPI(t, row.config, guards...)
		got := a.get(a.token(mockidp.Guest(tenantB)))
		e := got.refused(t, row.sentinel)
		if reasons[e.Reason] {
			t.Errorf("%s is the reason of two", e.Reason)
		}
		reasons[e.Reason] = true
		if answer := got.body + fmt.Sprint(got.header); strings.Contains(answer, "Secret") {
			t.Errorf("%v: got=%s, want no role or group in the answer", row.sentinel, answer)
		}
		challenge := got.header.Get("WWW-Authenticate")
		if row.code == "" {
			continue // refused() has seen that there is none
		}
		if attributes, err := parseChallenge(challenge); err != nil || attributes["error"] != row.code || attributes["scope"] != row.scope {
			t.Errorf("%v: got=%s %v, want scope=%q", row.sentinel, challenge, err, row.scope)
		}
	}
}

// K3: an outage is no fault of the token: clients would throw it away. TestLateRefusalsKeepSecrets has more kinds of outages.
func TestOutageIsNotTheTokensFault(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	remove := a.idp.Inject(mockidp.Fault{Reset: true})
	got := a.get(a.token())
	e := got.refused(t, identity.ErrKeysUnavailable)
	if e.RetryAfter <= 0 || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "invalid_token") {
		t.Fatalf("got=%s %s, want Retry-After and no invalid_token", got.header, got.body)
	}
	remove()
	a = newAPIOn(t, a.idp, nil)
	a.get(a.token()).accepted(t)
}

// hooks are all the places where the application's own code runs, here code that panics.
func hooks() map[string]func(*identity.Config) {
	return map[string]func(*identity.Config){
		"TenantSource": func(cfg *identity.Config) {
			cfg.Tenants = identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { panic("oops") })
		},
		"AnyTenant": func(cfg *identity.Config) {
			cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { panic("oops") })
		},
		"CachedTenants": func(cfg *identity.Config) {
			cfg.Tenants = identity.CachedTenants(identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { panic("oops") }), time.Minute)
		},
		"Trace.Verified": func(cfg *identity.Config) {
			cfg.Observe.Trace.Verified = func(context.Context, identity.VerifyInfo) { panic("oops") }
		},
		"HTTPClient": func(cfg *identity.Config) {
			cfg.Keys.HTTPClient = &http.Client{Transport: panickingTransport{}}
		},
		"Skipper": func(cfg *identity.Config) {
			cfg.Skipper = func(echo.Context) bool { panic("oops") }
		},
		"ErrorHandler": func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantB})
			cfg.ErrorHandler = func(echo.Context, error) error { panic("oops") }
		},
	}
}

type panickingTransport struct{}

func (panickingTransport) RoundTrip(*http.Request) (*http.Response, error) { panic("oops") }

// K4: a panic in a hook is a 500 that says nothing, and a log line with the stack. It is not remembered.
func TestPanickingHooks(t *testing.T) {
	t.Parallel()
	for name, config := range hooks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, config)
			raw := a.token()
			times := 2
			if name == "HTTPClient" {
				times = 1 // as after any failed fetch, the next one has to wait
			}
			for range times {
				got := a.get(raw)
				got.refused(t, identity.ErrInternal)
				if body := strings.TrimSpace(got.body); body != `{"message":"Internal Server Error"}` {
					t.Fatalf("got=%s, want a generic text", body)
				}
			}
			log := a.log.String()
			if !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "oops") || !strings.Contains(log, "stack=") {
				t.Fatalf("got=%s, want the panic and its stack at level Error", log)
			}
			a.keepsSecret(t, raw, a.get(raw))
		})
	}
}

// K4: a panic of the callback for key fetches, whose request is a verification like another.
func TestPanickingFetchTrace(t *testing.T) {
	t.Parallel()
	calls := 0
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Observe.Trace.KeysFetched = func(context.Context, identity.FetchInfo) {
			calls++
			panic("oops")
		}
	})
	if got := a.get(a.token()); got.status != http.StatusInternalServerError && got.status != http.StatusOK {
		t.Fatalf("got=%d %v, want 500, or the keys that were fetched", got.status, got.err)
	}
	if calls == 0 || !strings.Contains(a.log.String(), "oops") {
		t.Fatalf("calls=%d log=%s, want the panic in the log", calls, a.log)
	}
}

// K6
func TestResourceMetadata(t *testing.T) {
	t.Parallel()
	const metadata = `resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"`
	resource := identity.Resource{
		URL: "https://api.example/v1", Scopes: []string{"api://c/Orders.Read", "api://c/Orders.Write"}, Name: "Orders",
		AuthorizationServers: []string{"https://login.microsoftonline.com/" + tenantA + "/v2.0"},
	}
	a := newAPI(t, func(cfg *identity.Config) { cfg.Resource = resource }, identity.RequireAuthContext("c1"))
	for _, got := range []*answer{
		a.do(request{}.build("")),
		a.do(header("Basic x").build("")),
		a.get("a.b.c"),
		a.get(a.token(mockidp.ExpiresIn(-time.Hour))),
		a.get(a.token(mockidp.Without("scp"))),
		a.get(a.token(mockidp.Claim("xms_cc", []string{"cp1"}))),
	} {
		challenge := got.header.Get("WWW-Authenticate")
		if got.status != http.StatusUnauthorized || !strings.HasSuffix(challenge, metadata) {
			t.Fatalf("got=%d %s, want=401 with %s", got.status, challenge, metadata)
		}
		if _, err := parseChallenge(challenge); err != nil {
			t.Fatal(err)
		}
		if missing := errors.Is(got.err, identity.ErrTokenMissing); missing != strings.Contains(challenge, `scope="api://c/Orders.Read api://c/Orders.Write"`) {
			t.Fatalf("got=%s, want the scopes only where a client has to start", challenge)
		}
	}
	if got := a.get(a.token()); got.status != http.StatusForbidden || got.header.Get("WWW-Authenticate") != "" {
		t.Fatalf("got=%d %s, want=403 without a challenge", got.status, got.header)
	}

	document := func(a *api, method, path string) *answer {
		return a.do(httptest.NewRequest(method, path, nil))
	}
	const path = "/.well-known/oauth-protected-resource/v1"
	got := document(a, http.MethodGet, path)
	var fields map[string]any
	if err := json.Unmarshal([]byte(got.body), &fields); err != nil || got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("got=%d %s %s %v, want the document", got.status, got.header, got.body, err)
	}
	if fields["resource"] != resource.URL || fmt.Sprint(fields["scopes_supported"]) != fmt.Sprint(resource.Scopes) ||
		fmt.Sprint(fields["authorization_servers"]) != fmt.Sprint(resource.AuthorizationServers) || fields["resource_name"] != "Orders" {
		t.Fatalf("got=%s", got.body)
	}
	if got := document(a, http.MethodHead, path); got.status != http.StatusOK || got.body != "" {
		t.Fatalf("HEAD: got=%d %s, want=200 without a body", got.status, got.body)
	}
	for _, other := range []string{"/.well-known/oauth-protected-resource", path + "/", path + "/x"} {
		document(a, http.MethodGet, other).refused(t, identity.ErrTokenMissing)
	}
	document(a, http.MethodPost, path).refused(t, identity.ErrTokenMissing)

	// Without authorization servers there is no such member, and the document stands on the root for a resource without a path.
	a = newAPI(t, func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example" })
	got = document(a, http.MethodGet, "/.well-known/oauth-protected-resource")
	if got.status != http.StatusOK || strings.Contains(got.body, "authorization_servers") || strings.Contains(got.body, "scopes_supported") {
		t.Fatalf("got=%d %s, want a document without them", got.status, got.body)
	}
	a = newAPI(t, nil) // not configured
	document(a, http.MethodGet, "/.well-known/oauth-protected-resource").refused(t, identity.ErrTokenMissing)
	if challenge := a.get("a.b.c").header.Get("WWW-Authenticate"); strings.Contains(challenge, "resource_metadata") {
		t.Fatalf("got=%s, want no metadata", challenge)
	}
}

type ownError struct{ order int }

func (ownError) Error() string { return "own" }

// K7: what a handler answers is none of our business.
func TestHandlerErrorsPass(t *testing.T) {
	t.Parallel()
	for _, handlers := range []error{
		echo.ErrUnauthorized, echo.NewHTTPError(http.StatusForbidden, "mine"), echo.ErrInternalServerError, ownError{42}, errors.New("plain"),
		&identity.Error{Status: http.StatusConflict, Reason: "conflict"}, identity.ErrExpired, jwt.ErrTokenExpired, echojwt.ErrJWTMissing,
	} {
		a := newAPI(t, func(cfg *identity.Config) {
			cfg.ErrorHandler = func(echo.Context, error) error { return errors.New("not to be called") }
			cfg.Resource.URL = "https://api.example/"
		}, identity.RequireScope("access_as_user"))
		a.e.GET("/fails", func(echo.Context) error { return handlers })
		r := bearer(a.token())
		r.URL.Path = "/fails"
		got := a.do(r)
		if got.err != handlers || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("got=%v %s, want=%v, untouched", got.err, got.header, handlers)
		}
		if log := a.log.String(); strings.Contains(log, "refused") {
			t.Errorf("got=%s, want nothing logged", log)
		}
	}
}

// K12: nobody gets another status for how they ask; HEAD gets no body.
func TestStatusIsTheSameForAll(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	want := a.get("a.b.c")
	if want.header.Get("Content-Type") != "application/json" || !json.Valid([]byte(want.body)) {
		t.Fatalf("got=%s %s, want JSON", want.header, want.body)
	}
	for _, row := range []struct{ method, name, value string }{
		{http.MethodHead, "", ""},
		{http.MethodGet, "Accept", "application/json"},
		{http.MethodGet, "Accept", "text/html"},
		{http.MethodPost, "Content-Type", "application/json"},
		{http.MethodGet, "Upgrade", "websocket"},
		{http.MethodOptions, "", ""},
	} {
		r := bearer("a.b.c")
		r.Method = row.method
		if row.name != "" {
			r.Header.Set(row.name, row.value)
		}
		got := a.do(r)
		got.refused(t, identity.ErrTokenMalformed)
		if got.header.Get("WWW-Authenticate") != want.header.Get("WWW-Authenticate") {
			t.Fatalf("%+v: got=%s, want=%s", row, got.header, want.header)
		}
		if body := map[bool]string{true: "", false: want.body}[row.method == http.MethodHead]; got.body != body {
			t.Fatalf("%+v: got=%s, want=%s", row, got.body, body)
		}
	}
}

// With e.Debug on, Echo adds the cause to messages that are strings. None of ours is one.
// K5
func TestDebugTellsNothing(t *testing.T) {
	t.Parallel()
	for _, refusal := range []struct {
		config func(*identity.Config)
		guard  echo.MiddlewareFunc
		token  []mockidp.TokenOption
	}{
		{token: with(mockidp.ExpiresIn(-time.Hour))},
		{token: with(mockidp.Claim("tid", tenantX))},
		{guard: identity.RequireRole("Secret.Role")},
		{guard: identity.Require(refuseWith(errors.New("a secret cause")))},
		{guard: identity.Require(panicking)},
		{config: func(cfg *identity.Config) {
			cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { return errors.New("a secret cause") })
		}},
		{config: func(cfg *identity.Config) {
			cfg.ErrorHandler = func(_ echo.Context, err error) error { return fmt.Errorf("a secret cause: %w", err) }
		}, token: with(mockidp.ExpiresIn(-time.Hour))},
	} {
		var guards []echo.MiddlewareFunc
		if refusal.guard != nil {
			guards = append(guards, refusal.guard)
		}
		bodies := make([]string, 2)
		for i := range bodies {
			a := newAPI(t, refusal.config, guards...)
			a.e.Debug = i == 1
			got := a.get(a.token(refusal.token...))
			if got.reached || got.status < 400 {
				t.Fatalf("got=%d, want a refusal", got.status)
			}
			var fields map[string]string
			if err := json.Unmarshal([]byte(got.body), &fields); err != nil {
				t.Fatalf("got=%s, want two strings: %v", got.body, err)
			}
			for name := range fields {
				if !slices.Contains([]string{"error", "message"}, name) {
					t.Fatalf("got=%s, want no %s", got.body, name)
				}
			}
			bodies[i] = fmt.Sprint(fields)
			got.leaksNothing(t)
		}
		if bodies[0] != bodies[1] {
			t.Fatalf("got=%s, want=%s as without e.Debug", bodies[1], bodies[0])
		}
	}
}

// RFC 9728 §3.1: a resource identifier with an escaped path has its document at that path, escaped as it was.
func TestResourceEscapedPath(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example/a%20b%22%2Fc/" })
	challenge, err := parseChallenge(a.do(request{}.build("")).header.Get("WWW-Authenticate"))
	const address = "https://api.example/.well-known/oauth-protected-resource/a%20b%22%2Fc"
	if err != nil || challenge["resource_metadata"] != address {
		t.Fatalf("got=%v %v, want=%s", challenge, err, address)
	}
	got := a.do(httptest.NewRequest(http.MethodGet, challenge["resource_metadata"], nil))
	if got.status != http.StatusOK || !strings.Contains(got.body, `"resource":"https://api.example/a%20b%22%2Fc/"`) {
		t.Fatalf("got=%d %s, want the document at the address in the challenge", got.status, got.body)
	}
	a.do(httptest.NewRequest(http.MethodGet, address+"%20", nil)).refused(t, identity.ErrTokenMissing)
}
