package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/echo-identity/identity/mockidp"
)

// mode is one of the two set-ups of a peer.
type mode int

const (
	documented mode = iota
	strict
	modes
)

// outcome is what became of a token.
type outcome struct {
	name, breaks, source string
	class                class
	letIn                [][modes]bool // by peer
	outage               [][modes]bool // by peer: because of this token's key, no good token was let in
}

// anybody says whether the token got in anywhere.
func (o *outcome) anybody() bool {
	for _, in := range o.letIn {
		if in[documented] || in[strict] {
			return true
		}
	}
	return false
}

// besiege shows every token to every peer.
func besiege(ctx context.Context) ([]outcome, error) {
	outcomes, err := catalogue(ctx)
	if err != nil {
		return nil, err
	}
	for i := range keyAttacks {
		o, err := keyAttacks[i].run(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyAttacks[i].name, err)
		}
		outcomes = append(outcomes, *o)
	}
	return outcomes, nil
}

// catalogue shows the tokens of mockidp.Broken. All gates must let a good token in, before and after.
func catalogue(ctx context.Context) (outcomes []outcome, err error) {
	idp := mockidp.New()
	all := make(map[mockidp.Kind]*gates)
	for kind, id := range map[mockidp.Kind]string{mockidp.Workforce: mockidp.Contoso, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers} {
		if all[kind], err = newGates(ctx, idp, idp.TenantOf(kind, id)); err != nil {
			return nil, err
		}
		if err := all[kind].good(); err != nil {
			return nil, err
		}
	}
	for _, b := range mockidp.Broken() {
		c, err := classOf(&b)
		if err != nil {
			return nil, err
		}
		letIn := all[b.Kind].try(b.Token(all[b.Kind].tenant))
		outcomes = append(outcomes, outcome{b.Name, b.Breaks, b.Source, c, letIn, make([][modes]bool, len(peers))})
	}
	for _, g := range all {
		if err := g.good(); err != nil {
			return nil, fmt.Errorf("after all attacks: %w", err)
		}
	}
	return outcomes, nil
}

// run publishes the key before anybody fetches keys.
func (a *keyAttack) run(ctx context.Context) (*outcome, error) {
	idp := mockidp.New()
	tenant := idp.Tenant(mockidp.Contoso)
	raw := a.token(tenant)
	g, err := newGates(ctx, idp, tenant)
	if err != nil {
		return nil, err
	}
	o := &outcome{a.name, a.breaks, a.source, a.class, g.try(raw), make([][modes]bool, len(peers))}
	for i, lets := range g.try(tenant.Token()) {
		if peers[i].givenKeys {
			o.letIn[i] = [modes]bool{}
			continue
		}
		for m, yes := range lets {
			o.outage[i][m] = !yes
		}
	}
	return o, nil
}

// gates are all peers, in both set-ups, for one tenant.
type gates struct {
	tenant *mockidp.TenantHandle
	verify [][modes]verify
}

// newGates takes a peer that cannot even be set up, as it can happen with a strange key, for one that refuses everything.
func newGates(ctx context.Context, idp *mockidp.Server, tenant *mockidp.TenantHandle) (*gates, error) {
	t, err := newTarget(idp, tenant)
	if err != nil {
		return nil, err
	}
	prepare := func(set setUp) verify {
		v, err := set(ctx, t)
		if err != nil {
			return func(string) error { return fmt.Errorf("cannot be set up: %w", err) }
		}
		return v
	}
	g := &gates{tenant: tenant}
	for _, p := range peers {
		both := [modes]verify{prepare(p.documented)}
		if both[strict] = both[documented]; p.strict != nil {
			both[strict] = prepare(p.strict)
		}
		g.verify = append(g.verify, both)
	}
	return g, nil
}

// try shows everybody a token.
func (g *gates) try(raw string) [][modes]bool {
	letIn := make([][modes]bool, len(peers))
	for i, both := range g.verify {
		for m, v := range both {
			letIn[i][m] = v(raw) == nil
		}
	}
	return letIn
}

// good requires that everybody lets a good token in: whoever refuses all tokens would look unbeatable.
func (g *gates) good() (err error) {
	for i, both := range g.verify {
		for m, v := range both {
			if refusal := v(g.tenant.Token()); refusal != nil {
				err = errors.Join(err, fmt.Errorf("%s, %v tenant, %v: a good token is refused: %w", peers[i].name, g.tenant.Kind(), mode(m), refusal))
			}
		}
	}
	return err
}

func (m mode) String() string { return [modes]string{"as documented", "with every option"}[m] }
