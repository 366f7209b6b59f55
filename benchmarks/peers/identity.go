package peers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// NoCache switches the cache of verified tokens off.
const NoCache = -1

// Registered are the tenants of a corpus as an API would list them, and as many more as it takes to have n.
func Registered(n int) []identity.Tenant {
	tenants := make([]identity.Tenant, n)
	for i, id := range corpus.TenantIDs(n) {
		tenants[i] = identity.Tenant{ID: id, Name: "Customer " + id[:8]}
	}
	return tenants
}

// Config is this module as its README shows it. The log is switched off, and nothing else differs but what is asked for.
func Config(c *corpus.Corpus, tenants identity.TenantSource, cacheBytes int64) identity.Config {
	return identity.Config{
		ClientID:   mockidp.API,
		Tenants:    tenants,
		Keys:       identity.KeyOptions{HTTPClient: c.IdP.Client()},
		TokenCache: identity.TokenCacheOptions{MaxBytes: cacheBytes},
		Observe:    identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}
}

// NewVerifier makes a verifier that has its keys, and for which the next forced refresh is an hour away.
func NewVerifier(c *corpus.Corpus, tenants identity.TenantSource, cacheBytes int64) (*identity.Verifier, error) {
	cfg := Config(c, tenants, cacheBytes)
	cfg.Keys.Cooldown = time.Hour
	verifier, err := identity.New(cfg)
	if err != nil {
		return nil, err
	}
	stranger := c.Mint(0, mockidp.KeyID("unknown"))
	if _, err := verifier.Verify(context.Background(), stranger); !errors.Is(err, identity.ErrKeyNotFound) {
		return nil, errors.Join(errors.New("the token of an unknown key was not refused as such"), err)
	}
	return verifier, nil
}

// Identity is a verifier and one scope guard.
func Identity(verifier *identity.Verifier) []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{verifier.Middleware(), identity.RequireScope(corpus.Scope), bothContexts}
}

// bothContexts makes sure that what is measured is complete: the principal is in the context of the request and in Echo's.
func bothContexts(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, ok := identity.From(c); !ok {
			return echo.NewHTTPError(http.StatusInternalServerError, "no principal in the context of the request")
		}
		if _, ok := c.Get("user").(*jwt.Token); !ok {
			return echo.NewHTTPError(http.StatusInternalServerError, "no token in the context of Echo")
		}
		return next(c)
	}
}
