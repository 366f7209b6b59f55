package pgtenants_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
)

// Ten replicas that start at once on an empty database migrate it once, and all of them work.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	var stores []*pgtenants.Store
	for range 10 {
		store, err := pgtenants.New(open(t, url), brisk)
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, store)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	faults := make([]error, len(stores))
	var migrating, running sync.WaitGroup
	for i, store := range stores {
		migrating.Go(func() {
			if faults[i] = store.Migrate(ctx); faults[i] == nil {
				running.Go(func() { store.Run(ctx) })
			}
		})
	}
	migrating.Wait()
	defer running.Wait()
	defer cancel()
	for i, err := range faults {
		if err != nil {
			t.Fatalf("replica %d: %v", i, err)
		}
	}
	for i, store := range stores {
		within(t, store.WaitReady)
		if err := store.Upsert(t.Context(), jane, identity.Tenant{ID: numbered(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, store := range stores {
		within(t, store.Sync)
		for i := range stores {
			find(t, store, numbered(i))
		}
	}
	var steps, named int
	err := open(t, url).QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE applied_by = 'postgres' AND name LIKE '0001%') FROM identity.migrations").Scan(&steps, &named)
	if err != nil || steps != 1 || named != 1 {
		t.Errorf("migrations: got=%d and %d, %v, want=1 and 1", steps, named, err)
	}
	if err := stores[0].Migrate(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// A replica of a release that knows less than the schema leaves it alone and works.
func TestMigrateNewer(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk)
	execute(t, url, "INSERT INTO identity.migrations (version, name) VALUES (99, '0099_future')", "ALTER TABLE identity.tenants ADD COLUMN future text NOT NULL DEFAULT 'x'")
	if err := r.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.run(t)
	r.upsert(t, identity.Tenant{ID: tenantA})
	r.wants(t, tenantA, "")
}

// A migration that fails leaves nothing behind, and can be repeated.
func TestMigrateFails(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	execute(t, url, "CREATE SCHEMA identity", "CREATE TABLE identity.tenant_history (mine int)")
	store, err := pgtenants.New(open(t, url), brisk)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "migration 0001_tenants: ") || sqlState(err) != "42P07" {
		t.Fatalf("got=%v", err)
	}
	execute(t, url, "DROP TABLE identity.tenant_history")
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(canceled()); err == nil {
		t.Error("a context that has ended: no error")
	}
}

// A replica on a schema that nobody has made yet says so, and works as soon as it is there.
func TestRunBeforeMigrate(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	store, err := pgtenants.New(open(t, url), brisk)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { store.Run(ctx) })
	defer running.Wait()
	defer cancel()
	eventually(t, "it says what is missing", func() bool {
		err := store.Ready()
		return err != nil && strings.Contains(err.Error(), "has Migrate been called?")
	})
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, store.WaitReady)
}

// The rights of the README are enough: a replica only reads, an administration also writes, and neither can touch the history.
func TestRoles(t *testing.T) {
	t.Parallel()
	addr, name := database(t)
	url := pgtest.URL(addr, "postgres", name)
	newReplica(t, newIDP(), open(t, url), brisk)
	api, admin := "api_"+name, "admin_"+name
	execute(t, url, "CREATE ROLE "+api+" LOGIN; CREATE ROLE "+admin+" LOGIN", strings.NewReplacer("api_role", api, "admin_role", admin).Replace(grants(t)))
	reading := newReplica(t, newIDP(), open(t, pgtest.URL(addr, api, name)), brisk).run(t) // Migrate needs no more either
	writing := newReplica(t, reading.idp, open(t, pgtest.URL(addr, admin, name)), brisk).run(t)
	writing.upsert(t, identity.Tenant{ID: tenantA})
	within(t, reading.Sync)
	reading.wants(t, tenantA, "")
	if err := reading.Upsert(t.Context(), jane, identity.Tenant{ID: tenantB}); sqlState(err) != "42501" {
		t.Errorf("a reader writes: got=%v", err)
	}
	for _, statement := range []string{"INSERT INTO identity.tenant_history SELECT * FROM identity.tenant_history", "DELETE FROM identity.tenant_history",
		"UPDATE identity.tenant_turn SET turn = false", "SELECT nextval('identity.tenant_change')", "UPDATE identity.migrations SET version = 2"} {
		if err := attempt(t, pgtest.URL(addr, admin, name), statement); sqlState(err) != "42501" {
			t.Errorf("%s: got=%v, want permission denied", statement, err)
		}
	}
	// Nor by a trigger on a table of their own, which would run as the owner.
	for _, role := range []string{api, admin} {
		err := attempt(t, pgtest.URL(addr, role, name), "CREATE TEMP TABLE mine (LIKE identity.tenants INCLUDING DEFAULTS)",
			"CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION identity.record_change()",
			"INSERT INTO mine (tenant_id, updated_by) VALUES ('"+tenantB+"', 'the king')")
		if sqlState(err) != "42501" {
			t.Errorf("%s: a trigger of one's own: got=%v, want permission denied", role, err)
		}
	}
	var who string
	if err := reading.pool.QueryRow(t.Context(), "SELECT changed_by || ' ' || db_user FROM identity.tenant_history").Scan(&who); err != nil || who != jane+" "+admin {
		t.Errorf("got=%q, %v, want=%q", who, err, jane+" "+admin)
	}
}

// grants are the rights that the README gives.
func grants(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "<!-- grants -->\n```sql\n")
	statements, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("the README has no grants")
	}
	return statements
}
