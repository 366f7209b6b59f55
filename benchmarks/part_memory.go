package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// heldPerTenant is what a library holds for each tenant.
type heldPerTenant struct {
	bytes      float64
	goroutines float64
}

// measureMemory measures what it takes to hold a tenant.
func (b *bench) measureMemory() (report.Section, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	most := b.registered[len(b.registered)-1]
	section := report.Section{
		Title: "Memory", Columns: []string{"", "tenants", "bytes per tenant", "goroutines per tenant"},
		Note: "Live objects and stacks, after garbage collection. keyfunc and go-oidc are set up once for each tenant, with the keys at the " +
			"tenant's own address, as it takes to keep tenants apart.",
	}
	for _, library := range []struct {
		name    string
		tenants int
		target  bool
		held    *heldPerTenant
		set     func() (any, error)
	}{
		{"identity, NewRegistry", most, true, &b.held.identity, func() (any, error) { return identity.NewRegistry(peers.Registered(most)...), nil }},
		{"identity, Registry.Add one by one", most, true, new(heldPerTenant), func() (any, error) { return registryByAdd(most) }},
		{"keyfunc", b.peerTenants, false, &b.held.keyfunc, func() (any, error) { return peers.KeyfuncPerTenant(ctx, b.corpus, b.peerTenants) }},
		{"go-oidc", b.peerTenants, false, &b.held.goOIDC, func() (any, error) { return peers.OIDCPerTenant(ctx, b.corpus, b.peerTenants) }},
	} {
		var err error
		if *library.held, err = b.hold(library.tenants, library.set); err != nil {
			return section, fmt.Errorf("%s: %w", library.name, err)
		}
		row := report.Row{Cells: []string{library.name, thousands(library.tenants), thousands(int(library.held.bytes)),
			fmt.Sprintf("%.1f", library.held.goroutines)}}
		if library.target {
			row.Targets = []report.Target{report.AtMost(library.held.bytes, tenantBytesTarget, "%.0f")}
		}
		section.Rows = append(section.Rows, row)
	}
	return section, nil
}

// hold measures what is left of making something for n tenants. What the mock remembers of requests is not part of it.
func (b *bench) hold(n int, set func() (any, error)) (heldPerTenant, error) {
	b.corpus.IdP.ResetCounts()
	before := measure.Holding()
	made, err := set()
	if err != nil {
		return heldPerTenant{}, err
	}
	b.corpus.IdP.ResetCounts()
	after := measure.Holding()
	runtime.KeepAlive(made)
	return heldPerTenant{
		bytes:      float64(after.Bytes-before.Bytes) / float64(n),
		goroutines: float64(after.Goroutines-before.Goroutines) / float64(n),
	}, nil
}

func registryByAdd(n int) (*identity.Registry, error) {
	registry := new(identity.Registry)
	for _, tenant := range peers.Registered(n) {
		if err := registry.Add(tenant); err != nil {
			return nil, err
		}
	}
	return registry, nil
}
