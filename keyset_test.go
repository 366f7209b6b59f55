package identity_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// modulus is a number that looks like the modulus of an RSA key, though nobody can sign with it.
func modulus(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.Add(n, big.NewInt(12345))
}

func encoded(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// Which keys are accepted, one changed member each. Where a key is usable but nobody can sign with it, the signature is what is
// refused.
func TestKeysAccepted(t *testing.T) {
	t.Parallel()
	n2048 := modulus(2048)
	tests := []struct {
		name   string
		member string
		value  any // nil removes the member
		want   error
	}{
		{"no alg", "alg", nil, nil}, // B6
		{"alg RS256", "alg", "RS256", nil},
		{"alg RS512", "alg", "RS512", identity.ErrKeyUnusable}, // B7
		{"alg rs256", "alg", "rs256", identity.ErrKeyUnusable}, // B7
		{"alg HS256", "alg", "HS256", identity.ErrKeyUnusable}, // B7
		{"use enc", "use", "enc", identity.ErrKeyUnusable},     // B8
		{"use SIG", "use", "SIG", identity.ErrKeyUnusable},     // B8
		{"no use", "use", nil, nil},                            // B9
		{"use sig", "use", "sig", nil},
		{"kty EC", "kty", "EC", identity.ErrKeyUnusable},   // B10
		{"kty oct", "kty", "oct", identity.ErrKeyUnusable}, // B10
		{"no kty", "kty", nil, identity.ErrKeyUnusable},
		{"no n", "n", nil, identity.ErrKeyUnusable}, // B10
		{"n no base64url", "n", "++++", identity.ErrKeyUnusable},
		{"n a number", "n", 5, identity.ErrKeyUnusable},
		{"n an array", "n", []any{nil}, identity.ErrKeyUnusable},
		{"n empty", "n", "", identity.ErrKeyUnusable},                                         // B11
		{"n even", "n", encoded(new(big.Int).Lsh(modulus(2047), 1)), identity.ErrKeyUnusable}, // B11
		{"n of 1024 bits", "n", encoded(modulus(1024)), identity.ErrKeyUnusable},              // B11
		{"n of 2047 bits", "n", encoded(modulus(2047)), identity.ErrKeyUnusable},              // B11
		{"n of 2048 bits", "n", encoded(n2048), identity.ErrSignature},                        // B11: usable
		{"n of 2048 bits after zeros", "n", base64.RawURLEncoding.EncodeToString(append([]byte{0, 0}, n2048.Bytes()...)), identity.ErrSignature},
		{"n of 2047 bits after zeros", "n", base64.RawURLEncoding.EncodeToString(append([]byte{0, 0}, modulus(2047).Bytes()...)), identity.ErrKeyUnusable},
		{"n of 8192 bits", "n", encoded(modulus(8192)), identity.ErrSignature},                                                            // B11: usable
		{"n of 8193 bits", "n", encoded(modulus(8193)), identity.ErrKeyUnusable},                                                          // B11
		{"no e", "e", nil, identity.ErrKeyUnusable},                                                                                       // B11
		{"e empty", "e", "", identity.ErrKeyUnusable},                                                                                     // B11
		{"e 1", "e", "AQ", identity.ErrKeyUnusable},                                                                                       // B11
		{"e 3", "e", "Aw", identity.ErrKeyUnusable},                                                                                       // B11
		{"e 65535", "e", encoded(big.NewInt(1<<16 - 1)), identity.ErrKeyUnusable},                                                         // B11
		{"e 65538", "e", encoded(big.NewInt(1<<16 + 2)), identity.ErrKeyUnusable},                                                         // B11: even
		{"e 65539", "e", encoded(big.NewInt(1<<16 + 3)), identity.ErrSignature},                                                           // B11: usable
		{"e 2^31-1", "e", encoded(big.NewInt(1<<31 - 1)), identity.ErrSignature},                                                          // B11: usable
		{"e 2^31+1", "e", encoded(big.NewInt(1<<31 + 1)), identity.ErrKeyUnusable},                                                        // B11
		{"e 2^32+65537", "e", encoded(big.NewInt(1<<32 + 65537)), identity.ErrKeyUnusable},                                                // B11
		{"e 2^64+65537", "e", encoded(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(65537))), identity.ErrKeyUnusable}, // B11
		{"with d", "d", "AQAB", identity.ErrKeyUnusable},                                                                                  // B11
		{"with k", "k", "AQAB", identity.ErrKeyUnusable},                                                                                  // B11
		{"with p", "p", "AQAB", identity.ErrKeyUnusable},
		{"with q", "q", "AQAB", identity.ErrKeyUnusable},
		{"with dp", "dp", "AQAB", identity.ErrKeyUnusable},
		{"with dq", "dq", "AQAB", identity.ErrKeyUnusable},
		{"with qi", "qi", "AQAB", identity.ErrKeyUnusable},
		{"with oth", "oth", []any{}, identity.ErrKeyUnusable},
		{"with d null", "d", json.RawMessage("null"), identity.ErrKeyUnusable},
		{"key_ops sign", "key_ops", []string{"sign"}, identity.ErrKeyUnusable}, // B11
		{"key_ops empty", "key_ops", []string{}, identity.ErrKeyUnusable},      // B11
		{"key_ops verify", "key_ops", []string{"encrypt", "verify"}, nil},      // B11
		{"key_ops a string", "key_ops", "verify", identity.ErrKeyUnusable},
		{"issuer a number", "issuer", 5, identity.ErrKeyUnusable},
		{"unknown member", "x-new", map[string]any{"a": 1}, nil},
		{"no x5c", "x5c", nil, nil},
		{"x5c of nonsense", "x5c", []string{"nonsense"}, nil},

		{"issuer template", "issuer", "https://login.microsoftonline.com/{tenantid}/v2.0", nil},                                                     // D32
		{"issuer of this tenant", "issuer", "https://login.microsoftonline.com/" + tenantA + "/v2.0", nil},                                          // D34: neighbour
		{"issuer of another tenant", "issuer", "https://login.microsoftonline.com/" + tenantB + "/v2.0", identity.ErrKeyIssuer},                     // D34
		{"issuer of personal accounts", "issuer", "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0", identity.ErrKeyIssuer}, // D34
		{"issuer template of another cloud", "issuer", "https://login.microsoftonline.us/{tenantid}/v2.0", identity.ErrKeyIssuer},
		{"issuer template with a slash", "issuer", "https://login.microsoftonline.com/{tenantid}/v2.0/", identity.ErrKeyIssuer},
		{"issuer two placeholders", "issuer", "https://login.microsoftonline.com/{tenantid}/v2.0{tenantid}", identity.ErrKeyIssuer},
		{"issuer a bare placeholder", "issuer", "{tenantid}", identity.ErrKeyIssuer},
		{"issuer in capitals", "issuer", "HTTPS://login.microsoftonline.com/{tenantid}/v2.0", identity.ErrKeyIssuer},
		{"no issuer", "issuer", nil, nil},      // D35
		{"issuer empty", "issuer", "", nil},    // D35
		{"issuer blank", "issuer", " \t", nil}, // D35

		{"cloud of the document", "cloud_instance_name", "microsoftonline.com", nil},                 // D37
		{"another cloud", "cloud_instance_name", "microsoftonline.us", identity.ErrKeyUnusable},      // D37
		{"cloud in capitals", "cloud_instance_name", "MicrosoftOnline.com", identity.ErrKeyUnusable}, // D37
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newKeyAPI(t, mockidp.New(), nil)
			set := a.idp.Tenant(tenantA).Keys()
			plain := set.NewKey()
			changed := plain.WithID("changed").WithJWK(tt.member, tt.value)
			set.Publish(plain)
			set.Publish(changed)
			a.get(a.token(mockidp.SignedBy(plain))).accepted(t)                                                                    // the neighbour, of the same material
			for _, token := range []string{a.token(mockidp.SignedBy(changed)), a.token(mockidp.SignedBy(changed), mockidp.V1())} { // D33
				got := a.get(token)
				if tt.want == nil {
					got.accepted(t)
				} else {
					got.refused(t, tt.want)
				}
			}
			a.fetched(t, 1, 1) // the kid is listed: nothing is to be gained by another fetch
			skipped := 0
			if tt.want == identity.ErrKeyUnusable {
				skipped = 1
			}
			if stats := a.verifier.Stats(); stats.SkippedKeys != skipped || stats.Keys != 4-skipped {
				t.Fatalf("got=%+v, want=%d skipped", stats, skipped)
			}
		})
	}
}

// D37: a document that names no cloud, or a key that names none, is not compared.
func TestCloudInstanceMissing(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{true, false} {
		a := newKeyAPI(t, mockidp.New(), nil)
		set := a.idp.Tenant(tenantA).Keys()
		key := set.NewKey().WithJWK("cloud_instance_name", "elsewhere.example")
		set.Publish(key)
		if other {
			a.idp.Inject(mockidp.Fault{Endpoint: mockidp.Discovery, Edit: func(body []byte) []byte {
				return bytes.ReplaceAll(body, []byte(`"cloud_instance_name":"microsoftonline.com"`), []byte(`"cloud_instance_was":"x"`))
			}})
			a.get(a.token(mockidp.SignedBy(key))).accepted(t)
		} else {
			a.get(a.token(mockidp.SignedBy(key))).refused(t, identity.ErrKeyUnusable)
		}
		a.get(a.token()).accepted(t)
	}
}

// B10: entries that are no keys for us are passed over and counted; the set lives on.
func TestOddEntries(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), nil)
	set := a.idp.Tenant(tenantA).Keys()
	good := set.Signing()
	n, e := base64.RawURLEncoding.EncodeToString(good.Modulus()), "AQAB"
	odd := []map[string]any{
		{"kty": "EC", "use": "sig", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA"},
		{"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
		{"kty": "RSA", "kid": "no-n", "e": e},
		{"kty": "RSA", "n": n, "e": e},                                  // no kid
		{"kty": "RSA", "kid": "", "n": n, "e": e},                       // an empty one
		{"kty": "RSA", "kid": strings.Repeat("k", 257), "n": n, "e": e}, // one that no token can have
		{"kty": "RSA", "kid": 5, "n": n, "e": e},
		{},
	}
	for _, entry := range odd {
		set.PublishRaw(entry)
	}
	var unusable map[string]string
	b := newKeyAPI(t, a.idp, func(cfg *identity.Config) {
		cfg.Observe.Trace.KeysFetched = func(_ context.Context, info identity.FetchInfo) { unusable = info.Unusable }
	})
	b.get(a.token()).accepted(t)
	if want := map[string]string{"ec": "kty is not RSA", "oct": "kty is not RSA", "no-n": "the modulus has 0 bits"}; !maps.Equal(unusable, want) {
		t.Fatalf("got=%v, want=%v", unusable, want)
	}
	a.get(a.token()).accepted(t)
	for _, kid := range []string{"ec", "oct", "no-n"} {
		a.get(a.token(mockidp.KeyID(kid))).refused(t, identity.ErrKeyUnusable)
	}
	if stats := a.verifier.Stats(); stats.SkippedKeys != len(odd) || stats.Keys != 2 {
		t.Fatalf("got=%+v, want=%d skipped, 2 keys", stats, len(odd))
	}
	a.fetched(t, 2, 2) // b's too
	if !strings.Contains(a.log.String(), "some skipped") {
		t.Fatalf("log: got=%s, want that entries were skipped", a.log)
	}
	// Entries that are not even objects.
	b = newKeyAPI(t, mockidp.New(), nil)
	b.idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Edit: func(body []byte) []byte {
		return bytes.Replace(body, []byte(`[`), []byte(`[null, 5, "x", [], `), 1)
	}})
	b.get(b.token()).accepted(t)
	if stats := b.verifier.Stats(); stats.SkippedKeys != 4 {
		t.Fatalf("got=%+v, want 4 skipped", stats)
	}
}

// B12: without a kid no key is tried, not even the only one.
func TestNoKidOneKey(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), nil)
	set := a.idp.Tenant(tenantA).Keys()
	set.Replace(set.Signing())
	a.get(a.token()).accepted(t)
	a.get(a.token(mockidp.WithoutHeader("kid"))).refused(t, identity.ErrKeyID)
	a.get(a.token(mockidp.WithoutHeader("kid", "x5t"))).refused(t, identity.ErrKeyID)
	a.get(a.token(mockidp.WithoutHeader("kid"), mockidp.Header("x5t", set.Signing().ID()))).refused(t, identity.ErrKeyID)
	a.fetched(t, 1, 1)
}

// B15: a signature by another key, under a kid that is known, makes nobody ask for keys.
func TestKnownKidOtherKey(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), nil)
	set := a.idp.Tenant(tenantA).Keys()
	evil := set.NewKey().WithID(set.Signing().ID())
	a.get(a.token()).accepted(t)
	for range 100 {
		a.get(a.token(mockidp.SignedBy(evil))).refused(t, identity.ErrSignature)
	}
	a.fetched(t, 1, 1)
}

// B14: what a kid means that stands for several entries. K and L are two keys; the placeholder stands for the usual issuer.
func TestSameKidTwice(t *testing.T) {
	t.Parallel()
	const (
		host    = "https://login.microsoftonline.com/"
		usual   = host + "{tenantid}/v2.0"
		ours    = host + tenantA + "/v2.0"
		others  = host + tenantB + "/v2.0"
		nowhere = ""
	)
	type entry struct {
		key    string // "K" or "L"
		issuer string
	}
	tests := []struct {
		name    string
		entries []entry
		k, l    error // the answers to tokens signed with either
		skipped int
	}{
		{"once", []entry{{"K", usual}}, nil, identity.ErrSignature, 0},
		{"identical", []entry{{"K", usual}, {"K", usual}, {"K", usual}}, nil, identity.ErrSignature, 0},
		{"identical, unbound", []entry{{"K", nowhere}, {"K", nowhere}}, nil, identity.ErrSignature, 0},
		{"identical, two issuers, one fits", []entry{{"K", usual}, {"K", others}}, nil, identity.ErrSignature, 0},
		{"identical, two issuers that fit", []entry{{"K", usual}, {"K", ours}}, nil, identity.ErrSignature, 0},
		{"identical, bound and unbound", []entry{{"K", usual}, {"K", nowhere}}, nil, identity.ErrSignature, 0},
		{"one fits", []entry{{"K", usual}, {"L", others}}, nil, identity.ErrSignature, 0},
		{"the other fits", []entry{{"K", others}, {"L", ours}}, identity.ErrSignature, nil, 0},
		{"one fits, one is unbound", []entry{{"K", usual}, {"L", nowhere}}, nil, identity.ErrSignature, 0},
		{"both fit", []entry{{"K", usual}, {"L", ours}}, identity.ErrKeyUnusable, identity.ErrKeyUnusable, 0},
		{"same issuer", []entry{{"K", usual}, {"L", usual}}, identity.ErrKeyUnusable, identity.ErrKeyUnusable, 2},
		{"both unbound", []entry{{"K", nowhere}, {"L", nowhere}}, identity.ErrKeyUnusable, identity.ErrKeyUnusable, 2},
		{"same issuer, and unbound", []entry{{"K", usual}, {"L", usual}, {"K", nowhere}}, identity.ErrKeyUnusable, identity.ErrKeyUnusable, 3},
		{"same other issuer, and unbound", []entry{{"K", others}, {"L", others}, {"K", nowhere}}, identity.ErrKeyUnusable, identity.ErrKeyUnusable, 3},
		{"same other issuer, and ours", []entry{{"K", others}, {"L", others}, {"K", ours}}, nil, identity.ErrSignature, 2},
		{"neither fits", []entry{{"K", others}, {"L", host + tenantX + "/v2.0"}}, identity.ErrKeyUnusable, identity.ErrKeyUnusable, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, backwards := range []bool{false, true} { // the order must not matter
				a := newKeyAPI(t, mockidp.New(), nil)
				set := a.idp.Tenant(tenantA).Keys()
				keys := map[string]*mockidp.Key{"K": set.NewKey().WithID("twice"), "L": set.NewKey().WithID("twice")}
				for i := range tt.entries {
					if backwards {
						i = len(tt.entries) - 1 - i
					}
					set.Publish(keys[tt.entries[i].key].WithIssuer(tt.entries[i].issuer))
				}
				a.get(a.token()).accepted(t)
				for range 5 { // nor may the order of a map
					a.judged(t, mockidp.SignedBy(keys["K"]), tt.k)
					a.judged(t, mockidp.SignedBy(keys["L"]), tt.l)
				}
				a.fetched(t, 1, 1)
				if got := a.verifier.Stats().SkippedKeys; got != tt.skipped {
					t.Fatalf("skipped: got=%d, want=%d", got, tt.skipped)
				}
				if tt.skipped > 0 && !strings.Contains(a.log.String(), "some skipped") {
					t.Fatalf("log: got=%s, want that entries were skipped", a.log)
				}
			}
		})
	}
}

// judged requires the answer to a token; a nil want means that it is accepted.
func (a *keyAPI) judged(t testing.TB, opt mockidp.TokenOption, want error) {
	t.Helper()
	got := a.get(a.token(opt))
	if want == nil {
		got.accepted(t)
		return
	}
	got.refused(t, want)
}

// D34, with the key that Microsoft really publishes for personal accounts. D36: a bound key needs a token with tid.
func TestKeysOfPersonalAccounts(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), nil)
	consumer := mockidp.SignedBy(a.idp.Tenant(tenantA).Keys().Consumer())
	for _, version := range []mockidp.TokenOption{{}, mockidp.V1()} {
		a.get(a.token(version)).accepted(t)
		a.get(a.token(version, consumer)).refused(t, identity.ErrKeyIssuer)
		a.get(a.token(version, mockidp.Without("tid"))).refused(t, identity.ErrTenantMismatch) // D36
	}
	a.fetched(t, 1, 1)
	// The neighbour: a registered tenant of personal accounts, whose tokens the key may sign.
	b := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.PersonalAccounts}, identity.Tenant{ID: tenantA})
	})
	b.get(b.token(mockidp.PersonalAccount())).accepted(t)
	b.get(b.token()).accepted(t)
}

// D36: B2C tokens need no tid, whatever issuer their key has.
func TestBoundKeyInB2C(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) { cfg.Tenants = allKinds() })
	shop := a.idp.Tenant(mockidp.Shop)
	tests := []struct {
		name   string
		issuer string
		want   error
	}{
		{"bound-to-the-token-issuer", shop.Issuer(), nil},
		{"bound-to-a-template-of-it", strings.ReplaceAll(shop.Issuer(), mockidp.Shop, "{tenantid}"), nil},
		{"bound-to-another", "https://login.microsoftonline.com/" + mockidp.Shop + "/v2.0", identity.ErrKeyIssuer},
	}
	for _, tt := range tests {
		shop.Keys().Publish(shop.Keys().NewKey().WithID(tt.name).WithJWK("issuer", tt.issuer))
	}
	for _, tt := range tests {
		for _, key := range shop.Keys().Published() {
			if key.ID() != tt.name {
				continue
			}
			got := a.get(shop.Token(mockidp.SignedBy(key), mockidp.Without("tid")))
			if tt.want == nil {
				got.accepted(t)
			} else {
				got.refused(t, tt.want)
			}
		}
	}
}
