package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/echo-identity/identity/mockidp"
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

// foldChallenge makes lines that fit a terminal.
var foldChallenge = strings.NewReplacer(", error_description=", ",\n      error_description=", ", scope=", ",\n      scope=")

// show makes the requests and prints what comes of them.
func (w *world) show(ctx context.Context, out io.Writer) error {
	c, err := w.newClient(ctx)
	if err != nil {
		return err
	}
	reader, err := c.signIn(ctx, "Orders.Read")
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	writer, err := c.signIn(ctx, "Orders.Read", "Orders.Write")
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	job, err := c.job(ctx)
	if err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	stranger := w.idp.Tenant(mockidp.Fabrikam).Token(mockidp.Scopes("Orders.Read"), mockidp.IssuedBy(w.idp.URL))
	const paper = `{"item": "paper"}`
	rows := []struct {
		who, request, token, body string
		status                    int
		challenge                 string // that it holds; empty: there must be none
		answer                    string // that the body holds
	}{
		{"nobody", "GET /orders", "", "", 401, "Bearer", ""},
		{"another tenant", "GET /orders", stranger, "", 401, `error="invalid_token"`, "invalid_token"},
		{"Jo, Orders.Read", "GET /orders", reader, "", 200, "", "[]"},
		{"Jo, Orders.Read", "POST /orders", reader, paper, 403, `scope="Orders.Write"`, "insufficient_scope"},
		{"Jo, both scopes", "POST /orders", writer, paper, 201, "", `"company":"contoso"`},
		{"Jo, both scopes", "POST /orders", writer, `{"item": ""}`, 400, "", "item"},
		{"nobody", "POST /orders", "", `{"item": ""}`, 401, "Bearer", ""},
		{"Jo, Orders.Read", "GET /orders", reader, "", 200, "", `"item":"paper"`},
		{"Jo, both scopes", "POST /orders/close", writer, "", 403, "", ""}, // an app role is nothing that a user could ask for
		{"the job", "GET /orders", job, "", 403, `scope="Orders.Read"`, "insufficient_scope"},
		{"the job", "POST /orders/close", job, "", 200, "", `{"count":1}`},
		{"nobody", "GET " + docsPath, "", "", 200, "", "swagger-ui-bundle.js"},
		{"nobody", "GET " + redirectPath, "", "", 200, "", "oauth2-redirect.js"},
		{"nobody", "GET " + docsPath + "oauth2-redirect.js", "", "", 200, "", "swaggerUIRedirectOauth2"},
		{"nobody", "GET /elsewhere", "", "", 404, "", ""},
	}
	wrong := 0
	for _, row := range rows {
		method, path, _ := strings.Cut(row.request, " ")
		got, err := send(ctx, method, w.url+path, row.token, row.body)
		if err != nil {
			return err
		}
		note := ""
		if got.status != row.status || !strings.Contains(got.challenge, row.challenge) || (got.challenge == "") != (row.challenge == "") || !strings.Contains(got.body, row.answer) {
			note = fmt.Sprintf("  WRONG, want %d %s %s", row.status, row.challenge, row.answer)
			wrong++
		}
		fmt.Fprintf(out, "%-16s %-30s %d%s\n", row.who, row.request, got.status, note)
		if got.challenge != "" {
			fmt.Fprintf(out, "    %s\n", foldChallenge.Replace(got.challenge))
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(out, "%d requests, every answer as expected\n", len(rows))
	return nil
}
