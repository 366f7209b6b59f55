package identity_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// apiKeys accepts the key "sesame" in X-Api-Key, as Echo's own middleware does it.
func apiKeys() echo.MiddlewareFunc {
	return middleware.KeyAuthWithConfig(middleware.KeyAuthConfig{
		KeyLookup: "header:X-Api-Key",
		Validator: func(key string, _ echo.Context) (bool, error) { return key == "sesame", nil },
	})
}

// newOneOf is an API whose GET / takes what alternatives, made from the bearer middleware, take.
func newOneOf(t *testing.T, alternatives func(bearer echo.MiddlewareFunc) []echo.MiddlewareFunc) *api {
	t.Helper()
	a := newAPI(t, nil)
	list := alternatives(newVerifier(t, a.idp, nil).Middleware())
	e := echo.New()
	e.HTTPErrorHandler = a.e.HTTPErrorHandler
	e.Use(identity.OneOf(list[0], list[1:]...))
	e.GET("/", func(c echo.Context) error {
		got := answerOf(c)
		got.reached = true
		got.principal, _ = identity.From(c)
		return c.String(http.StatusOK, "ok")
	})
	a.e = e
	return a
}

// A20
func TestOneOf(t *testing.T) {
	t.Parallel()
	a := newOneOf(t, func(bearer echo.MiddlewareFunc) []echo.MiddlewareFunc {
		return []echo.MiddlewareFunc{bearer, apiKeys()}
	})
	send := func(authorization, key string) *answer {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if key != "" {
			r.Header.Set("X-Api-Key", key)
		}
		return a.do(r)
	}
	byKey := func(authorization string) {
		t.Helper()
		got := send(authorization, "sesame")
		if got.status != http.StatusOK || !got.reached || got.principal != nil || got.header.Get("WWW-Authenticate") != "" {
			t.Fatalf("got=%d %v %v, want=200 through the key, without a challenge", got.status, got.header, got.err)
		}
	}
	byKey("Bearer " + a.token(mockidp.ExpiresIn(-time.Hour)))
	byKey("Bearer")
	byKey("")
	expired := "Bearer " + a.token(mockidp.ExpiresIn(-time.Hour))
	send(expired, "wrong").refused(t, identity.ErrExpired)
	send(expired, "").refused(t, identity.ErrExpired)
	send("Bearer", "wrong").refused(t, identity.ErrRequestInvalid)
	send("", "").refused(t, identity.ErrTokenMissing)
	send("Bearer "+a.token(), "").accepted(t)
	send("Bearer "+a.token(), "wrong").accepted(t)
}

// alternative is one that does as a test says: pass, or refuse with an error.
func alternative(calls *int, header string, refusal error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			*calls++
			c.Response().Header().Set("X-Alternative", header)
			if refusal != nil {
				return refusal
			}
			return next(c)
		}
	}
}

// A20: the first that passes wins, and the others are not asked; neither when the handler then fails.
func TestOneOfOrder(t *testing.T) {
	t.Parallel()
	no := echo.NewHTTPError(http.StatusUnauthorized, "no")
	for _, row := range []struct {
		name          string
		first, second error
		handler       error
		status        int
		header        string
		asked         int // how often the second was
		reached       bool
	}{
		{"first", nil, nil, nil, 200, "first", 0, true},
		{"second", no, nil, nil, 200, "second", 1, true},
		{"none", no, echo.ErrForbidden, nil, 401, "first", 1, false},
		{"handler fails", nil, nil, echo.ErrTeapot, 418, "first", 0, true},
		{"handler fails behind the second", no, nil, echo.ErrTeapot, 418, "second", 1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			first, second, handled := 0, 0, 0
			e := echo.New()
			e.GET("/", func(c echo.Context) error {
				handled++
				if row.handler != nil {
					return row.handler
				}
				return c.NoContent(http.StatusOK)
			}, identity.OneOf(alternative(&first, "first", row.first), alternative(&second, "second", row.second)))
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != row.status || w.Header().Get("X-Alternative") != row.header || first != 1 || second != row.asked {
				t.Fatalf("got=%d %s, asked %d and %d, want=%d %s and %d", w.Code, w.Header().Get("X-Alternative"), first, second, row.status, row.header, row.asked)
			}
			if reached := handled == 1; reached != row.reached || handled > 1 {
				t.Fatalf("the handler ran %d times", handled)
			}
		})
	}
}

// An alternative that answers by itself ends the matter; one that refuses in silence lets nobody pass.
func TestOneOfOddAlternatives(t *testing.T) {
	t.Parallel()
	answers := func(echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return c.String(http.StatusForbidden, "answered") }
	}
	silent := func(echo.HandlerFunc) echo.HandlerFunc { return func(echo.Context) error { return nil } }
	calls := 0
	a := newOneOf(t, func(echo.MiddlewareFunc) []echo.MiddlewareFunc {
		return []echo.MiddlewareFunc{answers, alternative(&calls, "", nil)}
	})
	if got := a.get(""); got.status != http.StatusForbidden || got.body != "answered" || got.reached || calls != 0 {
		t.Fatalf("got=%d %s reached=%v, want the alternative's own answer", got.status, got.body, got.reached)
	}
	a = newOneOf(t, func(echo.MiddlewareFunc) []echo.MiddlewareFunc { return []echo.MiddlewareFunc{silent, silent} })
	a.get("").refused(t, identity.ErrNotAuthenticated)
}

// What a refusing alternative put into the request does not reach the handler of the next.
func TestOneOfLeavesNothing(t *testing.T) {
	t.Parallel()
	a := newOneOf(t, func(bearer echo.MiddlewareFunc) []echo.MiddlewareFunc {
		thenFails := func(next echo.HandlerFunc) echo.HandlerFunc { // authenticates, and refuses behind that
			return bearer(func(echo.Context) error { return errors.New("not this one") })
		}
		return []echo.MiddlewareFunc{thenFails, apiKeys()}
	})
	r := bearer(a.token())
	r.Header.Set("X-Api-Key", "sesame")
	got := a.do(r)
	if got.status != http.StatusOK || !got.reached || got.principal != nil {
		t.Fatalf("got=%d principal=%v, want=200 and the principal of nobody", got.status, got.principal)
	}
}

func TestOneOfFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"nil first":  func() { identity.OneOf(nil) },
		"nil second": func() { identity.OneOf(apiKeys(), nil) },
	} {
		if panics(f) == nil {
			t.Errorf("%s: got no panic", name)
		}
	}
	if value := panics(func() { identity.OneOf(apiKeys()) }); value != nil {
		t.Errorf("got=%v, want one alternative accepted", value)
	}
}
