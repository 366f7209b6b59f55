package peers

import (
	"context"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// jwxV3 parses and validates with a key set. Microsoft's keys say nothing of their algorithm; it is written into them once,
// because to infer it for each token, as the documentation has it, costs more.
func jwxV3(ctx context.Context, c *corpus.Corpus) (Peer, error) {
	url, err := c.KeySetURL(c.Tenants[0])
	if err != nil {
		return Peer{}, err
	}
	keys, err := jwk.Fetch(ctx, url, jwk.WithHTTPClient(c.IdP.Client()))
	if err != nil {
		return Peer{}, err
	}
	for i := range keys.Len() {
		key, _ := keys.Key(i)
		if err := key.Set(jwk.AlgorithmKey, jwa.RS256()); err != nil {
			return Peer{}, err
		}
	}
	withKeys, withIssuer, withAudience := jwt.WithKeySet(keys), jwt.WithIssuer(c.Issuer()), jwt.WithAudience(mockidp.API)
	return Peer{"jwx", "github.com/lestrrat-go/jwx/v3", func(t *corpus.Token) error {
		token, err := jwt.ParseString(t.Raw, withKeys, withIssuer, withAudience, jwt.WithRequiredClaim("exp"))
		if err != nil {
			return err
		}
		var scope string
		return token.Get("scp", &scope)
	}}, nil
}
