package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// agent is a client of MCP servers whose users sign in at Microsoft: the SDK's own client, and what Microsoft makes necessary besides
// (README.md).
type agent struct {
	clientID string // of the application's registration: Microsoft has no dynamic one
	redirect string // one of that registration
	issuer   string // whom it is registered with. Another that a server names is refused
	api      string // Application ID URI of the API that the application may ask for. A scope of another is never asked for
	// transport reaches servers and Microsoft.
	transport http.RoundTripper
	// browser shows a page to the user, and returns the parameters that come back to the redirect URI.
	browser func(ctx context.Context, address string) (url.Values, error)
}

// connect signs in where the server says, if it asks for it, and begins a session.
func (a *agent) connect(ctx context.Context, endpoint string) (*mcp.ClientSession, error) {
	return a.connectWith(ctx, endpoint, a.signIn())
}

// signIn is the SDK's sign-in, made to work with Microsoft.
func (a *agent) signIn() *auth.AuthorizationCodeHandlerConfig {
	return &auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient:      &oauthex.ClientCredentials{ClientID: a.clientID, Issuer: a.issuer},
		RedirectURL:              a.redirect,
		AuthorizationCodeFetcher: a.authorize,
		ScopeFilter:              a.scopes,
		RequestRefreshToken:      true,
		Client:                   &http.Client{Transport: &entra{a.issuer, a.transport}},
	}
}

func (a *agent) connectWith(ctx context.Context, endpoint string, signIn *auth.AuthorizationCodeHandlerConfig) (*mcp.ClientSession, error) {
	handler, err := auth.NewAuthorizationCodeHandler(signIn)
	if err != nil {
		return nil, err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1.0.0"}, nil)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: endpoint, OAuthHandler: handler, HTTPClient: &http.Client{Transport: a.transport}, DisableStandaloneSSE: true,
	}, nil)
}

// authorize sends the user to the sign-in page.
func (a *agent) authorize(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	page, err := url.Parse(args.URL)
	if err != nil {
		return nil, err
	}
	query := page.Query()
	ours := func(scope string) bool { return strings.HasPrefix(scope, a.api+"/") }
	if !slices.ContainsFunc(strings.Fields(query.Get("scope")), ours) { // the token would be for Microsoft Graph, and go to this server
		return nil, fmt.Errorf("the server names no scope of %s", a.api)
	}
	query.Del("resource") // AADSTS901002, AADSTS9010010
	page.RawQuery = query.Encode()
	values, err := a.browser(ctx, page.String())
	if err != nil {
		return nil, err
	}
	return &auth.AuthorizationResult{Code: values.Get("code"), State: values.Get("state"), Iss: values.Get("iss")}, nil
}

// scopes are what to ask for. A challenge names a scope that the metadata do not list as tokens hold it, and that alone would mean
// Microsoft Graph. The address in front of a scope says whom the token will be for, and with the resource parameter gone nothing else
// does: so a scope of another API is dropped, or any server could have itself a token for Graph.
func (a *agent) scopes(discovered []string) []string {
	var own []string
	for _, scope := range discovered {
		if !strings.Contains(scope, "/") {
			scope = a.api + "/" + scope
		}
		name, ok := strings.CutPrefix(scope, a.api+"/")
		if ok && name != "" && !strings.Contains(name, "/") {
			own = append(own, scope)
		}
	}
	return own
}

// entra is between the SDK and one authority of Microsoft's.
type entra struct {
	issuer string
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (e *entra) RoundTrip(r *http.Request) (*http.Response, error) {
	authority := strings.TrimSuffix(e.issuer, "/v2.0")
	switch r.URL.String() {
	case e.issuer + "/.well-known/openid-configuration":
		resp, err := e.next.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		return resp, offerPKCE(resp)
	case authority + "/oauth2/v2.0/token":
		r, err := withoutResource(r)
		if err != nil {
			return nil, err
		}
		return e.next.RoundTrip(r)
	}
	return e.next.RoundTrip(r)
}

// offerPKCE adds to the metadata what Microsoft leaves out of them, though its authorities demand or take PKCE of every client: without it
// the SDK must not go on.
func offerPKCE(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	if err != nil {
		return err
	}
	document := make(map[string]json.RawMessage)
	if err := json.Unmarshal(body, &document); err != nil {
		return err
	}
	if _, ok := document["code_challenge_methods_supported"]; !ok {
		document["code_challenge_methods_supported"] = json.RawMessage(`["S256"]`)
	}
	if body, err = json.Marshal(document); err != nil {
		return err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// withoutResource takes the resource parameter (RFC 8707) out of a token request.
func withoutResource(r *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	form.Del("resource")
	body = []byte(form.Encode())
	r = r.Clone(r.Context()) // a RoundTripper must not modify its argument
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return r, nil
}
