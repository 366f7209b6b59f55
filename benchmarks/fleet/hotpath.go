package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
	"github.com/echo-identity/identity/pgtenants"
)

// measureHotPath measures a request whose token has been verified before, through Echo, routing and a guard, beside one whose tenants are in
// identity.Registry: the cheapest request that there is, so that the source of tenants counts for most.
func measureHotPath(ctx context.Context, d *database, s sizes) (report.Section, error) {
	c, err := corpus.New(s.users, min(s.tenants, corpus.Tenants))
	if err != nil {
		return report.Section{}, err
	}
	tokens := make([]*corpus.Token, len(c.Users))
	for i, j := range rand.New(rand.NewPCG(5, 6)).Perm(len(c.Users)) {
		tokens[i] = c.Users[j]
	}
	store, stop, err := launch(ctx, d.pool, pgtenants.Options{})
	if err != nil {
		return report.Section{}, err
	}
	defer stop()
	// In the order in which the store has read them: neighbours in memory are quicker to read than strangers.
	registered := peers.Registered(s.tenants)
	slices.SortFunc(registered, func(a, b identity.Tenant) int { return strings.Compare(a.ID, b.ID) })
	section := report.Section{
		Title: "Hot path", Columns: []string{"", "ratio", "lowest", "highest", "µs", "allocs", "bytes"},
		Note: fmt.Sprintf("A whole request with a token that was verified before, %d tenants registered, to the same request with identity.Registry. Ratios are of "+
			"processor time, in turns of %v on one processor; what counts is the median of %d rounds, beside their lowest and highest. A second registry, "+
			"made in the same way as the first, shows what the noise is, chance of where in memory it lies included; the target is for the store to the mean of both.", s.tenants, s.plan.Turn, s.plan.Rounds),
	}
	for _, users := range [][]*corpus.Token{tokens[:1], tokens} {
		var subjects []measure.Subject
		for _, source := range []struct {
			name   string
			source identity.TenantSource
		}{
			{"identity.Registry", identity.NewRegistry(registered...)},
			{"pgtenants.Store", store},
			{"identity.Registry again", identity.NewRegistry(registered...)},
		} {
			verifier, err := peers.NewVerifier(c, source.source, 0)
			if err != nil {
				return report.Section{}, err
			}
			stack := peers.NewStack(peers.Identity(verifier)...)
			for _, token := range users { // so that all are known
				if err := stack.Accept(token); err != nil {
					return report.Section{}, err
				}
			}
			subjects = append(subjects, measure.Subject{Name: fmt.Sprintf("%s, tokens: %d", source.name, len(users)),
				Do: func(i int) error { return stack.Accept(users[i%len(users)]) }})
		}
		costs, err := s.plan.Compare(subjects[0], subjects[1:]...)
		if err != nil {
			return report.Section{}, err
		}
		for _, cost := range costs {
			low, high := cost.Spread()
			row := report.Row{Cells: []string{cost.Name, fmt.Sprintf("%.3f", cost.Ratio), fmt.Sprintf("%.3f", low), fmt.Sprintf("%.3f", high),
				fmt.Sprintf("%.2f", cost.Time.Seconds()*1e6), fmt.Sprint(cost.Allocs), fmt.Sprint(cost.Bytes)}}
			section.Rows = append(section.Rows, row)
		}
		toBoth := make([]float64, len(costs[0].Rounds))
		for round := range toBoth {
			toBoth[round] = costs[0].Rounds[round] / ((1 + costs[1].Rounds[round]) / 2)
		}
		ratio := measure.Median(toBoth)
		section.Rows = append(section.Rows, report.Row{
			Cells: []string{fmt.Sprintf("pgtenants.Store to the mean of both, tokens: %d", len(users)), fmt.Sprintf("%.3f", ratio),
				fmt.Sprintf("%.3f", slices.Min(toBoth)), fmt.Sprintf("%.3f", slices.Max(toBoth)), "", "", ""},
			Targets: []report.Target{report.AtMost(ratio, hotPathTarget, "%.2f")},
		})
	}
	return section, nil
}
