package identity_test

import (
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// A14: rubbish where a token should be is malformed, and asks nobody for keys.
func TestRubbish(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	good := a.token()
	parts := strings.Split(good, ".")
	for _, rubbish := range []string{
		"null", "undefined", "None", "[object", "{}", ".", "..", "...", parts[0], parts[0] + ".", parts[0] + "." + parts[1],
		parts[0] + ".." + parts[2], "." + parts[1] + "." + parts[2], parts[0] + "." + parts[1] + ".",
		"!" + good, good[:40] + "*" + good[41:], parts[0] + "." + parts[1] + "=." + parts[2], good + "=",
		a.token(mockidp.RawHeader("not JSON")), a.token(mockidp.RawHeader("[]")), a.token(mockidp.RawHeader(`"x"`)),
		a.token(mockidp.RawPayload("not JSON")), a.token(mockidp.RawPayload("[]")), a.token(mockidp.RawPayload(`"x"`)),
		a.token(mockidp.RawPayload("null")), a.token(mockidp.RawPayload("")), a.token(mockidp.RawPayload("{} {}")),
		strings.Repeat(".", 60_000),
	} {
		a.get(rubbish).refused(t, identity.ErrTokenMalformed)
	}
	if n := a.idp.Count(mockidp.AnyEndpoint); n != 0 {
		t.Fatalf("got=%d requests for rubbish, want=0", n)
	}
	a.get(good).accepted(t)
}

// A15
func TestEncrypted(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	good := a.token()
	a.get("eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d").refused(t, identity.ErrTokenEncrypted)
	a.get(good+".a.b").refused(t, identity.ErrTokenEncrypted)
	a.get(good+".a").refused(t, identity.ErrTokenMalformed)
	if n := a.idp.Count(mockidp.AnyEndpoint); n != 0 {
		t.Fatalf("got=%d requests, want=0", n)
	}
	a.get(good).accepted(t)
}

// A16: 64 KiB is the most. One byte more is refused before anything of it is decoded: rubbish of that size is no other case.
func TestOversize(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	const limit = 64 << 10
	empty := len(a.token(mockidp.Claim("padding", "")))
	padded := func(size int) string { // four characters carry three bytes
		for n := (size - empty) * 3 / 4; ; n++ {
			if raw := a.token(mockidp.Claim("padding", strings.Repeat("x", n))); len(raw) >= size {
				return raw
			}
		}
	}
	over := padded(limit + 1)
	a.get(over).refused(t, identity.ErrTokenTooLarge)
	a.get(strings.Repeat("x", limit+1)).refused(t, identity.ErrTokenTooLarge)
	a.get(strings.Repeat("x", limit)).refused(t, identity.ErrTokenMalformed)
	if n := a.idp.Count(mockidp.AnyEndpoint); n != 0 {
		t.Fatalf("got=%d requests, want=0", n)
	}
	largest := padded(limit - 1)
	if len(largest) > limit {
		t.Fatalf("got=%d bytes, want the largest token to be within the limit", len(largest))
	}
	a.get(largest).accepted(t)
}

// What TokenLookup does not mean is a fault at start-up.
func TestTokenLookupFaults(t *testing.T) {
	t.Parallel()
	for _, lookup := range []string{
		",", "header,", "header,header", "Header", "header:Authorization", "header:X-Token", "query:token", "cookie", "cookie:", "websocket",
		"websocket:", "param:t", "header;query",
	} {
		_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: workforceA(), TokenLookup: lookup})
		if err == nil || !strings.Contains(err.Error(), "Config.TokenLookup") {
			t.Errorf("%q: got=%v, want a fault of Config.TokenLookup", lookup, err)
		}
	}
	for _, lookup := range []string{"", "header", " header , query ", "form,header,query,cookie:a,cookie:b,websocket:x"} {
		if _, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: workforceA(), TokenLookup: lookup}); err != nil {
			t.Errorf("%q: got=%v, want it accepted", lookup, err)
		}
	}
}
