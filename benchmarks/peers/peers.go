// Package peers sets up everything that is measured: each library as its own documentation shows it, for the tokens of a corpus,
// made once, with its keys at hand. Where a library leaves a check to its user, the set-up adds it: every one of them refuses the
// same bad tokens (peers_test.go). Where there is a faster way that is as good, it is taken.
package peers

import (
	"context"
	"errors"

	"github.com/echo-identity/identity/benchmarks/corpus"
)

// Peer is a library that verifies the tokens of the first tenant of a corpus.
type Peer struct {
	Name   string
	Module string // whose version counts
	Verify func(t *corpus.Token) error
}

// All sets up every peer. Their goroutines, if any, end with ctx.
func All(ctx context.Context, c *corpus.Corpus) ([]Peer, error) {
	var peers []Peer
	for _, set := range []func(context.Context, *corpus.Corpus) (Peer, error){
		golangJWT, golangJWTMap, keyfuncV3, goOIDC, goJOSE, zitadelOIDC, jwxV3, echoJWT,
	} {
		peer, err := set(ctx, c)
		if err != nil {
			return nil, err
		}
		peers = append(peers, peer)
	}
	return peers, nil
}

// private are the claims of Microsoft's tokens that an API reads. Every peer that decodes into a struct decodes into this one.
type private struct {
	TenantID string   `json:"tid"`
	ObjectID string   `json:"oid"`
	ClientID string   `json:"azp"`
	Scope    string   `json:"scp"`
	Roles    []string `json:"roles"`
	Version  string   `json:"ver"`
}

var (
	errUnknownKey = errors.New("the key is not known")
	errIssuer     = errors.New("the issuer is not trusted")
	errAudience   = errors.New("the token is not for this API")
	errNoExpiry   = errors.New("the token does not say when it expires")
)
