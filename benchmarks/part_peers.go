package main

import (
	"context"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// comparePeers measures everybody on the tokens of one tenant, because most libraries are set up for one issuer. This module has
// all tenants of the corpus registered even so. Last comes the unit once more: what it differs from 1 by is noise.
func (b *bench) comparePeers() (report.Section, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	all, err := peers.All(ctx, b.corpus)
	if err != nil {
		return report.Section{}, err
	}
	tenants := identity.NewRegistry(peers.Registered(b.tenants)...)
	cold, err := peers.NewVerifier(b.corpus, tenants, peers.NoCache)
	if err != nil {
		return report.Section{}, err
	}
	warm, err := peers.NewVerifier(b.corpus, tenants, 0)
	if err != nil {
		return report.Section{}, err
	}
	tokens := b.corpus.OfOneTenant()
	subjects := []measure.Subject{
		over("identity, cold", tokens, verifyWith(b.ctx, cold)),
		over("identity, whole Echo stack, cold", tokens, peers.NewStack(peers.Identity(cold)...).Accept),
		over("identity, whole Echo stack, warm", tokens, peers.NewStack(peers.Identity(warm)...).Accept),
	}
	for _, peer := range all {
		subjects = append(subjects, over(peer.Name, tokens, peer.Verify))
	}
	unit := b.unit(tokens)
	again := unit
	again.Name = "crypto/rsa alone, once more"
	costs, err := b.plan.Compare(unit, append(subjects, again)...)
	if err != nil {
		return report.Section{}, err
	}
	b.peers = costs[:len(costs)-1]
	return report.Section{Title: "Peers", Note: costNote, Columns: costColumns, Rows: costRows(costs)}, nil
}

func verifyWith(ctx context.Context, v *identity.Verifier) func(*corpus.Token) error {
	return func(t *corpus.Token) error {
		_, err := v.Verify(ctx, t.Raw)
		return err
	}
}
