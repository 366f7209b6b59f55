package identity_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// C23: no more key sets are held than MaxSets; the least recently used goes, and is fetched again when it is needed.
func TestMaxSets(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) {
		cfg.Keys.MaxSets = 2
		cfg.Tenants = allKinds()
	}, func(t *testing.T, a *keyAPI) {
		shop := a.idp.Tenant(mockidp.Shop)
		workforce, susi, custom := a.good(), shop.Token(), shop.Token(mockidp.Policy("B2C_1A_custom"))
		uses := []struct {
			token string
			fetch bool
		}{
			{workforce, true}, {susi, true}, {workforce, false}, {custom, true}, // susi goes
			{workforce, false}, {custom, false}, {susi, true}, // the workforce set goes
			{custom, false}, {susi, false}, {workforce, true}, // custom goes
		}
		for i, use := range uses {
			before := a.verifier.Stats()
			a.get(use.token).accepted(t)
			after := a.verifier.Stats()
			if got := after.Fetches != before.Fetches; got != use.fetch {
				t.Fatalf("use %d: fetched=%v, want=%v", i, got, use.fetch)
			}
			if after.KeySets > 2 {
				t.Fatalf("use %d: got=%d key sets, want at most 2", i, after.KeySets)
			}
			time.Sleep(time.Second)
		}
	})
}

// allKinds is a registry of one tenant of each kind, all of the mock's default directory.
func allKinds() *identity.Registry {
	return identity.NewRegistry(
		identity.Tenant{ID: tenantA, Name: "contoso"},
		identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
		identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx"}},
	)
}

// C23: a key set may be evicted while it is fetched. Those who wait for it, and those who come after, get their answers.
func TestEvictedWhileFetched(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		v1   bool
	}{
		{"v2", false},
		{"v1", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(cfg *identity.Config) {
				cfg.Keys.MaxSets = 1
				cfg.Tenants = allKinds()
			}, func(t *testing.T, a *keyAPI) {
				var opts []mockidp.TokenOption
				if tt.v1 {
					opts = append(opts, mockidp.V1())
				}
				good, unknown := a.good(opts...), a.good(append(opts, mockidp.KeyID("unknown"))...)
				a.idp.Inject(mockidp.Fault{Endpoint: mockidp.Discovery, Tenant: "common", Delay: 2 * time.Second, Times: 1})
				first := make(chan *answer)
				go func() { first <- a.get(good) }()
				time.Sleep(time.Second)
				a.get(a.idp.Tenant(mockidp.Customers).Token()).accepted(t) // evicts
				a.get(unknown).refused(t, identity.ErrKeyNotFound)
				(<-first).accepted(t)
				a.get(good).accepted(t)
			})
		})
	}
}

// Bounds: strangers cause no fetch and no entry anywhere. Five hundred tenants that nobody registered, on every kind of host.
func TestUnregisteredTenants(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) { cfg.Tenants = allKinds() }, func(t *testing.T, a *keyAPI) {
		handles := []*mockidp.TenantHandle{a.idp.Tenant(tenantA), a.idp.Tenant(mockidp.Shop), a.idp.Tenant(mockidp.Customers)}
		var tokens []string
		for _, h := range handles {
			tokens = append(tokens, h.Token(mockidp.Claim("tid", h.ID())))
		}
		for i := range 500 {
			stranger := fmt.Sprintf("99999999-0000-4000-8000-%012x", i)
			token := forged(tokens[i%3], 1, func(claims string) string { return strings.ReplaceAll(claims, handles[i%3].ID(), stranger) })
			a.get(token).refused(t, identity.ErrUnknownTenant)
		}
		a.fetched(t, 0, 0)
		if stats := a.verifier.Stats(); stats != (identity.Stats{}) {
			t.Fatalf("got=%+v, want nothing", stats)
		}
		for _, h := range handles { // the neighbours: their own tokens
			a.get(h.Token()).accepted(t)
		}
	})
}

// N1: tokens that are refused before their key is looked for cause no fetch.
func TestRefusedWithoutAFetch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts []mockidp.TokenOption
		want error
	}{
		{"oversize", []mockidp.TokenOption{mockidp.Claim("pad", strings.Repeat("x", 64<<10))}, identity.ErrTokenTooLarge},
		{"malformed", []mockidp.TokenOption{mockidp.Mutate(func(raw string) string { return raw + "=" })}, identity.ErrTokenMalformed},
		{"two segments", []mockidp.TokenOption{mockidp.Mutate(func(raw string) string { return raw[:strings.LastIndex(raw, ".")] })}, identity.ErrTokenMalformed},
		{"payload no object", []mockidp.TokenOption{mockidp.RawPayload(`"x"`)}, identity.ErrTokenMalformed},
		{"bad algorithm", []mockidp.TokenOption{mockidp.Algorithm("ES256")}, identity.ErrAlgorithm},
		{"unknown issuer", []mockidp.TokenOption{mockidp.Claim("iss", "https://login.example/"+tenantA+"/v2.0")}, identity.ErrIssuer},
		{"no issuer", []mockidp.TokenOption{mockidp.Without("iss")}, identity.ErrIssuer},
		{"unregistered tenant", []mockidp.TokenOption{mockidp.Claim("iss", "https://login.microsoftonline.com/"+tenantX+"/v2.0")}, identity.ErrUnknownTenant},
		{"other tid", []mockidp.TokenOption{mockidp.Claim("tid", tenantB)}, identity.ErrTenantMismatch},
		{"other audience", []mockidp.TokenOption{mockidp.Audience(mockidp.Client)}, identity.ErrAudience},
		{"expired", []mockidp.TokenOption{mockidp.ExpiresIn(-time.Hour)}, identity.ErrExpired},
		{"no kid", []mockidp.TokenOption{mockidp.WithoutHeader("kid")}, identity.ErrKeyID},                      // B12
		{"kid a number", []mockidp.TokenOption{mockidp.Header("kid", 1)}, identity.ErrKeyID},                    // B13
		{"kid null", []mockidp.TokenOption{mockidp.Header("kid", nil)}, identity.ErrKeyID},                      // B13
		{"kid an array", []mockidp.TokenOption{mockidp.Header("kid", []string{"k"})}, identity.ErrKeyID},        // B13
		{"kid empty", []mockidp.TokenOption{mockidp.KeyID("")}, identity.ErrKeyID},                              // B13
		{"kid of 257 bytes", []mockidp.TokenOption{mockidp.KeyID(strings.Repeat("k", 257))}, identity.ErrKeyID}, // B13
		{"kid with a line break", []mockidp.TokenOption{mockidp.KeyID("a\nb")}, identity.ErrKeyID},              // B13
		{"kid with NUL", []mockidp.TokenOption{mockidp.KeyID("a\x00b")}, identity.ErrKeyID},                     // B13
		{"kid with DEL", []mockidp.TokenOption{mockidp.KeyID("a\x7fb")}, identity.ErrKeyID},                     // B13
		{"kid not ASCII", []mockidp.TokenOption{mockidp.KeyID("schlüssel")}, identity.ErrKeyID},                 // B13
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newKeyAPI(t, mockidp.New(), nil)
			a.get(a.token(tt.opts...)).refused(t, tt.want)
			a.fetched(t, 0, 0)
			a.get(a.token()).accepted(t)
			a.get(a.token(tt.opts...)).refused(t, tt.want)
			a.fetched(t, 1, 1)
		})
	}
	t.Run("kid of 256 bytes", func(t *testing.T) { // B13: the neighbour
		t.Parallel()
		a := newKeyAPI(t, mockidp.New(), nil)
		long := a.idp.Tenant(tenantA).Keys().NewKey().WithID(strings.Repeat("k", 255) + "~")
		a.idp.Tenant(tenantA).Keys().Publish(long)
		a.get(a.token(mockidp.SignedBy(long))).accepted(t)
	})
}

// C24: nothing of ours runs longer than one fetch time-out after the last request, whatever the server does.
func TestNothingOutlivesTheTimeout(t *testing.T) {
	t.Parallel()
	for _, fault := range []mockidp.Fault{{Silence: true}, {Drip: 100 * time.Millisecond}, {Delay: time.Hour}} {
		for _, timeout := range []time.Duration{0, time.Second} {
			inBubble(t, func(cfg *identity.Config) { cfg.Keys.Timeout = timeout }, func(t *testing.T, a *keyAPI) {
				a.get(a.good()).accepted(t)
				a.at(48 * time.Minute)
				a.idp.Inject(fault)
				a.get(a.good()).accepted(t)
				time.Sleep(max(timeout, time.Second) - 1)
				synctest.Wait()
				if failed := a.verifier.Stats().FailedFetches; failed != 0 {
					t.Fatalf("%+v ended early", fault)
				}
				if timeout == 0 {
					time.Sleep(fetchTimeout - time.Second)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if failed := a.verifier.Stats().FailedFetches; failed != 1 {
					t.Fatalf("%+v: failed fetches: got=%d, want=1", fault, failed)
				}
			})
		}
	}
}

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A panic in the caller's transport is an answer of 500 for those who wait, and never the end of the process.
func TestTransportPanics(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		panic func(*http.Response) // what panics, once it is on
	}{
		{"in RoundTrip", func(*http.Response) { panic("boom") }},
		{"in the body", func(res *http.Response) { res.Body = panicBody{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := mockidp.New()
				var on atomic.Bool
				a := newKeyAPI(t, idp, func(cfg *identity.Config) {
					cfg.Keys.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						res, err := idp.Transport().RoundTrip(r)
						time.Sleep(time.Millisecond)
						if on.Load() && err == nil {
							tt.panic(res)
						}
						return res, err
					})}
				})
				good := a.good()
				on.Store(true)
				for _, got := range a.atOnce(10, func(int) string { return good }) { // cold, joined
					got.refused(t, identity.ErrInternal)
				}
				a.loggedStack(t, 0)
				a.get(good).refused(t, identity.ErrInternal) // not remembered: it is tried again
				on.Store(false)
				a.get(good).accepted(t)

				on.Store(true) // an unknown kid
				a.get(a.unknown(0)).refused(t, identity.ErrInternal)
				on.Store(false)
				a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound)

				time.Sleep(49 * time.Minute) // in the background: nobody waits, so only the log can tell
				before := len(a.log.String())
				on.Store(true)
				took(t, 0, func() { a.get(good).accepted(t) })
				time.Sleep(fetchTimeout)
				a.loggedStack(t, before)
				on.Store(false)
				time.Sleep(time.Minute)
				a.get(good).accepted(t)
				time.Sleep(fetchTimeout)
				if stats := a.verifier.Stats(); stats.FailedFetches != 4 {
					t.Fatalf("failed fetches: got=%d, want=4", stats.FailedFetches)
				}
			})
		})
	}
}

type panicBody struct{ io.ReadCloser }

func (panicBody) Read([]byte) (int, error) { panic("boom") }
func (panicBody) Close() error             { return nil }

// loggedStack requires that the log, from a position on, tells where a panic came from.
func (a *keyAPI) loggedStack(t testing.TB, from int) {
	t.Helper()
	if log := a.log.String()[from:]; !strings.Contains(log, "boom") || !strings.Contains(log, "keybounds_test.go") {
		t.Fatalf("log: got=%s, want the panic and its stack", log)
	}
}
