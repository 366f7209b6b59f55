package peers

import (
	"context"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// zitadelClaims is a struct for the claims, which its documentation shows as the faster alternative to a map.
type zitadelClaims struct {
	oidc.TokenClaims          // has azp
	TenantID         string   `json:"tid"`
	ObjectID         string   `json:"oid"`
	Scope            string   `json:"scp"`
	Roles            []string `json:"roles"`
	Version          string   `json:"ver"`
}

// zitadelOIDC is VerifyAccessToken with the remote key set of relying parties. The audience is left to its user. (VerifyIDToken
// refuses access tokens: their azp is the client and not this API.)
func zitadelOIDC(ctx context.Context, c *corpus.Corpus) (Peer, error) {
	url, err := c.KeySetURL(c.Tenants[0])
	if err != nil {
		return Peer{}, err
	}
	verifier := op.NewAccessTokenVerifier(c.Issuer(), rp.NewRemoteKeySet(c.IdP.Client(), url),
		op.WithSupportedAccessTokenSigningAlgorithms("RS256"))
	return Peer{"zitadel/oidc", "github.com/zitadel/oidc/v3", func(t *corpus.Token) error {
		claims, err := op.VerifyAccessToken[*zitadelClaims](ctx, t.Raw, verifier)
		if err != nil {
			return err
		}
		if !slices.Contains(claims.Audience, mockidp.API) {
			return errAudience
		}
		return nil
	}}, nil
}
