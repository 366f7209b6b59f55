package pgtenants

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"testing"

	"github.com/echo-identity/identity"
)

// BenchmarkTenant compares the look-up of a store with that of the registry, by how many tenants are asked for in turn.
func BenchmarkTenant(b *testing.B) {
	const n = 100_000
	var tenants []identity.Tenant
	for range n {
		var id [16]byte
		rand.Read(id[:])
		tenants = append(tenants, identity.Tenant{ID: fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), Name: "Customer 12345678"})
	}
	s := new(Store)
	s.sync.init(Options{})
	s.sync.until.Store(inSync)
	batch := s.memory.batch()
	for _, t := range tenants {
		sealed, err := seal(t)
		if err != nil {
			b.Fatal(err)
		}
		batch.put(key{sealed.ID, Workforce}, &record{tenant: sealed})
	}
	batch.commit()
	for _, asked := range []int{1, 1000, n} {
		var issuers []identity.Issuer
		for i := range asked {
			issuer, err := identity.ParseIssuer("https://login.microsoftonline.com/" + tenants[i].ID + "/v2.0")
			if err != nil {
				b.Fatal(err)
			}
			issuers = append(issuers, issuer)
		}
		mrand.Shuffle(len(issuers), func(i, j int) { issuers[i], issuers[j] = issuers[j], issuers[i] })
		for _, c := range []struct {
			name   string
			source identity.TenantSource
		}{{"registry", identity.NewRegistry(tenants...)}, {"store", s}} {
			b.Run(fmt.Sprintf("%s/%d", c.name, asked), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					t, err := c.source.Tenant(context.Background(), issuers[i%asked])
					if err != nil || t.ID == "" {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
