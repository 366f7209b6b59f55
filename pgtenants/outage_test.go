package pgtenants_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// alert are options that give up soon.
var alert = pgtenants.Options{MaxStale: 3 * time.Second, Heartbeat: 100 * time.Millisecond, Timeout: time.Second, Batch: time.Millisecond,
	MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}

// slack is what a busy machine may add.
const slack = 2 * time.Second

// behindProxy is a replica whose connections go through a proxy, and the address of its database, past it.
func behindProxy(t testing.TB, o pgtenants.Options) (*replica, *pgtest.Proxy, string) {
	t.Helper()
	addr, name := database(t)
	proxy := newProxy(t, addr)
	url := pgtest.URL(addr, "postgres", name)
	newReplica(t, newIDP(), open(t, url), o) // migrates
	return newReplica(t, newIDP(), open(t, pgtest.URL(proxy.Addr, "postgres", name)), o).run(t), proxy, url
}

func newProxy(t testing.TB, to string) *pgtest.Proxy {
	t.Helper()
	proxy, err := pgtest.NewProxy(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

// answers reports whether a tenant's token has an answer now.
func (r *replica) answers(tenant, reason string) bool {
	_, got := r.get(r.token(tenant))
	return got == reason
}

// While the database is out of reach, known tenants are served for MaxStale, also one that has been removed meanwhile, and not longer; unknown ones get
// 503 at once. When it is back, the changes that were missed count. It makes no difference whether the connection ends or falls silent.
func TestOutOfReach(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*pgtest.Proxy){"cut": (*pgtest.Proxy).Cut, "stalled": (*pgtest.Proxy).Stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, proxy, url := behindProxy(t, alert)
			direct := newReplica(t, r.idp, open(t, url), alert)
			r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
			r.wants(t, tenantA, "")
			r.wants(t, tenantX, unknown)

			fault(proxy)
			if err := errors.Join(direct.Remove(t.Context(), jane, tenantA), direct.Upsert(t.Context(), jane, identity.Tenant{ID: tenantX})); err != nil {
				t.Fatal(err)
			}
			removed := time.Now()
			eventually(t, "it notices", func() bool { return r.answers(tenantX, unavailable) })
			if noticed := time.Since(removed); noticed > alert.Heartbeat+alert.Timeout+slack {
				t.Errorf("it has taken %v to notice", noticed)
			}
			if err := r.Healthy(); !errors.Is(err, pgtenants.ErrNotInSync) || !strings.Contains(err.Error(), "known tenants are served") {
				t.Errorf("Healthy: got=%v", err)
			}
			served, last := 0, time.Now()
			eventually(t, "it is served no more", func() bool {
				began := time.Now()
				if !r.answers(tenantA, "") {
					return true
				}
				served, last = served+1, began
				return false
			})
			if served == 0 {
				t.Error("a known tenant was not served at all")
			}
			if bound := last.Sub(removed); bound > alert.MaxStale {
				t.Errorf("served for %v after it was removed", bound)
			}
			for _, id := range []string{tenantA, tenantB, tenantX} {
				r.wants(t, id, unavailable)
			}
			if err := r.Ready(); !errors.Is(err, pgtenants.ErrNotInSync) {
				t.Errorf("Ready: got=%v, want=%v", err, pgtenants.ErrNotInSync)
			}

			proxy.Heal()
			within(t, r.WaitReady)
			r.wants(t, tenantA, unknown)
			r.wants(t, tenantB, "")
			r.wants(t, tenantX, "")
			if err := r.Healthy(); err != nil {
				t.Error(err)
			}
			for _, want := range []string{"level=WARN", "not in sync", "retry="} {
				if !strings.Contains(r.log.String(), want) {
					t.Errorf("the log lacks %q: %s", want, r.log)
				}
			}
		})
	}
}

// Run ends at once when its context does, whatever the network does, and leaves nothing behind (TestMain looks).
func TestRunEndsInSilence(t *testing.T) {
	t.Parallel()
	r, proxy, _ := behindProxy(t, brisk)
	proxy.Stall()
	eventually(t, "it waits for an answer", func() bool { return time.Since(r.Stats().Confirmed) > 3*brisk.Heartbeat })
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > slack {
		t.Errorf("Run has taken %v to end", took)
	}
}

// A connection that is ended by the server is replaced, and what was changed in between is not lost. The whole table is not read: the server is the
// same, and its history says what was missed.
func TestTerminated(t *testing.T) {
	t.Parallel()
	r, proxy, url := behindProxy(t, brisk)
	r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	pointer := find(t, r.Store, tenantB)
	proxy.Cut()
	execute(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgtenants' AND datname = current_database()",
		"DELETE FROM identity.tenants WHERE tenant_id = '"+tenantA+"'", "INSERT INTO identity.tenants (tenant_id) VALUES ('"+tenantX+"')")
	proxy.Heal()
	eventually(t, "the change is there", func() bool { return r.answers(tenantA, unknown) })
	r.wants(t, tenantX, "")
	if got := r.Stats(); got.Resyncs != 1 || got.Connections < 2 {
		t.Errorf("got=%+v, want one reading of the table, two connections or more", got)
	}
	if find(t, r.Store, tenantB) != pointer {
		t.Error("the pointer of an unchanged row has changed")
	}
}

// After a restart the whole table is read: a server that has crashed, or another in its place, may have lost what was seen.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	url := server.URL("postgres", "postgres")
	r := newReplica(t, newIDP(), open(t, url), alert).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	pointer := find(t, r.Store, tenantB)
	// As if the last transaction had been lost: no trace of it in the history.
	execute(t, url, "ALTER TABLE identity.tenants DISABLE TRIGGER record_change", "DELETE FROM identity.tenants WHERE tenant_id = '"+tenantA+"'",
		"ALTER TABLE identity.tenants ENABLE ALWAYS TRIGGER record_change")
	r.wants(t, tenantA, "")
	if err := server.Stop(t.Context(), pgtest.Immediate); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it notices", func() bool { return r.answers(tenantX, unavailable) })
	if err := r.Upsert(t.Context(), jane, identity.Tenant{ID: tenantX}); err == nil {
		t.Error("Upsert without a database: no error")
	}
	for _, err := range r.All(t.Context()) {
		if err == nil {
			t.Error("All without a database: no error")
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is in sync again", func() bool { return r.answers(tenantX, unknown) })
	r.wants(t, tenantA, unknown)
	r.wants(t, tenantB, "")
	if find(t, r.Store, tenantB) != pointer {
		t.Error("the pointer of an unchanged row has changed")
	}
	r.upsert(t, identity.Tenant{ID: tenantX})
	r.wants(t, tenantX, "")
}

// Nobody notices that another replica has died.
func TestReplicaDies(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	one, other := newReplica(t, newIDP(), open(t, url), brisk).run(t), newReplica(t, newIDP(), open(t, url), brisk).run(t)
	one.upsert(t, identity.Tenant{ID: tenantA})
	one.stop()
	if err := one.Upsert(t.Context(), jane, identity.Tenant{ID: tenantB}); err != nil { // writing needs no Run
		t.Fatal(err)
	}
	within(t, other.Sync)
	other.wants(t, tenantA, "")
	other.wants(t, tenantB, "")
	if got := other.Stats(); got.Connections != 1 || got.Resyncs != 1 {
		t.Errorf("got=%+v", got)
	}
}

// Should notifications get lost, the heartbeat finds what they would have told.
func TestNotificationsLost(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, `DO $$ BEGIN EXECUTE replace(pg_get_functiondef('identity.record_change'::regproc), 'PERFORM pg_notify', '-- PERFORM pg_notify'); END $$`)
	for _, statement := range []string{"INSERT INTO identity.tenants (tenant_id) VALUES ('" + tenantA + "')", "DELETE FROM identity.tenants"} {
		execute(t, url, statement)
		within(t, r.Sync)
	}
	r.wants(t, tenantA, unknown)
}

// A pooler that gives a transaction any connection it has forgets who listens. That is noticed and said.
func TestDoesNotListen(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	newReplica(t, newIDP(), open(t, url), brisk)
	execute(t, url, "CREATE SCHEMA fake", "CREATE FUNCTION fake.pg_listening_channels() RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text WHERE false'")
	pooled := url + "&search_path=fake,pg_catalog"
	r := newReplica(t, newIDP(), open(t, pooled), brisk).run(t)
	connections := r.Stats().Connections
	eventually(t, "it says so, also between two tries", func() bool {
		now, err := r.Stats(), r.Healthy()
		return now.Connections >= connections+2 && now.InSync && err != nil && strings.Contains(err.Error(), "does not listen any more") && strings.Contains(err.Error(), "Options.Listener")
	})
	// With a way around the pooler it is well.
	o := brisk
	listener, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	o.Listener = listener
	well := newReplica(t, newIDP(), open(t, pooled), o).run(t)
	confirmed := well.Stats().Confirmed
	eventually(t, "three heartbeats", func() bool { return well.Stats().Confirmed.Sub(confirmed) > 3*brisk.Heartbeat })
	if got := well.Stats(); got.Connections != 1 {
		t.Errorf("got=%+v, want one connection", got)
	}
}

// The listening connection is made as the pool makes its own: a hook may put in a password of the hour.
func TestPoolHooks(t *testing.T) {
	t.Parallel()
	addr, name := database(t)
	cfg, err := pgxpool.ParseConfig(pgtest.URL("127.0.0.1:1", "postgres", name)) // where nobody listens
	if err != nil {
		t.Fatal(err)
	}
	right, err := pgx.ParseConfig(pgtest.URL(addr, "postgres", name))
	if err != nil {
		t.Fatal(err)
	}
	after := 0
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { c.Port = right.Port; return nil }
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		if c.Config().RuntimeParams["application_name"] == "pgtenants" {
			after++
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r := newReplica(t, newIDP(), pool, brisk).run(t)
	r.upsert(t, identity.Tenant{ID: tenantA})
	r.stop()
	if after != 1 {
		t.Errorf("AfterConnect: got=%d calls, want=1", after)
	}
}

// A connection that is dead without a word is given up, and another one made: nobody need heal anything.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	r, proxy, url := behindProxy(t, alert)
	r.upsert(t, identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	proxy.Freeze()
	execute(t, url, "DELETE FROM identity.tenants WHERE tenant_id = '"+tenantA+"'")
	eventually(t, "the change is there", func() bool { return r.answers(tenantA, unknown) })
	r.wants(t, tenantB, "")
	if got := r.Stats(); got.Connections != 2 || got.Resyncs != 1 {
		t.Errorf("got=%+v, want two connections, one reading of the table", got)
	}
	if !strings.Contains(r.log.String(), "not in sync") {
		t.Errorf("the log does not say so: %s", r.log)
	}
}

// Neither the log nor an error has the password of the connection.
func TestNoPassword(t *testing.T) {
	t.Parallel()
	addr, name := database(t)
	const secret = "Tr0ub4dor"
	for _, url := range []string{
		"postgres://nobody:" + secret + "@127.0.0.1:1/none?sslmode=disable", // nobody listens
		"postgres://nobody:" + secret + "@" + addr + "/" + name + "?sslmode=disable",
		"postgres://nobody:" + secret + "@" + addr + "/" + name + "?sslmode=require",
		"postgres://postgres:" + secret + "@" + addr + "/" + name + "?sslmode=disable&target_session_attrs=standby",
	} {
		log := new(syncBuffer)
		o := alert
		o.Logger = slog.New(slog.NewTextHandler(log, nil))
		store, err := pgtenants.New(open(t, url), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { store.Run(ctx) })
		eventually(t, "a line in the log", func() bool { return strings.Contains(log.String(), "not in sync") })
		said := errors.Join(store.Migrate(ctx), store.Upsert(ctx, jane, identity.Tenant{ID: tenantA}), store.Ready(), store.Healthy(), store.Sync(ctx))
		cancel()
		running.Wait()
		if text := log.String() + said.Error(); strings.Contains(text, secret) || !strings.Contains(text, "127.0.0.1") {
			t.Errorf("%s: got=%s", url, text)
		}
	}
}
