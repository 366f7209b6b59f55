package main

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
	"github.com/modelcontextprotocol/go-sdk/auth"
)

func start(t *testing.T) *world {
	t.Helper()
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return w
}

// What the example prints is true, and it ends with an error otherwise.
func TestShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := show(&out); err != nil || !strings.Contains(out.String(), `"name":"Jo Doe"`) || !strings.Contains(out.String(), `"name":"Pat Poe"`) {
		t.Fatalf("%v\n%s", err, &out)
	}
}

// Each thing that Microsoft makes necessary is: without it, nobody signs in. Nor does anybody elsewhere than at the authority in the
// configuration, or for another API.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*agent, *auth.AuthorizationCodeHandlerConfig)
		want   string // in the error. Empty: none
	}{
		"as it is": {func(*agent, *auth.AuthorizationCodeHandlerConfig) {}, ""},
		"metadata without PKCE": {func(a *agent, c *auth.AuthorizationCodeHandlerConfig) {
			c.Client = &http.Client{Transport: a.transport}
		}, "does not implement PKCE"},
		"resource at the authorization endpoint": {func(a *agent, c *auth.AuthorizationCodeHandlerConfig) {
			c.AuthorizationCodeFetcher = func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
				_, err := a.browser(ctx, args.URL)
				return nil, err
			}
		}, "AADSTS901002"},
		"resource at the token endpoint": {func(a *agent, c *auth.AuthorizationCodeHandlerConfig) {
			c.Client = &http.Client{Transport: onlyPKCE{a.transport}}
		}, "AADSTS901002"},
		"another authority": {func(a *agent, c *auth.AuthorizationCodeHandlerConfig) {
			c.PreregisteredClient.Issuer = "https://login.microsoftonline.com/" + mockidp.Fabrikam + "/v2.0"
		}, "does not match pre-registered"},
		"another API": {func(a *agent, _ *auth.AuthorizationCodeHandlerConfig) {
			a.api = "api://" + mockidp.MiddleTier
		}, "no scope of api://" + mockidp.MiddleTier},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			signIns := 0
			a := w.agentOf("jo@contoso.example", &signIns)
			signIn := a.signIn()
			row.change(a, signIn)
			session, err := a.connectWith(t.Context(), w.endpoint, signIn)
			if err == nil {
				session.Close()
			}
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got=%v, want=%q", err, row.want)
			}
		})
	}
}

// onlyPKCE is the half of entra that mends the metadata.
type onlyPKCE struct{ next http.RoundTripper }

func (o onlyPKCE) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(r)
	if err == nil && r.URL.String() == issuer+"/.well-known/openid-configuration" {
		err = offerPKCE(resp)
	}
	return resp, err
}

// A scope without an address is the API's, and one of another API is never asked for.
func TestScopes(t *testing.T) {
	t.Parallel()
	a := &agent{api: "api://x"}
	got := a.scopes([]string{"Orders.Read", "api://x/Jobs.Run", "https://graph.microsoft.com/Mail.Read", "api://xy/Read", "api://x/", "api://x/y/z"})
	if want := []string{"api://x/Orders.Read", "api://x/Jobs.Run"}; !slices.Equal(got, want) {
		t.Fatalf("got=%q, want=%q", got, want)
	}
}

// A tool's rule holds whatever the headers say, and in every version of the protocol.
func TestTools(t *testing.T) {
	t.Parallel()
	w := start(t)
	token := func(scopes ...string) string { return w.idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes(scopes...)) }
	names := func(tool string) map[string]string {
		return map[string]string{"Mcp-Method": callTool, "Mcp-Name": tool}
	}
	for name, row := range map[string]struct {
		token, tool string
		headers     map[string]string
		status      int
		body        string // contains
		challenge   string // contains. Empty: none
	}{
		"no token":                    {"", "whoami", nil, 401, "", "resource_metadata="},
		"malformed token":             {"a.b.c", "whoami", nil, 401, "", `error="invalid_token"`},
		"an ID token":                 {w.idp.Tenant(mockidp.Contoso).Token(mockidp.IDToken()), "whoami", nil, 401, "", `error="invalid_token"`},
		"old protocol":                {token("access_as_user"), "whoami", nil, 200, `"name":"Jo Doe"`, ""},
		"old protocol, scope missing": {token("access_as_user"), "list_orders", nil, 200, "The access token lacks a required scope.", ""},
		"old protocol, with scope":    {token("Orders.Read"), "list_orders", nil, 200, "an order of contoso", ""},
		"no rule":                     {token("access_as_user"), "forgotten", nil, 200, "Nobody may call this tool.", ""},
		"scope missing":               {token("access_as_user"), "list_orders", names("list_orders"), 403, "insufficient_scope", `scope="Orders.Read"`},
		"no rule, by header":          {token("access_as_user"), "forgotten", names("forgotten"), 403, "Nobody may call this tool.", ""},
		"a header that lies":          {token("access_as_user"), "list_orders", names("whoami"), 200, "The access token lacks a required scope.", ""},
	} {
		resp, body, err := w.post(t.Context(), row.token, row.tool, row.headers)
		if err != nil {
			t.Fatal(err)
		}
		challenge := resp.Header.Get("WWW-Authenticate")
		if resp.StatusCode != row.status || !strings.Contains(body, row.body) || !strings.Contains(challenge, row.challenge) || (challenge == "") != (row.challenge == "") {
			t.Errorf("%s: got=%d %s %s, want=%d %s %s", name, resp.StatusCode, challenge, body, row.status, row.challenge, row.body)
		}
	}
}
