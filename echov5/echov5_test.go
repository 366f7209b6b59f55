package echov5_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/echov5"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v5"

	echov4 "github.com/labstack/echo/v4"
)

// config trusts one tenant of the mock.
func config(idp *mockidp.Server) echov5.Config {
	return echov5.Config{Config: identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}}
}

func send(h http.Handler, authorization, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Hooks for Echo v4 would be silently ignored, so they are faults, told together with all others.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	cfg := config(mockidp.New())
	cfg.Config.Skipper = func(echov4.Context) bool { return true }
	cfg.Config.ErrorHandler = func(echov4.Context, error) error { return nil }
	cfg.ClientID = "no GUID"
	_, err := echov5.New(cfg)
	if err == nil {
		t.Fatal("got no fault")
	}
	for _, field := range []string{"Config.Skipper: ", "Config.ErrorHandler: ", "Config.ClientID: "} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("got=%v, want %s in it", err, field)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Middleware: got no panic for a bad configuration")
			}
		}()
		echov5.Middleware(cfg)
	}()
	good := config(mockidp.New())
	good.Skipper, good.ErrorHandler = echov5.SkipPreflight, func(_ *echo.Context, err error) error { return err }
	if _, err := good.ToMiddleware(); err != nil {
		t.Errorf("got=%v, want it accepted", err)
	}
}

// RFC 9457: with Echo's handler for problem details a refusal has its status and sentence there, and its cause nowhere.
// K5
func TestProblemDetails(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for _, expose := range []bool{false, true} {
		e := echo.New()
		e.HTTPErrorHandler = echo.ProblemDetailsHTTPErrorHandler(expose)
		e.Use(echov5.Middleware(config(idp)))
		e.GET("/", func(c *echo.Context) error { return c.NoContent(http.StatusOK) }, echov5.RequireScope("secret"))
		for authorization, want := range map[string]echo.ProblemError{
			"": {Status: http.StatusUnauthorized, Title: "Unauthorized", Type: "about:blank", Detail: "An access token is required."},
			"Bearer " + idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(-time.Hour)): {Status: http.StatusUnauthorized, Title: "Unauthorized", Type: "about:blank", Detail: "The access token has expired."},
			"Bearer " + idp.Tenant(mockidp.Contoso).Token():                              {Status: http.StatusForbidden, Title: "Forbidden", Type: "about:blank", Detail: "The access token lacks a required scope."},
		} {
			got := send(e, authorization, "")
			var problem echo.ProblemError
			if err := json.Unmarshal(got.Body.Bytes(), &problem); err != nil || problem != want || got.Code != want.Status {
				t.Errorf("got=%d %s %v, want=%+v", got.Code, got.Body, err, want)
			}
			if !strings.HasPrefix(got.Header().Get("WWW-Authenticate"), `Bearer realm=""`) {
				t.Errorf("got=%v, want a challenge", got.Header())
			}
		}
	}
}

// Echo's own error, chosen by the application's error handler, is answered as it stands.
func TestOwnErrorOfEcho(t *testing.T) {
	t.Parallel()
	cfg := config(mockidp.New())
	cfg.ErrorHandler = func(*echo.Context, error) error { return echo.NewHTTPError(http.StatusTeapot, "tea") }
	e := echo.New()
	e.Use(echov5.Middleware(cfg))
	e.GET("/", func(c *echo.Context) error { return c.NoContent(http.StatusOK) })
	if got := send(e, "", ""); got.Code != http.StatusTeapot || !strings.Contains(got.Body.String(), "tea") || got.Header().Get("WWW-Authenticate") != "" {
		t.Fatalf("got=%d %s %v, want=418", got.Code, got.Body, got.Header())
	}
}

// oneOf is an application that takes what one of the alternatives takes, and answers with what it finds under "user".
func oneOf(alternatives ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Use(echov5.OneOf(alternatives[0], alternatives[1:]...))
	e.GET("/", func(c *echo.Context) error {
		_, known := echov5.From(c)
		if c.Get("user") == nil && !known {
			return c.String(http.StatusOK, "nobody")
		}
		return c.String(http.StatusOK, "somebody")
	})
	return e
}

func apiKeys(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		if c.Request().Header.Get("X-Api-Key") != "sesame" {
			return echo.ErrUnauthorized
		}
		return next(c)
	}
}

// A20: the token of a refused alternative is not what the handler finds, also where alternatives stand in alternatives.
func TestOneOfUndoesTheContextKey(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	bearer := echov5.Middleware(config(idp))
	refuse := func(next echo.HandlerFunc) echo.HandlerFunc {
		inner := bearer(func(*echo.Context) error { return errors.New("not this one") })
		return func(c *echo.Context) error { return inner(c) }
	}
	// nested passes its own OneOf, and refuses behind it.
	nested := func(next echo.HandlerFunc) echo.HandlerFunc {
		return echov5.OneOf(bearer)(func(*echo.Context) error { return errors.New("nor this one") })
	}
	token := "Bearer " + idp.Tenant(mockidp.Contoso).Token()
	for name, h := range map[string]http.Handler{
		"refused": oneOf(refuse, apiKeys), "nested": oneOf(nested, apiKeys), "both": oneOf(nested, refuse, apiKeys),
	} {
		if got := send(h, token, "sesame"); got.Code != http.StatusOK || got.Body.String() != "nobody" {
			t.Errorf("%s: got=%d %s, want=200 for nobody", name, got.Code, got.Body)
		}
	}
	if got := send(oneOf(apiKeys, bearer), token, ""); got.Code != http.StatusOK || got.Body.String() != "somebody" {
		t.Errorf("got=%d %s, want=200 for the bearer", got.Code, got.Body)
	}
}

// A response that a refused alternative has put in place of Echo's does not stay.
func TestOneOfRestoresTheResponse(t *testing.T) {
	t.Parallel()
	wrapped := func(echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			c.SetResponse(deaf{c.Response()})
			return echo.ErrUnauthorized
		}
	}
	if got := send(oneOf(wrapped, apiKeys), "", "sesame"); got.Body.String() != "nobody" {
		t.Fatalf("got=%d %q, want the handler's answer", got.Code, got.Body)
	}
}

// deaf writes nothing.
type deaf struct{ http.ResponseWriter }

func (deaf) Write(p []byte) (int, error) { return len(p), nil }

// An alternative that answers by itself ends the matter; one that refuses in silence lets nobody pass; a nil one is a fault.
func TestOneOfOddAlternatives(t *testing.T) {
	t.Parallel()
	asked := false
	answers := func(echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error { return c.String(http.StatusForbidden, "answered") }
	}
	notAsked := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			asked = true
			return next(c)
		}
	}
	if got := send(oneOf(answers, notAsked), "", ""); got.Code != http.StatusForbidden || got.Body.String() != "answered" || asked {
		t.Fatalf("got=%d %s asked=%v, want the alternative's own answer", got.Code, got.Body, asked)
	}
	silent := func(echo.HandlerFunc) echo.HandlerFunc { return func(*echo.Context) error { return nil } }
	if got := send(oneOf(silent, silent), "", ""); got.Code != http.StatusUnauthorized || got.Header().Get("WWW-Authenticate") != `Bearer realm=""` {
		t.Fatalf("got=%d %v, want=401", got.Code, got.Header())
	}
	defer func() {
		if recover() == nil {
			t.Error("got no panic for a nil alternative")
		}
	}()
	echov5.OneOf(silent, nil)
}
