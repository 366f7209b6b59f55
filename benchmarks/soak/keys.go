package main

import (
	"context"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// Events that every run of a minute has to see.
const (
	eventAhead       = "key published ahead, then used"
	eventInFlood     = "key first published in the flood"
	eventWithdrawn   = "key withdrawn, gone with a forced refresh"
	eventByTTL       = "key withdrawn, gone when the TTL was over"
	eventQuiet       = "key first published where nobody floods"
	eventGoneRefused = "token of a withdrawn key refused"
	eventDueOutage   = "refresh due in an outage"
)

// publish makes tokens of a new key and publishes it. Nothing is sent yet.
func (a *arena) publish(set *mockidp.KeySet, atOnce bool, mint func(k *mockidp.Key) []*token) (own *mockidp.Key, k *key, tokens []*token, at time.Time) {
	own = set.NewKey()
	k = &key{timeline: newTimeline(unpublished), atOnce: atOnce}
	tokens = mint(own)
	for _, t := range tokens {
		t.key = k
	}
	end := k.begin(published)
	set.Publish(own)
	end()
	return own, k, tokens, time.Now()
}

// become says that the key is in another state from now on.
func (k *key) become(s keyState) { k.begin(s)() }

// withdraw takes a key away and waits until it is gone: from all the sets that its tokens are looked for in.
func (a *arena) withdraw(ctx context.Context, set *mockidp.KeySet, own *mockidp.Key, k *key, from ...*keySet) (ok bool) {
	end := k.begin(withdrawn)
	set.Withdraw(own)
	end()
	at := time.Now()
	for _, s := range from {
		if _, ok := s.await(ctx, at); !ok {
			return false
		}
	}
	k.become(gone)
	return true
}

// rotate rolls the keys of all workforce tenants, over and over: one key is published ahead and used when the verifier knows it,
// another is used as soon as it is published, in the middle of the flood; then both are withdrawn, and their tokens still sent for a while.
func (a *arena) rotate(ctx context.Context) {
	set := a.idp.CloudKeys(mockidp.Public)
	for round := 0; ctx.Err() == nil; round++ {
		mint := func(own *mockidp.Key) (tokens []*token) {
			for i, k := range workforceKinds {
				tenant := a.steady[(round*len(workforceKinds)+i)%2] // Contoso and Fabrikam
				tokens = append(tokens, a.mint(classRotating, tenant.ID, i, k, mockidp.SignedBy(own)))
			}
			return tokens
		}
		ahead, aheadKey, tokens, at := a.publish(set, false, mint)
		if _, ok := a.v2.await(ctx, at); !ok {
			return
		}
		aheadKey.become(known)
		a.pools[classRotating].add(tokens...)
		a.ledger.event(eventAhead)
		if !pause(ctx, 2*a.unit()) {
			return
		}

		sudden, suddenKey, tokens, at := a.publish(set, false, mint)
		a.pools[classRotating].add(tokens...)
		landed, ok := a.v2.await(ctx, at)
		if !ok {
			return
		}
		suddenKey.become(known)
		if !a.disturbed(at, landed) { // else it is the outage that it waited for
			a.ledger.event(eventInFlood)
			a.ledger.newKeyAfter(landed.Sub(at))
		}
		if !pause(ctx, 2*a.unit()) || !a.withdraw(ctx, set, ahead, aheadKey, a.v2, a.v1) || !a.withdraw(ctx, set, sudden, suddenKey, a.v2, a.v1) {
			return
		}
		a.ledger.event(eventWithdrawn)
		if !pause(ctx, a.unit()) {
			return
		}
		a.pools[classRotating].drop(aheadKey, time.Time{})
		a.pools[classRotating].drop(suddenKey, time.Time{})
	}
}

// disturbed tells whether the key server was, or shortly before: the last fault may have asked for silence for a second.
func (a *arena) disturbed(begin, end time.Time) bool {
	states := a.outage.during(begin.Add(-2*time.Second), end)
	return len(states) > 1 || states[0]
}

func (l *ledger) newKeyAfter(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newKey = max(l.newKey, d)
}

// rotateQuietly rolls the keys of a B2C policy for which nobody sends unknown keys, so that no cool-down is running: the first token of
// a new key makes the verifier fetch it, and none is refused. The old key is withdrawn then, which only the end of the TTL can show.
func (a *arena) rotateQuietly(ctx context.Context) {
	set := a.idp.Tenant(mockidp.Shop).PolicyKeys(policies[1])
	policy := kind{ordersPath, append([]mockidp.TokenOption{mockidp.Policy(policies[1])}, v2User.opts...), false}
	var old *mockidp.Key
	var oldKey *key
	for ctx.Err() == nil {
		own, k, tokens, at := a.publish(set, true, func(own *mockidp.Key) (tokens []*token) {
			for i := range 3 {
				t := a.mint(classRotating, mockidp.Shop, i, policy, mockidp.SignedBy(own))
				t.sets = []*keySet{a.quiet}
				tokens = append(tokens, t)
			}
			return tokens
		})
		a.pools[classRotating].add(tokens...)
		if _, ok := a.quiet.await(ctx, at); !ok {
			return
		}
		k.become(known)
		a.ledger.event(eventQuiet)
		if old != nil {
			if !a.withdraw(ctx, set, old, oldKey, a.quiet) {
				return
			}
			a.ledger.event(eventByTTL)
			if !pause(ctx, a.unit()) {
				return
			}
			a.pools[classRotating].drop(oldKey, time.Time{})
			if !pause(ctx, patience/4) { // until the requests are answered, and the cool-down that they began is over
				return
			}
		} else if !pause(ctx, 2*cooldown) {
			return
		}
		old, oldKey = own, k
	}
}

// beLate takes the key server of one tenant down just before its keys are due, until the refresh has failed.
func (a *arena) beLate(ctx context.Context) {
	host := lateTenant + ".ciamlogin.com"
	var at time.Time // the Warm at the beginning is after it
	for {
		landed, ok := a.late.await(ctx, at)
		if !ok || !pause(ctx, time.Until(landed.Add(40*time.Second))) { // due after 43 seconds at the earliest
			return
		}
		remove := a.idp.Inject(mockidp.Fault{Host: host, Status: 503})
		failed := a.late.awaitFailure(ctx)
		remove()
		if !failed {
			return
		}
		a.ledger.event(eventDueOutage)
		at = time.Now() // another refresh comes after 30 seconds
	}
}

// pause waits. It is false when the run is over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
