package peers

import (
	"context"
	"crypto/rsa"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

const golangJWTModule = "github.com/golang-jwt/jwt/v5"

// accessClaims decode straight into fields, which is what the library is fastest with.
type accessClaims struct {
	jwt.RegisteredClaims
	private
}

// strictParser has the checks that the library switches off by default.
func strictParser(c *corpus.Corpus) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(c.Issuer()), jwt.WithAudience(mockidp.API),
		jwt.WithExpirationRequired())
}

// keysAtHand is the simplest and fastest jwt.Keyfunc: the published keys in a map.
func keysAtHand(c *corpus.Corpus) jwt.Keyfunc {
	keys := make(map[string]*rsa.PublicKey)
	for _, key := range c.IdP.Tenant(c.Tenants[0]).Keys().Published() {
		keys[key.ID()] = key.Public()
	}
	return func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		if key, ok := keys[kid]; ok {
			return key, nil
		}
		return nil, errUnknownKey
	}
}

func golangJWT(_ context.Context, c *corpus.Corpus) (Peer, error) {
	parser, keys := strictParser(c), keysAtHand(c)
	return Peer{"golang-jwt", golangJWTModule, func(t *corpus.Token) error {
		_, err := parser.ParseWithClaims(t.Raw, new(accessClaims), keys)
		return err
	}}, nil
}

func golangJWTMap(_ context.Context, c *corpus.Corpus) (Peer, error) {
	parser, keys := strictParser(c), keysAtHand(c)
	return Peer{"golang-jwt, MapClaims", golangJWTModule, func(t *corpus.Token) error {
		_, err := parser.ParseWithClaims(t.Raw, make(jwt.MapClaims), keys)
		return err
	}}, nil
}
