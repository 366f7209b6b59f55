package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// What the example prints is true, and it ends with an error otherwise.
func TestShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := show(&out); err != nil || !strings.Contains(out.String(), mockidp.FabrikamUser) {
		t.Fatalf("%v\n%s", err, &out)
	}
}

func start(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func token(t *testing.T, w *world, tenant, login, claims string) string {
	t.Helper()
	raw, err := w.signIn(tenant, login, claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// What goes wrong at the token endpoint or behind becomes an answer that the caller can act on. 401 is only for claims: its token is good.
func TestFailures(t *testing.T) {
	t.Parallel()
	const claims = `{"access_token":{"polids":{"essential":true,"values":["66666666-6666-4666-8666-666666666666"]}}}`
	exchange := func(status int, body string) *mockidp.Fault {
		return &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Status: status, Body: []byte(body), Header: http.Header{"Retry-After": {"9"}}}
	}
	for name, row := range map[string]struct {
		fault      *mockidp.Fault
		broken     int32
		status     int
		retryAfter string
		claims     string
	}{
		"none":                        {nil, 0, 200, "", ""},
		"exchange: more of the user":  {exchange(400, `{"error":"interaction_required","error_codes":[50158],"claims":`+fmt.Sprintf("%q", claims)+`}`), 0, 401, "", claims},
		"exchange: no consent":        {exchange(400, `{"error":"invalid_grant","error_codes":[65001]}`), 0, 403, "", ""},
		"exchange: our secret":        {exchange(401, `{"error":"invalid_client","error_codes":[7000215]}`), 0, 502, "", ""},
		"exchange: too many":          {exchange(429, `{"error":"temporarily_unavailable"}`), 0, 503, "9", ""},
		"exchange: down":              {exchange(503, `no JSON`), 0, 503, "9", ""},
		"exchange: connection broken": {&mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Reset: true}, 0, 503, "", ""},
		"behind: 401 without claims":  {nil, 401, 502, "", ""},
		"behind: 403":                 {nil, 403, 403, "", ""},
		"behind: 404":                 {nil, 404, 502, "", ""},
		"behind: 429":                 {nil, 429, 503, "7", ""},
		"behind: 500":                 {nil, 500, 502, "", ""},
		"behind: 503":                 {nil, 503, 503, "7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			jo := token(t, w, mockidp.Contoso, "jo@contoso.example", capable)
			if row.fault != nil {
				defer w.idp.Inject(*row.fault)()
			}
			w.broken.Store(row.broken)
			resp := w.call("/orders", jo)
			if got := identity.ClaimsChallenge(resp); resp.StatusCode != row.status || resp.Header.Get("Retry-After") != row.retryAfter || got != row.claims {
				t.Fatalf("got=%d %s %s, want=%d %q %s", resp.StatusCode, resp.Header, got, row.status, row.retryAfter, row.claims)
			}
			if challenge := resp.Header.Get("WWW-Authenticate"); row.claims == "" && challenge != "" {
				t.Fatalf("got=%s, want no challenge", challenge)
			}
		})
	}
}

// Users who call at the same time get their own data.
func TestUsersApart(t *testing.T) {
	t.Parallel()
	w := start(t)
	users := map[string]string{
		mockidp.User:         token(t, w, mockidp.Contoso, "jo@contoso.example", ""),
		mockidp.PasswordUser: token(t, w, mockidp.Contoso, "pat@contoso.example", ""),
		mockidp.FabrikamUser: token(t, w, mockidp.Fabrikam, "kim@fabrikam.example", ""),
	}
	var wg sync.WaitGroup
	for user, raw := range users {
		for range 20 {
			wg.Go(func() {
				resp := w.call("/orders", raw)
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "."+user+`"`) {
					t.Errorf("got=%d %s %v, want the data of %s", resp.StatusCode, body, err, user)
				}
			})
		}
	}
	wg.Wait()
}

// A token without a user is refused before anything is asked for.
func TestNeedsUser(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, row := range map[string]struct {
		opts   []mockidp.TokenOption
		status int
	}{
		"an application":           {[]mockidp.TokenOption{mockidp.AppOnly("access_as_user")}, 403},
		"a user without the scope": {[]mockidp.TokenOption{mockidp.Scopes("Other")}, 403},
		"a user":                   {[]mockidp.TokenOption{mockidp.Scopes("access_as_user")}, 200},
	} {
		if resp := w.call("/orders", w.idp.Tenant(mockidp.Contoso).Token(append(row.opts, mockidp.Audience(mockidp.MiddleTier))...)); resp.StatusCode != row.status {
			t.Errorf("%s: got=%d, want=%d", name, resp.StatusCode, row.status)
		}
	}
	if got := w.idp.Count(mockidp.TokenEndpoint); got != 1 {
		t.Errorf("got=%d exchanges, want that of the user alone", got)
	}
}

// The caller is told that something is wrong behind, and the log says what.
func TestCauseIsLogged(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	w, err := newWorld(slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	jo := token(t, w, mockidp.Contoso, "jo@contoso.example", "")
	w.idp.Inject(mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Status: http.StatusUnauthorized, Body: []byte(`{"error":"invalid_client","error_description":"AADSTS7000222: the secret has expired"}`)})
	resp := w.call("/orders", jo)
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusBadGateway || strings.Contains(string(body), "AADSTS") {
		t.Fatalf("got=%d %s %v, want 502 without the cause", resp.StatusCode, body, err)
	}
	if !strings.Contains(lines.String(), "AADSTS7000222") || strings.Contains(lines.String(), jo[:16]) {
		t.Fatalf("got=%s, want the cause and no token", &lines)
	}
}

// An answer is passed on whole or not at all.
func TestReadAll(t *testing.T) {
	t.Parallel()
	if body, err := readAll(strings.NewReader(strings.Repeat("x", maxBody))); err != nil || len(body) != maxBody {
		t.Fatalf("got=%d bytes %v", len(body), err)
	}
	if body, err := readAll(strings.NewReader(strings.Repeat("x", maxBody+1))); err == nil || body != nil {
		t.Fatalf("got=%d bytes %v, want an error", len(body), err)
	}
}
