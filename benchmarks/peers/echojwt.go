package peers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// echoJWT is the Echo middleware alone: it extracts, golang-jwt verifies.
func echoJWT(_ context.Context, c *corpus.Corpus) (Peer, error) {
	stack := NewStack(EchoJWT(keysAtHand(c), map[string]bool{c.Issuer(): true})...)
	return Peer{"echo-jwt, whole Echo stack", "github.com/labstack/echo-jwt/v4", stack.Accept}, nil
}

// EchoJWT is authentication for Echo without this module: echo-jwt with typed claims, and what it leaves to its users, issuer,
// audience and scope. Issuer and audience are judged in the KeyFunc, before the signature, where an unknown one is cheapest.
func EchoJWT(keys jwt.Keyfunc, issuers map[string]bool) []echo.MiddlewareFunc {
	authenticate := echojwt.WithConfig(echojwt.Config{
		SigningMethod: "RS256",
		NewClaimsFunc: func(echo.Context) jwt.Claims { return new(accessClaims) },
		KeyFunc: func(token *jwt.Token) (any, error) {
			claims := token.Claims.(*accessClaims)
			switch {
			case token.Method != jwt.SigningMethodRS256:
				return nil, jwt.ErrTokenUnverifiable
			case !issuers[claims.Issuer]:
				return nil, errIssuer
			case !slices.Contains(claims.Audience, mockidp.API):
				return nil, errAudience
			case claims.ExpiresAt == nil:
				return nil, jwt.ErrTokenRequiredClaimMissing
			}
			return keys(token)
		},
	})
	return []echo.MiddlewareFunc{authenticate, requireScope}
}

// requireScope is the guard that identity.RequireScope is for identity.
func requireScope(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, ok := c.Get("user").(*jwt.Token)
		if !ok {
			return echo.ErrUnauthorized
		}
		for scope := range strings.FieldsSeq(token.Claims.(*accessClaims).Scope) {
			if scope == corpus.Scope {
				return next(c)
			}
		}
		return echo.NewHTTPError(http.StatusForbidden)
	}
}

// EchoJWTKeyfunc is EchoJWT with the keys of keyfunc, for every issuer of the corpus.
func EchoJWTKeyfunc(ctx context.Context, c *corpus.Corpus) ([]echo.MiddlewareFunc, error) {
	keys, err := newKeyfunc(ctx, c)
	if err != nil {
		return nil, err
	}
	return EchoJWT(keys.Keyfunc, c.Issuers()), nil
}
