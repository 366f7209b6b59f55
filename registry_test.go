package identity_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// issuerOf is the v2.0 issuer of a workforce tenant.
func issuerOf(t testing.TB, id string) identity.Issuer {
	t.Helper()
	iss, err := identity.ParseIssuer("https://login.microsoftonline.com/" + id + "/v2.0")
	if err != nil {
		t.Fatal(err)
	}
	return iss
}

// held is what a registry lists: names, in order.
func held(r *identity.Registry) []string {
	var names []string
	for t := range r.All() {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

func wantHeld(t testing.TB, r *identity.Registry, names ...string) {
	t.Helper()
	if got := held(r); !slices.Equal(got, names) || r.Len() != len(names) {
		t.Fatalf("got=%q (Len %d), want=%q", got, r.Len(), names)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	b2c := b2cWith(func(*identity.B2C) {})
	b2c.Name = "a b2c"
	external := identity.Tenant{ID: tenantA, Name: "a external", External: new(identity.External)}
	r := new(identity.Registry) // the zero value is empty
	wantHeld(t, r)
	r.Remove(tenantA)
	if err := r.Add(); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(identity.Tenant{ID: tenantA, Name: "a"}, identity.Tenant{ID: strings.ToUpper(tenantB), Name: "b"}); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, r, "a", "b")
	if err := r.Add(b2c, external); err != nil { // other kinds
		t.Fatal(err)
	}
	wantHeld(t, r, "a", "a b2c", "a external", "b")
	if err := r.Add(identity.Tenant{ID: strings.ToUpper(tenantA), Name: "a2"}); err != nil { // an update
		t.Fatal(err)
	}
	wantHeld(t, r, "a b2c", "a external", "a2", "b")
	r.Remove(strings.ToUpper(tenantA)) // every kind
	wantHeld(t, r, "b")
	r.Remove(tenantX)
	wantHeld(t, r, "b")
	if err := r.Replace(identity.Tenant{ID: tenantX, Name: "x"}, external); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, r, "a external", "x")
	if err := r.Replace(); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, r)
	for range r.All() {
		t.Fatal("an empty registry lists a tenant")
	}
}

// All stops when asked to, and does not hold a lock meanwhile.
func TestRegistryAllStops(t *testing.T) {
	t.Parallel()
	r := identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	n := 0
	for tenant := range r.All() {
		n++
		r.Remove(tenant.ID)
		break
	}
	if n != 1 || r.Len() != 1 {
		t.Fatalf("turns: got=%d, want=1; tenants left: got=%d, want=1", n, r.Len())
	}
}

// A change is made whole or not at all.
func TestRegistryAllOrNone(t *testing.T) {
	t.Parallel()
	bad := []identity.Tenant{{ID: tenantX, Name: "x"}, {ID: "common"}, {ID: tenantX, Name: "again"}, {ID: tenantB, Cloud: "http://h"}}
	a := newAPI(t, nil)
	r := identity.NewRegistry(identity.Tenant{ID: tenantA, Name: "a"})
	for name, change := range map[string]func(...identity.Tenant) error{"Add": r.Add, "Replace": r.Replace} {
		err := change(bad...)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		for _, want := range []string{"Tenants[1].ID: ", "Tenants[2] (again).ID: ", "Tenants[3].Cloud: "} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing in: %v", name, want, err)
			}
		}
		wantHeld(t, r, "a")
	}
	a.get(a.token()).accepted(t)
}

// What is registered is a copy, and so is what is listed.
func TestRegistryCopies(t *testing.T) {
	t.Parallel()
	audiences, clients := []string{mockidp.API}, []string{mockidp.Client}
	policies, hosts := []string{"B2C_1_susi"}, []string{"login.contoso.example"}
	b2c := &identity.B2C{Domain: "contosob2c", Policies: policies, Hosts: hosts}
	external := &identity.External{Hosts: []string{"contosocx.ciamlogin.com"}}
	r := identity.NewRegistry(
		identity.Tenant{ID: tenantA, Audiences: audiences, Clients: clients},
		identity.Tenant{ID: mockidp.Shop, B2C: b2c},
		identity.Tenant{ID: mockidp.Customers, External: external},
	)
	idp := mockidp.New()
	idp.AddTenant(mockidp.Tenant{ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Hosts: hosts, Policies: policies})
	a := newAPIOn(t, idp, func(cfg *identity.Config) { cfg.Tenants = r })
	check := func() {
		t.Helper()
		a.get(a.token()).accepted(t)
		a.get(a.token(mockidp.ClientID(mockidp.User))).refused(t, identity.ErrClient)
		shop, customers := a.idp.Tenant(mockidp.Shop), a.idp.Tenant(mockidp.Customers)
		a.get(shop.Token()).accepted(t)
		a.get(shop.Token(mockidp.IssuedBy("login.contoso.example"))).accepted(t)
		a.get(shop.Token(mockidp.IssuedBy("attacker.example"))).refused(t, identity.ErrIssuer)
		a.get(customers.Token(mockidp.IssuedBy("contosocx.ciamlogin.com"))).accepted(t)
		a.get(customers.Token(mockidp.IssuedBy("attacker.example"))).refused(t, identity.ErrIssuer)
	}
	check()
	audiences[0], clients[0], policies[0] = "api://else", mockidp.User, "B2C_1_else"
	hosts[0], external.Hosts[0] = "attacker.example", "attacker.example"
	b2c.Policies, b2c.Hosts, b2c.TFPIssuers, external.Domain = nil, nil, true, "else"
	check()
	for listed := range r.All() {
		for _, list := range [][]string{listed.Audiences, listed.Clients} {
			for i := range list {
				list[i] = "changed"
			}
		}
		if listed.B2C != nil {
			listed.B2C.Hosts[0], listed.B2C.Policies[0], listed.B2C.Domain = "attacker.example", "B2C_1_else", "else"
		}
		if listed.External != nil {
			listed.External.Hosts[0] = "attacker.example"
		}
	}
	check()
}

// D31: tenants come and go under load. What Add and Remove have done counts for every request that begins after them.
func TestRegistryUnderLoad(t *testing.T) {
	t.Parallel()
	r := workforceA()
	a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = r })
	tokenA, tokenB := a.token(), a.idp.Tenant(tenantB).Token()
	a.get(tokenA).accepted(t)
	var (
		load    sync.WaitGroup
		stop    atomic.Bool
		refused atomic.Int32 // tokens of tenant A that were not accepted
	)
	for range 4 {
		load.Go(func() {
			for !stop.Load() {
				if got := a.get(tokenA); got.status != 200 {
					refused.Add(1)
				}
				a.get(tokenB) // either way
				r.Len()
				for range r.All() {
				}
			}
		})
	}
	load.Go(func() {
		for i := 0; !stop.Load(); i++ {
			id := fmt.Sprintf("99999999-0000-4000-8000-%012d", i%50)
			if err := r.Add(identity.Tenant{ID: id}); err != nil {
				refused.Add(1)
			}
			r.Remove(id)
		}
	})
	for range 50 {
		a.get(tokenB).refused(t, identity.ErrUnknownTenant)
		if err := r.Add(identity.Tenant{ID: tenantB}); err != nil {
			t.Fatal(err)
		}
		a.get(tokenB).accepted(t)
		if err := r.Add(identity.Tenant{ID: tenantB, Version: 1}); err != nil {
			t.Fatal(err)
		}
		a.get(tokenB).refused(t, identity.ErrVersion)
		r.Remove(tenantB)
	}
	stop.Store(true)
	load.Wait()
	if n := refused.Load(); n != 0 {
		t.Fatalf("tokens of another tenant refused meanwhile: %d", n)
	}
}

// D31: Replace swaps the whole list at once: a tenant that both lists have is never missing.
func TestRegistryReplaceUnderLoad(t *testing.T) {
	t.Parallel()
	r := workforceA()
	iss := issuerOf(t, tenantA)
	var load sync.WaitGroup
	var stop atomic.Bool
	var missing atomic.Int32
	for range 2 {
		load.Go(func() {
			for !stop.Load() {
				if _, err := r.Tenant(t.Context(), iss); err != nil {
					missing.Add(1)
				}
				if n := r.Len(); n != 1 && n != 2 {
					missing.Add(1)
				}
			}
		})
	}
	for range 2000 {
		if err := r.Replace(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB}); err != nil {
			t.Fatal(err)
		}
		if err := r.Replace(identity.Tenant{ID: tenantA}); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	load.Wait()
	if n := missing.Load(); n != 0 {
		t.Fatalf("the tenant, or a whole list, was missing %d times", n)
	}
}

// N4: whatever is registered besides, the other kinds of the same directory included, the outcome for a tenant stays.
func TestUnrelatedTenants(t *testing.T) {
	t.Parallel()
	r := identity.NewRegistry(
		identity.Tenant{ID: tenantA},
		identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
		identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx"}},
	)
	a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = r })
	tokens := map[string]string{
		"v1": a.token(mockidp.V1()), "unknown tenant": a.idp.Tenant(tenantB).Token(), "other kid": a.token(mockidp.KeyID("other")),
		"v2": a.token(), "b2c": a.idp.Tenant(mockidp.Shop).Token(), "external": a.idp.Tenant(mockidp.Customers).Token(),
	}
	for _, broken := range mockidp.Broken() {
		switch broken.Kind {
		case mockidp.Workforce:
			tokens["broken "+broken.Name] = broken.Token(a.idp.Tenant(tenantA))
		case mockidp.B2C:
			tokens["broken "+broken.Name] = broken.Token(a.idp.Tenant(mockidp.Shop))
		case mockidp.External:
			tokens["broken "+broken.Name] = broken.Token(a.idp.Tenant(mockidp.Customers))
		}
	}
	outcome := make(map[string]int)
	for name, token := range tokens {
		outcome[name] = a.get(token).status
	}
	if outcome["v2"] != 200 || outcome["b2c"] != 200 || outcome["external"] != 200 || outcome["unknown tenant"] != 401 {
		t.Fatalf("to begin with: got=%v", outcome)
	}
	for _, unrelated := range []identity.Tenant{
		{ID: tenantX}, {ID: tenantX, Cloud: identity.China}, {ID: tenantX, AppKeys: true},
		{ID: tenantX, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_unknown"}, TFPIssuers: true}},
		{ID: tenantX, External: &identity.External{Domain: "contosocx", Hosts: []string{"contosocx.ciamlogin.com", "attacker.ciamlogin.com"}}},
		{ID: tenantA, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}},
		{ID: tenantA, External: &identity.External{Domain: "contosocx"}},
		{ID: mockidp.Shop}, {ID: mockidp.Customers, Cloud: identity.USGovernment},
	} {
		if err := r.Add(unrelated); err != nil {
			t.Fatal(err)
		}
		for name, token := range tokens {
			if got := a.get(token).status; got != outcome[name] {
				t.Errorf("%s, once %s is registered: got=%d, want=%d", name, unrelated.ID, got, outcome[name])
			}
		}
	}
}

// 100,000 tenants are a map entry each, and no goroutine. Not parallel: it measures the whole process.
func TestRegistryMemory(t *testing.T) {
	const n, most = 100_000, 300
	tenants := make([]identity.Tenant, n)
	for i := range tenants {
		tenants[i] = identity.Tenant{ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i), Name: fmt.Sprintf("customer %d", i)}
	}
	goroutines := runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := identity.NewRegistry(tenants...)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; each > most || each < 32 {
		t.Errorf("bytes per tenant: got=%d, want=at most %d", each, most)
	} else {
		t.Logf("bytes per tenant: %d", each)
	}
	if got := runtime.NumGoroutine(); got > goroutines {
		t.Errorf("goroutines: got=%d, want=%d", got, goroutines)
	}
	if r.Len() != n {
		t.Fatalf("Len: got=%d, want=%d", r.Len(), n)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		if found, err := r.Tenant(t.Context(), issuerOf(t, tenants[i].ID)); err != nil || found.Name != tenants[i].Name {
			t.Fatalf("got=%+v, %v, want=%s", found, err, tenants[i].Name)
		}
	}
}

// BenchmarkRegistryAdd measures a tenant that comes and goes, which must cost the same in a large registry.
func BenchmarkRegistryAdd(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tenants := make([]identity.Tenant, n)
			for i := range tenants {
				tenants[i].ID = fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)
			}
			r := identity.NewRegistry(tenants...)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Add(identity.Tenant{ID: tenantA}); err != nil {
					b.Fatal(err)
				}
				r.Remove(tenantA)
			}
		})
	}
}
