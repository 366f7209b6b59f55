package peers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// joseClaims decode registered and private claims in one go.
type joseClaims struct {
	jwt.Claims
	private
}

func goJOSE(_ context.Context, c *corpus.Corpus) (Peer, error) {
	url, err := c.KeySetURL(c.Tenants[0])
	if err != nil {
		return Peer{}, err
	}
	document, err := c.Get(url)
	if err != nil {
		return Peer{}, err
	}
	keys := new(jose.JSONWebKeySet)
	if err := json.Unmarshal(document, keys); err != nil {
		return Peer{}, err
	}
	issuer, algorithms, audience := c.Issuer(), []jose.SignatureAlgorithm{jose.RS256}, jwt.Audience{mockidp.API}
	return Peer{"go-jose", "github.com/go-jose/go-jose/v4", func(t *corpus.Token) error {
		token, err := jwt.ParseSigned(t.Raw, algorithms)
		if err != nil {
			return err
		}
		var claims joseClaims
		if err := token.Claims(keys, &claims); err != nil {
			return err
		}
		if claims.Expiry == nil {
			return errNoExpiry // the library asks for none
		}
		return claims.Validate(jwt.Expected{Issuer: issuer, AnyAudience: audience, Time: time.Now()})
	}}, nil
}
