package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// comparePeers measures everybody on the tokens of one tenant. This module has all tenants of the corpus registered even so.
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
	warmed := peers.NewStack(peers.Identity(warm)...)
	if err := acceptAll(warmed, tokens); err != nil {
		return report.Section{}, err
	}
	subjects := []measure.Subject{
		over("identity, cold", tokens, verifyWith(b.ctx, cold)),
		over("identity, whole Echo stack, cold", tokens, peers.NewStack(peers.Identity(cold)...).Accept),
		over("identity, whole Echo stack, warm", tokens, warmed.Accept),
	}
	ours := len(subjects)
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
	slices.SortStableFunc(costs[ours:len(all)+ours], func(a, b measure.Cost) int { return cmp.Compare(a.Ratio, b.Ratio) })
	b.peers = costs[:len(costs)-1]
	return report.Section{Title: "Peers", Columns: costColumns, Rows: costRows(costs),
		Note: "The tokens of one tenant, because most libraries are set up for one issuer. Every library refuses the same bad tokens " +
			"(peers/peers_test.go). The last line is the unit measured against itself: what it differs from 1 by is noise."}, nil
}

func verifyWith(ctx context.Context, v *identity.Verifier) func(*corpus.Token) error {
	return func(t *corpus.Token) error {
		_, err := v.Verify(ctx, t.Raw)
		return err
	}
}

// acceptAll warms a cache up.
func acceptAll(stack *peers.Stack, tokens []*corpus.Token) error {
	for _, token := range tokens {
		if err := stack.Accept(token); err != nil {
			return err
		}
	}
	return nil
}
