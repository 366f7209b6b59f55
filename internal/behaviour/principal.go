package behaviour

import (
	"fmt"
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
