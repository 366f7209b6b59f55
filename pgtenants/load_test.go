package pgtenants_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
)

// fleet is two replicas behind a proxy each, tenants that come and go, and requests all the time, each of which is judged.
type fleet struct {
	t       *testing.T
	server  *pgtest.Server
	idp     *mockidp.Server
	proxies []*pgtest.Proxy
	ledger  pgtest.Ledger
	tokens  map[string]string
	ids     []string

	mu       sync.RWMutex
	replicas []*replica
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{t: t, server: ownServer(t), idp: mockidp.New(), tokens: make(map[string]string)}
	f.ledger.Stale = alert.MaxStale // and not a moment more
	f.ledger.Fresh = alert.Heartbeat + alert.Timeout + slack
	for i := range steadyTenants + strangeTenants + fastTenants + slowTenants {
		id := numbered(i)
		f.idp.AddTenant(mockidp.Tenant{ID: id})
		f.ids, f.tokens[id] = append(f.ids, id), f.idp.Tenant(id).Token()
	}
	for range 2 {
		f.proxies = append(f.proxies, newProxy(t, f.server.Addr))
		f.replicas = append(f.replicas, nil)
	}
	for i := range f.replicas {
		f.launch(i)
	}
	for _, id := range f.ids[:steadyTenants] {
		if err := f.ledger.Change(id, true, func() error { return f.replicas[0].Upsert(t.Context(), jane, identity.Tenant{ID: id}) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range f.replicas {
		within(t, r.Sync)
	}
	return f
}

// Tenants that are never removed, never added, changed all the time, and changed so seldom that every answer in between can be only one: a
// change of each in turn takes longer than the bound.
const (
	steadyTenants  = 10
	strangeTenants = 10
	fastTenants    = 10
	slowTenants    = 30
	slowPause      = 300 * time.Millisecond
)

// launch starts a replica, in the place of one that has died.
func (f *fleet) launch(i int) {
	r := newReplica(f.t, f.idp, open(f.t, pgtest.URL(f.proxies[i].Addr, "postgres", "postgres")), alert).run(f.t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replicas[i] = r
}

func (f *fleet) replica(i int) *replica {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.replicas[i]
}

// ask sends tokens of random tenants to random replicas until ctx ends.
func (f *fleet) ask(ctx context.Context, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		r := f.replica(random.IntN(2))
		if r == nil {
			continue // a balancer sends nothing to a replica that is not there
		}
		id := f.ids[random.IntN(len(f.ids))]
		began := time.Now()
		status, _ := r.get(f.tokens[id])
		f.ledger.Judge(id, status, began, time.Now())
		pause(ctx, time.Millisecond)
	}
}

// change changes tenants in every way, past the proxies, until ctx ends: the next of some, after a pause. While the database is down it fails, and
// that is right.
func (f *fleet) change(ctx context.Context, ids []string, after time.Duration) (changes int) {
	random := rand.New(rand.NewPCG(7, uint64(len(ids))))
	writer, err := pgtenants.New(open(f.t, f.server.URL("postgres", "postgres")), alert)
	if err != nil {
		f.t.Error(err)
		return 0
	}
	for i := 0; ctx.Err() == nil; i++ {
		id := ids[i%len(ids)]
		var err error
		if f.ledger.Trusted(id) {
			off := writer.Remove
			if random.IntN(2) == 0 {
				off = writer.Disable
			}
			err = f.ledger.Change(id, false, func() error { return off(ctx, jane, id) })
		} else {
			err = f.ledger.Change(id, true, func() error {
				return errors.Join(writer.Upsert(ctx, jane, identity.Tenant{ID: id, Name: fmt.Sprint(random.Uint64())}), writer.Enable(ctx, jane, id))
			})
		}
		if err == nil {
			changes++
		}
		pause(ctx, after)
	}
	return changes
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// In the middle of load and changes the database is killed, the connections between are ended, cut and stalled, and a replica dies. No answer is
// wrong, no removed tenant is served beyond the bound, and afterwards all have everything.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	f := newFleet(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asking, changing sync.WaitGroup
	for i := range 4 {
		asking.Go(func() { f.ask(ctx, uint64(i)) })
	}
	var fast, slow int
	writing, stop := context.WithCancel(ctx)
	changing.Go(func() {
		fast = f.change(writing, f.ids[steadyTenants+strangeTenants:][:fastTenants], 5*time.Millisecond)
	})
	changing.Go(func() { slow = f.change(writing, f.ids[steadyTenants+strangeTenants+fastTenants:], slowPause) })

	healthy := func() {
		t.Helper()
		for i := range f.replicas {
			eventually(t, "the fleet is well again", func() bool { return f.replica(i).Healthy() == nil })
		}
		pause(ctx, time.Second)
	}
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	healthy()
	const beyond = "the other is cut off for longer than MaxStale"
	for _, fault := range []struct {
		name string
		do   func()
	}{
		{"the database is killed", func() {
			try(f.server.Stop(ctx, pgtest.Immediate))
			pause(ctx, time.Second)
			try(f.server.Restart(ctx))
		}},
		{"connections are ended", func() {
			for range 5 {
				execute(t, f.server.URL("postgres", "postgres"), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
				pause(ctx, 100*time.Millisecond)
			}
		}},
		{"one is cut off", func() { f.proxies[0].Cut(); pause(ctx, time.Second); f.proxies[0].Heal() }},
		{beyond, func() { f.proxies[1].Cut(); pause(ctx, alert.MaxStale+slack); f.proxies[1].Heal() }},
		{"both fall silent", func() {
			f.proxies[0].Stall()
			f.proxies[1].Stall()
			pause(ctx, alert.Timeout+time.Second)
			f.proxies[0].Heal()
			f.proxies[1].Heal()
		}},
		{"a replica dies, and another comes", func() {
			dead := f.replica(0)
			f.mu.Lock()
			f.replicas[0] = nil
			f.mu.Unlock()
			dead.stop()
			f.launch(0)
		}},
	} {
		before := f.ledger.Verdict()
		fault.do()
		healthy()
		after := f.ledger.Verdict()
		t.Logf("%s: %d accepted, %d unknown, %d unavailable, of which %d known", fault.name, after.Accepted-before.Accepted, after.Unknown-before.Unknown,
			after.Unavailable-before.Unavailable, after.Refused-before.Refused)
		if refused := after.Refused - before.Refused; (refused > 0) != (fault.name == beyond) {
			t.Errorf("%s: %d requests of known tenants were refused", fault.name, refused)
		}
	}
	stop()
	changing.Wait()
	for i := range f.replicas {
		within(t, f.replica(i).Sync)
	}
	cancel()
	asking.Wait()

	verdict := f.ledger.Verdict()
	t.Logf("%d and %d changes; %+v", fast, slow, verdict)
	if verdict.WrongCount > 0 || verdict.Beyond > 0 {
		t.Errorf("got=%d wrong answers, %d beyond the bound: %q", verdict.WrongCount, verdict.Beyond, verdict.Wrong)
	}
	if fast < 100 || slow < slowTenants || verdict.Accepted < 1000 || verdict.Unknown < 1000 || verdict.Unavailable == 0 {
		t.Errorf("too little has happened: %d and %d changes, %+v", fast, slow, verdict)
	}
	// In the end all agree with the table.
	trusted := make(map[string]bool)
	for row, err := range f.replica(0).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		trusted[row.Tenant.ID] = row.DisabledAt.IsZero()
	}
	for i := range f.replicas {
		for _, id := range f.ids {
			want := map[bool]string{true: "", false: unknown}[trusted[id]]
			if _, got := f.replica(i).get(f.tokens[id]); got != want {
				t.Errorf("replica %d, %s: got=%q, want=%q", i, id, got, want)
			}
		}
	}
}
