package pgtenants_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
)

var (
	shop      = identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}}
	customers = identity.Tenant{ID: mockidp.Customers, Name: "app", External: &identity.External{Domain: "contosocx"}}
)

// Every kind of tenant comes, is disabled, enabled and goes, and the API follows. D31.
func TestStore(t *testing.T) {
	t.Parallel()
	r := running(t)
	for _, tenant := range []identity.Tenant{{ID: strings.ToUpper(tenantA), Name: "contoso"}, shop, customers} {
		id := strings.ToLower(tenant.ID)
		r.wants(t, id, unknown)
		r.upsert(t, tenant)
		r.wants(t, id, "")
		r.wants(t, tenantX, unknown)
		for _, change := range []struct {
			name string
			do   func() error
			want string
		}{
			{"Disable", func() error { return r.Disable(t.Context(), jane, tenant.ID) }, unknown},
			{"Disable again", func() error { return r.Disable(t.Context(), jane, id) }, unknown},
			{"Upsert", func() error { tenant.Name = "another"; return r.Upsert(t.Context(), jane, tenant) }, unknown}, // does not enable
			{"Enable", func() error { return r.Enable(t.Context(), jane, id) }, ""},
			{"Enable again", func() error { return r.Enable(t.Context(), jane, id) }, ""},
			{"Remove", func() error { return r.Remove(t.Context(), jane, tenant.ID) }, unknown},
		} {
			if err := change.do(); err != nil {
				t.Fatalf("%s: %v", change.name, err)
			}
			within(t, r.Sync)
			r.wants(t, id, change.want)
		}
		for name, do := range map[string]func() error{
			"Remove":  func() error { return r.Remove(t.Context(), jane, id) },
			"Disable": func() error { return r.Disable(t.Context(), jane, id) },
			"Enable":  func() error { return r.Enable(t.Context(), jane, id) },
			"Get":     func() error { _, err := r.Get(t.Context(), id); return err },
		} {
			if err := do(); !errors.Is(err, pgtenants.ErrNotFound) {
				t.Errorf("%s of one that is not there: got=%v, want=%v", name, err, pgtenants.ErrNotFound)
			}
		}
	}
	if err := r.Healthy(); err != nil {
		t.Fatal(err)
	}
}

// The rules of a tenant are those of the row, also for a token that was accepted a moment ago.
func TestRulesFollowTheRow(t *testing.T) {
	t.Parallel()
	r := running(t)
	token := r.token(tenantA)
	v1 := r.token(tenantA, mockidp.V1())
	guest := r.token(tenantA, mockidp.Guest(tenantX))
	for _, c := range []struct {
		tenant           identity.Tenant
		v2, v1, fromElse int
	}{
		{identity.Tenant{ID: tenantA}, 200, 200, 200},
		{identity.Tenant{ID: tenantA, Version: 1}, 401, 200, 401},
		{identity.Tenant{ID: tenantA, Version: 2, DenyGuests: true}, 200, 401, 403},
		{identity.Tenant{ID: tenantA, Audiences: []string{"api://else"}}, 401, 401, 401},
		{identity.Tenant{ID: tenantA, Clients: []string{mockidp.User}}, 403, 403, 403},
		{identity.Tenant{ID: tenantA, Clients: []string{mockidp.User, strings.ToUpper(mockidp.Client)}}, 200, 200, 200},
		{identity.Tenant{ID: tenantA, Cloud: identity.USGovernment}, 401, 401, 401},
		{identity.Tenant{ID: tenantA, Cloud: "https://LOGIN.microsoftonline.com/"}, 200, 200, 200},
	} {
		r.upsert(t, c.tenant)
		for name, want := range map[string]int{token: c.v2, v1: c.v1, guest: c.fromElse} {
			if status, reason := r.get(name); status != want {
				t.Errorf("%+v: got=%d %s, want=%d", c.tenant, status, reason, want)
			}
		}
	}
}

// One tenant ID may be a workforce tenant, a B2C directory and an External ID directory; each is judged by its own row.
func TestKindsOfOneDirectory(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.idp.AddTenant(mockidp.Tenant{ID: tenantX, Kind: mockidp.External})
	r.idp.AddTenant(mockidp.Tenant{ID: tenantX, Kind: mockidp.B2C, Domain: "x", Policies: []string{"B2C_1_x"}})
	token := map[pgtenants.Kind]string{
		pgtenants.Workforce: r.idp.TenantOf(mockidp.Workforce, tenantX).Token(),
		pgtenants.B2C:       r.idp.TenantOf(mockidp.B2C, tenantX).Token(),
		pgtenants.External:  r.idp.TenantOf(mockidp.External, tenantX).Token(),
	}
	tenant := map[pgtenants.Kind]identity.Tenant{
		pgtenants.Workforce: {ID: tenantX},
		pgtenants.B2C:       {ID: tenantX, B2C: &identity.B2C{Domain: "x", Policies: []string{"B2C_1_x"}}},
		pgtenants.External:  {ID: tenantX, External: &identity.External{}},
	}
	kinds := []pgtenants.Kind{pgtenants.Workforce, pgtenants.B2C, pgtenants.External}
	// Every set of kinds after every other one.
	for from := range 8 {
		for to := range 8 {
			for _, set := range []int{from, to} {
				for i, kind := range kinds {
					if set>>i&1 == 1 {
						r.upsert(t, tenant[kind])
					} else if err := r.Remove(t.Context(), jane, tenantX, kind); err != nil && !errors.Is(err, pgtenants.ErrNotFound) {
						t.Fatal(err)
					}
				}
			}
			within(t, r.Sync)
			for i, kind := range kinds {
				want := 401
				if to>>i&1 == 1 {
					want = 200
				}
				if status, reason := r.get(token[kind]); status != want {
					t.Fatalf("from %03b to %03b, %v: got=%d %s, want=%d", from, to, kind, status, reason, want)
				}
			}
		}
	}
	// From 7 on, whichever is disabled is the only one that is refused.
	r.upsert(t, tenant[0], tenant[1], tenant[2])
	for _, out := range kinds {
		if err := r.Disable(t.Context(), jane, tenantX, out); err != nil {
			t.Fatal(err)
		}
		within(t, r.Sync)
		for _, kind := range kinds {
			if status, _ := r.get(token[kind]); (status == 200) != (kind != out) {
				t.Errorf("%v disabled, %v: got=%d", out, kind, status)
			}
		}
		if err := r.Enable(t.Context(), jane, tenantX); err != nil {
			t.Fatal(err)
		}
		within(t, r.Sync)
	}
	if rows, err := r.Get(t.Context(), strings.ToUpper(tenantX)); err != nil || len(rows) != 3 {
		t.Fatalf("Get: got=%d rows, %v, want=3", len(rows), err)
	}
}

// What is written is what is read, and what identity is given.
func TestGetAndAll(t *testing.T) {
	t.Parallel()
	r := running(t)
	whole := []identity.Tenant{
		{ID: tenantA, Name: "contoso \U0001F980 \"x\\\"", Cloud: identity.China, Version: 2, Audiences: []string{"api://a", "b, {c}"},
			Clients: []string{mockidp.Client, mockidp.User}, DenyGuests: true, AllowNoPermissions: true, AppKeys: true},
		{ID: mockidp.Shop, Name: "shop", Cloud: "https://localhost:8443", B2C: &identity.B2C{Domain: "contosob2c.onmicrosoft.com",
			Hosts: []string{"login.contoso.example", "https://[::1]:8443"}, Policies: []string{"B2C_1_susi", "b2c_1a_Custom"}, TFPIssuers: true}},
		{ID: mockidp.Customers, Name: "app", External: &identity.External{Domain: "contosocx", Hosts: []string{"http://localhost:8080"}}},
	}
	before := time.Now().Add(-time.Minute)
	r.upsert(t, whole...)
	var listed []pgtenants.Row
	for row, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, row)
	}
	if len(listed) != len(whole) {
		t.Fatalf("All: got=%d rows, want=%d", len(listed), len(whole))
	}
	for i, want := range whole {
		rows, err := r.Get(t.Context(), want.ID)
		if err != nil || len(rows) != 1 {
			t.Fatalf("Get: got=%d rows, %v", len(rows), err)
		}
		for _, row := range []pgtenants.Row{rows[0], listed[i]} {
			if got := describe(row.Tenant); got != describe(want) {
				t.Errorf("got=\n%s\nwant=\n%s", got, describe(want))
			}
			if row.Fault != nil || row.UpdatedBy != jane || row.CreatedAt.Before(before) || !row.UpdatedAt.Equal(row.CreatedAt) || !row.DisabledAt.IsZero() {
				t.Errorf("got=%+v", row)
			}
		}
	}
	if err := r.Disable(t.Context(), "joe", tenantA); err != nil {
		t.Fatal(err)
	}
	rows, err := r.Get(t.Context(), tenantA)
	if err != nil || rows[0].DisabledAt.Before(before) || rows[0].UpdatedBy != "joe" || !rows[0].UpdatedAt.After(rows[0].CreatedAt) {
		t.Fatalf("disabled: got=%+v, %v", rows, err)
	}
	if _, err := r.Get(t.Context(), "common"); err == nil {
		t.Fatal("Get of something that is no tenant ID: no error")
	}
}

// describe writes out every field that a caller can set.
func describe(t identity.Tenant) string {
	text := fmt.Sprintf("%q %q %q %d %q %q %v %v %v", t.ID, t.Name, t.Cloud, t.Version, t.Audiences, t.Clients, t.DenyGuests, t.AllowNoPermissions, t.AppKeys)
	if t.B2C != nil {
		text += fmt.Sprintf(" B2C %q %q %q %v", t.B2C.Domain, t.B2C.Hosts, t.B2C.Policies, t.B2C.TFPIssuers)
	}
	if t.External != nil {
		text += fmt.Sprintf(" External %q %q", t.External.Domain, t.External.Hosts)
	}
	return text
}

// A listing goes over many pages, stops when asked to, says what went wrong once, and holds no connection while its body runs.
func TestAllPages(t *testing.T) {
	t.Parallel()
	const n = 1234
	r := newReplica(t, newIDP(), open(t, databaseURL(t)+"&pool_max_conns=1"), brisk).run(t)
	var tenants []identity.Tenant
	for i := range n {
		tenants = append(tenants, identity.Tenant{ID: numbered(i)})
	}
	r.upsert(t, tenants...)
	seen := 0
	for row, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Tenant.ID != numbered(seen) {
			t.Fatalf("row %d: got=%s, want=%s", seen, row.Tenant.ID, numbered(seen))
		}
		if seen++; seen%400 == 0 { // with the only connection of the pool
			if err := r.Remove(t.Context(), jane, row.Tenant.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen != n {
		t.Fatalf("got=%d rows, want=%d", seen, n)
	}
	for range r.All(t.Context()) {
		seen++
		break
	}
	if seen != n+1 {
		t.Fatal("a loop that ends does not end")
	}
	faults := 0
	for _, err := range r.All(canceled()) {
		if err == nil {
			t.Fatal("no error without a context")
		}
		faults++
	}
	if faults != 1 {
		t.Fatalf("got=%d errors, want=1", faults)
	}
}

// numbered is a tenant ID, in order.
func numbered(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// Pointers stay while rows do, over resynchronisations and changes of others, so that the engine's cache of verified tokens stays good. A row that
// is written as it was is no change.
func TestPointersStay(t *testing.T) {
	t.Parallel()
	o := brisk
	o.Resync = 30 * time.Millisecond
	r := newReplica(t, newIDP(), open(t, databaseURL(t)), o).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA, Audiences: []string{"api://a"}}, shop)
	first := find(t, r.Store, tenantA)
	change := r.Stats().Change
	if err := r.Upsert(t.Context(), "joe", identity.Tenant{ID: tenantA, Audiences: []string{"api://a"}}, shop); err != nil {
		t.Fatal(err)
	}
	r.upsert(t, identity.Tenant{ID: tenantB})
	if got := r.Stats().Change; got != change+1 {
		t.Errorf("changes: got=%d, want=1", got-change)
	}
	scans := r.Stats().Resyncs
	eventually(t, "three resynchronisations", func() bool { return r.Stats().Resyncs >= scans+3 })
	if find(t, r.Store, tenantA) != first {
		t.Error("the pointer of an unchanged row has changed")
	}
	r.upsert(t, identity.Tenant{ID: tenantA, Audiences: []string{"api://b"}})
	if find(t, r.Store, tenantA) == first {
		t.Error("the pointer of a changed row has not changed")
	}
}

// find asks a store for a workforce tenant.
func find(t testing.TB, store *pgtenants.Store, id string) *identity.Tenant {
	t.Helper()
	issuer, err := identity.ParseIssuer("https://login.microsoftonline.com/" + id + "/v2.0")
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := store.Tenant(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

// An Issuer that somebody has made by hand is unknown, not a panic.
func TestHandmadeIssuer(t *testing.T) {
	t.Parallel()
	r := running(t)
	for _, id := range []string{"", "x", tenantA + "0"} {
		if _, err := r.Tenant(t.Context(), identity.Issuer{TenantID: id, Form: identity.FormV2}); !errors.Is(err, identity.ErrUnknownTenant) {
			t.Errorf("%q: got=%v, want=%v", id, err, identity.ErrUnknownTenant)
		}
	}
}

// Two stores in one database, in schemas of their own, do not see each other.
func TestSchemas(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	o := brisk
	o.Schema = "another_1"
	one := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	other := newReplica(t, newIDP(), open(t, url), o).run(t)
	one.upsert(t, identity.Tenant{ID: tenantA})
	other.upsert(t, identity.Tenant{ID: tenantB})
	one.wants(t, tenantA, "")
	one.wants(t, tenantB, unknown)
	other.wants(t, tenantB, "")
	other.wants(t, tenantA, unknown)
}

// Names of schemas that SQL has for something else, and every way in which the driver can send a query.
func TestModes(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	for mode, schema := range map[string]string{"simple_protocol": "select", "exec": "user", "describe_exec": "_", "cache_describe": strings.Repeat("x", 40)} {
		o := brisk
		o.Schema = schema
		r := newReplica(t, newIDP(), open(t, url+"&default_query_exec_mode="+mode), o).run(t)
		r.upsert(t, identity.Tenant{ID: tenantA, Name: `"'\\,{}`, Audiences: []string{`a'"\\,{}$1`, "NULL", "b"}, Clients: []string{tenantB}}, shop)
		r.wants(t, mockidp.Shop, "")
		if got := find(t, r.Store, tenantA); got.Name != `"'\\,{}` || !slices.Equal(got.Audiences, []string{`a'"\\,{}$1`, "NULL", "b"}) {
			t.Errorf("%s: got=%+v", mode, got)
		}
		rows, err := r.Get(t.Context(), tenantA)
		if err != nil || len(rows) != 1 || rows[0].Fault != nil {
			t.Errorf("%s: Get: got=%+v, %v", mode, rows, err)
		}
		if err := r.Disable(t.Context(), jane, tenantA); err != nil {
			t.Fatal(err)
		}
		within(t, r.Sync)
		r.wants(t, tenantA, unknown)
		r.stop()
	}
}

// Beyond the bound nobody is taken in: 503, because nobody can know them, and the store says so. When there is room again, they are.
func TestMaxTenants(t *testing.T) {
	t.Parallel()
	o := brisk
	o.MaxTenants = 2
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), o).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	r.wants(t, tenantX, unknown)
	if err := r.Healthy(); err != nil {
		t.Fatal(err)
	}
	r.upsert(t, shop)
	late := newReplica(t, r.idp, open(t, url), o).run(t) // reads them all at once
	for _, each := range []*replica{r, late} {
		if err := each.Healthy(); !errors.Is(err, pgtenants.ErrFull) {
			t.Errorf("Healthy: got=%v, want=%v", err, pgtenants.ErrFull)
		}
		if err := each.Ready(); err != nil {
			t.Errorf("Ready: got=%v, want=nil", err)
		}
		each.wants(t, tenantA, "")
		each.wants(t, tenantX, unavailable)
	}
	r.wants(t, mockidp.Shop, unavailable) // the last to come
	late.wants(t, tenantB, unavailable)   // the last in order
	if err := r.Remove(t.Context(), jane, tenantA); err != nil {
		t.Fatal(err)
	}
	for _, each := range []*replica{r, late} {
		eventually(t, "all are taken in", func() bool { return each.Healthy() == nil })
		each.wants(t, mockidp.Shop, "")
		each.wants(t, tenantB, "")
		each.wants(t, tenantA, unknown)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := pgtenants.New(nil, pgtenants.Options{}); err == nil {
		t.Error("no pool: no error")
	}
	pool := open(t, pgtest.URL("127.0.0.1:1", "nobody", "none"))
	if _, err := pgtenants.New(pool, pgtenants.Options{}); err != nil {
		t.Errorf("the zero value: got=%v, want=nil", err)
	}
	_, err := pgtenants.New(pool, pgtenants.Options{Schema: "Robert'); DROP", MaxTenants: -1, Heartbeat: -1, Timeout: -1, Batch: -1, MinBackoff: time.Hour,
		MaxStale: -time.Second})
	for _, field := range []string{"Schema", "MaxTenants", "Heartbeat", "Timeout", "Batch", "MaxBackoff", "MaxStale"} {
		if err == nil || !strings.Contains(err.Error(), "pgtenants: Options."+field+": ") {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
	_, err = pgtenants.New(pool, pgtenants.Options{MaxStale: 9 * time.Second})
	if err == nil || !strings.Contains(err.Error(), "MaxStale: 9s is less") {
		t.Errorf("MaxStale below Heartbeat and Timeout: got=%v", err)
	}
	if _, err := pgtenants.New(pool, pgtenants.Options{MaxStale: 10 * time.Second}); err != nil {
		t.Errorf("MaxStale of Heartbeat and Timeout: got=%v, want=nil", err)
	}
}

// Before the first reading nobody is served, and nobody is told to throw a token away.
func TestBeforeRun(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	running := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	running.upsert(t, identity.Tenant{ID: tenantA})
	r := newReplica(t, running.idp, open(t, url), brisk)
	for _, id := range []string{tenantA, tenantX} {
		r.wants(t, id, unavailable)
	}
	for _, err := range []error{r.Ready(), r.Healthy(), r.WaitReady(canceled()), r.Sync(canceled())} {
		if err == nil {
			t.Error("Ready, Healthy, WaitReady or Sync before Run: no error")
		}
	}
	if err := r.Ready(); !errors.Is(err, pgtenants.ErrNotInSync) || !strings.Contains(err.Error(), "Run has not been called") {
		t.Errorf("got=%v", err)
	}
	r.run(t)
	r.wants(t, tenantA, "")
	r.wants(t, tenantX, unknown)
	if err := r.Run(t.Context()); err == nil {
		t.Error("Run twice: no error")
	}
	if err := r.Healthy(); err != nil {
		t.Error(err)
	}
	// After Run, the bound holds all the same.
	r.stop()
	r.wants(t, tenantA, "")
	r.wants(t, tenantX, unavailable)
	eventually(t, "the bound is over", func() bool { return r.Ready() != nil })
	r.wants(t, tenantA, unavailable)
	r.run(t)
	r.wants(t, tenantA, "")
}

// Stats say what there is.
func TestStats(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.upsert(t, identity.Tenant{ID: tenantA}, shop)
	got := r.Stats()
	if got.Tenants != 2 || got.Refused != 0 || !got.InSync || got.Change != 2 || got.Connections != 1 || got.Resyncs != 1 || got.Reads == 0 ||
		time.Since(got.Confirmed) > 10*time.Second {
		t.Errorf("got=%+v", got)
	}
	if err := r.Disable(t.Context(), jane, tenantA); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	if got := r.Stats(); got.Tenants != 1 || got.Change != 3 {
		t.Errorf("got=%+v", got)
	}
	if !slices.Contains(strings.Fields(r.log.String()), "sync\"") {
		t.Errorf("the log does not say that it is in sync: %s", r.log)
	}
}
