// Multitenant adds and removes tenants while an API runs, from three kinds of sources: a registry, a slow store behind a
// cache, and any tenant that a function admits. It prints what each request got, and ends with 0 only if that is right.
//
//	go run ./multitenant
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

func main() {
	idp := mockidp.New()
	demo := demo{idp: idp, contoso: idp.Tenant(mockidp.Contoso).Token(), fabrikam: idp.Tenant(mockidp.Fabrikam).Token()}
	demo.registry()
	demo.store()
	demo.anyTenant()
	if demo.wrong > 0 {
		log.Fatalf("multitenant: %d wrong answers", demo.wrong)
	}
}

type demo struct {
	idp               *mockidp.Server
	contoso, fabrikam string // tokens
	wrong             int
}

// registry is for tenants that the program knows: from a file, or pushed to it.
func (d *demo) registry() {
	fmt.Println("A registry, changed at run time")
	tenants := identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"})
	api := d.newAPI(tenants)
	d.expect(api, "contoso", d.contoso, 200)
	d.expect(api, "fabrikam, not registered yet", d.fabrikam, 401)
	if err := tenants.Add(identity.Tenant{ID: mockidp.Fabrikam, Name: "fabrikam"}); err != nil {
		log.Fatal(err)
	}
	d.expect(api, "fabrikam, after Add", d.fabrikam, 200)
	tenants.Remove(mockidp.Contoso)
	d.expect(api, "contoso, after Remove: the same token", d.contoso, 401)
}

// store is for tenants in a database. The cache bounds how long a removal may take, and Forget makes it immediate.
func (d *demo) store() {
	fmt.Println("\nA slow store behind CachedTenants")
	var customer atomic.Bool
	customer.Store(true)
	look := identity.TenantFunc(func(ctx context.Context, issuer identity.Issuer) (*identity.Tenant, error) {
		if issuer.TenantID != mockidp.Contoso || !customer.Load() { // SELECT … WHERE tenant_id = $1
			return nil, identity.ErrUnknownTenant
		}
		return &identity.Tenant{ID: issuer.TenantID, Name: "contoso"}, nil
	})
	cached := identity.CachedTenants(look, time.Hour)
	api := d.newAPI(cached)
	d.expect(api, "contoso", d.contoso, 200)
	customer.Store(false)
	d.expect(api, "contoso, deleted: the cache still knows it", d.contoso, 200)
	cached.Forget(mockidp.Contoso)
	d.expect(api, "contoso, after Forget", d.contoso, 401)
}

// anyTenant lets a function decide. Anybody can make a tenant: what it lets in is authenticated, and no more than that.
func (d *demo) anyTenant() {
	fmt.Println("\nAny tenant that a function admits")
	api := d.newAPI(identity.AnyTenant(func(ctx context.Context, issuer identity.Issuer) error {
		switch issuer.TenantID {
		case mockidp.Contoso:
			return nil
		case mockidp.Fabrikam:
			return errors.New("the billing service does not answer")
		}
		return identity.ErrUnknownTenant
	}))
	d.expect(api, "contoso, admitted", d.contoso, 200)
	d.expect(api, "fabrikam, the function fails", d.fabrikam, 503)
	d.expect(api, "a personal account, not admitted", d.idp.Tenant(mockidp.Contoso).Token(mockidp.PersonalAccount()), 401)
}

func (d *demo) newAPI(tenants identity.TenantSource) http.Handler {
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API,
		Tenants:  tenants,
		Keys:     identity.KeyOptions{HTTPClient: d.idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}))
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	return e
}

func (d *demo) expect(api http.Handler, what, token string, want int) {
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res := httptest.NewRecorder()
	api.ServeHTTP(res, req)
	note := ""
	if res.Code != want {
		note = fmt.Sprintf("  WRONG, want %d", want)
		d.wrong++
	}
	fmt.Printf("  %-48s %d%s\n", what, res.Code, note)
}
