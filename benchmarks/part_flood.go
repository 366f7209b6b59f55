package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
	"github.com/echo-identity/identity/mockidp"
)

const (
	floodRate = 2_000                 // tokens of unknown keys per second
	validRate = 450                   // good requests per second
	distance  = 20 * time.Millisecond // to the key server
)

// flooded is somebody who gets tokens of keys that do not exist.
type flooded struct {
	name    string
	newCall func() func(*corpus.Token) error // for one goroutine
	tokens  []*corpus.Token
}

// measureFlood sends tokens whose keys nobody has published, beside good ones, and publishes a new key in the middle of it.
func (b *bench) measureFlood() (report.Section, error) {
	section := report.Section{
		Title:   "Flood",
		Columns: []string{"", "unknown keys", "fetches", "new key after", "p99 quiet, µs", "p99 flooded, µs", "factor"},
		Note: fmt.Sprintf("%s tokens of made-up key IDs per second for %v, with a key server %v away, beside %d good requests per second, each "+
			"of a user that was not seen before. In the middle a new key is published; it counts when a token of it is accepted. identity "+
			"has a cool-down of %v; the others have no such setting, and are at their defaults.",
			thousands(floodRate), b.flood, distance, validRate, b.cooldown),
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	cfg := peers.Config(b.corpus, identity.NewRegistry(peers.Registered(b.tenants)...), 0)
	cfg.Keys.Cooldown = b.cooldown
	verifier, err := identity.New(cfg)
	if err != nil {
		return section, err
	}
	all, err := peers.All(ctx, b.corpus)
	if err != nil {
		return section, err
	}
	remove := b.corpus.IdP.Inject(mockidp.Fault{Delay: distance})
	defer remove()

	own, err := b.endure(flooded{"identity, whole Echo stack", stackFor(verifier), b.mixed})
	if err != nil {
		return section, err
	}
	section.Rows = append(section.Rows, own.row(
		report.AtMost(float64(own.fetches), float64(b.flood/b.cooldown)+1, "%.0f fetches"),
		report.AtMost(own.newKey.Seconds(), (b.cooldown+time.Second).Seconds(), "%.0f s"),
		report.AtMost(own.factor(), slowdownTarget, "× %.1f")))
	for _, peer := range all {
		if peer.Name != "keyfunc" && peer.Name != "go-oidc" { // the ones that fetch keys on demand
			continue
		}
		other, err := b.endure(flooded{peer.Name, func() func(*corpus.Token) error { return peer.Verify }, b.corpus.OfOneTenant()})
		if err != nil {
			return section, err
		}
		section.Rows = append(section.Rows, other.row())
	}
	return section, nil
}

// endured is what came of a flood.
type endured struct {
	name           string
	sent, fetches  int
	newKey         time.Duration // or noKey
	quiet, flooded time.Duration // p99
}

func (e *endured) factor() float64 { return e.flooded.Seconds() / e.quiet.Seconds() }

func (e *endured) row(targets ...report.Target) report.Row {
	newKey := "not within it"
	if e.newKey < noKey {
		newKey = fmt.Sprintf("%.2f s", e.newKey.Seconds())
	}
	return report.Row{Targets: targets, Cells: []string{e.name, thousands(e.sent), thousands(e.fetches), newKey,
		fmt.Sprintf("%.0f", e.quiet.Seconds()*1e6), fmt.Sprintf("%.0f", e.flooded.Seconds()*1e6), fmt.Sprintf("× %.1f", e.factor())}}
}

// noKey stands for a key that was not accepted at all.
const noKey = time.Duration(1<<63 - 1)

// endure has half of the quiet time before the flood and half after it, so that a change of the machine's mood shows in both.
func (b *bench) endure(f flooded) (*endured, error) {
	refused, err := b.corpus.Refuse(len(b.corpus.OfOneTenant()))
	if err != nil {
		return nil, err
	}
	valid := &validTraffic{call: f.newCall(), tokens: f.tokens}
	if err := valid.run(b.ctx, b.flood/10); err != nil { // fetches the keys
		return nil, err
	}
	keys := b.corpus.IdP.Tenant(b.corpus.Tenants[0]).Keys()
	key := keys.NewKey() // takes a while to make
	defer keys.Withdraw(key)
	e := &endured{name: f.name}
	valid.took = nil
	if err := valid.run(b.ctx, b.flood/2); err != nil {
		return nil, err
	}
	quiet := valid.took

	valid.took = nil
	b.corpus.IdP.ResetCounts()
	var (
		working  sync.WaitGroup
		floodErr error
		keyErr   error
	)
	working.Go(func() { e.sent, floodErr = flood(b.ctx, b.flood, f.newCall, refused.UnknownKey) })
	working.Go(func() { e.newKey, keyErr = b.rollKey(keys, key, f.newCall()) })
	validErr := valid.run(b.ctx, b.flood)
	working.Wait()
	if err := errors.Join(floodErr, keyErr, validErr); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	e.fetches = b.corpus.IdP.Count(mockidp.JWKS)
	e.flooded = measure.Quantile(valid.took, 0.99)

	valid.took = nil
	if err := valid.run(b.ctx, b.flood/2); err != nil {
		return nil, err
	}
	e.quiet = measure.Quantile(append(quiet, valid.took...), 0.99)
	return e, nil
}

// validTraffic sends good tokens at a steady rate, whatever becomes of the ones before.
type validTraffic struct {
	call   func(*corpus.Token) error
	tokens []*corpus.Token
	next   int
	took   []time.Duration
}

func (v *validTraffic) run(ctx context.Context, d time.Duration) error {
	const interval = time.Second / validRate
	for due, end := time.Now(), time.Now().Add(d); due.Before(end); due = due.Add(interval) {
		if err := until(ctx, due); err != nil {
			return err
		}
		token := v.tokens[v.next%len(v.tokens)]
		v.next++
		begin := time.Now()
		if err := v.call(token); err != nil {
			return fmt.Errorf("a good token: %w", err)
		}
		v.took = append(v.took, time.Since(begin))
	}
	return nil
}

// flood sends each token in a goroutine of its own, so that those that wait do not hold up the next.
func flood(ctx context.Context, d time.Duration, newCall func() func(*corpus.Token) error, tokens []*corpus.Token) (sent int, err error) {
	calls := sync.Pool{New: func() any { return newCall() }}
	var (
		working  sync.WaitGroup
		mu       sync.Mutex // guards accepted
		accepted int
	)
	for begin := time.Now(); time.Since(begin) < d; {
		for due := int(time.Since(begin).Seconds() * floodRate); sent < due; sent++ {
			token := tokens[sent%len(tokens)]
			working.Go(func() {
				call := calls.Get().(func(*corpus.Token) error)
				defer calls.Put(call)
				if call(token) == nil {
					mu.Lock()
					defer mu.Unlock()
					accepted++
				}
			})
		}
		if err := until(ctx, time.Now().Add(time.Millisecond)); err != nil {
			return sent, err
		}
	}
	working.Wait()
	if accepted > 0 {
		return sent, fmt.Errorf("%d tokens of unknown keys were accepted", accepted)
	}
	return sent, nil
}

// rollKey publishes a key when half of the flood is over, and says how long it took until a token of it was accepted.
func (b *bench) rollKey(keys *mockidp.KeySet, key *mockidp.Key, call func(*corpus.Token) error) (time.Duration, error) {
	token := corpus.Bearer(b.corpus.Mint(0, mockidp.SignedBy(key)))
	if err := until(b.ctx, time.Now().Add(b.flood/2)); err != nil {
		return 0, err
	}
	if call(token) == nil {
		return 0, errors.New("the token of an unpublished key was accepted")
	}
	keys.Publish(key)
	published := time.Now()
	for time.Since(published) < max(b.flood/2, b.cooldown+time.Second) {
		if call(token) == nil {
			return time.Since(published), nil
		}
		if err := until(b.ctx, time.Now().Add(10*time.Millisecond)); err != nil {
			return 0, err
		}
	}
	return noKey, nil
}

// until waits.
func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
