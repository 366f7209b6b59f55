package identity_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const stepUp = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`

// A claims challenge of another API is read in every spelling that clients have to take, and nothing else is one.
func TestClaimsChallenge(t *testing.T) {
	t.Parallel()
	standard := base64.StdEncoding.EncodeToString([]byte(stepUp))
	odd := `{"a":"?>?>~~"}` // has both characters in which the alphabets differ
	for name, row := range map[string]struct {
		status int
		header []string
		want   string
	}{
		"ours":           {401, []string{`Bearer realm="", error="insufficient_claims", error_description="x", claims="` + standard + `"`}, stepUp},
		"Microsoft's":    {401, []string{`Bearer realm="", authorization_uri="https://x/", error="insufficient_claims", claims="` + standard + `", cc_type="authcontext"`}, stepUp},
		"claims first":   {401, []string{`Bearer claims="` + standard + `", error="insufficient_claims"`}, stepUp},
		"second header":  {401, []string{`Basic realm="x"`, `bearer error="insufficient_claims",claims="` + standard + `"`}, stepUp},
		"unquoted":       {401, []string{`Bearer error=insufficient_claims, claims=` + standard}, stepUp},
		"unpadded":       {401, []string{`Bearer error="insufficient_claims", claims="` + base64.RawStdEncoding.EncodeToString([]byte(odd)) + `"`}, odd},
		"URL alphabet":   {401, []string{`Bearer error="insufficient_claims", claims="` + base64.URLEncoding.EncodeToString([]byte(odd)) + `"`}, odd},
		"403":            {403, []string{`Bearer error="insufficient_claims", claims="` + standard + `"`}, ""},
		"another error":  {401, []string{`Bearer error="invalid_token", claims="` + standard + `"`}, ""},
		"error_uri only": {401, []string{`Bearer error_uri="insufficient_claims", claims="` + standard + `"`}, ""},
		"no claims":      {401, []string{`Bearer error="insufficient_claims", xclaims="` + standard + `"`}, ""},
		"no Base64":      {401, []string{`Bearer error="insufficient_claims", claims="a"`}, ""},
		"no object":      {401, []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte("null")) + `"`}, ""},
		"nothing":        {401, nil, ""},
	} {
		got := identity.ClaimsChallenge(&http.Response{StatusCode: row.status, Header: http.Header{"Www-Authenticate": row.header}})
		if got != row.want {
			t.Errorf("%s: got=%q, want=%q", name, got, row.want)
		}
	}
}

// What another API asks for reaches clients that understand it, and what they are told can be read again. // J12, J13
func TestStepUp(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	capable := a.get(a.token(mockidp.Claim("xms_cc", []string{"CP1"}))).accepted(t)
	e := capable.StepUp(stepUp)
	if got := identity.ClaimsChallenge(&http.Response{StatusCode: e.StatusCode(), Header: e.Header()}); got != stepUp || e.Code != identity.CodeInsufficientClaims {
		t.Fatalf("got=%q of %s, want=%s", got, e.Header(), stepUp)
	}
	e = a.get(a.token()).accepted(t).StepUp(stepUp)
	if e.StatusCode() != http.StatusForbidden || len(e.Header()) > 0 || e.Claims != "" {
		t.Fatalf("got=%d %s, want=403 without a challenge", e.StatusCode(), e.Header())
	}
}
