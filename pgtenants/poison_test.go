package pgtenants_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/pgtenants"
)

// unguarded takes away all that would refuse a bad row.
const unguarded = `ALTER TABLE identity.tenants DROP CONSTRAINT tenants_kind, DROP CONSTRAINT tenants_version, DROP CONSTRAINT tenants_cloud,
	DROP CONSTRAINT tenants_audiences, DROP CONSTRAINT tenants_clients, DROP CONSTRAINT tenants_domain, DROP CONSTRAINT tenants_hosts,
	DROP CONSTRAINT tenants_policies, DROP CONSTRAINT tenants_tfp_issuers, DROP CONSTRAINT tenants_b2c_host, DROP CONSTRAINT tenants_name;
	ALTER TABLE identity.tenants ALTER clients DROP NOT NULL, ALTER audiences DROP NOT NULL, ALTER name DROP NOT NULL, ALTER deny_guests DROP NOT NULL`

// A row that identity would refuse, written by hand where nothing refuses it, costs its own tenant 503, whether the tenant was known or not, and is
// reported. It is not taken half, nor as it was. Nobody else notices. When it is mended it counts.
func TestPoison(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, unguarded)
	for _, c := range []struct{ assignments, named string }{
		{"version = 3", "Version"},
		{"cloud = 'http://contoso.example'", "Cloud"},
		{"cloud = ''", ""}, // means the public cloud to identity
		{"audiences = '{\"*\"}'", "Audiences[0]"},
		{"audiences = NULL", "audiences is null"},     // which would mean the API's own
		{"clients = NULL", "clients is null"},         // which would let every application in
		{"clients = '{NULL}'", "clients"},             // likewise, nearly
		{"deny_guests = NULL", "deny_guests is null"}, // likewise
		{"name = NULL", "name is null"},
		{"domain = 'contoso'", "domain"},
		{"hosts = '{x.example}'", "hosts"},
		{"policies = '{B2C_1_x}'", "policies"},
		{"tfp_issuers = true", "tfp_issuers"},
		{"name = lpad('x',3000000,'x')", "bytes"},
	} {
		for _, known := range []bool{true, false} {
			execute(t, url, "DELETE FROM identity.tenants")
			r.upsert(t, identity.Tenant{ID: tenantB}, shop)
			if known {
				r.upsert(t, identity.Tenant{ID: tenantA})
				r.wants(t, tenantA, "")
				execute(t, url, "UPDATE identity.tenants SET "+c.assignments+" WHERE tenant_id = '"+tenantA+"'")
			} else {
				execute(t, url, insertion(c.assignments))
			}
			within(t, r.Sync)
			late := newReplica(t, r.idp, open(t, url), brisk).run(t) // reads the whole table
			for _, each := range []*replica{r, late} {
				if c.named == "" {
					each.wants(t, tenantA, "")
					continue
				}
				each.wants(t, tenantA, invalid)
				each.wants(t, tenantB, "")
				each.wants(t, mockidp.Shop, "")
				each.wants(t, tenantX, unknown)
				if err := each.Healthy(); err == nil || !strings.Contains(err.Error(), "workforce "+tenantA+": ") || !strings.Contains(err.Error(), c.named) {
					t.Errorf("%s: Healthy: got=%v, want %s named", c.assignments, err, c.named)
				}
				if err := each.Ready(); err != nil {
					t.Errorf("%s: Ready: got=%v, want=nil", c.assignments, err)
				}
				if got := each.Stats(); got.Refused != 1 || got.Tenants != 2 {
					t.Errorf("%s: got=%+v, want 1 refused and 2 tenants", c.assignments, got)
				}
				if !strings.Contains(each.log.String(), "level=ERROR msg=\"pgtenants: a row is refused") {
					t.Errorf("%s: the log does not say so: %s", c.assignments, each.log)
				}
			}
			late.stop()
		}
		rows, err := r.Get(t.Context(), tenantA)
		if err != nil || len(rows) != 1 || (rows[0].Fault == nil) != (c.named == "") {
			t.Errorf("%s: Get: got=%+v, %v", c.assignments, rows, err)
		}
		execute(t, url, "DELETE FROM identity.tenants WHERE tenant_id = '"+tenantA+"'")
		r.upsert(t, identity.Tenant{ID: tenantA})
		r.wants(t, tenantA, "")
		if err := r.Healthy(); err != nil {
			t.Errorf("%s, mended: Healthy: got=%v, want=nil", c.assignments, err)
		}
	}
}

// A row of no kind that there is belongs to nobody.
func TestPoisonedKey(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, unguarded, insertion("kind = 'consumer'"))
	r.upsert(t, identity.Tenant{ID: tenantB})
	late := newReplica(t, r.idp, open(t, url), brisk).run(t)
	for _, each := range []*replica{r, late} {
		each.wants(t, tenantA, unknown)
		each.wants(t, tenantB, "")
		if err := each.Healthy(); err == nil || !strings.Contains(err.Error(), "1 more, see the log") || !strings.Contains(each.log.String(), "consumer") {
			t.Errorf("Healthy: got=%v; log: %s", err, each.log)
		}
	}
	listed := 0
	for row, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if listed++; (row.Fault != nil) != (row.Tenant.ID == tenantA) {
			t.Errorf("got=%+v", row)
		}
	}
	if listed != 2 {
		t.Errorf("All: got=%d rows, want=2", listed)
	}
	execute(t, url, "UPDATE identity.tenants SET name = 'x'", "DELETE FROM identity.tenants WHERE kind = 'consumer'")
	for _, each := range []*replica{r, late} {
		within(t, each.Sync)
		if err := each.Healthy(); err != nil || each.Stats().Refused != 0 {
			t.Errorf("mended: Healthy: got=%v, want=nil; %+v", err, each.Stats())
		}
	}
}

// A poisoned row beside one of another kind.
func TestPoisonBesideAnotherKind(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	idp := newIDP()
	idp.AddTenant(mockidp.Tenant{ID: tenantX, Kind: mockidp.External})
	r := newReplica(t, idp, open(t, url), brisk).run(t)
	workforce, v1, external := idp.TenantOf(mockidp.Workforce, tenantX).Token(), idp.TenantOf(mockidp.Workforce, tenantX).Token(mockidp.V1()),
		idp.TenantOf(mockidp.External, tenantX).Token()
	execute(t, url, unguarded)
	for _, c := range []struct {
		poisoned                pgtenants.Kind
		workforce, v1, external string
	}{
		{pgtenants.External, "", "", invalid},
		// Whether a v2.0 issuer is the workforce row's, only that row could tell; it is not the external one's.
		{pgtenants.Workforce, "issuer_not_trusted", invalid, ""},
	} {
		r.upsert(t, identity.Tenant{ID: tenantX}, identity.Tenant{ID: tenantX, External: new(identity.External)})
		execute(t, url, fmt.Sprintf("UPDATE identity.tenants SET version = 7 WHERE kind = '%v'", c.poisoned))
		within(t, r.Sync)
		for token, want := range map[string]string{workforce: c.workforce, v1: c.v1, external: c.external} {
			if status, got := r.get(token); got != want || status != statusOf[want] {
				t.Errorf("%v poisoned: got=%d %q, want=%q", c.poisoned, status, got, want)
			}
		}
	}
}

// A thousand poisoned rows do not fill the log, and the others are served.
func TestMuchPoison(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantB})
	execute(t, url, unguarded, "INSERT INTO identity.tenants (tenant_id, version) SELECT lpad(i::text, 32, '0')::uuid, 9 FROM generate_series(1, 1000) AS i")
	within(t, r.Sync)
	r.wants(t, tenantB, "")
	if got := r.Stats(); got.Refused != 1000 || got.Tenants != 1 {
		t.Errorf("got=%+v", got)
	}
	if lines := strings.Count(r.log.String(), "level=ERROR"); lines != 11 {
		t.Errorf("got=%d lines, want=11", lines)
	}
	if text := r.Healthy().Error(); !strings.Contains(text, "995 more") || len(text) > 2000 {
		t.Errorf("Healthy: got=%s", text)
	}
	execute(t, url, "DELETE FROM identity.tenants WHERE version = 9")
	within(t, r.Sync)
	if err := r.Healthy(); err != nil {
		t.Error(err)
	}
}

// However long a text is that identity refuses, neither the log nor Healthy is filled with it.
func TestLongPoison(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, unguarded)
	const long = "'http://' || repeat('x', 1000000)"
	for _, assignment := range []string{"cloud = " + long, "audiences = array_fill('*'::text, '{256}')", "audiences = array_fill(repeat(' ', 1000), '{1000}')",
		"domain = " + long, "hosts = ARRAY[" + long + "]", "name = " + long, "kind = repeat('x', 100000)"} {
		before := len(r.log.String())
		execute(t, url, "DELETE FROM identity.tenants", "INSERT INTO identity.tenants (tenant_id) VALUES ('"+tenantA+"')",
			"ALTER TABLE identity.tenants DISABLE TRIGGER stamp_tenant", "UPDATE identity.tenants SET "+assignment,
			"ALTER TABLE identity.tenants ENABLE TRIGGER stamp_tenant")
		within(t, r.Sync)
		r.get(r.token(tenantA))
		health := 0
		if err := r.Healthy(); err != nil {
			health = len(err.Error())
		}
		if logged := len(r.log.String()) - before; logged > 20_000 || health > 5_000 {
			t.Errorf("%s: got=%d bytes in the log, %d of Healthy", assignment, logged, health)
		}
	}
}
