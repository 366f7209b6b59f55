package identity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzJWKS: whatever a key server sends, reading it does not panic, and no key comes out of it whose type, size, exponent, use or
// algorithm is not allowed. That is judged by another reading of the document: maps instead of structs.
func FuzzJWKS(f *testing.F) {
	now := time.Now()
	f.Fuzz(func(t *testing.T, document []byte, cloudInstance string) {
		set, err := parseKeySet(document, cloudInstance, now, nil)
		if err != nil {
			if set != nil {
				t.Fatalf("got a set and %v", err)
			}
			return
		}
		entries := entriesOf(t, document)
		if len(set.keys) == 0 || len(entries) > 1000 {
			t.Fatalf("got=%d keys of %d entries", len(set.keys), len(entries))
		}
		for kid, keys := range set.keys {
			if !set.has(kid) || len(keys) == 0 {
				t.Fatalf("%q is listed without a key", kid)
			}
			issuers := make(map[string]bool)
			for _, key := range keys {
				if issuers[key.issuer] {
					t.Fatalf("two keys of %q are for the issuer %q", kid, key.issuer)
				}
				issuers[key.issuer] = true
				if key.id != kid || !slices.ContainsFunc(entries, func(entry map[string]any) bool { return justifies(entry, cloudInstance, key) }) {
					t.Fatalf("%q: no entry of the document allows this key: %+v", kid, key)
				}
			}
			for _, issuer := range []string{"https://login.microsoftonline.com/", "https://login.microsoftonline.us/"} {
				neverAmbiguous(t, set, kid, issuer)
			}
		}
		again, err := parseKeySet(document, cloudInstance, now.Add(time.Hour), set)
		if err != nil || len(again.keys) != len(set.keys) || again.skipped != set.skipped {
			t.Fatalf("read again: got=%+v, %v", again, err)
		}
		for kid, keys := range set.keys {
			for i, key := range keys {
				if again.keys[kid][i] != key {
					t.Fatalf("%q: an unchanged key is another object after a refresh", kid)
				}
			}
		}
	})
}

// neverAmbiguous requires that a look-up answers with a key for the token's issuer, or not at all.
func neverAmbiguous(t *testing.T, set *keySet, kid, origin string) {
	const tenant = "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa"
	tenants := &Tenant{ID: tenant}
	if !strings.HasPrefix(origin, publicOrigin) {
		tenants.Cloud = USGovernment
	}
	raw := origin + tenant + "/v2.0"
	key, err := set.key(kid, signer{Issuer{Raw: raw, TenantID: tenant, Form: FormV2}, tenants})
	if err != nil {
		return
	}
	if key.issuer != "" && strings.Replace(key.issuer, "{tenantid}", tenant, 1) != raw {
		t.Fatalf("%q: the key of %q for a token of %q", kid, key.issuer, raw)
	}
}

// entriesOf reads the entries of a key set that are objects.
func entriesOf(t *testing.T, document []byte) (entries []map[string]any) {
	var doc map[string]any
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatalf("a set came out of a document that is no object: %v", err)
	}
	for name, value := range doc {
		list, _ := value.([]any)
		if !strings.EqualFold(name, "keys") {
			continue
		}
		for _, entry := range list {
			if object, ok := entry.(map[string]any); ok {
				entries = append(entries, object)
			}
		}
	}
	return entries
}

// justifies reports whether an entry publishes a key, and may.
func justifies(entry map[string]any, cloudInstance string, key *verificationKey) bool {
	one := func(name string, allowed ...string) bool {
		return slices.Contains(allowed, fmt.Sprint(entry[name])) // <nil> is absent, or null
	}
	number := func(name string) *big.Int {
		text, _ := entry[name].(string)
		b, err := base64.URLEncoding.DecodeString(text + strings.Repeat("=", (4-len(text)%4)%4))
		if err != nil {
			return new(big.Int)
		}
		return new(big.Int).SetBytes(b)
	}
	operations, limited := entry["key_ops"].([]any)
	_, private := entry["d"]
	_, symmetric := entry["k"]
	issuer, _ := entry["issuer"].(string)
	n, e := number("n"), number("e")
	return one("kty", "RSA") && one("use", "<nil>", "", "sig") && one("alg", "<nil>", "", "RS256") && one("kid", key.id) &&
		(!limited || slices.Contains(operations, any("verify"))) && !private && !symmetric &&
		(cloudInstance == "" || one("cloud_instance_name", "<nil>", "", cloudInstance)) &&
		len(key.id) >= 1 && len(key.id) <= 256 && strings.TrimSpace(issuer) == key.issuer &&
		n.Cmp(key.public.N) == 0 && n.BitLen() >= 2048 && n.BitLen() <= 8192 && n.Bit(0) == 1 &&
		e.Cmp(big.NewInt(int64(key.public.E))) == 0 && e.Cmp(big.NewInt(65537)) >= 0 && e.BitLen() <= 31 && e.Bit(0) == 1
}
