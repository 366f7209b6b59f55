package identity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
)

// K9: the error that Echo's error handler gets is ours, echo-jwt's and golang-jwt's at once.
func TestErrorsThroughWrappers(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, row := range []struct {
		request  *http.Request
		sentinel error
		also     []error
		not      error
	}{
		{bearer(a.token(mockidp.ExpiresIn(-time.Hour))), identity.ErrExpired, []error{jwt.ErrTokenExpired, jwt.ErrTokenInvalidClaims, echojwt.ErrJWTInvalid}, jwt.ErrTokenNotValidYet},
		{bearer(a.token(mockidp.NotBefore(time.Now().Add(10 * time.Minute)))), identity.ErrNotYetValid, []error{jwt.ErrTokenNotValidYet, echojwt.ErrJWTInvalid}, jwt.ErrTokenExpired},
		{bearer(a.token(mockidp.Audience("x"))), identity.ErrAudience, []error{jwt.ErrTokenInvalidAudience}, jwt.ErrTokenInvalidIssuer},
		{bearer(a.idp.Tenant(tenantB).Token()), identity.ErrUnknownTenant, []error{jwt.ErrTokenInvalidIssuer}, identity.ErrIssuer},
		{bearer("a.b.c"), identity.ErrTokenMalformed, []error{jwt.ErrTokenMalformed, echojwt.ErrJWTInvalid}, jwt.ErrTokenSignatureInvalid},
		{bearer(a.token(mockidp.SignedBy(a.idp.Tenant(tenantA).Keys().NewKey()))), identity.ErrKeyNotFound, []error{jwt.ErrTokenUnverifiable}, jwt.ErrTokenMalformed},
		{bearer(a.token(mockidp.SignedBy(a.idp.Tenant(tenantA).Keys().NewKey().WithID(a.idp.Tenant(tenantA).Keys().Signing().ID())))), identity.ErrSignature, []error{jwt.ErrTokenSignatureInvalid}, jwt.ErrTokenUnverifiable},
		{authorized(), identity.ErrTokenMissing, []error{echojwt.ErrJWTMissing}, echojwt.ErrJWTInvalid},
		{authorized("Bearer"), identity.ErrRequestInvalid, nil, jwt.ErrTokenMalformed},
	} {
		got := a.do(row.request)
		got.refused(t, row.sentinel)
		for _, also := range row.also {
			if !errors.Is(got.err, also) {
				t.Errorf("got=%v, want %v in it", got.err, also)
			}
		}
		if errors.Is(got.err, row.not) {
			t.Errorf("got=%v, want no %v in it", got.err, row.not)
		}
		var he *echo.HTTPError
		if !errors.As(got.err, &he) || he.Code != got.status {
			t.Errorf("got=%T %v, want an *echo.HTTPError of %d", got.err, got.err, got.status)
		}
	}
}

// handled is an ErrorHandler and what has to come of it for an expired token.
type handled struct {
	name    string
	handler func(c echo.Context, err error) error
	status  int
	body    string
	bearer  bool // whether the challenge is there
}

// K9: what is Echo v4's alone; the package behaviour has the rest.
func TestErrorHandler(t *testing.T) {
	t.Parallel()
	for _, row := range []handled{
		{"the same error", func(_ echo.Context, err error) error { return err }, 401, "has expired", true},
		{"Echo's own", func(echo.Context, error) error { return echo.NewHTTPError(http.StatusTeapot, "tea") }, 418, "tea", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var seen error
			calls := 0
			a := newAPI(t, func(cfg *identity.Config) {
				cfg.ErrorHandler = func(c echo.Context, err error) error {
					calls++
					seen = err
					return row.handler(c, err)
				}
			})
			got := a.get(a.token(mockidp.ExpiresIn(-time.Hour)))
			if got.reached || got.status != row.status || !strings.Contains(got.body, row.body) {
				t.Fatalf("got=%d %s reached=%v, want=%d %s", got.status, got.body, got.reached, row.status, row.body)
			}
			if _, ok := got.header["Www-Authenticate"]; ok != row.bearer && got.status != http.StatusGone {
				t.Fatalf("got=%s, want a challenge: %v", got.header, row.bearer)
			}
			var e *identity.Error
			if calls != 1 || !errors.As(seen, &e) || !errors.Is(seen, identity.ErrExpired) || !errors.Is(seen, jwt.ErrTokenExpired) || !errors.Is(seen, echojwt.ErrJWTInvalid) {
				t.Fatalf("got=%v in %d calls, want the typed error in one", seen, calls)
			}
			if n := strings.Count(a.log.String(), "request refused"); n != 1 {
				t.Fatalf("got=%d log lines, want=1:\n%s", n, a.log)
			}
			a.get(a.token()).accepted(t) // and it is not asked for a good one
			if calls != 1 {
				t.Fatalf("got=%d calls, want=1", calls)
			}
		})
	}
}

// newKeyFunc is an application with an echojwt.Config of its own and nothing of ours but the KeyFunc.
func newKeyFunc(t *testing.T, keyFunc jwt.Keyfunc, guards ...echo.MiddlewareFunc) *echo.Echo {
	t.Helper()
	e := echo.New()
	e.Use(echojwt.WithConfig(echojwt.Config{KeyFunc: keyFunc}))
	e.GET("/", func(c echo.Context) error {
		got := answerOf(c)
		got.reached = true
		got.principal, _ = identity.From(c)
		return c.String(http.StatusOK, c.Get("user").(*jwt.Token).Claims.(jwt.MapClaims)["oid"].(string))
	}, guards...)
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		answerOf(c).err = err
		e.DefaultHTTPErrorHandler(err, c)
	}
	return e
}

func newVerifier(t testing.TB, idp *mockidp.Server, change func(*identity.Config)) *identity.Verifier {
	t.Helper()
	cfg := identity.Config{
		ClientID: mockidp.API, Tenants: workforceA(), Keys: identity.KeyOptions{HTTPClient: idp.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}
	if change != nil {
		change(&cfg)
	}
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// K10: golang-jwt gets the key for a token that passes everything but the signature, and for no other.
func TestKeyFunc(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	v := newVerifier(t, idp, everyKind)
	a := &api{idp: idp, e: newKeyFunc(t, v.KeyFunc)}
	good := a.get(a.token())
	if good.status != http.StatusOK || !good.reached || good.body != mockidp.User || good.principal != nil {
		t.Fatalf("got=%d %s principal=%v err=%v, want=200 and no principal", good.status, good.body, good.principal, good.err)
	}
	for _, broken := range mockidp.Broken() {
		raw := broken.Token(idp.TenantOf(broken.Kind, tenantOfKind[broken.Kind]))
		_, wanted := v.Verify(t.Context(), raw)
		key, err := v.KeyFunc(&jwt.Token{Raw: raw})
		var want, got *identity.Error
		errors.As(wanted, &want)
		errors.As(err, &got)
		switch {
		case want == nil:
			t.Errorf("%s: Verify accepts it", broken.Name)
		case errors.Is(wanted, identity.ErrSignature):
			if key == nil && !errors.Is(err, identity.ErrBound) && !errors.Is(err, identity.ErrNoPermissions) {
				t.Errorf("%s: got=%v, want the key: the signature is golang-jwt's to judge", broken.Name, err)
			}
		case key != nil || got == nil || got.Reason != want.Reason:
			t.Errorf("%s: got=%v %v, want=%v", broken.Name, key, err, want)
		}
		if response := a.get(raw); response.reached || response.status == http.StatusOK {
			t.Errorf("%s: the handler ran", broken.Name)
		}
	}
}

// K10, K9: our error is found through golang-jwt's and echo-jwt's wrappers.
func TestKeyFuncErrors(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	a := &api{idp: idp, e: newKeyFunc(t, newVerifier(t, idp, nil).KeyFunc)}
	got := a.get(a.token(mockidp.ExpiresIn(-time.Hour)))
	var e *identity.Error
	if !errors.As(got.err, &e) || e.Reason != "token_expired" {
		t.Fatalf("got=%v, want the typed error", got.err)
	}
	for _, want := range []error{identity.ErrExpired, jwt.ErrTokenExpired, jwt.ErrTokenUnverifiable, echojwt.ErrJWTInvalid} {
		if !errors.Is(got.err, want) {
			t.Errorf("got=%v, want %v in it", got.err, want)
		}
	}
	tampered := a.token()
	tampered = tampered[:len(tampered)-5] + map[bool]string{true: "B", false: "A"}[tampered[len(tampered)-5] == 'A'] + tampered[len(tampered)-4:]
	if got := a.get(tampered); got.reached || !errors.Is(got.err, jwt.ErrTokenSignatureInvalid) {
		t.Fatalf("got=%v, want golang-jwt to refuse the signature", got.err)
	}
}

// K10: no principal results, so guards refuse.
func TestKeyFuncGuards(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	v := newVerifier(t, idp, nil)
	a := &api{idp: idp, e: newKeyFunc(t, v.KeyFunc, identity.RequireScope("access_as_user"))}
	a.get(a.token()).refused(t, identity.ErrNotAuthenticated)
	b := newAPIOn(t, idp, nil, identity.RequireScope("access_as_user"))
	b.get(b.token()).accepted(t)
}

// The configuration that the middleware runs on does the same in the hands of somebody who adds to it.
func TestEchoJWTConfig(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	a := newAPIOn(t, idp, nil)
	config := newVerifier(t, idp, nil).EchoJWTConfig()
	succeeded := 0
	config.SuccessHandler = func(echo.Context) { succeeded++ }
	e := echo.New()
	e.Use(echojwt.WithConfig(config))
	e.GET("/", func(c echo.Context) error {
		got := answerOf(c)
		got.reached = true
		got.principal, _ = identity.From(c)
		return c.NoContent(http.StatusOK)
	})
	e.HTTPErrorHandler = a.e.HTTPErrorHandler
	a.e = e
	a.get(a.token()).accepted(t)
	a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
	a.do(authorized("Bearer "+a.token(), "Bearer "+a.token())).refused(t, identity.ErrRequestInvalid)
	a.do(authorized("Bearer   " + a.token())).accepted(t)
	if succeeded != 2 {
		t.Fatalf("got=%d successes, want=2", succeeded)
	}
}

// Trace.Verified cannot know whether the signature of a token that KeyFunc saw holds, and says so.
func TestKeyFuncTrace(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var seen []identity.VerifyInfo
	v := newVerifier(t, idp, func(cfg *identity.Config) {
		cfg.Observe.Trace.Verified = func(_ context.Context, info identity.VerifyInfo) { seen = append(seen, info) }
	})
	good := idp.Tenant(tenantA).Token()
	forgery := good[:strings.LastIndex(good, ".")+1] + strings.Repeat("A", 342)
	if _, err := jwt.Parse(forgery, v.KeyFunc); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Fatalf("got=%v, want golang-jwt to refuse the signature", err)
	}
	if _, err := v.KeyFunc(&jwt.Token{Raw: "a.b.c"}); err == nil {
		t.Fatal("no error")
	}
	if _, err := v.Verify(t.Context(), forgery); !errors.Is(err, identity.ErrSignature) {
		t.Fatalf("got=%v, want=%v", err, identity.ErrSignature)
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	want := []string{"true ", "true token_malformed", "false signature_invalid", "false "}
	for i, info := range seen {
		if got := fmt.Sprint(info.Unsigned, " ", info.Reason); i >= len(want) || got != want[i] {
			t.Errorf("%d: got=%q, want %q", i, got, want)
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("got=%d calls, want=%d", len(seen), len(want))
	}
}

// An outage is a 401 through an echojwt.Config of one's own, and a 503 through ours.
func TestKeyFuncOutage(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.Inject(mockidp.Fault{Status: http.StatusInternalServerError})
	a := &api{idp: idp, e: newKeyFunc(t, newVerifier(t, idp, nil).KeyFunc)}
	if got := a.get(a.token()); got.status != http.StatusUnauthorized || !errors.Is(got.err, identity.ErrKeysUnavailable) {
		t.Fatalf("got=%d %v, want=401", got.status, got.err)
	}
	b := newAPIOn(t, idp, nil)
	b.get(b.token()).refused(t, identity.ErrKeysUnavailable)
}
