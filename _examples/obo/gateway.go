package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

// gateway calls an API for its users: what a server of yours needs, to be taken as it stands. For Microsoft Graph, address is
// https://graph.microsoft.com/v1.0 and the scopes are those of Graph, https://graph.microsoft.com/User.Read say.
type gateway struct {
	verifier *identity.Verifier
	// msal keeps the tokens that it is given, in a partition for each assertion, which is the SHA-256 of the caller's token: what was got
	// for one user's token is never found with another's, and one user with a new token begins anew. So there must be one client for
	// the process, and not one for each request. Its cache is in memory and not bounded; with many users, give it a cache of your own
	// (confidential.WithCache) that forgets a partition with its token.
	msal    confidential.Client
	address string
	scopes  []string
	http    *http.Client // with a time-out in production
}

// newGateway makes the routes. A token without a user has no scopes and is refused by the guard: there is nobody on whose behalf.
func newGateway(g *gateway) *echo.Echo {
	e := echo.New()
	e.Use(g.verifier.Middleware())
	proxy := func(c echo.Context) error {
		body, err := g.get(c.Request().Context(), c.Path())
		if err != nil {
			return g.answer(c, err)
		}
		return c.JSONBlob(http.StatusOK, body)
	}
	e.GET("/orders", proxy, identity.RequireScope("access_as_user"))
	e.GET("/payroll", proxy, identity.RequireScope("access_as_user"))
	e.GET("/jobs", proxy, identity.RequireScope("access_as_user"))
	return e
}

// get calls the API behind for the user of ctx. An error is an [*identity.Error], or an internal one.
func (g *gateway) get(ctx context.Context, path string) ([]byte, error) {
	p, ok := identity.FromContext(ctx)
	if !ok {
		return nil, identity.ErrNotAuthenticated
	}
	body, claims, err := g.try(ctx, p, path, "")
	if claims != "" && satisfies(p, claims) {
		// The user has stepped up, and the token that the cache holds was asked for without the claims.
		body, claims, err = g.try(ctx, p, path, claims)
	}
	if claims != "" {
		return nil, p.StepUp(claims)
	}
	return body, err
}

// try makes one call. claims is the challenge, if there was one.
func (g *gateway) try(ctx context.Context, p *identity.Principal, path, with string) (body []byte, claims string, err error) {
	// The tenant is the user's: at common, MSAL would not know whose authority to ask.
	options := []confidential.AcquireOnBehalfOfOption{confidential.WithTenantID(p.TenantID)}
	if with != "" {
		options = append(options, confidential.WithClaims(with)) // passes the cache by
	}
	token, err := g.msal.AcquireTokenOnBehalfOf(ctx, p.RawToken(), g.scopes, options...)
	if err != nil {
		claims, err := exchangeFailed(err)
		return nil, claims, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.address+path, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	resp, err := g.http.Do(r)
	if err != nil {
		return nil, "", unavailable(0)
	}
	defer resp.Body.Close()
	if claims := identity.ClaimsChallenge(resp); claims != "" {
		return nil, claims, nil
	}
	if err := callFailed(resp); err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return body, "", err
}

// satisfies reports whether the caller's token holds the authentication context that a challenge asks for.
func satisfies(p *identity.Principal, claims string) bool {
	var asked struct {
		Access struct {
			Contexts struct{ Value string } `json:"acrs"`
		} `json:"access_token"`
	}
	var held struct {
		Contexts []string `json:"acrs"`
	}
	return json.Unmarshal([]byte(claims), &asked) == nil && p.Decode(&held) == nil && slices.Contains(held.Contexts, asked.Access.Contexts.Value)
}

// The reasons of this API's own refusals.
const (
	upstreamForbidden   identity.Reason = "upstream_forbidden"
	upstreamUnavailable identity.Reason = "upstream_unavailable"
	upstreamFailed      identity.Reason = "upstream_failed"
	consentMissing      identity.Reason = "consent_missing"
)

// callFailed is the answer to the caller when the API behind has refused. Its challenges are for this application and never passed on, but
// for the one about claims: a client cannot ask for a scope that this application needs.
func callFailed(resp *http.Response) error {
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return &identity.Error{Status: http.StatusForbidden, Reason: upstreamForbidden, Description: "The user or this application may not do that in the API behind this one."}
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout:
		return unavailable(retryAfter(resp))
	case resp.StatusCode >= 400: // 401 too: the token that it does not like is ours, and the caller's is good
		return badGateway()
	}
	return nil
}

// exchangeFailed is the same for the token endpoint. It may ask for claims, where Conditional Access wants more of the user.
func exchangeFailed(err error) (claims string, answer error) {
	var call msal.CallErr
	if !errors.As(err, &call) || call.Resp == nil {
		return "", unavailable(0) // it was not reached
	}
	var refusal struct {
		Error  string
		Claims string
		Codes  []int `json:"error_codes"`
	}
	if body, err := io.ReadAll(call.Resp.Body); err == nil { // MSAL has read it, and left a copy
		_ = json.Unmarshal(body, &refusal) // what is no JSON says nothing
	}
	switch {
	case refusal.Claims != "":
		return refusal.Claims, nil
	case slices.Contains(refusal.Codes, 65001):
		return "", &identity.Error{Status: http.StatusForbidden, Reason: consentMissing, Description: "Nobody has consented to this application's use of the API behind it."}
	case call.Resp.StatusCode == http.StatusTooManyRequests || call.Resp.StatusCode >= 500:
		return "", unavailable(retryAfter(call.Resp))
	}
	return "", badGateway()
}

// unavailable is an outage: never 401, or the client would throw away a good token.
func unavailable(wait time.Duration) error {
	return &identity.Error{Status: http.StatusServiceUnavailable, Reason: upstreamUnavailable, Description: "The API behind this one cannot be reached.", RetryAfter: wait}
}

func badGateway() error {
	return &identity.Error{Status: http.StatusBadGateway, Reason: upstreamFailed, Description: "The API behind this one has failed."}
}

// retryAfter is the number of seconds of the header, up to five minutes.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 300)) * time.Second
}

// answer completes, logs and sends a refusal.
func (g *gateway) answer(c echo.Context, err error) error {
	e := g.verifier.Refuse(c.Request().Context(), err)
	for name, values := range e.Header() {
		c.Response().Header()[name] = values
	}
	return c.JSONBlob(e.StatusCode(), e.Body())
}
