package identity

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Registry is the [TenantSource] for tenants that the program knows. It may change at any time, under load; a change
// counts from the next request on. Safe for concurrent use. The zero value is an empty registry.
//
// A directory may be registered once as a workforce tenant, once as a B2C and once as an External ID directory; each kind
// is looked up on its own.
type Registry struct {
	invalid error // what NewRegistry refused

	mu      sync.RWMutex
	tenants map[tenantKey]*Tenant // guarded by mu; the tenants are sealed
}

type tenantKey struct {
	id   string
	kind tenantKind
}

func keyOf(t *Tenant) tenantKey { return tenantKey{t.ID, t.kind()} }

// NewRegistry makes a registry of tenants. It keeps what is wrong with them for [New] to report, and then holds none.
// The tenants are copied.
func NewRegistry(tenants ...Tenant) *Registry {
	sealed, err := sealAll(tenants)
	return &Registry{invalid: err, tenants: sealed}
}

func (r *Registry) fault() error {
	if r == nil {
		return errors.New("the *Registry is nil")
	}
	return r.invalid
}

// Add adds tenants, or updates those of the same ID and kind: all of them, or none and an error that names every fault.
// Its cost does not depend on how many tenants there are.
func (r *Registry) Add(tenants ...Tenant) error {
	sealed, err := sealAll(tenants)
	if err != nil {
		return prefixed("identity", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tenants == nil {
		r.tenants = make(map[tenantKey]*Tenant, len(sealed))
	}
	maps.Copy(r.tenants, sealed)
	return nil
}

// Remove removes a tenant ID in every kind. Its tokens are refused from the next request on.
func (r *Registry) Remove(id string) {
	id = strings.ToLower(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range []tenantKind{workforce, b2c, external} {
		delete(r.tenants, tenantKey{id, kind})
	}
}

// Replace swaps the whole list at once, or returns an error that names every fault and changes nothing.
func (r *Registry) Replace(tenants ...Tenant) error {
	sealed, err := sealAll(tenants)
	if err != nil {
		return prefixed("identity", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tenants = sealed
	return nil
}

// Len is the number of tenants.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.tenants)
}

// All yields a copy of every tenant as they are when the loop starts, in no particular order.
func (r *Registry) All() iter.Seq[Tenant] {
	return func(yield func(Tenant) bool) {
		r.mu.RLock()
		tenants := slices.Collect(maps.Values(r.tenants))
		r.mu.RUnlock()
		for _, t := range tenants {
			if !yield(t.clone()) {
				return
			}
		}
	}
}

// Tenant finds the tenant of an issuer. It implements [TenantSource].
func (r *Registry) Tenant(_ context.Context, issuer Issuer) (*Tenant, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if issuer.Form == FormB2C || issuer.Form == FormTFP {
		return found(r.tenants[tenantKey{issuer.TenantID, b2c}])
	}
	// Workforce and External ID issuers look alike but for the host.
	t := r.tenants[tenantKey{issuer.TenantID, workforce}]
	if t == nil || !t.issues(issuer) {
		if x := r.tenants[tenantKey{issuer.TenantID, external}]; x != nil {
			t = x
		}
	}
	return found(t)
}

func found(t *Tenant) (*Tenant, error) {
	if t == nil {
		return nil, ErrUnknownTenant
	}
	return t, nil
}

// sealAll checks and copies tenants.
func sealAll(tenants []Tenant) (map[tenantKey]*Tenant, error) {
	sealed := make(map[tenantKey]*Tenant, len(tenants))
	var faults []error
	for i := range tenants {
		t, err := tenants[i].sealed()
		for _, fault := range splitFaults(err) {
			faults = append(faults, fmt.Errorf("Tenants[%d]%s.%w", i, inParentheses(tenants[i].Name), fault))
		}
		if err != nil {
			continue
		}
		key := keyOf(t)
		if sealed[key] != nil {
			faults = append(faults, fmt.Errorf("Tenants[%d]%s.ID: %q is there already", i, inParentheses(t.Name), t.ID))
		}
		sealed[key] = t
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return sealed, nil
}

func inParentheses(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", name)
}

// kinds are the entries of a tenant ID, in no particular order of importance.
func (r *Registry) kinds(id string) (tenants []*Tenant) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, kind := range []tenantKind{workforce, b2c, external} {
		if t := r.tenants[tenantKey{id, kind}]; t != nil {
			tenants = append(tenants, t)
		}
	}
	return tenants
}
