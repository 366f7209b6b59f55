// Multitenant adds and removes tenants while an API runs, from three kinds of sources: a registry, a slow store behind a
// cache, and any tenant that a function admits. It prints what each request got, and ends with 0 only if that is right.
//
//	go run ./multitenant
package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func main() {
	idp := mockidp.New()
	demo := demo{idp: idp, contoso: idp.Tenant(mockidp.Contoso).Token(), fabrikam: idp.Tenant(mockidp.Fabrikam).Token()}
	err := errors.Join(demo.registry(), demo.store(), demo.anyTenant())
	if demo.wrong > 0 {
		err = errors.Join(err, fmt.Errorf("%d wrong answers", demo.wrong))
	}
	if err != nil {
		log.Fatal("multitenant: ", err)
	}
}

type demo struct {
	idp               *mockidp.Server
	contoso, fabrikam string // tokens
	wrong             int
}

// registry is for tenants that the program knows: from a file, or pushed to it.
func (d *demo) registry() error {
	fmt.Println("A registry, changed at run time")
	tenants := identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"})
	api, err := newAPI(tenants, d.idp.Client())
	if err != nil {
		return err
	}
	d.expect(api, "contoso", d.contoso, 200)
	d.expect(api, "fabrikam, not registered yet", d.fabrikam, 401)
	if err := tenants.Add(identity.Tenant{ID: mockidp.Fabrikam, Name: "fabrikam"}); err != nil {
		return err
	}
	d.expect(api, "fabrikam, after Add", d.fabrikam, 200)
	tenants.Remove(mockidp.Contoso)
	d.expect(api, "contoso, after Remove: the same token", d.contoso, 401)
	return nil
}

// store is for tenants in a database. The cache bounds how long a removal may take, and Forget makes it immediate.
func (d *demo) store() error {
	fmt.Println("\nA slow store behind CachedTenants")
	table := new(customers)
	table.contoso.Store(true)
	cached := identity.CachedTenants(table, time.Hour)
	api, err := newAPI(cached, d.idp.Client())
	if err != nil {
		return err
	}
	d.expect(api, "contoso", d.contoso, 200)
	table.contoso.Store(false)
	d.expect(api, "contoso, deleted: the cache still knows it", d.contoso, 200)
	cached.Forget(mockidp.Contoso)
	d.expect(api, "contoso, after Forget", d.contoso, 401)
	return nil
}

// anyTenant is for services that anybody may use, or whose customers another service knows.
func (d *demo) anyTenant() error {
	fmt.Println("\nAny tenant that a function admits")
	api, err := newAPI(identity.AnyTenant(admit), d.idp.Client())
	if err != nil {
		return err
	}
	d.expect(api, "contoso, admitted", d.contoso, 200)
	d.expect(api, "fabrikam, the function fails", d.fabrikam, 503)
	personal := d.idp.Tenant(mockidp.Contoso).Token(mockidp.PersonalAccount())
	d.expect(api, "a personal account, not admitted", personal, 401)
	return nil
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
