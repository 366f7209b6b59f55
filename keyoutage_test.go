package identity_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// failures are the ways in which a fetch can fail, and how long it takes to.
var failures = []struct {
	name  string
	fault mockidp.Fault
	takes time.Duration
}{
	{"discovery 500", mockidp.Fault{Endpoint: mockidp.Discovery, Status: 500}, 0},
	{"keys 500", mockidp.Fault{Endpoint: mockidp.JWKS, Status: 500}, 0},
	{"keys 404", mockidp.Fault{Endpoint: mockidp.JWKS, Status: 404}, 0},
	{"connection reset", mockidp.Fault{Reset: true}, 0},
	{"silence", mockidp.Fault{Endpoint: mockidp.JWKS, Silence: true}, fetchTimeout},
	{"cut off", mockidp.Fault{Endpoint: mockidp.JWKS, Truncate: true}, 0},
	{"no JSON", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[`)}, 0},
	{"HTML", mockidp.Fault{Endpoint: mockidp.Discovery, Body: []byte(`<!doctype html><title>Maintenance</title>`)}, 0},
	{"null", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`null`)}, 0},
	{"keys no array", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":{}}`)}, 0},
	{"no keys", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{}`)}, 0},                                               // C13
	{"empty set", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[]}`)}, 0},                                    // C13
	{"EC only", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[{"kty":"EC","kid":"k"}]}`)}, 0},                // C13
	{"RSA without n", mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[{"kty":"RSA","kid":"k","e":"A"}]}`)}, 0}, // C13
}

// C9, C13: while refreshes fail the old keys serve, it is logged, and the next attempt is 30 s after the failure.
func TestRefreshFails(t *testing.T) {
	t.Parallel()
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				good := a.good()
				a.get(good).accepted(t)
				remove := a.idp.Inject(tt.fault)
				next := 48 * time.Minute
				for i := range uint64(4) {
					a.at(next - 1)
					took(t, 0, func() { a.get(good).accepted(t) })
					a.tried(t, i)
					a.at(next)
					took(t, 0, func() { a.get(good).accepted(t) })
					a.tried(t, i+1)
					next += tt.takes + 30*time.Second
				}
				if log := a.log.String(); strings.Count(log, "keys could not be fetched") < 3 {
					t.Fatalf("log: got=%s, want a line for each failure", log)
				}
				remove()
				fresh := a.idp.Tenant(tenantA).Keys().Prepublish()
				a.at(next)
				a.get(good).accepted(t)
				synctest.Wait()
				a.tried(t, 5)
				took(t, 0, func() { a.get(a.good(mockidp.SignedBy(fresh))).accepted(t) })
				a.tried(t, 5)
			})
		})
	}
}

// tried requires a number of fetches after the first one.
func (a *keyAPI) tried(t testing.TB, want uint64) {
	t.Helper()
	synctest.Wait()
	if got := a.verifier.Stats().Fetches - 1; got != want {
		t.Fatalf("fetches after the first, at %v: got=%d, want=%d", time.Since(a.began), got, want)
	}
}

// C10: old keys serve for MaxStale and not longer.
func TestMaxStale(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		maxStale time.Duration
		want     time.Duration
		every    time.Duration // between requests
	}{
		{"default, busy", 0, 24 * time.Hour, 10 * time.Minute},
		{"default, idle", 0, 24 * time.Hour, 24 * time.Hour},
		{"short", time.Hour, time.Hour, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(cfg *identity.Config) { cfg.Keys.MaxStale = tt.maxStale }, func(t *testing.T, a *keyAPI) {
				good := a.good()
				a.get(good).accepted(t)
				remove := a.idp.Inject(mockidp.Fault{Reset: true})
				for at := tt.every; at <= tt.want; at += tt.every {
					a.at(at)
					a.get(good).accepted(t)
				}
				a.at(tt.want + 1)
				e := a.get(good).refused(t, identity.ErrKeysUnavailable)
				if e.RetryAfter < time.Second || e.RetryAfter > 30*time.Second {
					t.Fatalf("Retry-After: got=%v, want=1 s to 30 s", e.RetryAfter)
				}
				remove()
				time.Sleep(e.RetryAfter)
				a.get(good).accepted(t)
			})
		})
	}
}

// C11, C12, C13: without keys a failure stands for 1 s, doubling to 30 s, in which requests fail at once; then one tries again.
func TestColdOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				good := a.good()
				remove := a.idp.Inject(tt.fault)
				for i, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
					pause *= time.Second
					took(t, tt.takes, func() {
						for _, got := range a.atOnce(5, func(int) string { return good }) {
							e := got.refused(t, identity.ErrKeysUnavailable)
							if e.RetryAfter != pause || got.header.Get("Retry-After") == "" {
								t.Fatalf("Retry-After: got=%v, %q, want=%v", e.RetryAfter, got.header.Get("Retry-After"), pause)
							}
						}
					})
					time.Sleep(pause - 1)
					took(t, 0, func() { a.get(good).refused(t, identity.ErrKeysUnavailable) })
					if got := a.verifier.Stats().Fetches; got != uint64(i+1) {
						t.Fatalf("fetches: got=%d, want=%d", got, i+1)
					}
					time.Sleep(time.Nanosecond)
				}
				remove()
				a.get(good).accepted(t)
			})
		})
	}
}

// The first failure after a success counts from one again.
func TestColdOutageStartsOver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) { cfg.Keys.MaxStale, cfg.Keys.TTL = time.Minute, time.Minute }, func(t *testing.T, a *keyAPI) {
		good := a.good()
		for range 3 {
			remove := a.idp.Inject(mockidp.Fault{Reset: true})
			if e := a.get(good).refused(t, identity.ErrKeysUnavailable); e.RetryAfter != time.Second {
				t.Fatalf("Retry-After: got=%v, want=1s", e.RetryAfter)
			}
			remove()
			time.Sleep(time.Second)
			a.get(good).accepted(t)
			time.Sleep(time.Hour)
		}
	})
}

// K3: while the key server is down, a token of an unknown kid is not called invalid, nor does it cause a fetch each.
func TestUnknownKidInAnOutage(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		good := a.good()
		a.get(good).accepted(t)
		remove := a.idp.Inject(mockidp.Fault{Status: 500})
		fresh := a.idp.Tenant(tenantA).Keys().Rotate()
		token := a.good(mockidp.SignedBy(fresh))
		a.get(token).refused(t, identity.ErrKeysUnavailable)
		for i := range 100 {
			a.get(a.unknown(i)).refused(t, identity.ErrKeysUnavailable)
		}
		took(t, 0, func() { a.get(good).accepted(t) })
		a.tried(t, 1)
		remove()
		time.Sleep(30 * time.Second)
		a.get(token).accepted(t)
		a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound)
	})
}

// C19: Cache-Control has no say in when keys are refreshed.
func TestCacheControl(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"no-store", "max-age=0", "max-age=60", "public, max-age=31536000, immutable"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				a.idp.Inject(mockidp.Fault{Header: http.Header{"Cache-Control": {value}, "Expires": {"0"}, "Age": {"1000000"}}})
				a.get(a.good()).accepted(t)
				a.at(48*time.Minute - 1)
				a.get(a.good()).accepted(t)
				a.tried(t, 0)
				a.at(48 * time.Minute)
				a.get(a.good()).accepted(t)
				a.tried(t, 1)
			})
		})
	}
}

// C19: Retry-After of 429 and 503 is honoured, up to 5 minutes, by every kind of fetch.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		header func() string
		want   time.Duration // until the next refresh of a set that serves
	}{
		{"503", 503, text("120"), 2 * time.Minute},
		{"429", 429, text("120"), 2 * time.Minute},
		{"blanks", 429, text(" 120 "), 2 * time.Minute},
		{"a date", 503, func() string { return time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat) }, 2 * time.Minute},
		{"five minutes", 503, text("300"), 5 * time.Minute},
		{"a day", 503, text("86400"), 5 * time.Minute},
		{"over the cap by a second", 429, text("301"), 5 * time.Minute},
		{"more than 31 bits", 503, text("2147483648"), 5 * time.Minute},
		{"more than 64 bits", 429, text("99999999999999999999"), 5 * time.Minute},
		{"a date far away", 503, text("Fri, 31 Dec 9999 23:59:59 GMT"), 5 * time.Minute},
		{"less than our own pause", 503, text("10"), 30 * time.Second},
		{"a date in the past", 503, text("Fri, 31 Dec 1999 23:59:59 GMT"), 30 * time.Second},
		{"negative", 503, text("-120"), 30 * time.Second},
		{"negative, more than 64 bits", 503, text("-99999999999999999999"), 30 * time.Second},
		{"zero", 429, text("0"), 30 * time.Second},
		{"nonsense", 503, text("soon"), 30 * time.Second},
		{"nonsense that begins with a number out of range", 503, text("99999999999999999999s"), 30 * time.Second},
		{"a fraction", 503, text("120.5"), 30 * time.Second}, // RFC 9110 §10.2.3: digits
		{"an exponent", 503, text("1e9"), 30 * time.Second},
		{"hexadecimal", 503, text("0x78"), 30 * time.Second},
		{"a plus", 503, text("+120"), 30 * time.Second},
		{"a unit", 503, text("120 seconds"), 30 * time.Second},
		{"two", 503, text("120, 240"), 30 * time.Second},
		{"NaN", 503, text("NaN"), 30 * time.Second},
		{"none", 503, text(""), 30 * time.Second},
		{"of another status", 500, text("120"), 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				good := a.good()
				a.get(good).accepted(t)
				a.at(48 * time.Minute)
				fault := mockidp.Fault{Endpoint: mockidp.JWKS, Status: tt.status, Header: http.Header{"Retry-After": {tt.header()}}}
				defer a.idp.Inject(fault)()
				a.get(good).accepted(t)
				a.tried(t, 1)
				a.at(48*time.Minute + tt.want - 1)
				a.get(good).accepted(t)
				a.tried(t, 1)
				a.at(48*time.Minute + tt.want)
				a.get(good).accepted(t)
				a.tried(t, 2)
			})
			inBubble(t, nil, func(t *testing.T, a *keyAPI) { // without keys, and for an unknown kid afterwards
				fault := mockidp.Fault{Endpoint: mockidp.JWKS, Status: tt.status, Header: http.Header{"Retry-After": {tt.header()}}}
				remove := a.idp.Inject(fault)
				want := max(tt.want, time.Second)
				switch tt.want {
				case 30 * time.Second: // our own pause, which is shorter without keys
					want = time.Second
					if tt.name == "less than our own pause" {
						want = 10 * time.Second
					}
				}
				if e := a.get(a.good()).refused(t, identity.ErrKeysUnavailable); e.RetryAfter != want {
					t.Fatalf("Retry-After: got=%v, want=%v", e.RetryAfter, want)
				}
				remove()
				a.at(want - 1)
				a.get(a.good()).refused(t, identity.ErrKeysUnavailable)
				a.at(want)
				a.get(a.good()).accepted(t)
			})
		})
	}
}

func text(s string) func() string { return func() string { return s } }

// C19: nor does an unknown kid break the silence that the server asked for.
func TestRetryAfterOfAForcedRefresh(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		remove := a.idp.Inject(mockidp.Fault{Status: 429, Header: http.Header{"Retry-After": {"120"}}})
		a.get(a.unknown(0)).refused(t, identity.ErrKeysUnavailable)
		remove()
		a.idp.Tenant(tenantA).Keys().Rotate()
		a.at(2*time.Minute - 1)
		if e := a.get(a.good()).refused(t, identity.ErrKeysUnavailable); e.RetryAfter != time.Second {
			t.Fatalf("Retry-After: got=%v, want=1s", e.RetryAfter)
		}
		a.tried(t, 1)
		a.at(2 * time.Minute)
		a.get(a.good()).accepted(t)
	})
}

// C22: a request that ends while it waits ends at once. What it waited for goes on for the others, also if it was the first.
func TestCancelledRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		warm   func(t *testing.T, a *keyAPI) // what comes before, if anything
		forced uint64
	}{
		{"cold", func(*testing.T, *keyAPI) {}, 0},
		{"unknown kid", func(t *testing.T, a *keyAPI) {
			a.get(a.good()).accepted(t)
			a.idp.Tenant(tenantA).Keys().Rotate()
		}, 1},
		{"idle", func(t *testing.T, a *keyAPI) {
			a.get(a.good()).accepted(t)
			time.Sleep(2 * time.Hour)
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, a *keyAPI) {
				tt.warm(t, a)
				before := a.verifier.Stats().Fetches
				token := a.good()
				a.idp.Inject(mockidp.Fault{Endpoint: mockidp.Discovery, Delay: 2 * time.Second})
				leader := make(chan *answer)
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
					defer cancel()
					took(t, 500*time.Millisecond, func() {
						got := a.do(bearer(token).WithContext(ctx))
						go func() { leader <- got }()
					})
				}()
				time.Sleep(100 * time.Millisecond)
				took(t, 1900*time.Millisecond, func() {
					for _, got := range a.atOnce(10, func(int) string { return token }) {
						got.accepted(t)
					}
				})
				(<-leader).refused(t, identity.ErrKeysUnavailable)
				stats := a.verifier.Stats()
				if stats.Fetches-before != 1 || stats.ForcedFetches != tt.forced {
					t.Fatalf("got=%+v, want one fetch, forced=%d", stats, tt.forced)
				}
			})
		})
	}
}
