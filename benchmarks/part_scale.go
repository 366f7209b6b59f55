package main

import (
	"fmt"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// scaleOf is what the whole Echo stack costs with a number of registered tenants.
type scaleOf struct {
	tenants    int
	cold, warm measure.Cost
}

// measureScale measures the same number of tokens with one tenant and with many. Where there are many, the tokens are of many, too:
// a look-up of the same tenant again and again would find it in the processor's cache.
func (b *bench) measureScale() (report.Section, error) {
	var subjects []measure.Subject
	for _, n := range b.registered {
		tokens := b.corpus.OfManyTenants()
		if n == 1 {
			tokens = b.corpus.OfOneTenant()
		}
		tenants := identity.NewRegistry(peers.Registered(n)...)
		for _, kind := range []struct {
			name  string
			cache int64
		}{{"cold", peers.NoCache}, {"warm", 0}} {
			verifier, err := peers.NewVerifier(b.corpus, tenants, kind.cache)
			if err != nil {
				return report.Section{}, err
			}
			stack := peers.NewStack(peers.Identity(verifier)...)
			if err := acceptAll(stack, tokens); err != nil {
				return report.Section{}, err
			}
			name := fmt.Sprintf("%s tenants, %s", thousands(n), kind.name)
			if n == 1 {
				name = "1 tenant, " + kind.name
			}
			subjects = append(subjects, over(name, tokens, stack.Accept))
		}
	}
	costs, err := b.plan.Compare(b.unit(b.mixed), subjects...)
	if err != nil {
		return report.Section{}, err
	}
	section := report.Section{Title: "Tenants", Note: "Where many tenants are registered, the tokens are of many, too. The difference to one tenant is the median of the rounds' differences.",
		Columns: append(costColumns[:len(costColumns):len(costColumns)], "to one tenant")}
	b.scale = nil
	for i, n := range b.registered {
		at := scaleOf{n, costs[2*i], costs[2*i+1]}
		b.scale = append(b.scale, at)
		section.Rows = append(section.Rows, differenceRow(at.cold, b.scale[0].cold), differenceRow(at.warm, b.scale[0].warm))
	}
	return section, nil
}

func differenceRow(c, one measure.Cost) report.Row {
	row := costRow(c)
	if c.Name == one.Name {
		row.Cells = append(row.Cells, "")
		return row
	}
	difference := measure.Difference(c, one)
	row.Cells = append(row.Cells, fmt.Sprintf("%+.3f", difference))
	row.Targets = []report.Target{report.AtMost(difference, tenantsTarget, "+%.2f")}
	return row
}
