package corpus_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/benchmarks/corpus"
)

func newCorpus(t *testing.T) *corpus.Corpus {
	t.Helper()
	c, err := corpus.New(100, 11)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func claimsOf(t *testing.T, raw string) map[string]any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// The tokens are as large as Microsoft's and all different.
func TestTokens(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	seen, total := map[any]bool{}, 0
	for _, user := range c.Users {
		claims := claimsOf(t, user.Raw)
		if len(claims) < 20 {
			t.Fatalf("claims: got=%d, want at least 20", len(claims))
		}
		if seen[claims["oid"]] {
			t.Fatalf("user %v: twice", claims["oid"])
		}
		seen[claims["oid"]] = true
		total += len(user.Raw)
	}
	if mean := total / len(c.Users); mean < 1250 || mean > 1350 {
		t.Fatalf("bytes of a token: got=%d, want about 1300", mean)
	}
}

// The key set is as large as Microsoft's.
func TestKeys(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	url, err := c.KeySetURL(c.Tenants[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, key := range set.Keys {
		ids[key.ID] = true
	}
	if len(ids) != corpus.Keys || !ids[c.KeyID] {
		t.Fatalf("keys: got=%v, want=%d with %s", ids, corpus.Keys, c.KeyID)
	}
}

// A fifth of the users is in the first tenant, and the rest in all others.
func TestTenants(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	of := func(tokens []*corpus.Token) (tenants []string) {
		for _, token := range tokens {
			tenants = append(tenants, claimsOf(t, token.Raw)["tid"].(string))
		}
		slices.Sort(tenants)
		return slices.Compact(tenants)
	}
	if got := of(c.OfOneTenant()); len(c.OfOneTenant()) != 20 || len(got) != 1 || got[0] != c.Tenants[0] {
		t.Fatalf("tenants of %d tokens: got=%v, want=%v of 20", len(c.OfOneTenant()), got, c.Tenants[0])
	}
	others := slices.Sorted(slices.Values(c.Tenants[1:]))
	if got := of(c.OfManyTenants()); len(c.OfManyTenants()) != 20 || !slices.Equal(got, others) {
		t.Fatalf("tenants of %d tokens: got=%v, want=%v of 20", len(c.OfManyTenants()), got, others)
	}
}

// The unit is a real verification: it accepts every token and refuses those whose signed bytes were changed.
func TestRSA(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	for _, user := range c.Users {
		if err := c.RSA(user); err != nil {
			t.Fatal(err)
		}
	}
	refused, err := c.Refuse(10)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range slices.Concat(refused.Junk, refused.UnknownTenant, refused.UnknownKey) {
		if c.RSA(token) == nil {
			t.Fatalf("accepted: %s", token.Raw)
		}
	}
}
