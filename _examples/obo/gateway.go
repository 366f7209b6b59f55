package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

// gateway is a middle tier: it calls a downstream API for its users. It is what a server of yours needs, to be taken as it stands. For
// Microsoft Graph, downstream is https://graph.microsoft.com/v1.0 and the scopes are those of Graph, such as
// https://graph.microsoft.com/User.Read.
type gateway struct {
	verifier *identity.Verifier
	// msal keeps the tokens that it is given, in a partition for each assertion, which is the SHA-256 of the caller's token: what was got
	// for one user's token is never found with another's, and one user with a new token begins anew. So there must be one client for
	// the process, and not one for each request. Its cache is in memory and not bounded; with many users, give it a cache of your own
	// (confidential.WithCache) that forgets a partition with its token.
	msal       confidential.Client
	downstream string   // the base URL
	scopes     []string // of the downstream API
	http       *http.Client
}

// newGateway makes the routes. A token without a user has no scopes and is refused by the guard: there is nobody on whose behalf.
func newGateway(g *gateway) *echo.Echo {
	e := echo.New()
	e.Use(g.verifier.Middleware())
	e.GET("/orders", g.proxy, identity.RequireScope("access_as_user"))
	e.GET("/payroll", g.proxy, identity.RequireScope("access_as_user"))
	e.GET("/jobs", g.proxy, identity.RequireScope("access_as_user"))
	return e
}

// proxy passes the path of the route on, which is one of ours, and not the path of the request, which is the caller's.
func (g *gateway) proxy(c echo.Context) error {
	body, err := g.get(c.Request().Context(), c.Path())
	if err != nil {
		return g.refuse(c, err)
	}
	return c.JSONBlob(http.StatusOK, body)
}

// refuse completes, logs and sends a refusal. An error that is no [*identity.Error] is an internal one, 500.
func (g *gateway) refuse(c echo.Context, err error) error {
	refusal := g.verifier.Refuse(c.Request().Context(), err)
	for name, values := range refusal.Header() {
		c.Response().Header()[name] = values
	}
	return c.JSONBlob(refusal.StatusCode(), refusal.Body())
}

// claimsChallenge is what more is wanted of the user, by Conditional Access or by the downstream API: JSON.
type claimsChallenge string

func (c claimsChallenge) Error() string { return "claims are asked for" }

// get calls the downstream API for the user of ctx. If more is wanted of the user, the caller is told.
func (g *gateway) get(ctx context.Context, path string) ([]byte, error) {
	p, ok := identity.FromContext(ctx)
	if !ok {
		return nil, identity.ErrNotAuthenticated
	}
	body, err := g.call(ctx, p, path, "")
	if claims, ok := errors.AsType[claimsChallenge](err); ok && satisfies(p, claims) {
		// The user has stepped up, and the token that the cache holds was asked for without the claims.
		body, err = g.call(ctx, p, path, claims)
	}
	if claims, ok := errors.AsType[claimsChallenge](err); ok {
		return nil, p.StepUp(string(claims))
	}
	return body, err
}

// call makes one call, with a token that satisfies the claims, if there are any.
func (g *gateway) call(ctx context.Context, p *identity.Principal, path string, claims claimsChallenge) ([]byte, error) {
	token, err := g.exchange(ctx, p, claims)
	if err != nil {
		return nil, exchangeFailed(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.downstream+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.http.Do(r)
	if err != nil {
		return nil, because(unavailable(0), err)
	}
	defer resp.Body.Close()
	if err := callFailed(resp); err != nil {
		return nil, err
	}
	return readAll(resp.Body)
}

// exchange trades the caller's token in.
func (g *gateway) exchange(ctx context.Context, p *identity.Principal, claims claimsChallenge) (string, error) {
	// The tenant is the user's: at common, MSAL would not know whose authority to ask.
	options := []confidential.AcquireOnBehalfOfOption{confidential.WithTenantID(p.TenantID)}
	if claims != "" {
		options = append(options, confidential.WithClaims(string(claims))) // bypasses the cache
	}
	token, err := g.msal.AcquireTokenOnBehalfOf(ctx, p.RawToken(), g.scopes, options...)
	return token.AccessToken, err
}

const maxBody = 1 << 20

// readAll reads a body up to a limit. Half of one must not look like all of it.
func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	switch {
	case err != nil:
		return nil, because(badGateway(), err)
	case len(body) > maxBody:
		return nil, because(badGateway(), fmt.Errorf("its answer is larger than %d bytes", maxBody))
	}
	return body, nil
}

// satisfies reports whether the caller's token holds the authentication context that a challenge asks for.
func satisfies(p *identity.Principal, claims claimsChallenge) bool {
	var asked struct {
		Access struct {
			Contexts struct{ Value string } `json:"acrs"`
		} `json:"access_token"`
	}
	var held struct {
		Contexts []string `json:"acrs"`
	}
	if json.Unmarshal([]byte(claims), &asked) != nil || p.Decode(&held) != nil {
		return false
	}
	return slices.Contains(held.Contexts, asked.Access.Contexts.Value)
}
