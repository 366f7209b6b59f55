// Command soak lets an API run under everything at once, and checks every answer: good and bad tokens over loopback connections, keys
// that are rotated, tenants that come and go, a key server over TLS with one fault after the other, and a flood of unknown keys.
//
//	go -C benchmarks run ./soak                            # a minute, a thousand requests per second
//	go -C benchmarks run ./soak -duration 20m -rate 300    # longer, with less
//
// It ends with a table, and with an error if an answer was wrong, a valid request was lost, memory or goroutines did not return, or a
// run of a minute or more did not see every kind of event.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"

	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/mockidp"
)

// options say how much happens.
type options struct {
	duration time.Duration
	rate     int // requests per second
	tenants  int // workforce tenants; a tenth of them come and go
	users    int // tokens
	clients  int // of each crowd
}

// cycle is how long it takes until every event has happened. A shorter run does the same in less time, as far as the least TTL (a
// minute, of which 72 to 88 % pass before a refresh) and cool-down (a second) let it.
const cycle = time.Minute

// unit is a second of a cycle.
func (o options) unit() time.Duration { return min(o.duration, cycle) / 60 }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", time.Minute, "how long")
	flags.IntVar(&o.rate, "rate", 1000, "requests per second")
	flags.IntVar(&o.tenants, "tenants", 1000, "workforce tenants, at least 20")
	flags.IntVar(&o.users, "users", 3000, "tokens, at least 100")
	flags.IntVar(&o.clients, "clients", 48, "connections of each of the two crowds")
	flags.SetOutput(out)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.duration < time.Second || o.rate < 10 || o.tenants < 20 || o.users < 100 || o.clients < 1 {
		return errors.New("-duration must be at least 1s, -rate 10, -tenants 20, -users 100, -clients 1")
	}
	before := runtime.NumGoroutine()
	r, err := soak(ctx, o)
	if err != nil {
		return err
	}
	r.before, r.after = before, goroutines(before)
	return r.conclude(out)
}

// soak runs everything at once for as long as it is asked to.
func soak(ctx context.Context, o options) (*result, error) {
	a, err := newArena(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &result{options: o, ledger: a.ledger}
	r.heap.begin = measure.Holding().Bytes
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, o.duration)
	defer cancel()
	var working sync.WaitGroup
	for i, c := range crowds {
		working.Go(func() { a.send(ctx, c, uint64(i)) })
	}
	for _, driver := range []func(context.Context){a.rotate, a.rotateQuietly, a.beLate, a.change, a.disturb, a.expire, a.renewBroken} {
		working.Go(func() { driver(ctx) })
	}
	working.Go(func() { r.heap.watch(ctx, o.duration) })
	working.Wait()
	r.took = time.Since(began)
	r.heap.end = measure.Holding().Bytes
	r.stats = a.verifier.Stats()
	return r, a.close()
}

// leeway is the default of the module.
const leeway = time.Minute

// expire makes tokens that expire soon, ten per unit, and forgets them some time after that.
func (a *arena) expire(ctx context.Context) {
	random := rand.New(rand.NewPCG(9, 10))
	for user := 0; pause(ctx, a.unit()/10); user++ {
		exp := time.Now().Add(max(4*a.unit(), time.Second) - leeway).Truncate(time.Second).Add(time.Second)
		tenant := a.steady[random.IntN(2)]
		t := a.mint(classExpiring, tenant.ID, user, workforceKinds[user%len(workforceKinds)], mockidp.ExpiresAt(exp))
		t.expires = exp.Add(leeway)
		a.pools[classExpiring].add(t)
		a.pools[classExpiring].drop(nil, time.Now().Add(-3*a.unit()))
	}
}

func (a *arena) renewBroken(ctx context.Context) {
	for pause(ctx, time.Minute) {
		a.mintBroken()
	}
}
