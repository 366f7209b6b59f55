package peers

import (
	"context"

	"github.com/MicahParks/keyfunc/v3"

	"github.com/echo-identity/identity/benchmarks/corpus"
)

// newKeyfunc is keyfunc.NewDefaultCtx of its README, with the mock's client.
func newKeyfunc(ctx context.Context, c *corpus.Corpus) (keyfunc.Keyfunc, error) {
	url, err := c.KeySetURL(c.Tenants[0])
	if err != nil {
		return nil, err
	}
	return keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{Client: c.IdP.Client()})
}

// keyfuncV3 finds keys for golang-jwt, which is set up as on its own.
func keyfuncV3(ctx context.Context, c *corpus.Corpus) (Peer, error) {
	keys, err := newKeyfunc(ctx, c)
	if err != nil {
		return Peer{}, err
	}
	parser := strictParser(c)
	return Peer{"keyfunc", "github.com/MicahParks/keyfunc/v3", func(t *corpus.Token) error {
		_, err := parser.ParseWithClaims(t.Raw, new(accessClaims), keys.Keyfunc)
		return err
	}}, nil
}
