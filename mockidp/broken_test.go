package mockidp_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

var checks = []string{"size", "shape", "header", "algorithm", "type", "kid", "claims", "issuer", "tenant", "version", "audience", "time", "policy", "key",
	"key-issuer", "signature", "binding", "permissions"}

var reasons = []string{"token_too_large", "token_malformed", "token_encrypted", "algorithm_not_allowed", "token_type_not_allowed", "critical_header", "kid_invalid",
	"claims_malformed", "issuer_not_trusted", "tenant_unknown", "tenant_mismatch", "version_not_allowed", "audience_mismatch", "token_for_other_resource",
	"id_token", "token_expired", "token_not_yet_valid", "token_issued_in_future", "time_invalid", "policy_not_allowed", "key_not_found",
	"key_issuer_mismatch", "signature_invalid", "token_bound", "no_permissions"}

// M3: every entry is refused by an independent validator, for the reason that it gives and no earlier one; the token without the
// defect is accepted by it.
func TestBroken(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return now }))
	tenants := map[mockidp.Kind]*mockidp.TenantHandle{
		mockidp.Workforce: idp.Tenant(mockidp.Contoso), mockidp.B2C: idp.Tenant(mockidp.Shop), mockidp.External: idp.Tenant(mockidp.Customers),
	}
	references := map[*mockidp.TenantHandle]reference{}
	for _, tenant := range tenants {
		references[tenant] = newReference(t, idp.Client(), tenant, now)
	}
	judge := func(tenant *mockidp.TenantHandle, raw string) string { return references[tenant].check(raw) }
	for kind, tenant := range tenants {
		if reason := judge(tenant, tenant.Token()); reason != "" {
			t.Fatalf("%v: the good token is refused: %s", kind, reason)
		}
	}
	for _, opts := range [][]mockidp.TokenOption{{mockidp.V1()}, {mockidp.AppOnly("r")}, {mockidp.Guest(mockidp.Fabrikam)}, {mockidp.Overage()}} {
		if reason := judge(tenants[mockidp.Workforce], tenants[mockidp.Workforce].Token(opts...)); reason != "" {
			t.Fatalf("a good token is refused: %s", reason)
		}
	}

	list := mockidp.Broken()
	if len(list) < 60 {
		t.Errorf("got=%d entries, want at least 60", len(list))
	}
	names, usedChecks, usedReasons := map[string]bool{}, map[string]bool{}, map[string]bool{}
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, b := range list {
		if names[b.Name] || !kebab.MatchString(b.Name) {
			t.Errorf("name %q is not unique or not in kebab case", b.Name)
		}
		names[b.Name], usedChecks[b.Check], usedReasons[b.Reason] = true, true, true
		if !strings.HasSuffix(b.Breaks, ".") || b.Source == "" || !slices.Contains(checks, b.Check) || !slices.Contains(reasons, b.Reason) {
			t.Errorf("%s: incomplete: %+v", b.Name, b)
		}
		if wanted := map[bool]int{true: http.StatusBadRequest, false: http.StatusUnauthorized}[b.Check == "size"]; b.Status != wanted {
			t.Errorf("%s: status got=%d, want=%d", b.Name, b.Status, wanted)
		}
		raw := b.Token(tenants[b.Kind])
		if got := judge(tenants[b.Kind], raw); got != b.Reason {
			t.Errorf("%s: got=%q, want=%q", b.Name, got, b.Reason)
		}
		if strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f }) || raw != strings.TrimSpace(raw) {
			t.Errorf("%s: cannot be sent in a header field", b.Name)
		}
		panics(t, b.Name+" of another kind", func() { b.Token(tenants[(b.Kind+1)%3]) })
	}
	for _, c := range checks {
		if !usedChecks[c] {
			t.Errorf("no entry for the check %s", c)
		}
	}
	for _, r := range reasons {
		if !usedReasons[r] {
			t.Errorf("no entry for the reason %s", r)
		}
	}
}

// The catalogue changes nothing that other tests of the same server would see.
func TestBrokenLeavesNoTrace(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	before, good := kids(t, idp.Client(), commonKeys), contoso.Token()
	for _, b := range mockidp.Broken() {
		if b.Kind == mockidp.Workforce {
			b.Token(contoso)
		}
	}
	if after := kids(t, idp.Client(), commonKeys); !slices.Equal(before, after) {
		t.Errorf("got=%v, want=%v", after, before)
	}
	mustVerify(t, idp.Client(), commonV2, good)
	mustVerify(t, idp.Client(), commonV2, contoso.Token())
}

// Tenants that the catalogue has to make an exception for.
func TestBrokenOfUnusualTenants(t *testing.T) {
	t.Parallel()
	const cn = "c13c13c1-1111-4111-8111-c13c13c13c13"
	idp := mockidp.New(mockidp.WithTenants(
		mockidp.Tenant{ID: mockidp.Fabrikam, Domain: "fabrikam"},
		mockidp.Tenant{ID: cn, Domain: "mingdao", Cloud: mockidp.China},
		mockidp.Tenant{ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "one", Policies: []string{"B2C_1_only"}},
	))
	for _, id := range []string{mockidp.Fabrikam, cn, mockidp.Shop} {
		tenant := idp.Tenant(id)
		v := newReference(t, idp.Client(), tenant, time.Now())
		if reason := v.check(tenant.Token()); reason != "" {
			t.Fatalf("%s: the good token is refused: %s", id, reason)
		}
		for _, b := range mockidp.Broken() {
			if b.Kind != tenant.Kind() {
				continue
			}
			if got := v.check(b.Token(tenant)); got != b.Reason {
				t.Errorf("%s of %s: got=%q, want=%q", b.Name, id, got, b.Reason)
			}
		}
	}
}
