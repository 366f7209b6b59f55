package identity_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// flapAPI is a keyAPI in a bubble whose key server answers as ok says, request by request.
func flapAPI(t *testing.T, ok func(request int64) bool) *keyAPI {
	idp := mockidp.New()
	var requests atomic.Int64
	return newKeyAPI(t, idp, func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if !ok(requests.Add(1)) {
				defer idp.Inject(mockidp.Fault{Status: http.StatusBadGateway})()
			}
			return idp.Transport().RoundTrip(r)
		})}
	})
}

// C9: a key server that fails again and again, for a day, with a request every ten seconds. Nothing is lost, and a refresh that fails is
// tried again 30 s later and not before.
func TestFlapping(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		ok      func(request int64) bool // of discovery and keys, in turn
		fetches uint64                   // for each refresh
	}{
		{"always up", func(int64) bool { return true }, 1},
		{"discovery fails, all is well, discovery fails", func(n int64) bool { return n%3 != 0 }, 2},
		{"the keys fail, all is well, the keys fail", func(n int64) bool { return n%4 != 0 }, 2},
		{"nine fail, one is well", func(n int64) bool { return n <= 2 || (n-3)%11 >= 9 }, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(fetchTimeout)
				a := flapAPI(t, tt.ok)
				good := a.good()
				a.get(good).accepted(t)
				const refreshes = 30
				for refresh := range uint64(refreshes) {
					landed := time.Now()
					for since := time.Duration(0); since < 48*time.Minute; since += 10 * time.Second {
						time.Sleep(time.Until(landed.Add(since)))
						a.get(good).accepted(t)
					}
					a.tried(t, refresh*tt.fetches)
					for fetch := range tt.fetches {
						time.Sleep(time.Until(landed.Add(48*time.Minute + time.Duration(fetch)*30*time.Second)))
						took(t, 0, func() { a.get(good).accepted(t) })
						a.tried(t, refresh*tt.fetches+fetch+1)
					}
				}
				if failed := a.verifier.Stats().FailedFetches; failed != refreshes*(tt.fetches-1) {
					t.Fatalf("failed fetches: got=%d, want=%d", failed, refreshes*(tt.fetches-1))
				}
			})
		})
	}
}

// C6, C9: a flood of unknown kids while the key server flaps. Keys rotate in the middle of it, and each is accepted within a cool-down
// after the server is up; tokens of the old key are never refused; the flood causes one fetch per cool-down, and its retries.
func TestFloodWhileFlapping(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		good := a.good()
		a.get(good).accepted(t)
		for hour := range 12 {
			remove := a.idp.Inject(mockidp.Fault{Status: 500})
			fresh := a.good(mockidp.SignedBy(a.idp.Tenant(tenantA).Keys().Prepublish()))
			for minute := range 10 {
				for i := range 60 {
					time.Sleep(time.Second)
					if got := a.get(unknownKid(good, i)); got.status == http.StatusOK {
						t.Fatalf("hour %d, minute %d: a forgery was accepted", hour, minute)
					}
					took(t, 0, func() { a.get(good).accepted(t) })
				}
			}
			a.get(fresh).refused(t, identity.ErrKeysUnavailable)
			remove()
			for i := range 30 {
				time.Sleep(time.Second)
				a.get(unknownKid(good, i))
			}
			a.get(fresh).accepted(t)
			time.Sleep(time.Hour - 10*time.Minute - 30*time.Second)
		}
		const cooldowns = 12 * (10*60 + 30) / 30
		stats := a.verifier.Stats()
		if stats.ForcedFetches > cooldowns || stats.Fetches > 2*cooldowns+12+1 {
			t.Fatalf("fetches: got=%d, forced=%d, want at most %d and %d", stats.Fetches, stats.ForcedFetches, 2*cooldowns+13, cooldowns)
		}
	})
}

// C9, C10, K3: an outage of a day but a minute loses nothing, with every fault; the first request after MaxStale is the first that is.
func TestOutageOfADay(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mockidp.Fault{
		"reset": {Reset: true}, "silence": {Silence: true}, "empty set": {Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[]}`)},
		"429": {Status: 429, Header: http.Header{"Retry-After": {"86400"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				good := a.good()
				a.get(good).accepted(t)
				remove := a.idp.Inject(fault)
				for at := 20 * time.Second; at <= 24*time.Hour; at += 20 * time.Second {
					a.at(at)
					took(t, 0, func() { a.get(good).accepted(t) })
				}
				const most = 24*60*2 + 1 // one each half minute, and the first
				if stats := a.verifier.Stats(); stats.Fetches > most || stats.FailedFetches != stats.Fetches-1 {
					t.Fatalf("got=%+v, want at most %d fetches, all but one failed", stats, most)
				}
				a.at(24*time.Hour + 1)
				wait := a.get(good).refused(t, identity.ErrKeysUnavailable).RetryAfter
				remove()
				time.Sleep(wait)
				a.get(good).accepted(t)
			})
		})
	}
}
