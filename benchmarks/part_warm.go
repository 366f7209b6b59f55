package main

import (
	"fmt"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// measureWarm measures tokens that have been verified before.
func (b *bench) measureWarm() (report.Section, error) {
	tenants := identity.NewRegistry(peers.Registered(b.tenants)...)
	verifier, err := peers.NewVerifier(b.corpus, tenants, 0)
	if err != nil {
		return report.Section{}, err
	}
	stack := peers.NewStack(peers.Identity(verifier)...)
	if err := acceptAll(stack, b.mixed); err != nil {
		return report.Section{}, err
	}
	costs, err := b.plan.Compare(b.unit(b.mixed),
		over("whole Echo stack, one token", b.mixed[:1], stack.Accept),
		over(fmt.Sprintf("whole Echo stack, tokens of %s users", thousands(len(b.mixed))), b.mixed, stack.Accept),
		over("Verify, one token", b.mixed[:1], verifyWith(b.ctx, verifier)),
		over("Echo without authentication", b.mixed, peers.NewStack().Accept),
	)
	if err != nil {
		return report.Section{}, err
	}
	rows := costRows(costs)
	for i, limit := range []float64{warmOneTarget, warmUsersTarget} {
		rows[i].Targets = []report.Target{ratioAtMost(costs[i], limit), report.AtMost(float64(costs[i].Allocs), warmAllocsTarget, "%.0f allocs")}
	}
	return report.Section{Title: "Warm", Note: "Every request is judged anew, by tenant, time and key; only the signature is " +
		"not checked again.", Columns: costColumns, Rows: rows}, nil
}

// thousands writes a number with separators.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
