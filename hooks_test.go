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
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// faultyErrors are errors that are none: nil pointers in an interface, alone and in another error.
func faultyErrors() map[string]error {
	var own *identity.Error
	var echos *echo.HTTPError
	return map[string]error{
		"nil *Error": own, "nil *HTTPError": echos,
		"wrapped nil *Error": fmt.Errorf("mine: %w", own), "wrapped nil *HTTPError": fmt.Errorf("mine: %w", echos),
	}
}

// K4: a nil pointer that a hook returns as an error is a fault of the hook, and no panic.
func TestNilPointersAsErrors(t *testing.T) {
	t.Parallel()
	for name, fault := range faultyErrors() {
		source := identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { return nil, fault })
		rule := identity.Rule(refuseWith(fault))
		resolver := func(context.Context, *identity.Principal) ([]string, error) { return nil, fault }
		for hook, send := range map[string]func(t *testing.T) *answer{
			"ErrorHandler": func(t *testing.T) *answer {
				a := newAPI(t, func(cfg *identity.Config) { cfg.ErrorHandler = func(echo.Context, error) error { return fault } })
				return a.get("a.b.c")
			},
			"Rule": func(t *testing.T) *answer {
				a := newAPI(t, nil, identity.Require(rule))
				return a.get(a.token())
			},
			"GroupResolver": func(t *testing.T) *answer {
				a := newAPI(t, nil, identity.RequireGroup(resolver, "g"))
				return a.get(a.token(mockidp.Claim("hasgroups", true)))
			},
			"TenantSource": func(t *testing.T) *answer {
				a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = source })
				return a.get(a.token())
			},
			"CachedTenants": func(t *testing.T) *answer {
				a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = identity.CachedTenants(source, time.Minute) })
				return a.get(a.token())
			},
		} {
			t.Run(hook+"/"+name, func(t *testing.T) {
				t.Parallel()
				send(t).refused(t, identity.ErrInternal)
			})
		}
	}
	a := newAPI(t, func(cfg *identity.Config) { // no error at all
		cfg.ErrorHandler = func(echo.Context, error) error { return nil }
	}, identity.Require(func(context.Context, *identity.Principal) error { return nil }))
	a.get(a.token()).accepted(t)
	a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
}

// textless is an error whose text panics.
type textless struct{}

func (textless) Error() string { panic("no text") }

// An error whose text cannot be had refuses like another of its hook; the log says what is wrong with it.
func TestErrorsWithoutText(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		config   func(*identity.Config)
		guard    identity.Rule
		sentinel error
	}{
		"Rule": {guard: refuseWith(textless{}), sentinel: identity.ErrRule},
		"TenantSource": {config: func(cfg *identity.Config) {
			cfg.Tenants = identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { return nil, textless{} })
		}, sentinel: identity.ErrTenantsUnavailable},
		"panic": {guard: func(context.Context, *identity.Principal) error { panic(textless{}) }, sentinel: identity.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guard := row.guard
			if guard == nil {
				guard = func(context.Context, *identity.Principal) error { return nil }
			}
			a := newAPI(t, row.config, identity.Require(guard))
			e := a.get(a.token()).refused(t, row.sentinel)
			if !strings.HasPrefix(e.Error(), "identity: "+string(e.Reason)) {
				t.Fatalf("got=%s, want a text all the same", e)
			}
			if log := a.log.String(); !strings.Contains(log, "request refused") || !strings.Contains(log, "anic") {
				t.Fatalf("got=%s, want a line that tells of the panic", log)
			}
		})
	}
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.ErrorHandler = func(echo.Context, error) error { return textless{} }
	})
	if got := a.get("a.b.c"); got.status != http.StatusInternalServerError || got.reached {
		t.Fatalf("got=%d, want=500 as for any other error of Echo's", got.status)
	}
}

// brokenHandler is a log handler that panics, when it is asked or when it writes.
type brokenHandler struct{ asked bool }

func (h brokenHandler) Enabled(context.Context, slog.Level) bool {
	if h.asked {
		panic("log")
	}
	return true
}
func (brokenHandler) Handle(context.Context, slog.Record) error { panic("log") }
func (h brokenHandler) WithAttrs([]slog.Attr) slog.Handler      { return h }
func (h brokenHandler) WithGroup(string) slog.Handler           { return h }

// K4: a logger that panics changes no answer.
func TestPanickingLogger(t *testing.T) {
	t.Parallel()
	for _, handler := range []slog.Handler{brokenHandler{}, brokenHandler{asked: true}} {
		a := newAPI(t, func(cfg *identity.Config) { cfg.Observe.Logger = slog.New(handler) }, identity.RequireScope("access_as_user"))
		a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
		a.get(a.token(mockidp.Scopes("other"))).refused(t, identity.ErrScope)
		a.get(a.token()).accepted(t)
		b := newAPIOn(t, a.idp, func(cfg *identity.Config) { cfg.Observe.Logger = slog.New(handler) })
		remove := a.idp.Inject(mockidp.Fault{Reset: true})
		b.get(b.token()).refused(t, identity.ErrKeysUnavailable)
		remove()
	}
}

// One *Error may refuse many requests, at several APIs: each completes and logs a copy.
func TestSharedErrors(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	first := newVerifier(t, idp, func(cfg *identity.Config) { cfg.Resource.URL = "https://first.example" })
	_, memo := first.Verify(t.Context(), "a.b.c")
	before := memo.(*identity.Error).Header().Get("WWW-Authenticate")
	if !strings.Contains(before, "https://first.example/") {
		t.Fatalf("got=%s, want the first API's challenge", before)
	}
	a := newAPIOn(t, idp, func(cfg *identity.Config) { cfg.Resource.URL = "https://second.example" }, identity.Require(refuseWith(memo)))
	none := newAPIOn(t, idp, nil, identity.Require(refuseWith(memo)))
	for range 2 {
		got := a.get(a.token())
		got.refused(t, identity.ErrTokenMalformed)
		if challenge := got.header.Get("WWW-Authenticate"); !strings.Contains(challenge, "https://second.example/") || !errors.Is(got.err, memo) {
			t.Fatalf("got=%s %v, want the second API's challenge", challenge, got.err)
		}
		if challenge := none.get(a.token()).header.Get("WWW-Authenticate"); strings.Contains(challenge, "resource_metadata") {
			t.Fatalf("got=%s, want none of another API", challenge)
		}
	}
	if n := strings.Count(a.log.String(), "request refused"); n != 2 {
		t.Fatalf("got=%d log lines, want one for each request", n)
	}
	if after := memo.(*identity.Error).Header().Get("WWW-Authenticate"); after != before {
		t.Fatalf("got=%s, want=%s untouched", after, before)
	}
	w := httptest.NewRecorder()
	p, err := first.Verify(t.Context(), a.token())
	if err != nil {
		t.Fatal(err)
	}
	identity.Rule(refuseWith(memo)).Handler(nil).ServeHTTP(w, bearer("").WithContext(identity.NewContext(t.Context(), p)))
	if got := w.Header().Get("WWW-Authenticate"); got != before {
		t.Fatalf("got=%s, want=%s", got, before)
	}
}
