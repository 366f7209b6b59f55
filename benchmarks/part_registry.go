package main

import (
	"fmt"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// newcomers are the tenants that come and go.
const newcomers = 1_000

// measureRegistry measures one tenant that comes and goes, by how many others there are.
func (b *bench) measureRegistry() (report.Section, error) {
	counts := []int{10, b.registered[1], b.registered[2]}
	var subjects []measure.Subject
	for _, n := range counts {
		tenants := peers.Registered(n + newcomers)
		registry := identity.NewRegistry(tenants[:n]...)
		coming := tenants[n:]
		subjects = append(subjects, measure.Subject{Name: fmt.Sprintf("Add and Remove, %s tenants", thousands(n)), Do: func(i int) error {
			tenant := &coming[i%newcomers]
			if err := registry.Add(*tenant); err != nil {
				return err
			}
			registry.Remove(tenant.ID)
			return nil
		}})
	}
	costs, err := b.plan.Compare(b.unit(b.mixed), subjects...)
	if err != nil {
		return report.Section{}, err
	}
	section := report.Section{Title: "Changes of tenants", Note: "One tenant that comes and goes, beside others.",
		Columns: append(costColumns[:len(costColumns):len(costColumns)], "to ten tenants")}
	for i, c := range costs {
		row := costRow(c)
		if i == 0 {
			row.Cells = append(row.Cells, "")
		} else {
			factor := c.Ratio / costs[0].Ratio
			row.Cells = append(row.Cells, fmt.Sprintf("× %.1f", factor))
			row.Targets = []report.Target{report.AtMost(factor, constantTarget, "× %.0f"),
				report.AtMost(float64(c.Allocs), float64(costs[0].Allocs), "%.0f allocs")}
		}
		section.Rows = append(section.Rows, row)
	}
	return section, nil
}
