package identity_test

import (
	"fmt"
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

// No value of a refused alternative reaches the next one or the handler; those of the one that passes do, and the context that the
// application's own middleware made is the handler's.
func TestOneOfValues(t *testing.T) {
	t.Parallel()
	type custom struct{ echo.Context }
	for _, row := range []struct {
		name  string
		token bool // good for the first
		role  string
		want  string // what the handler finds
	}{
		{"the first passes", true, "", "user=true first=1 second=<nil> outer=outer after=<nil>"},
		{"the first refuses late", true, "Admin", "user=false first=<nil> second=2 outer=changed after=<nil>"},
		{"the first refuses at once", false, "", "user=false first=<nil> second=2 outer=changed after=<nil>"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			idp := mockidp.New()
			authenticate := newVerifier(t, idp, nil).Middleware()
			first := func(next echo.HandlerFunc) echo.HandlerFunc {
				guarded := func(c echo.Context) error { c.Set("first", 1); return next(c) }
				if row.role != "" {
					guarded = func(c echo.Context) error {
						c.Set("first", 1)
						c.Set("outer", "the first one's")
						return identity.RequireRole(row.role)(next)(c)
					}
				}
				return authenticate(guarded)
			}
			second := func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					if c.Get("user") != nil || c.Get("first") != nil || c.Get("outer") != "outer" {
						t.Errorf("the second finds %v, %v and %v", c.Get("user"), c.Get("first"), c.Get("outer"))
					}
					c.Set("second", 2)
					c.Set("outer", "changed")
					if c.Get("outer") != "changed" {
						t.Error("the second does not find its own value")
					}
					return next(c)
				}
			}
			e := echo.New()
			var after any
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					c.Set("outer", "outer")
					defer func() { after = c.Get("after") }()
					return next(&custom{c})
				}
			})
			e.GET("/", func(c echo.Context) error {
				if _, ok := c.(*custom); !ok {
					t.Errorf("got=%T, want the application's context", c)
				}
				got := fmt.Sprintf("user=%v first=%v second=%v outer=%v after=%v", c.Get("user") != nil, c.Get("first"), c.Get("second"), c.Get("outer"), c.Get("after"))
				c.Set("after", "set")
				return c.String(http.StatusOK, got)
			}, identity.OneOf(first, second))
			token := "a.b.c"
			if row.token {
				token = idp.Tenant(tenantA).Token()
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, bearer(token))
			if w.Code != http.StatusOK || w.Body.String() != row.want || after != "set" {
				t.Fatalf("got=%d %s after=%v, want=%s", w.Code, w.Body, after, row.want)
			}
		})
	}
}

// What refused alternatives add to a header that was there before does not show through in one another's.
func TestOneOfHeaderValues(t *testing.T) {
	t.Parallel()
	vary := func(value string, refusal error) echo.MiddlewareFunc {
		return func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Response().Header().Add("Vary", value)
				if refusal != nil {
					return refusal
				}
				return next(c)
			}
		}
	}
	for want, alternatives := range map[string][]echo.MiddlewareFunc{
		"[a b c first]":  {vary("first", echo.ErrForbidden), vary("second", echo.ErrForbidden), vary("third", echo.ErrForbidden)},
		"[a b c second]": {vary("first", echo.ErrForbidden), vary("second", nil), vary("third", nil)},
	} {
		e := echo.New()
		e.Use(vary("a", nil), vary("b", nil), vary("c", nil))
		e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, identity.OneOf(alternatives[0], alternatives[1:]...))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := fmt.Sprint(w.Header()["Vary"]); got != want {
			t.Errorf("got=%s, want=%s", got, want)
		}
	}
}
