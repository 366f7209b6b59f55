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
	// In the order in which a store reads them: neighbours in memory are quicker to read than strangers.
	registered := peers.Registered(s.tenants)
	slices.SortFunc(registered, func(a, b identity.Tenant) int { return strings.Compare(a.ID, b.ID) })
	sources := []identity.TenantSource{identity.NewRegistry(registered...)}
	for range placements {
		store, stop, err := launch(ctx, d.pool, pgtenants.Options{})
		if err != nil {
			return report.Section{}, err
		}
		defer stop()
		sources = append(sources, store, identity.NewRegistry(registered...))
	}
	section := report.Section{
		Title: "Hot path", Columns: []string{"", "ratio", "lowest", "highest", "µs", "allocs"},
		Note: fmt.Sprintf("A whole request with a token that was verified before, %d tenants registered, with identity.Registry and with a store. Where in memory "+
			"one of them lies, and its tokens, counts for more than what is looked for; so %d of each are measured, in turns of %v on one processor with one "+
			"more registry, to which ratios are. Of processor time; what counts is the median of %d rounds, beside their lowest and highest.",
			s.tenants, placements, s.plan.Turn, s.plan.Rounds),
	}
	for _, users := range [][]*corpus.Token{tokens[:1], tokens} {
		var subjects []measure.Subject
		for _, source := range sources {
			subject, err := requests(c, source, users)
			if err != nil {
				return report.Section{}, err
			}
			subjects = append(subjects, subject)
		}
		costs, err := s.plan.Compare(subjects[0], subjects[1:]...)
		if err != nil {
			return report.Section{}, err
		}
		section.Rows = append(section.Rows, hotPathRows(costs, len(users))...)
	}
	return section, nil
}

// placements is how many stores, and registries, are measured.
const placements = 3

// requests are those of users, whose tokens are known when it returns.
func requests(c *corpus.Corpus, source identity.TenantSource, users []*corpus.Token) (measure.Subject, error) {
	verifier, err := peers.NewVerifier(c, source, 0)
	if err != nil {
		return measure.Subject{}, err
	}
	stack := peers.NewStack(peers.Identity(verifier)...)
	for _, token := range users {
		if err := stack.Accept(token); err != nil {
			return measure.Subject{}, err
		}
	}
	return measure.Subject{Do: func(i int) error { return stack.Accept(users[i%len(users)]) }}, nil
}

// hotPathRows sums up costs of a store and of a registry in turn.
func hotPathRows(costs []measure.Cost, users int) []report.Row {
	row := func(name string, rounds []float64, took, allocs string, targets ...report.Target) report.Row {
		return report.Row{Cells: []string{fmt.Sprintf("%s, tokens: %d", name, users), fmt.Sprintf("%.3f", measure.Median(rounds)),
			fmt.Sprintf("%.3f", slices.Min(rounds)), fmt.Sprintf("%.3f", slices.Max(rounds)), took, allocs}, Targets: targets}
	}
	var rows []report.Row
	sums := [2][]float64{make([]float64, len(costs[0].Rounds)), make([]float64, len(costs[0].Rounds))}
	for i, cost := range costs {
		name := []string{"pgtenants.Store", "identity.Registry"}[i%2]
		rows = append(rows, row(name, cost.Rounds, fmt.Sprintf("%.2f", cost.Time.Seconds()*1e6), fmt.Sprint(cost.Allocs)))
		for round, ratio := range cost.Rounds {
			sums[i%2][round] += ratio
		}
	}
	ratios := make([]float64, len(sums[0]))
	for round := range ratios {
		ratios[round] = sums[0][round] / sums[1][round]
	}
	return append(rows, row("stores to registries", ratios, "", "", report.AtMost(measure.Median(ratios), hotPathTarget, "%.2f")))
}
