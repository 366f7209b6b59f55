package peers

import (
	"context"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// KeyfuncPerTenant is a keyfunc for each of the first n tenants, so that no tenant's key verifies the tokens of another: one keyfunc
// for all addresses searches all of them.
func KeyfuncPerTenant(ctx context.Context, c *corpus.Corpus, n int) (any, error) {
	var all []keyfunc.Keyfunc
	for _, id := range c.Tenants[:n] {
		url, err := c.KeySetURL(id)
		if err != nil {
			return nil, err
		}
		k, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{Client: c.IdP.Client()})
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// OIDCPerTenant is a provider and a verifier of go-oidc for each of the first n tenants, because a provider has one issuer. Each has
// verified a token, and with that fetched its keys.
func OIDCPerTenant(ctx context.Context, c *corpus.Corpus, n int) (any, error) {
	var all []*oidc.IDTokenVerifier
	for _, id := range c.Tenants[:n] {
		tenant := c.IdP.Tenant(id)
		provider, err := oidc.NewProvider(oidc.ClientContext(ctx, c.IdP.Client()), tenant.Issuer())
		if err != nil {
			return nil, err
		}
		verifier := provider.Verifier(&oidc.Config{ClientID: mockidp.API})
		if _, err := verifier.Verify(ctx, tenant.Token()); err != nil {
			return nil, err
		}
		all = append(all, verifier)
	}
	return all, nil
}
