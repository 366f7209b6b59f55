package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// client is somebody who knows the API's document and nothing else of it: where to sign in stands there.
type client struct {
	w                 *world
	user, application *openapi3.OAuthFlow
}

// newClient reads the document.
func (w *world) newClient(ctx context.Context) (*client, error) {
	got, err := send(ctx, http.MethodGet, w.url+"/openapi.json", "", "")
	if err != nil {
		return nil, err
	}
	document, err := openapi3.NewLoader().LoadFromData([]byte(got.body))
	if err != nil {
		return nil, err
	}
	schemes := document.Components.SecuritySchemes
	if schemes[userScheme] == nil || schemes[applicationScheme] == nil {
		return nil, errors.New("the document does not say where to sign in")
	}
	return &client{w, schemes[userScheme].Value.Flows.AuthorizationCode, schemes[applicationScheme].Value.Flows.ClientCredentials}, nil
}

// signIn gets a user's token as Swagger UI does: authorization code with PKCE, of a single-page application. The mock walks through the
// pages in the person's place.
func (c *client) signIn(ctx context.Context, scopes ...string) (string, error) {
	config := oauth2.Config{
		ClientID: docsID, RedirectURL: c.w.url + redirectPath,
		Endpoint: oauth2.Endpoint{AuthURL: c.user.AuthorizationURL, TokenURL: c.user.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
	for _, scope := range scopes {
		config.Scopes = append(config.Scopes, appIDURI+"/"+scope)
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	back, err := c.w.idp.Walk(config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), user)
	if err != nil {
		return "", err
	}
	if back.Values.Get("state") != state {
		return "", errors.New("the answer belongs to another sign-in")
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: page(c.w.url)})
	token, err := config.Exchange(ctx, back.Values.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// page sends as the script of a page does, which is how Microsoft knows a single-page application.
type page string

func (p page) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Origin", string(p))
	return http.DefaultTransport.RoundTrip(r)
}

// job gets a token of an application in its own name.
func (c *client) job(ctx context.Context) (string, error) {
	config := clientcredentials.Config{ClientID: jobID, ClientSecret: jobSecret, TokenURL: c.application.TokenURL, AuthStyle: oauth2.AuthStyleInParams}
	for scope := range c.application.Scopes {
		config.Scopes = append(config.Scopes, scope)
	}
	token, err := config.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// answer is what came back.
type answer struct {
	status    int
	challenge string
	body      string
}

func send(ctx context.Context, method, address, token, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), strings.TrimSpace(string(text))}, err
}
