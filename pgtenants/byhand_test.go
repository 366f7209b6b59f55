package pgtenants_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What somebody changes in psql is seen, and recorded with the name of the database user, whatever the statement claims.
func TestByHand(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	for _, step := range []struct{ sql, want string }{
		{"INSERT INTO identity.tenants (tenant_id, updated_by, created_at) VALUES ('" + strings.ToUpper(tenantA) + "', 'the king', '1999-01-01')", ""},
		{"UPDATE identity.tenants SET disabled_at = now()", unknown},
		{"UPDATE identity.tenants SET disabled_at = NULL, updated_by = 'the king', created_at = '1999-01-01'", ""},
		{"BEGIN; UPDATE identity.tenants SET disabled_at = now(); ROLLBACK", ""},
		{"BEGIN; SAVEPOINT s; DELETE FROM identity.tenants; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO s; COMMIT", ""},
		{"BEGIN; DELETE FROM identity.tenants; INSERT INTO identity.tenants (tenant_id) VALUES ('" + tenantA + "'); COMMIT", ""},
		{"DELETE FROM identity.tenants", unknown},
	} {
		execute(t, url, step.sql)
		within(t, r.Sync)
		r.wants(t, tenantA, step.want)
	}
	var got string
	err := r.pool.QueryRow(t.Context(), `SELECT string_agg(concat_ws(' ', operation, changed_by, db_user, after->>'updated_by',
		left(after->>'created_at', 2)), ', ' ORDER BY change) FROM identity.tenant_history`).Scan(&got)
	const insert, update, remove = "INSERT postgres postgres postgres 20, ", "UPDATE postgres postgres postgres 20, ", "DELETE postgres postgres, "
	if want := insert + update + update + remove + insert + remove; err != nil || got+", " != want {
		t.Errorf("got=%s, %v, want=%s", got, err, want)
	}
}

// The history says who changed what through the store, too, and for whom the database does not answer.
func TestHistoryNamesTheCaller(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA, Name: "before"})
	if err := r.Upsert(t.Context(), "joe", identity.Tenant{ID: tenantA, Name: "after"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "jim", tenantA); err != nil {
		t.Fatal(err)
	}
	var got string
	err := r.pool.QueryRow(t.Context(), `SELECT string_agg(concat_ws(' ', operation, changed_by, before->>'name', after->>'name'), ', ' ORDER BY change)
		FROM identity.tenant_history`).Scan(&got)
	if want := "INSERT " + jane + " before, UPDATE joe before after, DELETE jim after"; err != nil || got != want {
		t.Errorf("got=%q, %v, want=%q", got, err, want)
	}
	for _, by := range []string{"", strings.Repeat("j", 257), "a\x00b", "\xff"} {
		if err := r.Upsert(t.Context(), by, identity.Tenant{ID: tenantA}); err == nil || !strings.Contains(err.Error(), "by: ") {
			t.Errorf("by %.10q: got=%v", by, err)
		}
	}
	if err := r.Upsert(t.Context(), strings.Repeat("ü", 256), identity.Tenant{ID: tenantA}); err != nil {
		t.Errorf("by of 256 letters: got=%v, want=nil", err)
	}
}

// What would get past the replicas, or the history, is refused; what old age allows is not.
func TestGuards(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA})
	for _, statement := range []string{
		"TRUNCATE identity.tenants", "TRUNCATE identity.tenant_history", "SET session_replication_role = replica; TRUNCATE identity.tenants",
		"UPDATE identity.tenants SET disabled_at = 'infinity'", "UPDATE identity.tenant_history SET changed_by = 'nobody'",
		"DELETE FROM identity.tenant_history", "UPDATE identity.tenants SET tenant_id = '" + tenantB + "'",
		"UPDATE identity.tenants SET kind = 'external'",
		"BEGIN; UPDATE identity.tenants SET name = 'x'; PREPARE TRANSACTION 'x'", // would keep its turn
	} {
		if err := attempt(t, url, statement); err == nil {
			t.Errorf("%s: no error", statement)
		}
	}
	r.wants(t, tenantA, "")
	execute(t, url, `ALTER TABLE identity.tenant_history DISABLE TRIGGER append_only;
		UPDATE identity.tenant_history SET changed_at = now() - interval '31 days';
		ALTER TABLE identity.tenant_history ENABLE TRIGGER append_only;
		DELETE FROM identity.tenant_history`)
	if err := r.Disable(t.Context(), jane, tenantA); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	r.wants(t, tenantA, unknown)
}

// A transaction that has written long ago and commits late is seen, although others have been committed and seen since; and it blocks nobody.
// Numbers are given out in the order of commits.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	late, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close(t.Context())
	tx, err := late.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO identity.tenants (tenant_id) VALUES ($1)", tenantA); err != nil {
		t.Fatal(err)
	}
	r.upsert(t, identity.Tenant{ID: tenantB})
	r.wants(t, tenantB, "")
	r.wants(t, tenantA, unknown)
	confirmed := r.Stats().Confirmed
	eventually(t, "a heartbeat has passed", func() bool { return r.Stats().Confirmed.After(confirmed) })
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	r.wants(t, tenantA, "")
	r.wants(t, tenantB, "")
}

// Who has got a number keeps its turn until it has committed: another commit waits that long, so that no higher number is seen before.
func TestTurn(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	first, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close(t.Context())
	for _, statement := range []string{"BEGIN", "INSERT INTO identity.tenants (tenant_id) VALUES ('" + tenantA + "')", "SET CONSTRAINTS ALL IMMEDIATE"} {
		if _, err := first.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	second := make(chan error, 1)
	go func() { second <- r.Upsert(t.Context(), jane, identity.Tenant{ID: tenantB}) }()
	eventually(t, "the second commit waits", func() bool {
		var waiting bool
		err := r.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE 'commit%'
			AND datname = current_database())`).Scan(&waiting)
		return err == nil && waiting
	})
	r.wants(t, tenantB, unknown)
	if _, err := first.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	r.wants(t, tenantA, "")
	r.wants(t, tenantB, "")
	var order string
	err = r.pool.QueryRow(t.Context(), "SELECT string_agg(left(tenant_id::text, 1), '' ORDER BY change) FROM identity.tenant_history").Scan(&order)
	if err != nil || order != "ab" {
		t.Errorf("got=%q, %v, want=ab", order, err)
	}
}

// A sequence that lags behind the history, as after half a restore, would give changes numbers that replicas have passed. They are refused.
func TestSequenceBehind(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	r.upsert(t, identity.Tenant{ID: tenantX})
	execute(t, url, `SET session_replication_role = replica; DELETE FROM identity.tenant_history WHERE change < 3`, // old rows may go
		"SELECT setval('identity.tenant_change', 1, false)")
	if err := r.Remove(t.Context(), jane, tenantA); err == nil || !strings.Contains(err.Error(), "tenant_change is behind") {
		t.Errorf("got=%v, want a refusal", err)
	}
	execute(t, url, "SELECT setval('identity.tenant_change', max(change)) FROM identity.tenant_history")
	if err := r.Remove(t.Context(), jane, tenantA); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	r.wants(t, tenantA, unknown)
}

// Without the row of tenant_turn, as after a restore of the schema only, nobody could wait for a turn: changes are refused.
func TestNoTurn(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, "DELETE FROM identity.tenant_turn")
	if err := r.Upsert(t.Context(), jane, identity.Tenant{ID: tenantA}); err == nil || !strings.Contains(err.Error(), "tenant_turn") {
		t.Errorf("got=%v, want a refusal", err)
	}
	execute(t, url, "INSERT INTO identity.tenant_turn VALUES (true)")
	r.upsert(t, identity.Tenant{ID: tenantA})
	r.wants(t, tenantA, "")
}

// Writers at once: nothing is lost, nobody waits for ever.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url+"&pool_max_conns=8"), brisk).run(t)
	const writers, changes = 8, 40
	failed := make(chan error, writers)
	for writer := range writers {
		go func() {
			for i := range changes {
				// Everybody writes one of their own, and one that all write, in different orders.
				tenants := []identity.Tenant{{ID: numbered(writer*changes + i)}, {ID: tenantA, Name: fmt.Sprint(writer, i)}, {ID: tenantB, Name: fmt.Sprint(i)}}
				if writer%2 == 1 {
					tenants[1], tenants[2] = tenants[2], tenants[1]
				}
				if err := r.Upsert(t.Context(), jane, tenants...); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	within(t, r.Sync)
	if got, want := r.Stats().Tenants, writers*changes+2; got != want {
		t.Errorf("got=%d tenants, want=%d", got, want)
	}
	for i := range writers * changes {
		find(t, r.Store, numbered(i))
	}
	rows, err := r.Get(t.Context(), tenantA)
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, r.Store, tenantA).Name; got != rows[0].Tenant.Name {
		t.Errorf("got=%s, want=%s", got, rows[0].Tenant.Name)
	}
}

// Many changes of one transaction are one notification, and are read in pages.
func TestBulk(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	patient := brisk
	patient.Heartbeat, patient.MaxStale = time.Hour, 2*time.Hour // no heartbeat makes up for a page that is not read
	r := newReplica(t, newIDP(), open(t, url), patient).run(t)
	listener, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close(t.Context())
	if _, err := listener.Exec(t.Context(), "LISTEN identity_tenants"); err != nil {
		t.Fatal(err)
	}
	const n = 21_000
	execute(t, url, fmt.Sprintf("INSERT INTO identity.tenants (tenant_id) SELECT lpad(i::text, 32, '0')::uuid FROM generate_series(1, %d) AS i", n),
		"NOTIFY identity_tenants, 'end'")
	within(t, r.Sync)
	if got := r.Stats().Tenants; got != n {
		t.Fatalf("got=%d tenants, want=%d", got, n)
	}
	told := 0
	for {
		notification, err := listener.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if notification.Payload == "end" {
			break
		}
		told++
	}
	if told != 1 {
		t.Errorf("got=%d notifications, want=1", told)
	}
	other := newReplica(t, r.idp, open(t, url), brisk).run(t)
	if got := other.Stats().Tenants; got != n {
		t.Fatalf("a new replica: got=%d tenants, want=%d", got, n)
	}
	execute(t, url, "DELETE FROM identity.tenants WHERE tenant_id <> lpad('7', 32, '0')::uuid")
	for _, each := range []*replica{r, other} {
		within(t, each.Sync)
		if got := each.Stats().Tenants; got != 1 {
			t.Errorf("got=%d tenants, want=1", got)
		}
	}
}

// What no trigger has told is healed by the next reading of the whole table.
func TestResync(t *testing.T) {
	t.Parallel()
	o := brisk
	o.Resync = 50 * time.Millisecond
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), o).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	execute(t, url, "ALTER TABLE identity.tenants DISABLE TRIGGER record_change", "DELETE FROM identity.tenants WHERE tenant_id = '"+tenantA+"'; "+ // at once
		"INSERT INTO identity.tenants (tenant_id) VALUES ('"+tenantX+"'); UPDATE identity.tenants SET version = 1 WHERE tenant_id = '"+tenantB+"'")
	eventually(t, "the table is read", func() bool { _, reason := r.get(r.token(tenantA)); return reason == unknown })
	r.wants(t, tenantX, "")
	if got := find(t, r.Store, tenantB).Version; got != 1 {
		t.Errorf("got=%d, want=1", got)
	}
}

// A row that arrives by logical replication is told as well, and keeps who changed it where it was changed.
func TestReplicatedRow(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, "SET session_replication_role = replica",
		"INSERT INTO identity.tenants (tenant_id, updated_by) VALUES ('"+tenantA+"', 'joe of another region')")
	within(t, r.Sync)
	r.wants(t, tenantA, "")
	rows, err := r.Get(t.Context(), tenantA)
	if err != nil || rows[0].UpdatedBy != "joe of another region" {
		t.Errorf("got=%+v, %v", rows, err)
	}
}

// sqlState is the code of PostgreSQL's error.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
