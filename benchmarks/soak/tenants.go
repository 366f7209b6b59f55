package main

import (
	"context"
	"math/rand/v2"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// Events of tenants.
const (
	eventRemoved  = "tenant removed, then added"
	eventAudience = "tenant's audiences changed, and back"
	eventClients  = "tenant's clients changed, and back"
	eventReplaced = "whole list of tenants replaced"
)

// as is the tenant with a registration other than absent.
func (c *changing) as(r registration) identity.Tenant {
	t := c.tenant
	switch r {
	case forOthers:
		t.Audiences = []string{"api://another"}
	case forOtherCalls:
		t.Clients = []string{mockidp.ServicePrincipal}
	}
	return t
}

// apply changes one tenant in the registry.
func (a *arena) apply(c *changing, r registration) error {
	defer c.begin(r)()
	if r == absent {
		a.registry.Remove(c.tenant.ID)
		return nil
	}
	return a.registry.Add(c.as(r))
}

// replace gives the registry a new list, in which every changing tenant is as it is said to be.
func (a *arena) replace(states []registration) error {
	list := append([]identity.Tenant(nil), a.steady...)
	for i, c := range a.changing {
		defer c.begin(states[i])()
		if states[i] != absent {
			list = append(list, c.as(states[i]))
		}
	}
	return a.registry.Replace(list...)
}

// change lets tenants come, go and change: some of them one after the other, then all at once. There are no other changes at the
// same time, because Replace would undo them.
func (a *arena) change(ctx context.Context) {
	random := rand.New(rand.NewPCG(7, 8))
	steps := []struct {
		to    registration
		event string
	}{{absent, eventRemoved}, {forOthers, eventAudience}, {forOtherCalls, eventClients}}
	for ctx.Err() == nil {
		for _, step := range steps {
			some := random.Perm(len(a.changing))[:len(a.changing)/2]
			for _, to := range []registration{step.to, registered} {
				for _, i := range some {
					if err := a.apply(a.changing[i], to); err != nil {
						a.ledger.fault("Add: %v", err)
					}
				}
				if !pause(ctx, a.unit()) {
					return
				}
			}
			a.ledger.event(step.event)
		}
		states := make([]registration, len(a.changing))
		for i := range states {
			states[i] = registration(random.IntN(4))
		}
		for range 2 {
			if err := a.replace(states); err != nil {
				a.ledger.fault("Replace: %v", err)
			}
			a.ledger.event(eventReplaced)
			if !pause(ctx, a.unit()) {
				return
			}
			clear(states) // and all are back
		}
		if want := len(a.steady) + len(a.changing); a.registry.Len() != want {
			a.ledger.fault("the registry holds %d tenants, want %d", a.registry.Len(), want)
		}
	}
}
