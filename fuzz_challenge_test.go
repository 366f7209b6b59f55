package identity_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/labstack/echo/v4"
)

// The parser refuses what a challenge must not look like: or the fuzzer would prove nothing.
func TestParseChallenge(t *testing.T) {
	t.Parallel()
	got, err := behaviour.ParseChallenge(`Bearer realm="", error="x y", scope=""`)
	if err != nil || len(got) != 3 || got["error"] != "x y" {
		t.Fatalf("got=%v %v", got, err)
	}
	for _, bad := range []string{
		"", "Bearer", "Bearer ", "Bearer realm", `Bearer realm="`, `Bearer realm=""x`, `Bearer realm="",`, `Bearer realm="",error="x"`,
		`Bearer realm="", realm=""`, `Bearer realm="a"b"`, `Bearer realm="a\"b"`, "Bearer realm=\"\r\n\"", "Bearer realm=\"é\"", `Basic realm=""`,
	} {
		if got, err := behaviour.ParseChallenge(bad); err == nil {
			t.Errorf("%q: got=%v, want it refused", bad, got)
		}
	}
}

// FuzzChallenge: whatever an application's rule puts into its error, the challenge is one header field that parses, holds only the
// attributes that belong there, and no byte that could end it early.
// K5
func FuzzChallenge(f *testing.F) {
	f.Add(401, "invalid_token", "revoked", "The token was revoked.", "a", "b", `{"access_token":{}}`)
	f.Add(403, "insufficient_scope", "", "quote \" backslash \\ tab \t", "a b", "", "")
	f.Add(401, "x\", error=\"y", "r", "line\r\nSet-Cookie: a=b", "\x00", "é", "\xff\"")
	f.Add(0, "", "", "", "", "", "")
	f.Add(503, "", "r", `\`, `"`, `,`, `=`)
	a := newAPI(f, func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example/v1" })
	caller := a.get(a.token()).accepted(f)
	f.Fuzz(func(t *testing.T, status int, code, reason, description, scope1, scope2, claims string) {
		e := &identity.Error{
			Status: status, Code: code, Reason: identity.Reason(reason), Description: description, Scopes: []string{scope1, scope2}, Claims: claims,
		}
		rule := refuseWith(e)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r = r.WithContext(identity.NewContext(r.Context(), caller))
		w := httptest.NewRecorder()
		rule.Handler(nil).ServeHTTP(w, r)
		if w.Code < 400 || w.Code > 599 {
			t.Fatalf("got=%d, want a refusal", w.Code)
		}
		checkChallenge(t, w.Header().Values("WWW-Authenticate"), w.Code, code)
		checkChallenge(t, e.Header().Values("WWW-Authenticate"), w.Code, code)

		c := echo.New().NewContext(r, httptest.NewRecorder())
		err := identity.Require(rule)(nil)(c)
		if !errors.Is(err, e) {
			t.Fatalf("got=%v, want the rule's error", err)
		}
		if got, want := fmt.Sprint(c.Response().Header()["Www-Authenticate"]), fmt.Sprint(w.Header()["Www-Authenticate"]); got != want {
			t.Fatalf("got=%s, want=%s as for net/http", got, want)
		}
	})
}

var challengeAttributes = []string{"realm", "error", "error_description", "scope", "claims", "resource_metadata"}

func checkChallenge(t *testing.T, values []string, status int, code string) {
	t.Helper()
	if len(values) == 0 && code == "" && status != 401 {
		return
	}
	if len(values) != 1 {
		t.Fatalf("got=%q, want one challenge", values)
	}
	attributes, err := behaviour.ParseChallenge(values[0])
	if err != nil {
		t.Fatalf("%q: %v", values[0], err)
	}
	for name := range attributes {
		if !slices.Contains(challengeAttributes, name) {
			t.Fatalf("%q: unexpected attribute %s", values[0], name)
		}
	}
	_, metadata := attributes["resource_metadata"]
	if realm, ok := attributes["realm"]; ok == metadata || realm != "" {
		t.Fatalf("%q: want an empty realm, or none beside the metadata", values[0])
	}
}
