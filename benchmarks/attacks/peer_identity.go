package main

import (
	"context"
	"log/slog"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// withIdentity is this module as its README shows it, without a guard. The log is off, and nothing else differs.
func withIdentity(_ context.Context, t *target) (verify, error) {
	tenant := identity.Tenant{ID: t.tenant.ID(), Name: "customer"}
	switch t.tenant.Kind() {
	case mockidp.B2C:
		tenant.B2C = &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}
	case mockidp.External:
		tenant.External = &identity.External{Domain: "contosocx"}
	}
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(tenant),
		Keys:     identity.KeyOptions{HTTPClient: t.client},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		return nil, err
	}
	return inEcho(verifier.Middleware()), nil
}
