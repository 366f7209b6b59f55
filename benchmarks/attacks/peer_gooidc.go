package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/echo-identity/identity/mockidp"
)

// goOIDC is the set-up of its README: discovery, a verifier, the claims into a struct. It has no stricter one: issuer, audience and
// expiry cannot be forgotten, and the provider's document says which algorithms there are. B2C's issuer is not where its documents
// are; for that case the library has NewVerifier.
func goOIDC(ctx context.Context, t *target) (verify, error) {
	ctx = oidc.ClientContext(ctx, t.client)
	config := &oidc.Config{ClientID: mockidp.API}
	var verifier *oidc.IDTokenVerifier
	if t.tenant.Kind() == mockidp.B2C {
		verifier = oidc.NewVerifier(t.tenant.Issuer(), oidc.NewRemoteKeySet(ctx, t.keySet), config)
	} else {
		provider, err := oidc.NewProvider(ctx, t.tenant.Issuer())
		if err != nil {
			return nil, err
		}
		verifier = provider.Verifier(config)
	}
	return func(raw string) error {
		token, err := verifier.Verify(ctx, raw)
		if err != nil {
			return err
		}
		var claims struct {
			TenantID string `json:"tid"`
			Scope    string `json:"scp"`
		}
		return token.Claims(&claims)
	}, nil
}
