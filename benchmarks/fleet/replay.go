package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
)

// A day in the life of a service: a change every five seconds, in a short run fewer.
const (
	hours          = 24
	changesPerHour = 720
)

const dayTitle = "A day"

// Of the tenants that have a token, some are never removed, some never registered, and the others come and go: some all the time, some so seldom
// that between two changes of one of them its answer can be only one.
const (
	steadyShare, strangeShare, fastShare = 0.2, 0.1, 0.05
	slowEvery                            = 10 // one of so many changes is of a slow one
)

// outageOptions notice faults soon, because an hour takes seconds.
func outageOptions(hour time.Duration) pgtenants.Options {
	return pgtenants.Options{MaxStale: max(3*time.Second, hour*3/5), Heartbeat: 200 * time.Millisecond, Timeout: time.Second,
		MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Resync: 3 * hour}
}

// day is the replay: two replicas, each behind a proxy of its own, with an API each.
type day struct {
	d       *database
	s       sizes
	o       pgtenants.Options
	corpus  *corpus.Corpus
	ledger  pgtest.Ledger
	proxies [2]*pgtest.Proxy
	pools   [2]*pgxpool.Pool
	apis    [2]atomic.Pointer[api] // nil: the replica is down, and a balancer sends it nothing
	tokens  map[string]*corpus.Token
	ids     []string // that are asked for

	steady, strange, fast, slow []string

	sent, changed, failed atomic.Int64
	events                map[string]int
}

// api is a replica and what is built on it.
type api struct {
	store   *pgtenants.Store
	handler *echo.Echo
	stop    func()
}

// measureReplay lives through a day of changes, fast, with the database restarted every hour.
func measureReplay(ctx context.Context, d *database, s sizes) (report.Section, error) {
	y := &day{d: d, s: s, o: outageOptions(s.hour), events: make(map[string]int), tokens: make(map[string]*corpus.Token)}
	y.ledger.Stale = y.o.MaxStale // and not a moment more
	y.ledger.Fresh = y.o.Heartbeat + y.o.Timeout + time.Second
	if err := y.prepare(ctx); err != nil {
		return report.Section{}, err
	}
	defer y.close()
	began := time.Now()
	if err := y.live(ctx); err != nil {
		return report.Section{}, err
	}
	took := time.Since(began)
	astray, err := y.astray(ctx)
	if err != nil {
		return report.Section{}, err
	}
	return y.section(took, astray), nil
}

// prepare brings the table to where the day begins.
func (y *day) prepare(ctx context.Context) (err error) {
	if y.corpus, err = corpus.New(min(y.s.users, 2_000), min(1_000, y.s.tenants)); err != nil {
		return err
	}
	y.ids = y.corpus.Tenants
	for _, id := range y.ids {
		y.tokens[id] = corpus.Bearer(y.corpus.IdP.Tenant(id).Token(mockidp.Scopes(corpus.Scope)))
	}
	share := func(part float64) int { return int(part * float64(len(y.ids))) }
	rest := y.ids
	take := func(n int) (ids []string) { ids, rest = rest[:n], rest[n:]; return ids }
	y.steady, y.strange, y.fast = take(share(steadyShare)), take(share(strangeShare)), take(share(fastShare))
	y.slow = rest
	// All of them are in the table; the strange ones go, and never come back.
	for _, id := range y.strange {
		if err := y.d.store.Remove(ctx, operator, id); err != nil && !errors.Is(err, pgtenants.ErrNotFound) {
			return err
		}
	}
	for _, ids := range [][]string{y.steady, y.fast, y.slow} {
		for _, id := range ids {
			add := func() error {
				return errors.Join(y.d.store.Upsert(ctx, operator, identity.Tenant{ID: id}), y.d.store.Enable(ctx, operator, id))
			}
			if err := y.ledger.Change(id, true, add); err != nil {
				return err
			}
		}
	}
	for i := range y.proxies {
		if y.proxies[i], err = pgtest.NewProxy(y.d.server.Addr); err != nil {
			return err
		}
		if y.pools[i], err = pgxpool.New(ctx, pgtest.URL(y.proxies[i].Addr, "postgres", "postgres")); err != nil {
			return err
		}
		if err := y.launch(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (y *day) close() {
	for i := range y.proxies {
		if a := y.apis[i].Load(); a != nil {
			a.stop()
		}
		if y.pools[i] != nil {
			y.pools[i].Close()
		}
		if y.proxies[i] != nil {
			y.proxies[i].Close()
		}
	}
}

// launch starts a replica.
func (y *day) launch(ctx context.Context, i int) error {
	store, stop, err := launch(ctx, y.pools[i], y.o)
	if err != nil {
		return err
	}
	verifier, err := peers.NewVerifier(y.corpus, store, 0)
	if err != nil {
		stop()
		return err
	}
	y.apis[i].Store(&api{store, peers.NewApp(peers.Identity(verifier)...), stop})
	return nil
}

// live is the day: requests and changes all the time, and an event or more every hour.
func (y *day) live(ctx context.Context) error {
	ending, end := context.WithCancel(ctx) // of requests and changes; the replicas go on
	var asking, changing sync.WaitGroup
	defer asking.Wait()
	defer changing.Wait()
	defer end()
	for i := range 4 {
		asking.Go(func() { y.ask(ending, uint64(i)) })
	}
	changing.Go(func() { y.change(ending) })
	for hour := range hours {
		if err := y.happen(ctx, hour); err != nil {
			return err
		}
	}
	changing.Wait()
	for i := range y.apis {
		if err := y.settle(ctx, y.apis[i].Load().store); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until a replica has all changes.
func (y *day) settle(ctx context.Context, store *pgtenants.Store) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return store.Sync(ctx)
}

// happen is what happens in an hour: the database is restarted, in order or as in a crash; at times a connection is cut or falls silent, or a
// replica is replaced.
func (y *day) happen(ctx context.Context, hour int) error {
	end := time.NewTimer(y.s.hour)
	defer end.Stop()
	note := func(event string) { y.events[event]++ }
	mode, event := pgtest.Fast, "restarts of the database, in order"
	if hour%2 == 0 {
		mode, event = pgtest.Immediate, "restarts of the database, as in a crash"
	}
	if err := y.d.server.Stop(ctx, mode); err != nil {
		return err
	}
	pause(ctx, y.s.hour/10)
	if err := y.d.server.Restart(ctx); err != nil {
		return err
	}
	note(event)
	proxy := y.proxies[hour%2]
	switch hour % 6 {
	case 1:
		note("connections cut")
		proxy.Cut()
		pause(ctx, y.s.hour/5)
		proxy.Heal()
	case 2:
		note("connections that fell silent")
		proxy.Stall()
		pause(ctx, y.s.hour/3)
		proxy.Heal()
	case 3:
		note("connections cut for longer than MaxStale")
		proxy.Cut()
		pause(ctx, y.o.MaxStale+y.s.hour/5)
		proxy.Heal()
	case 4:
		note("connections that died without a word")
		proxy.Freeze()
	case 5:
		note("replicas that died and were replaced")
		dead := y.apis[hour%2].Swap(nil)
		dead.stop()
		if err := y.launch(ctx, hour%2); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-end.C:
	}
	for y.changed.Load() < int64((hour+1)*y.s.changesPerHour) { // on a slow machine, an hour lasts until its changes are made
		if pause(ctx, y.s.hour/100); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// ask sends tokens of random tenants to random replicas, through the whole of Echo, and has every answer judged.
func (y *day) ask(ctx context.Context, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 3))
	request, err := http.NewRequest(http.MethodGet, "/orders/4711", nil)
	if err != nil {
		panic(err) // not reached: the arguments are constant
	}
	w := &status{header: make(http.Header)}
	for ctx.Err() == nil {
		if a := y.apis[random.IntN(len(y.apis))].Load(); a != nil {
			id := y.ids[random.IntN(len(y.ids))]
			request.Header.Set("Authorization", y.tokens[id].Bearer)
			clear(w.header)
			began := time.Now()
			a.handler.ServeHTTP(w, request)
			code := w.code
			if code == http.StatusNoContent {
				code = http.StatusOK
			}
			y.ledger.Judge(id, code, began, time.Now())
			y.sent.Add(1)
		}
		pause(ctx, 2*time.Millisecond)
	}
}

// status is a response of which the status is kept.
type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }
func (s *status) WriteHeader(code int)        { s.code = code }

// change makes the changes of the day, all of them. While the database is down they fail, and it is not known what became of them.
func (y *day) change(ctx context.Context) {
	random := rand.New(rand.NewPCG(4, 4))
	var fast, slow int
	for ctx.Err() == nil && y.changed.Load() < int64(hours*y.s.changesPerHour) {
		began := time.Now()
		id := ""
		if (fast+slow)%slowEvery == 0 {
			id, slow = y.slow[slow%len(y.slow)], slow+1
		} else {
			id, fast = y.fast[fast%len(y.fast)], fast+1
		}
		if y.changeOne(ctx, random, id) == nil {
			y.changed.Add(1)
			pause(ctx, y.s.hour/time.Duration(y.s.changesPerHour)-time.Since(began))
		} else {
			y.failed.Add(1)
			pause(ctx, y.s.hour/50)
		}
	}
}

// changeOne removes or disables a tenant, or brings it back.
func (y *day) changeOne(ctx context.Context, random *rand.Rand, id string) error {
	store := y.d.store
	if !y.ledger.Trusted(id) {
		return y.ledger.Change(id, true, func() error {
			return errors.Join(store.Upsert(ctx, operator, identity.Tenant{ID: id, Name: fmt.Sprint(random.Uint32())}), store.Enable(ctx, operator, id))
		})
	}
	off := store.Disable
	if random.IntN(2) == 0 {
		off = store.Remove
	}
	return y.ledger.Change(id, false, func() error { return off(ctx, operator, id) })
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// astray counts tenants that a replica answers otherwise than the table says, when all is over.
func (y *day) astray(ctx context.Context) (n int, err error) {
	enabled := make(map[string]bool)
	for row, err := range y.d.store.All(ctx) {
		if err != nil {
			return 0, err
		}
		enabled[row.Tenant.ID] = row.DisabledAt.IsZero()
	}
	for i := range y.apis {
		for id := range y.tokens {
			issuer, err := identity.ParseIssuer("https://login.microsoftonline.com/" + id + "/v2.0")
			if err != nil {
				return 0, err
			}
			if t, _ := y.apis[i].Load().store.Tenant(ctx, issuer); (t != nil) != enabled[id] {
				n++
			}
		}
	}
	return n, nil
}

// section is the table.
func (y *day) section(took time.Duration, astray int) report.Section {
	v := y.ledger.Verdict()
	section := report.Section{
		Title: dayTitle, Columns: []string{"", "number"},
		Note: fmt.Sprintf("24 hours, each in %v or until its changes are made: %d changes of %d tenants beside %d others in the table, two replicas, each behind a proxy, each with the middleware and "+
			"tokens of mockidp; every answer is judged. MaxStale is %v, so that the bound matters. A change that failed, because the database was down, may have been made: "+
			"then both answers are right until the next change.", y.s.hour, hours*y.s.changesPerHour, len(y.fast)+len(y.slow), y.s.tenants, y.o.MaxStale),
	}
	row := func(name, figure string, targets ...report.Target) {
		section.Rows = append(section.Rows, report.Row{Cells: []string{name, figure}, Targets: targets})
	}
	row("took, s", fmt.Sprintf("%.0f", took.Seconds()))
	row("requests", fmt.Sprint(y.sent.Load()))
	row("accepted, unknown tenant, 503", fmt.Sprintf("%d, %d, %d", v.Accepted, v.Unknown, v.Unavailable))
	row("changes made, failed", fmt.Sprintf("%d, %d", y.changed.Load(), y.failed.Load()))
	for _, event := range []string{"restarts of the database, in order", "restarts of the database, as in a crash", "connections cut", "connections that fell silent",
		"connections cut for longer than MaxStale", "connections that died without a word", "replicas that died and were replaced"} {
		row(event, fmt.Sprint(y.events[event]), report.AtLeast(float64(y.events[event]), 1, "%.0f"))
	}
	row("wrong answers", fmt.Sprint(v.WrongCount), report.AtMost(float64(v.WrongCount), 0, "%.0f"))
	row("tokens of removed tenants accepted beyond MaxStale", fmt.Sprint(v.Beyond), report.AtMost(float64(v.Beyond), 0, "%.0f"))
	row("longest that a removed tenant was served, out of reach, s", fmt.Sprintf("%.2f", v.Lag.Seconds()),
		report.AtMost(v.Lag.Seconds(), y.o.MaxStale.Seconds(), "%.0f"))
	row("503 to tenants that were there all the time", fmt.Sprint(v.Refused))
	row("tenants astray in the end", fmt.Sprint(astray), report.AtMost(float64(astray), 0, "%.0f"))
	if len(v.Wrong) > 0 {
		section.Note += " Wrong: " + strings.Join(v.Wrong, "; ") + "."
	}
	return section
}
