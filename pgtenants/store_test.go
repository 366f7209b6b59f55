package pgtenants_test

import (
	"testing"

	"github.com/echo-identity/identity"
)

func TestStore(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.wants(t, tenantA, unknown)
	r.upsert(t, identity.Tenant{ID: tenantA, Name: "contoso"})
	r.wants(t, tenantA, "")
	r.wants(t, tenantB, unknown)
	if err := r.Disable(t.Context(), jane, tenantA); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
	r.wants(t, tenantA, unknown)
}
