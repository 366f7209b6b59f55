package main

import (
	"fmt"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// smallCache holds about a tenth of the users, so that nearly every new token evicts another.
const smallCache = 4 << 20

// measureCold measures tokens that are not in the cache: because it is off, or because each token is seen for the first time.
func (b *bench) measureCold() (report.Section, error) {
	tenants := identity.NewRegistry(peers.Registered(b.tenants)...)
	off, err := peers.NewVerifier(b.corpus, tenants, peers.NoCache)
	if err != nil {
		return report.Section{}, err
	}
	costs, err := b.plan.Compare(b.unit(b.mixed),
		over("Verify, cache off", b.mixed, verifyWith(b.ctx, off)),
		over("whole Echo stack, cache off", b.mixed, peers.NewStack(peers.Identity(off)...).Accept),
		b.everyTokenNew("whole Echo stack, cache on, every token new", tenants, 0),
		b.everyTokenNew("whole Echo stack, cache full, every token new", tenants, smallCache),
	)
	if err != nil {
		return report.Section{}, err
	}
	rows := costRows(costs)
	for i, limit := range []float64{1: coldTarget, 2: newTokenTarget, 3: newTokenTarget} {
		if limit > 0 {
			rows[i].Targets = []report.Target{ratioAtMost(costs[i], limit)}
		}
	}
	return report.Section{Title: "Cold", Note: "The whole Echo stack is routing, extraction, parsing, all checks, the " +
		"signature, a fresh principal in both contexts, a scope guard and a handler.", Columns: costColumns, Rows: rows}, nil
}

// everyTokenNew uses each token once. When they are used up, a new verifier starts over with an empty cache.
func (b *bench) everyTokenNew(name string, tenants identity.TenantSource, cacheBytes int64) measure.Subject {
	var stack *peers.Stack
	next := len(b.mixed)
	return measure.Subject{
		Name: name,
		Before: func(n int) error {
			if n > len(b.mixed) {
				return fmt.Errorf("%d tokens are too few for %d operations", len(b.mixed), n)
			}
			if next+n <= len(b.mixed) {
				return nil
			}
			verifier, err := peers.NewVerifier(b.corpus, tenants, cacheBytes)
			if err != nil {
				return err
			}
			stack, next = peers.NewStack(peers.Identity(verifier)...), 0
			return nil
		},
		Do: func(int) error {
			next++
			return stack.Accept(b.mixed[next-1])
		},
	}
}
