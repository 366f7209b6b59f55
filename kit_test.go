package identity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// The tenants of the tests: two that are registered, and one that never is.
const (
	tenantA = mockidp.Contoso
	tenantB = mockidp.Fabrikam
	tenantX = "99999999-0000-4000-8000-999999999999"
)

// workforceA is the registry that most tests start from: tenant A, both versions.
func workforceA() *identity.Registry {
	return identity.NewRegistry(identity.Tenant{ID: tenantA, Name: "contoso"})
}

// api is an Echo application behind the middleware, with its own mock of Microsoft. GET / answers 200 with the principal
// in answer.principal.
type api struct {
	idp *mockidp.Server
	e   *echo.Echo
	log *syncBuffer
}

// newAPI starts from a configuration that trusts tenant A with ClientID mockidp.API. change may be nil. Guards go on GET /.
func newAPI(t testing.TB, change func(*identity.Config), guards ...echo.MiddlewareFunc) *api {
	t.Helper()
	return newAPIOn(t, mockidp.New(), change, guards...)
}

func newAPIOn(t testing.TB, idp *mockidp.Server, change func(*identity.Config), guards ...echo.MiddlewareFunc) *api {
	t.Helper()
	a := &api{idp: idp, e: echo.New(), log: new(syncBuffer)}
	cfg := identity.Config{
		ClientID: mockidp.API,
		Tenants:  workforceA(),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
	}
	if change != nil {
		change(&cfg)
	}
	mw, err := cfg.ToMiddleware()
	if err != nil {
		t.Fatalf("ToMiddleware: %v", err)
	}
	a.e.Use(mw)
	a.e.Any("/", func(c echo.Context) error {
		got := answerOf(c)
		got.reached = true
		got.principal, _ = identity.From(c)
		return c.String(http.StatusOK, "ok")
	}, guards...)
	a.e.HTTPErrorHandler = func(err error, c echo.Context) {
		answerOf(c).err = err
		a.e.DefaultHTTPErrorHandler(err, c)
	}
	return a
}

// token is a good token of tenant A, changed by opts.
func (a *api) token(opts ...mockidp.TokenOption) string {
	return a.idp.Tenant(tenantA).Token(opts...)
}

// answer is what came of one request.
type answer struct {
	status    int
	header    http.Header
	body      string
	err       error               // what the middleware or a guard returned
	reached   bool                // whether the handler ran
	principal *identity.Principal // what it found
	request   *http.Request
}

// get sends a token in the Authorization header.
func (a *api) get(token string) *answer {
	return a.do(bearer(token))
}

func bearer(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// authorized is a request with these Authorization headers.
func authorized(values ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, value := range values {
		r.Header.Add("Authorization", value)
	}
	return r
}

// do sends a request.
func (a *api) do(r *http.Request) *answer {
	got := &answer{request: r}
	w := httptest.NewRecorder()
	a.e.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), answerKey{}, got)))
	got.status, got.header, got.body = w.Code, w.Header(), w.Body.String()
	return got
}

// answerKey is where do puts the answer that handlers and the error handler fill in.
type answerKey struct{}

func answerOf(c echo.Context) *answer {
	return c.Request().Context().Value(answerKey{}).(*answer)
}

// accepted requires that the request reached its handler with a principal.
func (got *answer) accepted(t testing.TB) *identity.Principal {
	t.Helper()
	if got.status != http.StatusOK || !got.reached || got.err != nil {
		t.Fatalf("got=%d reached=%v err=%v, want=200", got.status, got.reached, got.err)
	}
	if got.principal == nil {
		t.Fatal("the handler found no principal")
	}
	return got.principal
}

// refused requires the refusal of a sentinel: status, error code, challenge, and that nothing of the token came back.
func (got *answer) refused(t testing.TB, sentinel error) *identity.Error {
	t.Helper()
	want, ok := behaviour.Answers[sentinel]
	if !ok {
		t.Fatalf("the kit knows no answer for %v", sentinel)
	}
	if got.reached {
		t.Fatal("the handler ran")
	}
	e, ok := errors.AsType[*identity.Error](got.err)
	if !ok || !e.Is(sentinel) { // the answer itself, not what caused it
		t.Fatalf("got=%T %v, want an *identity.Error that is %v", got.err, got.err, sentinel)
	}
	if got.status != want.Status || e.Status != want.Status {
		t.Fatalf("status: got=%d (error says %d), want=%d", got.status, e.Status, want.Status)
	}
	if e.Code != want.Code {
		t.Fatalf("code: got=%q, want=%q", e.Code, want.Code)
	}
	challenge := got.header.Values("WWW-Authenticate")
	switch {
	case want.Challenge == "" && len(challenge) > 0:
		t.Fatalf("challenge: got=%q, want none", challenge)
	case want.Challenge != "" && (len(challenge) != 1 || !behaviour.Begins(challenge[0], want.Challenge)):
		t.Fatalf("challenge: got=%q, want=%q", challenge, want.Challenge)
	}
	got.leaksNothing(t)
	return e
}

// leaksNothing requires that no part of the token stands in the response.
func (got *answer) leaksNothing(t testing.TB) {
	t.Helper()
	_, token, _ := strings.Cut(got.request.Header.Get("Authorization"), " ")
	response := got.body + fmt.Sprint(got.header)
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 16 && strings.Contains(response, part) {
			t.Fatalf("the response holds a part of the token: %s", response)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
