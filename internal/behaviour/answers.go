package behaviour

import (
	"context"
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
	"github.com/golang-jwt/jwt/v5"
)

// The catalogue of broken tokens: every check of the engine shows through the adapter, and nothing of a token with it.
// B, C, D, E, F, G, H
func testBroken[M any](t *testing.T, f Framework[M]) {
	tenants := map[mockidp.Kind]string{mockidp.Workforce: tenantA, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers}
	for _, broken := range mockidp.Broken() {
		t.Run(broken.Name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, f, setup[M]{config: everyKind}, nil)
			tenant := a.idp.Tenant(tenants[broken.Kind])
			got := a.get(broken.Token(tenant))
			want := BadToken
			if broken.Status == http.StatusBadRequest {
				want = BadRequest
			}
			if got.matches(t, want); got.reached || got.status != broken.Status {
				t.Fatalf("got=%d reached=%v, want=%d", got.status, got.reached, broken.Status)
			}
			if log := a.log.String(); !strings.Contains(log, "reason="+broken.Reason) {
				t.Fatalf("got=%s, want %s", log, broken.Reason)
			}
			a.get(tenant.Token()).accepted(t)
		})
	}
}

// Every framework answers as the adapter for net/http does, byte for byte where a client looks.
// K12
func testAnswersAsHandler[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) {
		cfg.Resource = identity.Resource{URL: "https://api.example/v1", Scopes: []string{"api://x/a"}}
	}, guards: []M{f.RequireScope("access_as_user")}}, nil)
	v, err := identity.New(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	plain := v.Handler(identity.AllScopes("access_as_user").Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived(Call{W: w, R: r, From: func() (*identity.Principal, bool) { return identity.FromContext(r.Context()) }})
	})))
	reference := &api[M]{handler: plain}
	good := a.token()
	for _, authorization := range []string{
		"", "Basic x", "Bearer", "Bearer " + good + " x", "Bearer a.b.c", "Bearer " + strings.Repeat("x", 70_000),
		"Bearer " + a.token(mockidp.ExpiresIn(-time.Hour)), "Bearer " + a.idp.Tenant(tenantB).Token(), "Bearer " + a.token(mockidp.Scopes("other")),
		"Bearer " + good,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			request := func() *http.Request {
				r := httptest.NewRequest(method, "/", nil)
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				return r
			}
			want, got := reference.do(request()), a.do(request())
			if got.status != want.status || got.reached != want.reached {
				t.Fatalf("%s %.20s: got=%d reached=%v, want=%d %v", method, authorization, got.status, got.reached, want.status, want.reached)
			}
			if got.status == http.StatusOK {
				if got.principal == nil || got.principal.UserKey() != want.principal.UserKey() {
					t.Fatalf("got=%v, want=%v", got.principal, want.principal)
				}
				continue
			}
			for _, name := range []string{"Www-Authenticate", "Retry-After"} {
				if fmt.Sprint(got.header[name]) != fmt.Sprint(want.header[name]) {
					t.Fatalf("%s %.20s: %s: got=%q, want=%q", method, authorization, name, got.header[name], want.header[name])
				}
			}
			if strings.TrimSpace(got.body) != strings.TrimSpace(want.body) {
				t.Fatalf("%s %.20s: got=%s, want=%s", method, authorization, got.body, want.body)
			}
			if method == http.MethodHead && got.body != "" {
				t.Fatalf("got=%s, want no body", got.body)
			}
			if method == http.MethodGet && (got.header.Get("Content-Type") != "application/json" || !json.Valid([]byte(got.body))) {
				t.Fatalf("got=%s %s, want JSON", got.header.Get("Content-Type"), got.body)
			}
		}
	}
}

// K2: each 403 has a code of its own kind, only scopes are asked for, and the answer names no role and no group.
func testForbiddenAnswers[M any](t *testing.T, f Framework[M]) {
	logged := make(map[string]bool)
	for _, row := range []struct {
		sentinel error
		config   func(*identity.Config)
		guards   []M
		code     string
		scope    string
	}{
		{sentinel: identity.ErrScope, guards: []M{f.RequireScope("a")}, code: "insufficient_scope", scope: "a"},
		{sentinel: identity.ErrScopeOrRole, guards: []M{f.RequireScopeOrRole([]string{"a"}, []string{"Secret.Role"})}, code: "insufficient_scope", scope: "a"},
		{sentinel: identity.ErrRole, guards: []M{f.RequireRole("Secret.Role")}, code: "insufficient_scope"},
		{sentinel: identity.ErrAppOnly, guards: []M{f.RequireAppOnly()}},
		{sentinel: identity.ErrGroup, guards: []M{f.RequireGroup(nil, "Secret.Group")}},
		{sentinel: identity.ErrGuest, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, DenyGuests: true})
		}},
		{sentinel: identity.ErrClient, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Clients: []string{mockidp.API}})
		}},
	} {
		a := newAPI(t, f, setup[M]{config: row.config, guards: row.guards}, nil)
		got := a.get(a.token(mockidp.Guest(tenantB)))
		got.refused(t, row.sentinel)
		_, reason, _ := strings.Cut(a.log.String(), "reason=")
		reason, _, _ = strings.Cut(reason, " ")
		if reason == "" || logged[reason] {
			t.Errorf("%q is no reason, or that of two", reason)
		}
		logged[reason] = true
		if answer := got.body + fmt.Sprint(got.header); strings.Contains(answer, "Secret") {
			t.Errorf("%v: got=%s, want no role or group in the answer", row.sentinel, answer)
		}
		if row.code == "" {
			continue // refused() has seen that there is no challenge
		}
		if attributes := got.challenge(t); attributes["error"] != row.code || attributes["scope"] != row.scope {
			t.Errorf("%v: got=%v, want scope=%q", row.sentinel, attributes, row.scope)
		}
	}
}

// K3: an outage is no fault of the token: clients would throw it away. It says when to come back.
func testOutage[M any](t *testing.T, f Framework[M]) {
	for _, fault := range []mockidp.Fault{{Reset: true}, {Status: http.StatusServiceUnavailable}} {
		a := newAPI(t, f, setup[M]{}, nil)
		remove := a.idp.Inject(fault)
		got := a.get(a.token())
		got.refused(t, identity.ErrKeysUnavailable)
		if got.header.Get("Retry-After") == "" || strings.Contains(got.body, "invalid_token") {
			t.Fatalf("got=%s %s, want Retry-After and no invalid_token", got.header, got.body)
		}
		remove()
		a = newAPI(t, f, setup[M]{idp: a.idp}, nil)
		a.get(a.token()).accepted(t)
	}
}

// K4: a panic in a hook is a 500 that says nothing, and a log line with the stack. It is not remembered.
func testPanickingHooks[M any](t *testing.T, f Framework[M]) {
	for name, s := range map[string]setup[M]{
		"TenantSource": {config: func(cfg *identity.Config) {
			cfg.Tenants = identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { panic("oops") })
		}},
		"Trace.Verified": {config: func(cfg *identity.Config) {
			cfg.Observe.Trace.Verified = func(context.Context, identity.VerifyInfo) { panic("oops") }
		}},
		"Rule":    {guards: []M{f.Require(panicking)}},
		"Skipper": {hooks: Hooks{Skip: func(*http.Request) bool { panic("oops") }}},
		"ErrorHandler": {
			config: func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantB}) },
			hooks:  Hooks{ErrorHandler: func(Call, error) error { panic("oops") }},
		},
	} {
		if f.NoHooks && (s.hooks.Skip != nil || s.hooks.ErrorHandler != nil) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, f, s, nil)
			raw := a.token()
			for range 2 {
				got := a.get(raw)
				got.refused(t, identity.ErrInternal)
				if body := strings.TrimSpace(got.body); body != `{"message":"Internal Server Error"}` {
					t.Fatalf("got=%s, want a generic text", body)
				}
			}
			log := a.log.String()
			if !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "oops") || !strings.Contains(log, "goroutine ") {
				t.Fatalf("got=%s, want the panic and its stack at level Error", log)
			}
			a.keepsSecret(t, raw, a.get(raw))
		})
	}
}

type ownError struct{ order int }

func (ownError) Error() string { return "own" }

// K7: what a handler answers is none of our business.
func testHandlerErrorsPass[M any](t *testing.T, f Framework[M]) {
	for _, failure := range []error{
		ownError{42}, errors.New("plain"), &identity.Error{Status: http.StatusConflict, Reason: "conflict"}, identity.ErrExpired, jwt.ErrTokenExpired,
	} {
		s := setup[M]{
			config: func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example/" }, guards: []M{f.RequireScope("access_as_user")},
		}
		if !f.NoHooks {
			s.hooks.ErrorHandler = func(Call, error) error { return errors.New("not to be called") }
		}
		a := newAPI(t, f, s, map[string]func(Call) error{"/fails": func(c Call) error {
			answerOf(c.R).reached = true
			return failure
		}})
		got := a.path(http.MethodGet, "/fails", a.token())
		if !got.reached || got.err != nil && got.err != failure || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("got=%v %s, want=%v, untouched", got.err, got.header, failure)
		}
		if log := a.log.String(); strings.Contains(log, "refused") {
			t.Errorf("got=%s, want nothing logged", log)
		}
	}
}

// K8: a panic of the handler goes on to whoever recovers it.
func testHandlerPanics[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{guards: []M{f.RequireScope("access_as_user")}}, map[string]func(Call) error{
		"/boom": func(Call) error { panic("boom") },
	})
	raw := a.token()
	if value := panics(func() { a.path(http.MethodGet, "/boom", raw) }); value != "boom" {
		t.Fatalf("got=%v, want the handler's panic", value)
	}
	a.get(raw).accepted(t)
}

// K12: nobody gets another status for how they ask; HEAD gets no body.
func testStatusIsTheSameForAll[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{}, nil)
	want := a.get("a.b.c")
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

// A framework that shows errors in answers when it is asked to shows none of ours.
// K5
func testErrorsExposed[M any](t *testing.T, f Framework[M]) {
	for _, refusal := range []struct {
		config func(*identity.Config)
		hooks  Hooks
		guards []M
		token  []mockidp.TokenOption
	}{
		{token: with(mockidp.ExpiresIn(-time.Hour))},
		{token: with(mockidp.Claim("tid", tenantX))},
		{guards: []M{f.RequireRole("Secret.Role")}},
		{guards: []M{f.Require(refuseWith(errors.New("a secret cause")))}},
		{guards: []M{f.Require(panicking)}},
		{config: func(cfg *identity.Config) {
			cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { return errors.New("a secret cause") })
		}},
		{
			hooks: Hooks{ErrorHandler: func(_ Call, err error) error { return fmt.Errorf("a secret cause: %w", err) }},
			token: with(mockidp.ExpiresIn(-time.Hour)),
		},
		{hooks: Hooks{Skip: func(*http.Request) bool { panic("a secret cause") }}},
	} {
		if f.NoHooks && (refusal.hooks.ErrorHandler != nil || refusal.hooks.Skip != nil) {
			continue
		}
		bodies := make([]string, 2)
		for i := range bodies {
			a := newAPI(t, f, setup[M]{config: refusal.config, hooks: refusal.hooks, guards: refusal.guards, expose: i == 1}, nil)
			got := a.get(a.token(refusal.token...))
			if got.reached || got.status < 400 {
				t.Fatalf("got=%d, want a refusal", got.status)
			}
			var fields map[string]string
			if err := json.Unmarshal([]byte(got.body), &fields); err != nil {
				t.Fatalf("got=%s, want strings: %v", got.body, err)
			}
			code := fields["error"]
			got.inJSON(t, code)
			bodies[i] = fmt.Sprint(fields)
			got.leaksNothing(t)
		}
		if bodies[0] != bodies[1] || strings.Contains(bodies[1], "secret") {
			t.Fatalf("got=%s, want=%s as where errors are not shown", bodies[1], bodies[0])
		}
	}
}

// handled is an error handler of the application, and what comes of an expired token with it.
type handled struct {
	name    string
	handler func(c Call, err error) error
	status  int
	body    string
	bearer  bool // whether the challenge is there
}

// K9
func testErrorHandler[M any](t *testing.T, f Framework[M]) {
	if f.NoHooks {
		t.Skip("the adapter has no ErrorHandler")
	}
	typed := func(err error) *identity.Error {
		e, _ := errors.AsType[*identity.Error](err)
		return e
	}
	for _, row := range []handled{
		{"the same error", func(_ Call, err error) error { return err }, 401, "has expired", true},
		{"the typed error", func(_ Call, err error) error { return typed(err) }, 401, "has expired", true},
		{"a changed one", func(_ Call, err error) error {
			e := typed(err)
			e.Description = "Sign in again."
			return e
		}, 401, "Sign in again.", true},
		{"wrapped", func(_ Call, err error) error { return fmt.Errorf("mine: %w", err) }, 401, "has expired", true},
		{"a sentinel", func(Call, error) error { return identity.ErrUnknownTenant }, 401, "not trusted", true},
		{"another", func(Call, error) error { return errors.New("mine") }, 500, "Internal Server Error", false},
		{"nil", func(Call, error) error { return nil }, 401, "has expired", true},
		{"a success", func(Call, error) error { return &identity.Error{Status: http.StatusOK} }, 403, "Forbidden", false},
		{"a nil *Error", func(Call, error) error { return (*identity.Error)(nil) }, 500, "Internal Server Error", false},
		{"a nil *Error in another", func(Call, error) error { return fmt.Errorf("mine: %w", (*identity.Error)(nil)) }, 500, "Internal Server Error", false},
		{"an answer", func(c Call, _ error) error {
			c.W.WriteHeader(http.StatusGone)
			_, err := c.W.Write([]byte("gone"))
			return err
		}, 410, "gone", false},
		{"an answer and an error", func(c Call, err error) error {
			c.W.WriteHeader(http.StatusGone)
			c.W.Write([]byte("gone"))
			return err
		}, 410, "gone", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var seen error
			calls := 0
			a := newAPI(t, f, setup[M]{hooks: Hooks{ErrorHandler: func(c Call, err error) error {
				calls++
				seen = err
				return row.handler(c, err)
			}}}, nil)
			got := a.get(a.token(mockidp.ExpiresIn(-time.Hour)))
			if got.reached || got.status != row.status || !strings.Contains(got.body, row.body) {
				t.Fatalf("got=%d %s reached=%v, want=%d %s", got.status, got.body, got.reached, row.status, row.body)
			}
			if row.name == "an answer" && got.err != nil {
				t.Fatalf("got=%v, want no error behind the handler's answer", got.err)
			}
			if _, ok := got.header["Www-Authenticate"]; ok != row.bearer && got.status != http.StatusGone {
				t.Fatalf("got=%s, want a challenge: %v", got.header, row.bearer)
			}
			if calls != 1 || typed(seen) == nil || !errors.Is(seen, identity.ErrExpired) || !errors.Is(seen, jwt.ErrTokenExpired) {
				t.Fatalf("got=%v in %d calls, want the typed error in one", seen, calls)
			}
			lines := 1
			if row.status == http.StatusInternalServerError && row.name != "another" {
				lines = 2 // the hook's own fault is one of its own
			}
			if n := strings.Count(a.log.String(), "request refused"); n != lines {
				t.Fatalf("got=%d log lines, want=%d:\n%s", n, lines, a.log)
			}
			a.get(a.token()).accepted(t) // and it is not asked for a good one
			if calls != 1 {
				t.Fatalf("got=%d calls, want=1", calls)
			}
		})
	}
}

// A nil from the error handler lets nobody pass in optional mode either.
// A19
func testErrorHandlerOptional[M any](t *testing.T, f Framework[M]) {
	if f.NoHooks {
		t.Skip("the adapter has no ErrorHandler")
	}
	a := newAPI(t, f, setup[M]{
		config: func(cfg *identity.Config) { cfg.Optional = true },
		hooks:  Hooks{ErrorHandler: func(Call, error) error { return nil }},
	}, nil)
	a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
	a.do(request{}.build("")).anonymous(t)
}
