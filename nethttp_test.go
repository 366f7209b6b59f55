package identity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/echo-identity/identity/mockidp"
)

// I20: a rule without authentication in front.
func TestRuleHandlerWithoutAuthentication(t *testing.T) {
	t.Parallel()
	reached := false
	h := identity.AllScopes("a").Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, bearer("a.b.c"))
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != behaviour.Bare || reached {
		t.Fatalf("got=%d %s reached=%v, want=401 %s", w.Code, w.Header(), reached, behaviour.Bare)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(identity.NewContext(r.Context(), &identity.Principal{Scopes: []string{"a"}}))
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK || !reached {
		t.Fatalf("got=%d reached=%v, want=200: a test of a handler makes its own principal", w.Code, reached)
	}
}

// I19: no rule is no guard.
func TestNilRule(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"Handler": func() { identity.Rule(nil).Handler(http.NotFoundHandler()) },
		"AllOf":   func() { identity.AllOf() },
		"one of":  func() { identity.AllOf(identity.AppOnly(), nil) },
	} {
		if panics(f) == nil {
			t.Errorf("%s: got no panic", name)
		}
	}
	if err := identity.Rule(nil).Check(identity.NewContext(t.Context(), new(identity.Principal))); !errors.Is(err, identity.ErrInternal) {
		t.Fatalf("got=%v, want a refusal", err)
	}
}

// What an adapter builds on: who is admitted with which context, and what Check and Refuse make of an error.
// A18, A19, I20, J16
func TestAdmit(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var log syncBuffer
	v := newVerifier(t, idp, func(cfg *identity.Config) {
		cfg.Optional, cfg.Resource.URL = true, "https://api.example"
		cfg.Observe.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	raw := idp.Tenant(tenantA).Token()
	type key struct{}
	within := func(r *http.Request) *http.Request {
		return r.WithContext(context.WithValue(r.Context(), key{}, "kept"))
	}

	ctx, err := v.Admit(within(bearer(raw)))
	if err != nil || ctx.Value(key{}) != "kept" {
		t.Fatalf("got=%v %v, want the request's context", ctx, err)
	}
	if p, ok := identity.FromContext(ctx); !ok || p.RawToken() != raw {
		t.Fatalf("got=%v, want the principal", p)
	}
	if err := identity.AllScopes("access_as_user").Check(ctx); err != nil {
		t.Fatalf("got=%v (%T), want an error that is nil", err, err)
	}
	if err := identity.AllScopes("other").Check(ctx); !errors.Is(err, identity.ErrScope) || !strings.Contains(challengeOf(err), "resource_metadata=") {
		t.Fatalf("got=%v %s, want a complete refusal", err, challengeOf(err))
	}

	ctx, err = v.Admit(within(authorized()))
	if err != nil || ctx.Value(key{}) != "kept" {
		t.Fatalf("got=%v %v, want the request's context", ctx, err)
	}
	if p, ok := identity.FromContext(ctx); ok {
		t.Fatalf("got=%v, want nobody", p)
	}
	if err := identity.AppOnly().Check(ctx); !errors.Is(err, identity.ErrNotAuthenticated) || !strings.Contains(challengeOf(err), "resource_metadata=") {
		t.Fatalf("got=%v %s, want a complete refusal", err, challengeOf(err))
	}
	if ctx, err := v.Admit(bearer("a.b.c")); ctx != nil || !errors.Is(err, identity.ErrTokenMalformed) {
		t.Fatalf("got=%v %v, want a refusal", ctx, err)
	}
	strict := newVerifier(t, idp, nil)
	if ctx, err := strict.Admit(authorized()); ctx != nil || !errors.Is(err, identity.ErrTokenMissing) {
		t.Fatalf("got=%v %v, want a refusal", ctx, err)
	}

	before := strings.Count(log.String(), "request refused")
	own := errors.New("a secret cause")
	e := v.Refuse(t.Context(), own)
	if !errors.Is(e, identity.ErrInternal) || !errors.Is(e, own) || e.StatusCode() != http.StatusInternalServerError || strings.Contains(string(e.Body()), "secret") {
		t.Fatalf("got=%v %s, want 500 and no cause in the body", e, e.Body())
	}
	if n := strings.Count(log.String(), "request refused"); n != before+1 || !strings.Contains(log.String(), "a secret cause") {
		t.Fatalf("got=%d more log lines:\n%s", n-before, &log)
	}
	if e := v.Refuse(t.Context(), identity.ErrExpired); !strings.Contains(challengeOf(e), "resource_metadata=") || string(e.Body()) != `{"error":"invalid_token","message":"The access token has expired."}` {
		t.Fatalf("got=%s %s, want a complete refusal", challengeOf(e), e.Body())
	}
}

func TestAsError(t *testing.T) {
	t.Parallel()
	own := &identity.Error{Status: http.StatusTeapot}
	if e, ok := identity.AsError(fmt.Errorf("wrapped: %w", own)); !ok || e != own {
		t.Fatalf("got=%v %v, want the error itself", e, ok)
	}
	if e, ok := identity.AsError(identity.ErrScope); !ok || e.Status != http.StatusForbidden || e.Code != identity.CodeInsufficientScope || !errors.Is(e, identity.ErrScope) {
		t.Fatalf("got=%v %v, want the answer of the sentinel", e, ok)
	}
	if e, ok := identity.AsError((*identity.Error)(nil)); !ok || !errors.Is(e, identity.ErrInternal) {
		t.Fatalf("got=%v %v, want an internal fault", e, ok)
	}
	for _, other := range []error{nil, errors.New("another")} {
		if e, ok := identity.AsError(other); ok || e != nil {
			t.Fatalf("got=%v %v, want none", e, ok)
		}
	}
}

func challengeOf(err error) string {
	e, ok := errors.AsType[*identity.Error](err)
	if !ok {
		return ""
	}
	return e.Header().Get("WWW-Authenticate")
}

// The document of the resource without the middleware in front of it, mounted where the mux of net/http says.
// K6
func TestResourceMetadataHandler(t *testing.T) {
	t.Parallel()
	for url, address := range map[string]string{
		"https://api.example":                     "/.well-known/oauth-protected-resource",
		"https://api.example/v1":                  "/.well-known/oauth-protected-resource/v1",
		"https://api.example/a%20b%22%2Fc%7Bd%7D": "/.well-known/oauth-protected-resource/a%20b%22%2Fc%7Bd%7D",
	} {
		v := newVerifier(t, mockidp.New(), func(cfg *identity.Config) { cfg.Resource.URL = url })
		mux := http.NewServeMux()
		mux.Handle(v.ResourceMetadata())
		send := func(method string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, "https://api.example"+address, nil))
			return w
		}
		if got := send(http.MethodGet); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"resource":"`+url+`"`) {
			t.Fatalf("%s: got=%d %s, want the document", url, got.Code, got.Body)
		}
		if got := send(http.MethodHead); got.Code != http.StatusOK || got.Body.Len() > 0 {
			t.Fatalf("%s: got=%d %s, want no body", url, got.Code, got.Body)
		}
		if got := send(http.MethodPost); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") == "" {
			t.Fatalf("%s: got=%d %v, want=405", url, got.Code, got.Header())
		}
	}
	mux := http.NewServeMux()
	mux.Handle(newVerifier(t, mockidp.New(), nil).ResourceMetadata())
	w := httptest.NewRecorder()
	if mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource", nil)); w.Code != http.StatusNotFound {
		t.Fatalf("got=%d, want=404 for an API that says nothing of itself", w.Code)
	}
}
