package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// Cause and advice follow the configuration: what they say here they say for the reason given, and do not say without it.
func TestExplainSpecifics(t *testing.T) {
	t.Parallel()
	at := func(iss string) []mockidp.TokenOption {
		return []mockidp.TokenOption{mockidp.Claim("iss", iss), mockidp.Claim("tid", tenantX)}
	}
	sealed := func(tenant identity.Tenant) func(*identity.Config) {
		return func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(tenant) }
	}
	external := identity.Tenant{ID: tenantA, External: &identity.External{}}
	for _, row := range []struct {
		name   string
		config func(cfg *identity.Config)
		opts   []mockidp.TokenOption
		key    func(keys *mockidp.KeySet) *mockidp.Key // published, and signs
		reason identity.Reason
		want   string
	}{
		{name: "audiences of the tenant", config: sealed(identity.Tenant{ID: tenantA, Audiences: []string{"api://own"}}), reason: "audience_mismatch",
			want: "Tenant.Audiences takes the place of Config's"},
		{name: "audience is the client", opts: []mockidp.TokenOption{mockidp.Audience(mockidp.Client)}, reason: "audience_mismatch", want: "The audience is the client itself"},
		{name: "no client ID", config: func(cfg *identity.Config) { cfg.ClientID, cfg.Audiences = "", []string{"https://orders.example"} },
			opts: []mockidp.TokenOption{mockidp.ForGraph()}, reason: "token_for_other_resource", want: "Ask for https://orders.example/{scope}"},
		{name: "no name to ask with", config: func(cfg *identity.Config) { cfg.ClientID, cfg.Audiences = "", []string{"orders"} },
			opts: []mockidp.TokenOption{mockidp.ForGraph()}, reason: "token_for_other_resource", want: "Ask for {Application ID URI}/{scope}"},
		{name: "cached tenants", config: func(cfg *identity.Config) { cfg.Tenants = identity.CachedTenants(workforceA(), time.Minute) },
			opts: at("https://login.microsoftonline.com/" + tenantX + "/v2.0"), reason: "tenant_unknown", want: "after Forget"},
		{name: "register workforce", opts: at("https://login.microsoftonline.com/" + tenantX + "/v2.0"), reason: "tenant_unknown",
			want: `Register it: identity.Tenant{ID: "` + tenantX + `"}.`},
		{name: "register China", opts: at("https://sts.chinacloudapi.cn/" + tenantX + "/"), reason: "tenant_unknown", want: "Cloud: identity.China}"},
		{name: "register B2C", opts: at("https://x.b2clogin.com/" + tenantX + "/v2.0/"), reason: "tenant_unknown",
			want: `B2C: &identity.B2C{Hosts: []string{"x.b2clogin.com"}, Policies: []string{...}}}.`},
		{name: "register External ID", opts: at("https://" + tenantX + ".ciamlogin.com/" + tenantX + "/v2.0"), reason: "tenant_unknown", want: "External: &identity.External{}}."},
		{name: "register another host", opts: at("https://idp.example/" + tenantX + "/v2.0"), reason: "tenant_unknown", want: "if idp.example is a login host that you trust"},
		{name: "another kind", config: sealed(external), opts: []mockidp.TokenOption{mockidp.V1()}, reason: "issuer_not_trusted",
			want: "a form that External ID does not use"},
		{name: "key of another tenant", reason: "key_issuer_mismatch", want: "which Microsoft uses for others: the key signs for https://login.microsoftonline.com/" + tenantX,
			key: func(keys *mockidp.KeySet) *mockidp.Key {
				return keys.NewKey().WithJWK("issuer", "https://login.microsoftonline.com/"+tenantX+"/v2.0")
			}},
		{name: "key that is none", reason: "key_unusable", want: "cannot be used: use is not sig",
			key: func(keys *mockidp.KeySet) *mockidp.Key { return keys.NewKey().WithJWK("use", "enc") }},
		{name: "own keys", opts: []mockidp.TokenOption{mockidp.KeyID("nonesuch")}, reason: "key_not_found", want: "set Tenant.AppKeys"},
		{name: "no permissions asked for", config: sealed(identity.Tenant{ID: tenantA, AllowNoPermissions: true, DenyGuests: true}),
			opts: []mockidp.TokenOption{mockidp.Guest(tenantB), mockidp.Scopes()}, reason: "guest_denied", want: "AllowNoPermissions asks for no scopes"},
		{name: "many roles", config: sealed(identity.Tenant{ID: tenantA, Clients: []string{mockidp.API}}),
			opts: []mockidp.TokenOption{mockidp.Roles("a", "b", "c", "d", "e", "f", "g")}, reason: "client_not_allowed", want: "roles a b c d e and 2 more"},
		{name: "many elements", opts: []mockidp.TokenOption{mockidp.Claim("x", make([]int, 1001))}, reason: "token_malformed", want: "out of all proportion"},
		{name: "signature without end", opts: []mockidp.TokenOption{mockidp.Mutate(func(raw string) string { return raw + strings.Repeat("A", 2000) })},
			reason: "token_malformed", want: "longer than any signature can be"},
		{name: "one character too much", opts: []mockidp.TokenOption{mockidp.Mutate(func(raw string) string { return raw + "AAA" })},
			reason: "token_malformed", want: "a character is missing or too much"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			idp := mockidp.New()
			contoso := idp.Tenant(tenantA)
			opts := row.opts
			if row.key != nil {
				key := row.key(contoso.Keys())
				contoso.Keys().Publish(key)
				opts = append(opts, mockidp.SignedBy(key))
			}
			raw := contoso.Token(opts...)
			report := explains(t, idp, row.config, raw)
			wellSaid(t, report, raw)
			if text := fmt.Sprint(report.Cause, report.Advice, report.Steps); report.Reason != row.reason || !strings.Contains(text, row.want) {
				t.Fatalf("got=%s %s, want=%s, and %q", report.Reason, text, row.reason, row.want)
			}
		})
	}
}
