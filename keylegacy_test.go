package identity_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// askedV1 counts the requests for the v1.0 key set, forgetting nothing.
func (a *keyAPI) askedV1() int {
	return a.idp.CountIf(func(r mockidp.Request) bool { return r.Path == "/common/discovery/keys" })
}

func (a *keyAPI) askedV2() int {
	return a.idp.CountIf(func(r mockidp.Request) bool { return r.Path == "/common/discovery/v2.0/keys" })
}

func (a *keyAPI) asked(t testing.TB, v2, v1 int) {
	t.Helper()
	synctest.Wait()
	if got2, got1 := a.askedV2(), a.askedV1(); got2 != v2 || got1 != v1 {
		t.Fatalf("asked at %v: got=%d v2.0, %d v1.0 key sets, want=%d, %d", time.Since(a.began), got2, got1, v2, v1)
	}
}

// D33 with a key that only the v1.0 document has: it is good for v1.0 tokens alone, and that document is asked only after the
// v2.0 one.
func TestKeyOfTheV1Document(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		only := keys.NewKey()
		a.get(a.good(mockidp.SignedBy(only))).refused(t, identity.ErrKeyNotFound) // published nowhere
		a.asked(t, 2, 0)
		time.Sleep(30 * time.Second)
		keys.PublishV1Only(only)
		a.get(a.good(mockidp.SignedBy(only))).refused(t, identity.ErrKeyNotFound) // a v2.0 token
		a.asked(t, 3, 0)
		time.Sleep(30 * time.Second)
		v1 := a.good(mockidp.SignedBy(only), mockidp.V1())
		a.get(v1).accepted(t)
		a.asked(t, 4, 1)
		for range 10 {
			a.get(v1).accepted(t)
			a.get(a.good(mockidp.V1())).accepted(t)
		}
		a.get(a.good(mockidp.SignedBy(keys.NewKey().WithID(only.ID())), mockidp.V1())).refused(t, identity.ErrSignature)
		a.get(a.good(mockidp.SignedBy(only))).refused(t, identity.ErrKeyNotFound)
		a.asked(t, 4, 1)
	})
}

// The v1.0 set has a cool-down of its own: a flood of v1.0 tokens asks each of the two documents once per cool-down, beyond the
// first time.
func TestFloodOfUnknownKidsV1(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		good := a.good(mockidp.V1())
		a.get(good).accepted(t)
		for i := range 600 {
			a.get(unknownKid(good, i)).refused(t, identity.ErrKeyNotFound)
			if i%10 == 0 {
				took(t, 0, func() { a.get(good).accepted(t) })
			}
			a.at(time.Duration(i+1) * 99 * time.Millisecond)
		}
		a.asked(t, 3, 3) // at the start, then forced at 0 s and 30 s
		if stats := a.verifier.Stats(); stats.KeySets != 2 {
			t.Fatalf("got=%+v, want 2 key sets", stats)
		}
	})
}

// Whatever the v1.0 document says of a kid that the v2.0 document lists too, the v2.0 document decides.
func TestV2JudgesWhatItLists(t *testing.T) {
	t.Parallel()
	personal := "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0"
	tests := []struct {
		name string
		v2   func(k *mockidp.Key) *mockidp.Key // the entry of the v2.0 document
		want error
	}{
		{"the same", func(k *mockidp.Key) *mockidp.Key { return k }, nil},
		{"of personal accounts", func(k *mockidp.Key) *mockidp.Key { return k.WithIssuer(personal) }, identity.ErrKeyIssuer},
		{"for encryption", func(k *mockidp.Key) *mockidp.Key { return k.WithJWK("use", "enc") }, identity.ErrKeyUnusable},
		{"no key", func(k *mockidp.Key) *mockidp.Key { return k.WithJWK("kty", "EC") }, identity.ErrKeyUnusable},
		{"malformed", func(k *mockidp.Key) *mockidp.Key { return k.WithJWK("issuer", 5) }, identity.ErrKeyUnusable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, warm := range []bool{false, true} { // whether the v1.0 set is held already
				inBubble(t, nil, func(t *testing.T, a *keyAPI) {
					keys := a.idp.Tenant(tenantA).Keys()
					other, key := keys.NewKey(), keys.NewKey()
					keys.PublishV1Only(other)
					keys.PublishV1Only(key)
					keys.PublishV2Only(tt.v2(key))
					if warm {
						a.get(a.good(mockidp.V1(), mockidp.SignedBy(other))).accepted(t)
					}
					v1 := a.askedV1()
					got := a.get(a.good(mockidp.V1(), mockidp.SignedBy(key)))
					if tt.want == nil {
						got.accepted(t)
					} else {
						got.refused(t, tt.want)
					}
					if a.askedV1() != v1 {
						t.Fatal("the v1.0 document was asked for a kid that the v2.0 one lists")
					}
				})
			}
		})
	}
}

// A key that appears in both documents must not count by the v1.0 one in the time in which only that has been refreshed.
func TestKeyKnownFromV1First(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		only := keys.NewKey()
		keys.PublishV1Only(only)
		v1 := a.good(mockidp.V1(), mockidp.SignedBy(only))
		a.get(v1).accepted(t)
		a.asked(t, 2, 1)
		a.at(20 * time.Minute)
		fresh := keys.Prepublish() // for organisations: the neighbour
		personal := keys.NewKey().WithIssuer("https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0")
		keys.Publish(personal)
		a.at(48 * time.Minute)
		remove := a.idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Status: 500, Times: 1}) // the v2.0 refresh fails
		a.get(a.good()).accepted(t)
		synctest.Wait()
		remove()
		a.get(v1).accepted(t) // refreshes the v1.0 set
		a.asked(t, 3, 2)
		a.get(a.good(mockidp.V1(), mockidp.SignedBy(personal))).refused(t, identity.ErrKeyIssuer)
		a.get(a.good(mockidp.V1(), mockidp.SignedBy(fresh))).accepted(t)
		a.asked(t, 4, 2)
	})
}

// C3, C9, C14 for the v1.0 set: it is refreshed like any other while it serves, and then a withdrawn key is gone.
func TestWithdrawnKeyOfTheV1Document(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		only := keys.NewKey()
		keys.PublishV1Only(only)
		v1 := a.good(mockidp.V1(), mockidp.SignedBy(only))
		a.get(v1).accepted(t)
		a.asked(t, 2, 1)
		keys.Withdraw(only)
		a.at(48*time.Minute - 1)
		a.get(v1).accepted(t)
		a.asked(t, 2, 1)
		a.at(48 * time.Minute)
		a.get(v1).accepted(t)
		a.asked(t, 3, 2)
		a.get(v1).refused(t, identity.ErrKeyNotFound)
	})
}

// While the v1.0 document cannot be had, nobody knows whether the key exists: 503. The v2.0 keys are not affected.
func TestV1DocumentUnavailable(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		only := keys.NewKey()
		keys.PublishV1Only(only)
		a.get(a.good()).accepted(t)
		v1 := a.good(mockidp.V1(), mockidp.SignedBy(only))
		// The v1.0 discovery comes after the two documents of the forced refresh.
		remove := a.idp.Inject(mockidp.Fault{Edit: func(body []byte) []byte {
			if strings.Contains(string(body), "/common/discovery/keys") {
				return []byte("down for maintenance")
			}
			return body
		}})
		a.get(v1).refused(t, identity.ErrKeysUnavailable)
		a.get(v1).refused(t, identity.ErrKeysUnavailable)
		a.get(a.good()).accepted(t)
		a.get(a.good(mockidp.V1())).accepted(t)
		a.asked(t, 2, 0)
		remove()
		time.Sleep(30 * time.Second)
		a.get(v1).accepted(t)
	})
}

// AppKeys tenants have one set of their own: no v1.0 document stands in for it.
func TestNoV1DocumentForAppKeys(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, AppKeys: true})
	}, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).AppKeys(mockidp.API)
		a.get(a.good(mockidp.V1(), mockidp.SignedBy(keys.Signing()))).accepted(t)
		only := keys.NewKey()
		keys.PublishV1Only(only)
		a.get(a.good(mockidp.V1(), mockidp.SignedBy(only))).refused(t, identity.ErrKeyNotFound)
		for _, r := range a.idp.Requests() {
			if !strings.Contains(r.Path, "v2.0") {
				t.Fatalf("asked %s%s", r.Host, r.Path)
			}
		}
	})
}

// A stranger's unsigned v2.0 tokens keep the cool-down of the v2.0 set running. A key that only the v1.0 document has is found all
// the same.
func TestV1KeyDuringAFlood(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{0, 500 * time.Millisecond, 7 * time.Second, 29 * time.Second} {
		inBubble(t, nil, func(t *testing.T, a *keyAPI) {
			keys := a.idp.Tenant(tenantA).Keys()
			only := keys.NewKey()
			keys.PublishV1Only(only)
			v1 := a.good(mockidp.SignedBy(only), mockidp.V1())
			a.get(a.good()).accepted(t)
			for i := range 120 {
				a.get(a.unknown(i)).refused(t, identity.ErrKeyNotFound)
				now := time.Duration(i) * time.Second
				switch {
				case now < offset:
				case now < offset+30*time.Second: // it may take until the v2.0 set has been forced again
					a.get(v1)
				default:
					a.get(v1).accepted(t)
				}
				a.get(a.good(mockidp.SignedBy(keys.NewKey()), mockidp.V1())).refused(t, identity.ErrKeyNotFound)
				a.at(now + time.Second)
			}
			if v2, v1 := a.askedV2(), a.askedV1(); v2 > 6 || v1 > 6 {
				t.Fatalf("asked: got=%d v2.0, %d v1.0 key sets in 2 minutes, want at most 6 each", v2, v1)
			}
		})
	}
}

// In the cool-down of the v2.0 set a key that appears in both documents must not count by the v1.0 one: it may be one of personal
// accounts, which only the v2.0 one says.
func TestPersonalKeyDuringAFlood(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		a.get(a.good()).accepted(t)
		a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound) // the cool-down begins
		a.at(2 * time.Second)
		personal := keys.NewKey().WithIssuer("https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0")
		keys.Publish(personal)
		organisations := keys.Prepublish() // the neighbour
		v1, neighbour := a.good(mockidp.V1(), mockidp.SignedBy(personal)), a.good(mockidp.V1(), mockidp.SignedBy(organisations))
		for i := range 28 {
			a.get(v1).refused(t, identity.ErrKeyNotFound)
			a.get(a.unknown(i)).refused(t, identity.ErrKeyNotFound)
			a.at(time.Duration(i+3) * time.Second)
		}
		a.get(v1).refused(t, identity.ErrKeyIssuer)
		a.get(neighbour).accepted(t)
	})
}
