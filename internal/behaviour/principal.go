package behaviour

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
)

// L7
func testContextKey[M any](t *testing.T, f Framework[M]) {
	for _, key := range []string{"", "user", "caller"} {
		var seen any
		values := false
		overwrite := f.Step(func(c Call) error {
			if values = c.Get != nil; !values {
				return nil
			}
			name := key
			if name == "" {
				name = "user"
			}
			seen = c.Get(name)
			c.Set(name, "somebody else")
			return nil
		})
		a := newAPI(t, f, setup[M]{
			config: func(cfg *identity.Config) { cfg.ContextKey = key }, guards: []M{overwrite, f.RequireScope("access_as_user")},
		}, nil)
		raw := a.token()
		p := a.get(raw).accepted(t)
		if !values {
			t.Skip("the framework's context has no values")
		}
		token, ok := seen.(*jwt.Token)
		if !ok || token.Claims != jwt.Claims(p) || !token.Valid || token.Raw != raw || token.Method != jwt.SigningMethodRS256 || token.Header != nil {
			t.Fatalf("%q: got=%#v, want the token with the principal", key, seen)
		}
	}
}

// An optional authentication behind another one that finds no token leaves the caller and the values as they were.
func testNested[M any](t *testing.T, f Framework[M]) {
	var seen any
	look := f.Step(func(c Call) error {
		if c.Get != nil {
			seen = c.Get("inner")
		}
		return nil
	})
	idp := mockidp.New()
	inner, err := f.Middleware(identity.Config{
		ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: tenantA}), Keys: identity.KeyOptions{HTTPClient: idp.Client()},
		Optional: true, TokenLookup: "cookie:inner", ContextKey: "inner",
	}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, f, setup[M]{idp: idp, use: func(outer M) []M { return []M{outer, inner, look} }}, nil)
	a.get(a.token()).accepted(t)
	if seen != nil {
		t.Fatalf("got=%v under the key of the authentication that nobody passed", seen)
	}
	r := bearer(a.token(mockidp.Scopes("outer")))
	r.AddCookie(&http.Cookie{Name: "inner", Value: a.token(mockidp.Scopes("inner"))})
	if p := a.do(r).accepted(t); !p.HasScope("inner") {
		t.Fatalf("got=%v, want the caller of the inner token", p.Scopes)
	}
}

// L6: what a handler does to its principal stays in its request.
func testPrincipalIsPrivate[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{}, nil)
	raw := a.token(mockidp.Scopes("a", "b"), mockidp.Roles("r", "s"), mockidp.Groups("g", "h"), mockidp.Claim("list", []string{"x"}))
	spoil := func(p *identity.Principal) {
		for _, list := range []*[]string{&p.Scopes, &p.Roles, &p.Groups} {
			(*list)[0] = "spoiled"
			*list = append((*list)[:1], "more", "and more")
		}
		p.TenantID, p.ObjectID, p.Policy = "spoiled", "spoiled", "spoiled"
		p.Claim("list").([]any)[0] = "spoiled"
	}
	intact := func(p *identity.Principal) {
		if !slices.Equal(p.Scopes, []string{"a", "b"}) || !slices.Equal(p.Roles, []string{"r", "s"}) || !slices.Equal(p.Groups, []string{"g", "h"}) ||
			p.TenantID != tenantA || p.ObjectID != mockidp.User || p.Policy != "" || fmt.Sprint(p.Claim("list")) != "[x]" || p.Tenant().Name != "contoso" {
			t.Errorf("got=%+v, want it untouched", *p)
		}
	}
	first := a.get(raw).accepted(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := a.get(raw)
			if got.principal == nil {
				t.Errorf("got=%d %v", got.status, got.err)
				return
			}
			intact(got.principal)
			spoil(got.principal)
		})
	}
	wg.Wait()
	intact(first)
	if p := a.get(raw).accepted(t); p == first {
		t.Fatal("two requests share a principal")
	}
}
