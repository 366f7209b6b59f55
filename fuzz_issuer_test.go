package identity_test

import (
	"context"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
)

// documentedIssuer is the grammar of issuers a second time. Its groups: scheme, host with port, port, tenant behind tfp, policy,
// tenant, and what follows it.
var documentedIssuer = regexp.MustCompile(`\A(https?)://` +
	`((?:(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?)` +
	`/(?:tfp/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/([Bb]2[Cc]_1[Aa]?_[A-Za-z0-9._-]+)/v2\.0/` +
	`|([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(/|/v2\.0|/v2\.0/))\z`)

// documented judges an issuer, and takes it apart.
func documented(raw string) (scheme string, want identity.Issuer, ok bool) {
	m := documentedIssuer.FindStringSubmatch(raw)
	if m == nil {
		return "", want, false
	}
	scheme, want = m[1], identity.Issuer{Raw: raw, Host: m[2], TenantID: m[4] + m[6], Policy: m[5], Form: identity.FormTFP}
	switch m[7] {
	case "/":
		want.Form = identity.FormV1
	case "/v2.0":
		want.Form = identity.FormV2
	case "/v2.0/":
		want.Form = identity.FormB2C
	}
	port, _ := strconv.Atoi(m[3])
	name := want.Host
	if m[3] != "" {
		name = strings.TrimSuffix(name, ":"+m[3])
	}
	local := name == "localhost"
	if inner, bracketed := strings.CutPrefix(name, "["); bracketed {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !address.Is6() || "["+address.String()+"]" != name {
			return "", want, false
		}
		local = address.IsLoopback()
	} else if address, err := netip.ParseAddr(name); err == nil {
		local = address.IsLoopback()
	}
	return scheme, want, port <= 65535 && len(name) <= 253 && len(want.Policy) <= 128 && (scheme == "https" || local)
}

// rebuilt puts an issuer together from its parts.
func rebuilt(scheme string, iss identity.Issuer) string {
	origin := scheme + "://" + iss.Host + "/"
	switch iss.Form {
	case identity.FormV1:
		return origin + iss.TenantID + "/"
	case identity.FormV2:
		return origin + iss.TenantID + "/v2.0"
	case identity.FormB2C:
		return origin + iss.TenantID + "/v2.0/"
	case identity.FormTFP:
		return origin + "tfp/" + iss.TenantID + "/" + iss.Policy + "/v2.0/"
	}
	return ""
}

// strangerTo is a tenant ID that is not the one given.
func strangerTo(id string) string {
	if id == tenantX {
		return tenantA
	}
	return tenantX
}

// FuzzIssuer: exactly the documented forms are accepted, they are made of their parts and nothing else, and no two tenants
// share an issuer.
func FuzzIssuer(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := identity.ParseIssuer(raw)
		scheme, want, ok := documented(raw)
		if ok != (err == nil) {
			t.Fatalf("%q: got=%v, want accepted: %v", raw, err, ok)
		}
		if err != nil {
			if got != (identity.Issuer{}) {
				t.Fatalf("%q: got=%+v with an error", raw, got)
			}
			return
		}
		if got.Raw != raw || got.Host != want.Host || got.TenantID != want.TenantID || got.Form != want.Form || got.Policy != want.Policy {
			t.Fatalf("%q: got=%+v, want=%+v", raw, got, want)
		}
		if again := rebuilt(scheme, got); again != raw {
			t.Fatalf("%q: its parts make %q", raw, again)
		}
		belongsToOne(t, got)
	})
}

// belongsToOne registers the tenant of an issuer among others, in every kind, and requires that only it is found.
func belongsToOne(t *testing.T, iss identity.Issuer) {
	b2c := &identity.B2C{Hosts: []string{"b2c.example"}, Policies: []string{"B2C_1_x"}}
	external := new(identity.External)
	own := []identity.Tenant{{ID: iss.TenantID}, {ID: iss.TenantID, B2C: b2c}, {ID: iss.TenantID, External: external}}
	stranger := strangerTo(iss.TenantID)
	others := []identity.Tenant{{ID: stranger}, {ID: stranger, B2C: b2c}, {ID: stranger, External: external}}
	registry := identity.NewRegistry(others...)
	if found, err := registry.Tenant(context.Background(), iss); err == nil || found != nil {
		t.Fatalf("%q: got=%+v, want no tenant", iss.Raw, found)
	}
	if err := registry.Add(own...); err != nil {
		t.Fatal(err)
	}
	found, err := registry.Tenant(context.Background(), iss)
	if err != nil || found.ID != iss.TenantID {
		t.Fatalf("%q: got=%+v, %v, want tenant %s", iss.Raw, found, err, iss.TenantID)
	}
	registry.Remove(iss.TenantID)
	if found, err := registry.Tenant(context.Background(), iss); err == nil || found != nil {
		t.Fatalf("%q: got=%+v, want no tenant", iss.Raw, found)
	}
}
