package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// newAPI asks a source of tenants about the issuer of each token.
func newAPI(tenants identity.TenantSource, client *http.Client) (*echo.Echo, error) {
	authenticate, err := identity.Config{
		ClientID: mockidp.API,
		Tenants:  tenants,
		Keys:     identity.KeyOptions{HTTPClient: client},                 // in production, leave this out,
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
	}.ToMiddleware()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(authenticate)
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	return e, nil
}

// customers are a table in a database, as far as this example goes. Put [identity.CachedTenants] in front of one: the engine asks on
// every request.
type customers struct{ contoso atomic.Bool }

// Tenant implements [identity.TenantSource]. Any error but ErrUnknownTenant is an outage: 503, and not remembered.
func (t *customers) Tenant(_ context.Context, issuer identity.Issuer) (*identity.Tenant, error) {
	if issuer.TenantID != mockidp.Contoso || !t.contoso.Load() { // SELECT … WHERE tenant_id = $1
		return nil, identity.ErrUnknownTenant
	}
	return &identity.Tenant{ID: issuer.TenantID, Name: "contoso"}, nil
}

// admit decides about tenants that nobody registered. Anybody can make one: whom it lets in is authenticated, and no more than that.
func admit(_ context.Context, issuer identity.Issuer) error {
	switch issuer.TenantID {
	case mockidp.Contoso:
		return nil
	case mockidp.Fabrikam:
		return errors.New("the billing service does not answer")
	}
	return identity.ErrUnknownTenant
}
