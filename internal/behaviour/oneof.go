package behaviour

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

var errKey = errors.New("no such key")

// apiKeys is an alternative that accepts the key "sesame" in X-Api-Key, and leaves a trace of every request.
func apiKeys[M any](f Framework[M]) M {
	return f.Step(func(c Call) error {
		c.W.Header().Add("X-Trace", "asked for a key")
		if c.R.Header.Get("X-Api-Key") != "sesame" {
			return errKey
		}
		return nil
	})
}

// newOneOf is an application that takes what one of the alternatives takes.
func newOneOf[M any](t *testing.T, f Framework[M], alternatives func(authentication M) []M) *api[M] {
	t.Helper()
	if f.OneOf == nil {
		t.Skip("the adapter has no alternatives")
	}
	return newAPI(t, f, setup[M]{use: func(authentication M) []M {
		list := alternatives(authentication)
		return []M{f.OneOf(list[0], list[1:]...)}
	}}, nil)
}

func withKey(authorization, key string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	return r
}

// A20
func testOneOf[M any](t *testing.T, f Framework[M]) {
	a := newOneOf(t, f, func(authentication M) []M { return []M{authentication, apiKeys(f)} })
	send := func(authorization, key string) *answer { return a.do(withKey(authorization, key)) }
	byKey := func(authorization string) {
		t.Helper()
		got := send(authorization, "sesame")
		got.anonymous(t)
		if got.header.Get("WWW-Authenticate") != "" {
			t.Fatalf("got=%v, want no challenge behind the key", got.header)
		}
	}
	expired := "Bearer " + a.token(mockidp.ExpiresIn(-time.Hour))
	byKey(expired)
	byKey("Bearer")
	byKey("")
	send(expired, "wrong").refused(t, identity.ErrExpired)
	send(expired, "").refused(t, identity.ErrExpired)
	send("Bearer", "wrong").refused(t, identity.ErrRequestInvalid)
	send("", "").refused(t, identity.ErrTokenMissing)
	send("Bearer "+a.token(), "").accepted(t)
	send("Bearer "+a.token(), "wrong").accepted(t)
}

// A20: the caller and the headers that a refusing alternative leaves behind do not reach the next one.
func testOneOfLeavesNothing[M any](t *testing.T, f Framework[M]) {
	inner := errors.New("not today")
	refuse := f.Step(func(Call) error { return inner })
	a := newOneOf(t, f, func(authentication M) []M {
		return []M{f.Chain(apiKeys(f), refuse), f.Chain(authentication, refuse), apiKeys(f)}
	})
	got := a.do(withKey("Bearer "+a.token(), "sesame"))
	got.anonymous(t)
	if trace := got.header.Values("X-Trace"); len(trace) != 1 {
		t.Fatalf("got=%q, want that of the alternative that passed", trace)
	}
	got = a.do(withKey("Bearer "+a.token(), ""))
	if got.failed != nil {
		t.Fatalf("got=%v, want nobody behind a refusal", got.failed)
	}
	if got.reached || got.err != errKey || len(got.header.Values("X-Trace")) != 1 || got.header.Get("WWW-Authenticate") != "" {
		t.Fatalf("got=%v %v, want the first one's error and headers", got.err, got.header)
	}
	// Nor do they reach whoever answers the refusal.
	a = newOneOf(t, f, func(authentication M) []M { return []M{f.Chain(authentication, refuse)} })
	if got := a.get(a.token()); got.err != inner || got.failed != nil {
		t.Fatalf("got=%v %v, want the refusal and nobody", got.err, got.failed)
	}
}
