package pgtenants_test

import (
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/pgtenants/pgtest"
)

// restored are statements that put the tables into the state of a backup that had one tenant, as pg_restore --data-only --disable-triggers
// does: the numbers of changes are lower than those that were seen.
func restored(tenant string) string {
	return `BEGIN; SET LOCAL session_replication_role = replica;
		ALTER TABLE identity.tenants DISABLE TRIGGER record_change;
		DELETE FROM identity.tenants; DELETE FROM identity.tenant_history;
		INSERT INTO identity.tenants (tenant_id) VALUES ('` + tenant + `');
		INSERT INTO identity.tenant_history (change, changed_at, changed_by, db_user, operation, tenant_id, kind, after)
			VALUES (1, now() - interval '1 day', 'joe', 'joe', 'INSERT', '` + tenant + `', 'workforce', '{}');
		SELECT setval('identity.tenant_change', 1);
		ALTER TABLE identity.tenants ENABLE ALWAYS TRIGGER record_change; COMMIT`
}

// After a restore from a backup, under a connection that stays, the numbers of changes are lower than those that were seen. The replica notices,
// reads the whole table, and goes on from there.
func TestRestored(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantB})
	r.upsert(t, identity.Tenant{ID: tenantA})
	r.upsert(t, identity.Tenant{ID: tenantX})
	execute(t, url, restored(tenantB))
	eventually(t, "tenants that are not in the backup are refused", func() bool { return r.answers(tenantA, unknown) && r.answers(tenantX, unknown) })
	r.wants(t, tenantB, "")
	if err := r.Remove(t.Context(), jane, tenantB); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	r.wants(t, tenantB, unknown)
	if !strings.Contains(r.log.String(), "history") {
		t.Errorf("the log does not say so: %s", r.log)
	}
}

// It makes no difference if the new history has reached the old number before it was looked at, or if the connection was away meanwhile.
func TestRestoredAndGoneOn(t *testing.T) {
	t.Parallel()
	r, proxy, url := behindProxy(t, brisk)
	r.upsert(t, identity.Tenant{ID: tenantA})
	r.upsert(t, identity.Tenant{ID: tenantX})
	proxy.Cut()
	execute(t, url, restored(tenantB), "UPDATE identity.tenants SET name = 'x'", "UPDATE identity.tenants SET name = 'y'")
	proxy.Heal()
	eventually(t, "tenants that are not in the backup are refused", func() bool { return r.answers(tenantA, unknown) && r.answers(tenantX, unknown) })
	r.wants(t, tenantB, "")
}

// A database that is dropped and made again, on the same server, is another one.
func TestDatabaseMadeAgain(t *testing.T) {
	t.Parallel()
	addr, name := database(t)
	url, admin := pgtest.URL(addr, "postgres", name), pgtest.URL(addr, "postgres", "postgres")
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA})
	r.pool.Reset()
	execute(t, admin, "DROP DATABASE "+name+" WITH (FORCE)", "CREATE DATABASE "+name)
	if err := r.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody is known there", func() bool { return r.answers(tenantA, unknown) })
	r.upsert(t, identity.Tenant{ID: tenantX})
	r.wants(t, tenantX, "")
}

// Row level security that hides rows is an error, and not a table without them: nobody's token is thrown away, nor a removal overlooked.
func TestRowLevelSecurity(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"tenants", "tenant_history"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			addr, name := database(t)
			url := pgtest.URL(addr, "postgres", name)
			writer := newReplica(t, newIDP(), open(t, url), brisk)
			reader := "reader_" + name
			execute(t, url, "CREATE ROLE "+reader+" LOGIN", strings.NewReplacer("api_role", reader, "admin_role", reader).Replace(grants(t)))
			r := newReplica(t, writer.idp, open(t, pgtest.URL(addr, reader, name)), alert).run(t)
			if err := writer.Upsert(t.Context(), jane, identity.Tenant{ID: tenantA}); err != nil {
				t.Fatal(err)
			}
			within(t, r.Sync)
			execute(t, url, "ALTER TABLE identity."+table+" ENABLE ROW LEVEL SECURITY")
			eventually(t, "it notices", func() bool { return r.answers(tenantX, unavailable) })
			r.wants(t, tenantA, "")
			if err := r.Healthy(); err == nil || !strings.Contains(err.Error(), "row-level security") {
				t.Errorf("Healthy: got=%v, want the cause", err)
			}
			execute(t, url, "ALTER TABLE identity."+table+" DISABLE ROW LEVEL SECURITY")
			eventually(t, "it is well again", func() bool { return r.Healthy() == nil })
			r.wants(t, tenantA, "")
		})
	}
}

// A Batch longer than the Heartbeat does not keep a replica that is told of changes from being in sync.
func TestLongBatch(t *testing.T) {
	t.Parallel()
	o := alert
	o.Batch = time.Minute
	r := newReplica(t, newIDP(), open(t, databaseURL(t)), o).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA})
	confirmed := r.Stats().Confirmed
	eventually(t, "another reading", func() bool { return r.Stats().Confirmed.After(confirmed) })
	if err := r.Healthy(); err != nil {
		t.Error(err)
	}
}
