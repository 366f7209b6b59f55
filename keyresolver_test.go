package identity_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// C1: one fetch serves many requests, and all workforce tenants of a cloud.
func TestKeysAreFetchedOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB})
	}, func(t *testing.T, a *keyAPI) {
		for range 50 {
			a.get(a.good()).accepted(t)
			a.get(a.idp.Tenant(tenantB).Token()).accepted(t)
			a.get(a.good(mockidp.V1())).accepted(t)
		}
		a.fetched(t, 1, 1)
		if got := a.idp.Requests()[0]; got.Host != "login.microsoftonline.com" || got.Path != "/common/v2.0/.well-known/openid-configuration" {
			t.Fatalf("asked https://%s%s, want the common v2.0 document", got.Host, got.Path)
		}
	})
}

// C2: a hundred cold requests at once share one fetch of each document.
func TestColdRequestsShareOneFetch(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.idp.Inject(mockidp.Fault{Delay: time.Second})
		token := a.good()
		answers := a.atOnce(100, func(int) string { return token })
		for _, got := range answers {
			got.accepted(t)
		}
		a.fetched(t, 1, 1)
	})
}

// C2 when the key server is down: each request gets an error of its own, and the server one request.
func TestColdRequestsShareOneFailure(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.idp.Inject(mockidp.Fault{Delay: time.Second, Status: http.StatusInternalServerError})
		token := a.good()
		seen := make(map[*identity.Error]bool)
		for _, got := range a.atOnce(100, func(int) string { return token }) {
			e := got.refused(t, identity.ErrKeysUnavailable)
			if seen[e] {
				t.Fatal("two requests share an *Error, which each of them completes")
			}
			seen[e] = true
		}
		a.fetched(t, 1, 0)
	})
}

// C3: nothing is fetched until 80 % of the TTL are over, and then once, behind the back of the requests.
func TestRefreshInTheBackground(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ttl  time.Duration
		due  time.Duration
	}{
		{"default", 0, 48 * time.Minute},
		{"least", time.Minute, 48 * time.Second},
		{"a day", 24 * time.Hour, 19*time.Hour + 12*time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(cfg *identity.Config) { cfg.Keys.TTL = tt.ttl }, func(t *testing.T, a *keyAPI) {
				a.get(a.good()).accepted(t)
				a.at(tt.due - time.Second)
				a.get(a.good()).accepted(t)
				synctest.Wait()
				a.fetched(t, 1, 1)
				a.at(tt.due)
				took(t, 0, func() { a.get(a.good()).accepted(t) })
				synctest.Wait()
				a.fetched(t, 2, 2)
				if forced := a.verifier.Stats().ForcedFetches; forced != 0 {
					t.Fatalf("forced fetches: got=%d, want=0", forced)
				}
				a.at(2*tt.due - time.Second) // the new set has a TTL of its own
				a.get(a.good()).accepted(t)
				synctest.Wait()
				a.fetched(t, 2, 2)
			})
		})
	}
}

// C4: while the key server is slow, requests go on with the old keys. Nobody waits, and nobody asks a second time.
func TestSlowRefresh(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		a.at(48 * time.Minute)
		a.idp.Inject(mockidp.Fault{Delay: 2 * time.Second})
		for range 39 {
			took(t, 0, func() { a.get(a.good()).accepted(t) })
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		a.fetched(t, 2, 2)
		if fetches := a.verifier.Stats().Fetches; fetches != 2 {
			t.Fatalf("fetches: got=%d, want=2", fetches)
		}
	})
}

// C4 across the end of the TTL: that a refresh is under way means that it has been tried for.
func TestSlowRefreshAtTheEndOfTheTTL(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		a.at(time.Hour - time.Second)
		a.idp.Inject(mockidp.Fault{Delay: 2 * time.Second})
		a.get(a.good()).accepted(t)
		a.at(time.Hour + time.Second)
		took(t, 0, func() { a.get(a.good()).accepted(t) })
	})
}

// A set past its TTL for which no refresh was tried, because the service was idle, is refreshed before it is used.
func TestIdleService(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault mockidp.Fault
		waits time.Duration
		old   bool // the old keys serve
	}{
		{"answers", mockidp.Fault{Delay: time.Second, Times: 1}, time.Second, false},
		{"fails", mockidp.Fault{Status: http.StatusBadGateway}, 0, true},
		{"is silent", mockidp.Fault{Silence: true}, 5 * time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				withdrawn := a.idp.Tenant(tenantA).Keys().Signing()
				old := a.good(mockidp.SignedBy(withdrawn))
				a.get(old).accepted(t)
				a.idp.Tenant(tenantA).Keys().Rotate()
				a.idp.Tenant(tenantA).Keys().Withdraw(withdrawn)
				a.at(2 * time.Hour)
				a.idp.Inject(tt.fault)
				took(t, tt.waits, func() {
					for _, got := range a.atOnce(10, func(int) string { return old }) {
						if tt.old {
							got.accepted(t)
						} else if got.status != http.StatusUnauthorized {
							t.Errorf("got=%d for a key that was withdrawn an hour ago, want=401", got.status)
						}
					}
				})
				if fetches := a.verifier.Stats().Fetches - a.verifier.Stats().ForcedFetches; fetches != 2 {
					t.Fatalf("fetches that no kid forced: got=%d, want=2", fetches)
				}
				if tt.old { // once a refresh was tried, nobody waits any more
					time.Sleep(31 * time.Second)
					took(t, 0, func() { a.get(old).accepted(t) })
				}
			})
		})
	}
}

// A request that ends in the very moment in which the refresh that it waited for is done has the keys all the same.
func TestIdleServiceAndTheEndOfARequest(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		a.at(2 * time.Hour)
		if _, err := a.verifier.Verify(endedUnnoticed{t.Context()}, a.good()); err != nil {
			t.Fatal(err)
		}
		a.tried(t, 1)
	})
}

// endedUnnoticed is a context that has ended, a moment before its channel says so.
type endedUnnoticed struct{ context.Context }

func (endedUnnoticed) Done() <-chan struct{} { return nil }
func (endedUnnoticed) Err() error            { return context.Canceled }

// C5: the first token of a new key refreshes once and passes. So do the requests that come at the same time.
func TestRotation(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		old := a.good()
		a.get(old).accepted(t)
		a.idp.Tenant(tenantA).Keys().Rotate()
		a.idp.Inject(mockidp.Fault{Delay: time.Second})
		fresh := a.good()
		for _, got := range a.atOnce(20, func(int) string { return fresh }) {
			got.accepted(t)
		}
		a.fetched(t, 2, 2)
		if forced := a.verifier.Stats().ForcedFetches; forced != 1 {
			t.Fatalf("forced fetches: got=%d, want=1", forced)
		}
		took(t, 0, func() { a.get(old).accepted(t); a.get(fresh).accepted(t) })
		a.fetched(t, 2, 2)
	})
}

// A key that is published before it signs is known by the time it does, without a forced refresh.
func TestPrepublishedKey(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		next := a.idp.Tenant(tenantA).Keys().Prepublish()
		a.at(48 * time.Minute)
		a.get(a.good()).accepted(t)
		synctest.Wait()
		a.idp.Tenant(tenantA).Keys().Use(next)
		took(t, 0, func() { a.get(a.good()).accepted(t) })
		a.fetched(t, 2, 2)
	})
}

// C6: a thousand made-up kids in a minute cost one forced fetch per cool-down. Good tokens are not slower for it.
func TestFloodOfUnknownKids(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		good := a.good()
		a.get(good).accepted(t)
		a.idp.Inject(mockidp.Fault{Delay: 10 * time.Millisecond})
		for i := range 1000 {
			a.get(unknownKid(good, i)).refused(t, identity.ErrKeyNotFound)
			if i%10 == 0 {
				took(t, 0, func() { a.get(good).accepted(t) })
			}
			a.at(time.Duration(i+1) * 59 * time.Millisecond)
		}
		a.fetched(t, 3, 3)
		stats := a.verifier.Stats()
		if stats.ForcedFetches != 2 {
			t.Fatalf("forced fetches in a minute: got=%d, want=2", stats.ForcedFetches)
		}
		if stats.KeySets != 1 || stats.Keys != 2 {
			t.Fatalf("held: got=%d sets, %d keys, want=1, 2", stats.KeySets, stats.Keys)
		}
	})
}

// C7: within the cool-down unknown kids fail at once; after it there is one fetch.
func TestCooldown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		cooldown time.Duration
		want     time.Duration
	}{
		{"default", 0, 30 * time.Second},
		{"least", time.Second, time.Second},
		{"an hour", time.Hour, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(cfg *identity.Config) { cfg.Keys.Cooldown, cfg.Keys.TTL = tt.cooldown, 24*time.Hour }, func(t *testing.T, a *keyAPI) {
				a.get(a.good()).accepted(t)
				a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound)
				a.fetched(t, 2, 2)
				a.at(tt.want - 1)
				took(t, 0, func() {
					a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound)
					a.get(a.unknown(1)).refused(t, identity.ErrKeyNotFound)
				})
				a.fetched(t, 2, 2)
				a.at(tt.want)
				fresh := a.idp.Tenant(tenantA).Keys().Rotate()
				a.get(a.good(mockidp.SignedBy(fresh))).accepted(t)
				a.fetched(t, 3, 3)
				a.get(a.unknown(2)).refused(t, identity.ErrKeyNotFound)
				a.fetched(t, 3, 3)
			})
		})
	}
}

// C8: a refresh by the clock does not use up the one that an unknown kid may force.
func TestForcedRefreshAfterARegularOne(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		a.idp.Tenant(tenantA).Keys().Rotate()
		a.get(a.good()).accepted(t) // right after the first fetch
		a.fetched(t, 2, 2)
		a.at(48 * time.Minute)
		a.get(a.good()).accepted(t)
		synctest.Wait()
		a.fetched(t, 3, 3)
		a.idp.Tenant(tenantA).Keys().Rotate()
		a.get(a.good()).accepted(t) // right after a regular refresh
		a.fetched(t, 4, 4)
	})
}

// C14: a key that is gone from the set is refused from the next successful refresh on, whatever made that refresh.
func TestWithdrawnKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		refresh func(t *testing.T, a *keyAPI)
	}{
		{"by the clock", func(t *testing.T, a *keyAPI) {
			a.at(48 * time.Minute)
			a.get(a.good(mockidp.SignedBy(a.idp.Tenant(tenantA).Keys().Consumer()))).refused(t, identity.ErrKeyIssuer)
			synctest.Wait()
		}},
		{"by an unknown kid", func(t *testing.T, a *keyAPI) { a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound) }},
		{"by a new key", func(t *testing.T, a *keyAPI) { a.get(a.good()).accepted(t) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				keys := a.idp.Tenant(tenantA).Keys()
				old := keys.Signing()
				token := a.good()
				a.get(token).accepted(t)
				next := keys.Prepublish()
				keys.Use(next)
				keys.Withdraw(old)
				a.get(token).accepted(t) // nobody has told us yet
				tt.refresh(t, a)
				a.get(token).refused(t, identity.ErrKeyNotFound)
				a.get(a.good()).accepted(t)
			})
		})
	}
}
