package peers

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// goOIDC is the set-up of its documentation: discovery, a verifier, and the claims into a struct. It is made for ID tokens; an
// access token of Microsoft passes the same checks.
func goOIDC(ctx context.Context, c *corpus.Corpus) (Peer, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, c.IdP.Client()), c.Issuer())
	if err != nil {
		return Peer{}, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: mockidp.API, SupportedSigningAlgs: []string{oidc.RS256}})
	return Peer{"go-oidc", "github.com/coreos/go-oidc/v3", func(t *corpus.Token) error {
		token, err := verifier.Verify(ctx, t.Raw)
		if err != nil {
			return err
		}
		return token.Claims(new(private))
	}}, nil
}
