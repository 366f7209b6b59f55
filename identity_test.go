package identity_test

import (
	"testing"

	"github.com/echo-identity/identity"
)

// N4: adding an unrelated tenant changes nothing for the others.
func TestUnrelatedTenant(t *testing.T) {
	t.Parallel()
	tenants := workforceA()
	a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = tenants })
	b := a.idp.Tenant(tenantB).Token()
	a.get(a.token()).accepted(t)
	a.get(b).refused(t, identity.ErrUnknownTenant)
	if err := tenants.Add(identity.Tenant{ID: tenantX, Name: "unrelated"}); err != nil {
		t.Fatal(err)
	}
	a.get(a.token()).accepted(t)
	a.get(b).refused(t, identity.ErrUnknownTenant)
}
