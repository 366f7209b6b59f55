package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func TestParseIssuer(t *testing.T) {
	t.Parallel()
	const guid = tenantA
	for _, row := range []struct {
		raw  string
		want identity.Issuer
	}{
		{"https://sts.windows.net/" + guid + "/", identity.Issuer{Host: "sts.windows.net", Form: identity.FormV1}},
		{"https://login.microsoftonline.com/" + guid + "/v2.0", identity.Issuer{Host: "login.microsoftonline.com", Form: identity.FormV2}},
		{"https://d.b2clogin.com/" + guid + "/v2.0/", identity.Issuer{Host: "d.b2clogin.com", Form: identity.FormB2C}},
		{
			"https://d.b2clogin.com/tfp/" + guid + "/B2C_1A_x.y-z/v2.0/",
			identity.Issuer{Host: "d.b2clogin.com", Form: identity.FormTFP, Policy: "B2C_1A_x.y-z"},
		},
		{"https://" + guid + ".ciamlogin.com/" + guid + "/v2.0", identity.Issuer{Host: guid + ".ciamlogin.com", Form: identity.FormV2}},
		{"https://host:8443/" + guid + "/v2.0", identity.Issuer{Host: "host:8443", Form: identity.FormV2}},
		{"https://127.0.0.1:1/" + guid + "/v2.0", identity.Issuer{Host: "127.0.0.1:1", Form: identity.FormV2}},
		{"https://[::1]:65535/" + guid + "/", identity.Issuer{Host: "[::1]:65535", Form: identity.FormV1}},
		{"https://[2001:db8::1]/" + guid + "/", identity.Issuer{Host: "[2001:db8::1]", Form: identity.FormV1}},
		{"http://localhost:8080/" + guid + "/v2.0", identity.Issuer{Host: "localhost:8080", Form: identity.FormV2}},
		{"http://127.0.0.1/" + guid + "/v2.0", identity.Issuer{Host: "127.0.0.1", Form: identity.FormV2}},
		{"http://[::1]/" + guid + "/v2.0", identity.Issuer{Host: "[::1]", Form: identity.FormV2}},
	} {
		t.Run(row.raw, func(t *testing.T) {
			t.Parallel()
			got, err := identity.ParseIssuer(row.raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.Raw != row.raw || got.Host != row.want.Host || got.TenantID != guid || got.Form != row.want.Form || got.Policy != row.want.Policy {
				t.Fatalf("got=%+v, want=%+v of %s", got, row.want, guid)
			}
		})
	}
}

func TestParseIssuerRefuses(t *testing.T) {
	t.Parallel()
	const guid = tenantA
	upper := strings.ToUpper(guid)
	for _, raw := range []string{
		"", " ", guid, "https://", "https:///", "https://h", "https://h/", "https://h/v2.0", "//h/" + guid + "/", "https:/h/" + guid + "/",
		"h/" + guid + "/v2.0", "ftp://h/" + guid + "/v2.0", "HTTPS://h/" + guid + "/v2.0", "https//h/" + guid + "/v2.0",
		// The tenant.
		"https://h/" + upper + "/v2.0", "https://h/{" + guid + "}/v2.0", "https://h/" + guid[:35] + "/v2.0", "https://h/" + guid + "a/v2.0",
		"https://h/" + strings.ReplaceAll(guid, "-", "") + "/v2.0", "https://h/common/v2.0", "https://h/{tenantid}/v2.0", "https://h/g" + guid[1:] + "/v2.0",
		// The path.
		"https://h/" + guid, "https://h/" + guid + "//", "https://h/" + guid + "/v2.0//", "https://h/" + guid + "/V2.0", "https://h/" + guid + "/v1.0",
		"https://h/" + guid + "/v2.0/x", "https://h/x/" + guid + "/v2.0", "https://h//" + guid + "/v2.0", "https://h/" + guid + "/v2.0?x", "https://h/" + guid + "/v2.0#x",
		"https://h/" + guid + "/v2.0 ", " https://h/" + guid + "/v2.0", "https://h/" + guid + "/v2.0\n", "https://h/" + guid + "/v2.0\x00", "https://h/" + guid + "%2fv2.0",
		"https://h/./" + guid + "/v2.0", "https://h/" + guid + "/../" + guid + "/v2.0", `https://h\` + guid + `\v2.0`,
		// The policy.
		"https://h/tfp/" + guid + "/B2C_1_x/v2.0", "https://h/tfp/" + guid + "/v2.0/", "https://h/tfp/" + guid + "//v2.0/", "https://h/tfp/" + guid + "/x/v2.0/",
		"https://h/tfp/" + guid + "/B2C_1_x/y/v2.0/", "https://h/tfp/" + guid + "B2C_1_x/v2.0/", "https://h/TFP/" + guid + "/B2C_1_x/v2.0/", "https://h/tfp/" + guid + "/",
		"https://h/tfp/" + guid + "/B2C_1_x y/v2.0/", "https://h/tfp/" + guid + "/B2C_1_" + strings.Repeat("x", 123) + "/v2.0/", "https://h/tfp/tfp/" + guid + "/B2C_1_x/v2.0/",
		// The host.
		"https://H/" + guid + "/v2.0", "https://h./" + guid + "/v2.0", "https://.h/" + guid + "/v2.0", "https://a..b/" + guid + "/v2.0", "https://-h/" + guid + "/v2.0",
		"https://h-/" + guid + "/v2.0", "https://a_b/" + guid + "/v2.0", "https://ä/" + guid + "/v2.0", "https://a%62/" + guid + "/v2.0", "https://a b/" + guid + "/v2.0",
		"https://u@h/" + guid + "/v2.0", "https://u:p@h/" + guid + "/v2.0", "https://h@/" + guid + "/v2.0", "https://*/" + guid + "/v2.0",
		"https://" + strings.Repeat("a", 64) + "/" + guid + "/v2.0", "https://" + strings.Repeat("a.", 126) + "aa/" + guid + "/v2.0",
		"https://[::1/" + guid + "/v2.0", "https://::1/" + guid + "/v2.0", "https://[0:0:0:0:0:0:0:1]/" + guid + "/v2.0", "https://[::A]/" + guid + "/v2.0",
		"https://[::1%25eth0]/" + guid + "/v2.0", "https://[fe80::1%eth0]/" + guid + "/v2.0", "https://[127.0.0.1]/" + guid + "/v2.0", "https://[]/" + guid + "/v2.0",
		"https://[::1]x/" + guid + "/v2.0",
		// The port.
		"https://h:/" + guid + "/v2.0", "https://h:0/" + guid + "/v2.0", "https://h:080/" + guid + "/v2.0", "https://h:65536/" + guid + "/v2.0",
		"https://h:99999/" + guid + "/v2.0", "https://h:100000/" + guid + "/v2.0", "https://h:+1/" + guid + "/v2.0", "https://h:8:8/" + guid + "/v2.0", "https://h:a/" + guid + "/v2.0",
		"https://:8443/" + guid + "/v2.0",
		// http is for this machine, by its own name.
		"http://login.microsoftonline.com/" + guid + "/v2.0", "http://localhost.example/" + guid + "/v2.0", "http://xlocalhost/" + guid + "/v2.0",
		"http://127.1/" + guid + "/v2.0", "http://2130706433/" + guid + "/v2.0", "http://0.0.0.0/" + guid + "/v2.0", "http://10.0.0.1/" + guid + "/v2.0",
		"http://127.0.0.1.example/" + guid + "/v2.0", "http://[::]/" + guid + "/v2.0",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			if got, err := identity.ParseIssuer(raw); err == nil || got != (identity.Issuer{}) {
				t.Fatalf("%q: got=%+v, %v, want an error", raw, got, err)
			}
		})
	}
}

// issuerRow presents a token to an API that trusts one tenant. The rows of the template rule: the template of a workforce
// tenant follows from its cloud, and from the versions that it is limited to.
type issuerRow struct {
	name   string
	tenant identity.Tenant // zero: tenant A
	cloud  mockidp.Cloud   // of the mock's tenant
	opts   []mockidp.TokenOption
	want   error
}

func (row issuerRow) run(t *testing.T) {
	t.Parallel()
	tenants := []mockidp.Tenant{{ID: tenantA, Domain: "contoso", Cloud: row.cloud}}
	a := newAPIOn(t, mockidp.New(mockidp.WithTenants(tenants...)), func(cfg *identity.Config) {
		if row.tenant.ID != "" {
			cfg.Tenants = identity.NewRegistry(row.tenant)
		}
	})
	got := a.get(a.token(row.opts...))
	if row.want == nil {
		got.accepted(t)
		return
	}
	got.refused(t, row.want)
	requireNoFetch(t, a.idp)
}

func TestIssuerTemplate(t *testing.T) {
	t.Parallel()
	const (
		v1  = "https://sts.windows.net/" + tenantA + "/"
		v2  = "https://login.microsoftonline.com/" + tenantA + "/v2.0"
		ppe = "https://login.windows-ppe.net"
	)
	iss := func(text string) []mockidp.TokenOption { return options(mockidp.Claim("iss", text)) }
	v1iss := func(text string) []mockidp.TokenOption {
		return options(mockidp.V1(), mockidp.Claim("iss", text))
	}
	onlyV1, onlyV2 := identity.Tenant{ID: tenantA, Version: 1}, identity.Tenant{ID: tenantA, Version: 2}
	for _, row := range []issuerRow{
		{name: "D1", tenant: onlyV1, opts: v1iss(v1)},
		{name: "D2", tenant: onlyV2, opts: iss(v2)},
		{name: "both versions v1", opts: v1iss(v1)},
		{name: "both versions v2", opts: iss(v2)},

		{name: "D4", tenant: onlyV1, opts: iss(v2), want: identity.ErrVersion},
		{name: "D4 with ver 1.0", tenant: onlyV1, opts: append(iss(v2), mockidp.Claim("ver", "1.0")), want: identity.ErrVersion},
		{name: "D5", tenant: onlyV2, opts: v1iss(v1), want: identity.ErrVersion},
		{name: "D5 with ver 2.0", tenant: onlyV2, opts: append(v1iss(v1), mockidp.Claim("ver", "2.0")), want: identity.ErrVersion},
		{name: "D6", opts: iss(""), want: identity.ErrIssuer},
		{name: "D6 missing", opts: options(mockidp.Without("iss")), want: identity.ErrIssuer},
		{name: "D6 number", opts: options(mockidp.Claim("iss", 1)), want: identity.ErrIssuer},
		{name: "D6 array", opts: options(mockidp.Claim("iss", []string{v2})), want: identity.ErrIssuer},
		{name: "D7", opts: append(iss(v2), mockidp.Claim("tid", "")), want: identity.ErrTenantMismatch},

		{name: "D8", tenant: identity.Tenant{ID: tenantA, Cloud: ppe}, cloud: ppe, opts: iss(v2), want: identity.ErrIssuer},
		{name: "pre-production host", tenant: identity.Tenant{ID: tenantA, Cloud: ppe}, cloud: ppe},
		{name: "D8 reversed", opts: iss(ppe + "/" + tenantA + "/v2.0"), want: identity.ErrIssuer},

		{name: "D9", opts: iss("https://login.microsoftonline.com/{tenantid}/v2.0"), want: identity.ErrIssuer},
		{name: "D9 other placeholder", opts: iss("https://login.microsoftonline.com/{t}/v2.0"), want: identity.ErrIssuer},

		{name: "D11 final slash", opts: iss(v2 + "/"), want: identity.ErrUnknownTenant},
		{name: "D11 final slash on v1", opts: v1iss(v1 + "/"), want: identity.ErrIssuer},
		{name: "D11 v1 without slash", opts: v1iss(strings.TrimSuffix(v1, "/")), want: identity.ErrIssuer},
		{name: "D11 longer path", opts: iss(v2 + "/x"), want: identity.ErrIssuer},
		{name: "D11 upper-case host", opts: iss("https://LOGIN.microsoftonline.com/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 upper-case scheme", opts: iss("HTTPS://login.microsoftonline.com/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 http", opts: iss("http://login.microsoftonline.com/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 default port", opts: iss("https://login.microsoftonline.com:443/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 other port", opts: iss("https://login.microsoftonline.com:8443/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 user-info", opts: iss("https://u@login.microsoftonline.com/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 user-info that looks like the host", opts: iss("https://login.microsoftonline.com@h.example/" + tenantA + "/v2.0"), want: identity.ErrIssuer},
		{name: "D11 query", opts: iss(v2 + "?x=1"), want: identity.ErrIssuer},
		{name: "D11 empty query", opts: iss(v2 + "?"), want: identity.ErrIssuer},
		{name: "D11 fragment", opts: iss(v2 + "#x"), want: identity.ErrIssuer},

		{name: "D12", opts: iss("https://login.microsoftonline.com/" + tenantB + "/v2.0"), want: identity.ErrUnknownTenant},
		{name: "D13", opts: append(iss(v2), mockidp.Claim("tid", tenantA[:35])), want: identity.ErrTenantMismatch},
		{name: "D13 only a part", opts: append(iss(v2), mockidp.Claim("tid", tenantA[:8])), want: identity.ErrTenantMismatch},
	} {
		t.Run(row.name, row.run)
	}
}

// D3: a tenant with a document of its own, whose issuer is a literal. D10: the document is of another host.
func TestIssuerLiteral(t *testing.T) {
	t.Parallel()
	change := func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, AppKeys: true})
	}
	token := func(a *api) string {
		return a.token(mockidp.SignedBy(a.idp.Tenant(tenantA).AppKeys(mockidp.API).Signing()))
	}
	literal := func(text string) mockidp.Fault {
		return mockidp.Fault{Endpoint: mockidp.Discovery, Edit: func(document []byte) []byte {
			var members map[string]any
			if err := json.Unmarshal(document, &members); err != nil {
				t.Error(err)
			}
			members["issuer"] = text
			edited, err := json.Marshal(members)
			if err != nil {
				t.Error(err)
			}
			return edited
		}}
	}
	t.Run("D3", func(t *testing.T) {
		t.Parallel()
		a := newAPI(t, change)
		a.get(token(a)).accepted(t)
		a = newAPI(t, change)
		a.idp.Inject(literal("https://login.microsoftonline.com/" + tenantA + "/v2.0"))
		a.get(token(a)).accepted(t)
	})
	t.Run("D10", func(t *testing.T) {
		t.Parallel()
		a := newAPI(t, change)
		a.idp.Inject(literal("https://login.windows-ppe.net/" + tenantA + "/v2.0"))
		a.get(token(a)).refused(t, identity.ErrKeysUnavailable)
	})
	t.Run("D10 of the common document", func(t *testing.T) { // whose issuer is a template
		t.Parallel()
		a := newAPI(t, nil)
		a.idp.Inject(literal("https://login.microsoftonline.com/" + tenantA + "/v2.0"))
		a.get(a.token()).refused(t, identity.ErrKeysUnavailable)
	})
	t.Run("D10 token", func(t *testing.T) {
		t.Parallel()
		a := newAPI(t, change)
		a.get(a.token(mockidp.SignedBy(a.idp.Tenant(tenantA).AppKeys(mockidp.API).Signing()),
			mockidp.IssuedBy("login.windows-ppe.net"))).refused(t, identity.ErrIssuer)
		requireNoFetch(t, a.idp)
	})
}

// D14: tokens of two tenants, each with its own entry.
func TestTwoTenants(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Name: "contoso"}, identity.Tenant{ID: tenantB, Name: "fabrikam", AllowNoPermissions: true})
	})
	for _, want := range []identity.Tenant{{ID: tenantA, Name: "contoso"}, {ID: tenantB, Name: "fabrikam", AllowNoPermissions: true}} {
		p := a.get(a.idp.Tenant(want.ID).Token()).accepted(t)
		if entry := p.Tenant(); p.TenantID != want.ID || entry.ID != want.ID || entry.Name != want.Name || entry.AllowNoPermissions != want.AllowNoPermissions {
			t.Fatalf("got=%+v, want=%+v", entry, want)
		}
	}
	// The rules of one do not count for the other.
	a.get(a.idp.Tenant(tenantB).Token(mockidp.Scopes())).accepted(t)
	a.get(a.token(mockidp.Scopes())).refused(t, identity.ErrNoPermissions)
}

// tenantRow is a token at an API that trusts the tenants A and B.
type tenantRow struct {
	name  string
	opts  []mockidp.TokenOption
	want  error
	limit int // Version of the tenants
}

func (row tenantRow) run(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: strings.ToUpper(tenantA), Version: row.limit}, identity.Tenant{ID: tenantB, Version: row.limit})
	})
	got := a.get(a.token(row.opts...))
	if row.want == nil {
		if p := got.accepted(t); p.TenantID != tenantA {
			t.Fatalf("TenantID: got=%q, want=%q", p.TenantID, tenantA)
		}
		return
	}
	got.refused(t, row.want)
	requireNoFetch(t, a.idp)
}

func TestTenantOfToken(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) []mockidp.TokenOption { return options(mockidp.Claim(name, value)) }
	first := func(members string) []mockidp.TokenOption {
		return options(mockidp.EditPayload(func(text string) string { return "{" + members + "," + text[1:] }))
	}
	last := func(members string) []mockidp.TokenOption {
		return options(mockidp.EditPayload(func(text string) string { return text[:len(text)-1] + "," + members + "}" }))
	}
	const v2 = "https://login.microsoftonline.com/"
	for _, row := range []tenantRow{
		{name: "v2"},
		{name: "v1", opts: options(mockidp.V1())},

		{name: "D15", opts: append(claim("iss", v2+tenantX+"/v2.0"), claim("tid", tenantX)...), want: identity.ErrUnknownTenant},
		{name: "D15 v1", opts: append(claim("iss", "https://sts.windows.net/"+tenantX+"/"), claim("tid", tenantX)...), want: identity.ErrUnknownTenant},
		{name: "D15 personal account", opts: options(mockidp.PersonalAccount()), want: identity.ErrUnknownTenant},

		{name: "D16", opts: claim("tid", tenantB), want: identity.ErrTenantMismatch},
		{name: "D16 v1", opts: append(claim("tid", tenantB), mockidp.V1()), want: identity.ErrTenantMismatch},
		{name: "D16 reversed", opts: claim("iss", v2+tenantB+"/v2.0"), want: identity.ErrTenantMismatch},

		{name: "D17", opts: options(mockidp.Without("tid")), want: identity.ErrTenantMismatch},
		{name: "D17 v1", opts: options(mockidp.V1(), mockidp.Without("tid")), want: identity.ErrTenantMismatch},

		{name: "D18 TID first", opts: first(`"TID":"` + tenantB + `"`), want: identity.ErrTokenMalformed},
		{name: "D18 TID last", opts: last(`"TID":"` + tenantB + `"`), want: identity.ErrTokenMalformed},
		{name: "D18 TID with the same value", opts: last(`"TID":"` + tenantA + `"`), want: identity.ErrTokenMalformed},
		{name: "D18 only TID", opts: options(mockidp.Without("tid"), mockidp.Claim("TID", tenantA)), want: identity.ErrTokenMalformed},
		{name: "D18 a claim that only looks alike", opts: last(`"tid2":"` + tenantB + `"`)},

		{name: "D19 other first", opts: first(`"tid":"` + tenantB + `"`), want: identity.ErrTokenMalformed},
		{name: "D19 other last", opts: last(`"tid":"` + tenantB + `"`), want: identity.ErrTokenMalformed},
		{name: "D19 same", opts: last(`"tid":"` + tenantA + `"`), want: identity.ErrTokenMalformed},
		{name: "D19 escaped", opts: last(`"\u0074id":"` + tenantB + `"`), want: identity.ErrTokenMalformed},
		{name: "D19 escaped and alone", opts: options(mockidp.EditPayload(func(text string) string { return strings.Replace(text, `"tid"`, `"\u0074id"`, 1) }))},

		{name: "D20 number", opts: claim("tid", 1), want: identity.ErrTenantMismatch},
		{name: "D20 null", opts: claim("tid", nil), want: identity.ErrTenantMismatch},
		{name: "D20 array", opts: claim("tid", []string{tenantA}), want: identity.ErrTenantMismatch},
		{name: "D20 object", opts: claim("tid", map[string]any{"tid": tenantA}), want: identity.ErrTenantMismatch},

		// D21: the registry holds upper case here, and every accepted row shows that it is folded.
		{name: "D21 tid in upper case", opts: claim("tid", strings.ToUpper(tenantA)), want: identity.ErrTenantMismatch},
		{name: "D21 iss in upper case", opts: claim("iss", v2+strings.ToUpper(tenantA)+"/v2.0"), want: identity.ErrIssuer},
		{
			name: "D21 both in upper case", opts: append(claim("tid", strings.ToUpper(tenantA)), claim("iss", v2+strings.ToUpper(tenantA)+"/v2.0")...),
			want: identity.ErrIssuer,
		},

		{name: "D23 v1 where v2", opts: options(mockidp.V1()), limit: 2, want: identity.ErrVersion},
		{name: "D23 v2 where v1", limit: 1, want: identity.ErrVersion},
		{name: "D23 v2 where v2", limit: 2},
		{name: "D23 v1 where v1", opts: options(mockidp.V1()), limit: 1},

		{name: "D24 ver 2.0 and the v1 issuer", opts: options(mockidp.V1(), mockidp.Claim("ver", "2.0")), want: identity.ErrVersion},
		{name: "D24 ver 1.0 and the v2 issuer", opts: claim("ver", "1.0"), want: identity.ErrVersion},
	} {
		t.Run(row.name, row.run)
	}
}
