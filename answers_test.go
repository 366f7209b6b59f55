package identity_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
)

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
