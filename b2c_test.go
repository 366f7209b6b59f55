package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const (
	shopHost   = "contosob2c.b2clogin.com"
	customHost = "login.contoso.example"
)

// shop is the B2C directory that the tests start from.
func shop(change func(*identity.Tenant)) identity.Tenant {
	t := identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}}
	if change != nil {
		change(&t)
	}
	return t
}

// shopAPI is an API that trusts the B2C directory, which the mock also serves on a custom domain.
func shopAPI(t testing.TB, change func(*identity.Tenant)) *api {
	t.Helper()
	idp := mockidp.New()
	idp.AddTenant(mockidp.Tenant{
		ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Hosts: []string{customHost},
		Policies: []string{"B2C_1_susi", "B2C_1A_custom", "B2C_1_test"},
	})
	return newAPIOn(t, idp, func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(shop(change)) })
}

// shopRow is a token of the B2C directory.
type shopRow struct {
	name   string
	change func(*identity.Tenant)
	opts   []mockidp.TokenOption
	want   error
	policy string // of the principal; empty means B2C_1_susi
	// fetches allows the key server to be asked before the refusal.
	fetches bool
}

func (row shopRow) run(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, row.change)
	got := a.get(a.idp.Tenant(mockidp.Shop).Token(row.opts...))
	if row.want != nil {
		got.refused(t, row.want)
		if !row.fetches {
			requireNoFetch(t, a.idp)
		}
		return
	}
	p := got.accepted(t)
	if row.policy == "" {
		row.policy = "B2C_1_susi"
	}
	if p.Policy != row.policy || p.TenantID != mockidp.Shop || p.Version != "1.0" {
		t.Fatalf("got=%s of %s, version %s, want=%s", p.Policy, p.TenantID, p.Version, row.policy)
	}
	if log := a.log.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
		t.Fatalf("complaints about a good token: %s", log)
	}
}

func TestB2C(t *testing.T) {
	t.Parallel()
	claim := mockidp.Claim
	custom := func(t *identity.Tenant) { t.B2C.Hosts = []string{customHost} }
	onlyCustom := func(t *identity.Tenant) { t.B2C.Domain, t.B2C.Hosts = "", []string{"https://" + customHost} }
	tfpIssuers := func(t *identity.Tenant) { t.B2C.TFPIssuers = true }
	tfpOf := func(policy string) mockidp.TokenOption {
		return claim("iss", "https://"+shopHost+"/tfp/"+mockidp.Shop+"/"+policy+"/v2.0/")
	}
	for _, row := range []shopRow{
		{name: "E1"}, // the mock's token has no tid
		{name: "E2", opts: options(claim("tid", mockidp.Shop))},
		{name: "E3", opts: options(claim("tid", tenantB)), want: identity.ErrTenantMismatch},
		{name: "E3 empty", opts: options(claim("tid", "")), want: identity.ErrTenantMismatch},
		{name: "E3 number", opts: options(claim("tid", 1)), want: identity.ErrTenantMismatch},
		{name: "E3 null", opts: options(claim("tid", nil)), want: identity.ErrTenantMismatch},
		{name: "ver 2.0", opts: options(claim("ver", "2.0")), want: identity.ErrVersion},

		{name: "E4", opts: options(mockidp.IssuedBy("attacker.b2clogin.com")), want: identity.ErrIssuer},
		{name: "E4 suffix", opts: options(mockidp.IssuedBy(shopHost + ".attacker.example")), want: identity.ErrIssuer},
		{name: "E4 other cloud", opts: options(mockidp.IssuedBy("contosob2c.b2clogin.us")), want: identity.ErrIssuer},
		{name: "E4 login.microsoftonline.com", opts: options(mockidp.IssuedBy("login.microsoftonline.com")), want: identity.ErrIssuer},

		{name: "E5", change: custom, opts: options(mockidp.IssuedBy(customHost))},
		{name: "E5 alone", change: onlyCustom, opts: options(mockidp.IssuedBy(customHost))},
		{name: "E5 not registered", opts: options(mockidp.IssuedBy(customHost)), want: identity.ErrIssuer},
		{name: "E5 only the custom one is registered", change: onlyCustom, want: identity.ErrIssuer},
		{name: "E5 with a port", change: custom, opts: options(mockidp.IssuedBy(customHost + ":8443")), want: identity.ErrIssuer},

		{name: "E7", opts: options(mockidp.ACRPolicy())},
		{name: "E7 custom policy", opts: options(mockidp.ACRPolicy(), mockidp.Policy("B2C_1A_custom")), policy: "B2C_1A_custom"},
		{name: "custom policy", opts: options(mockidp.Policy("B2C_1A_custom")), policy: "B2C_1A_custom"},
		{name: "E8 lower case", opts: options(claim("tfp", "b2c_1_susi"))},
		{name: "E8 upper case", opts: options(claim("tfp", "B2C_1_SUSI"))},
		{name: "E8 registered in lower case", change: func(t *identity.Tenant) { t.B2C.Policies = []string{"b2c_1_susi"} }, policy: "b2c_1_susi"},
		{name: "E8 a letter that folds to one of ASCII", opts: options(claim("tfp", "B2C_1_ſuſi")), want: identity.ErrPolicy},

		{name: "E9", opts: options(mockidp.Policy("B2C_1_test")), want: identity.ErrPolicy},
		{name: "E9 once it is registered", change: func(t *identity.Tenant) { t.B2C.Policies = []string{"B2C_1_test"} }, opts: options(mockidp.Policy("B2C_1_test")), policy: "B2C_1_test"},
		{name: "E9 longer name", opts: options(claim("tfp", "B2C_1_susi2")), want: identity.ErrPolicy},
		{name: "E9 shorter name", opts: options(claim("tfp", "B2C_1_sus")), want: identity.ErrPolicy},
		{name: "E9 path", opts: options(claim("tfp", "B2C_1_test/../B2C_1_susi")), want: identity.ErrPolicy},
		{name: "E9 acr", opts: options(mockidp.ACRPolicy(), mockidp.Policy("B2C_1_test")), want: identity.ErrPolicy},

		{name: "E10", opts: options(mockidp.Without("tfp")), want: identity.ErrPolicy},
		{name: "E10 empty", opts: options(claim("tfp", "")), want: identity.ErrPolicy},
		{name: "E10 null", opts: options(claim("tfp", nil)), want: identity.ErrPolicy},
		{name: "E10 array", opts: options(claim("tfp", []string{"B2C_1_susi"})), want: identity.ErrPolicy},
		{name: "E10 acr of Entra", opts: options(mockidp.Without("tfp"), claim("acr", "1")), want: identity.ErrPolicy},

		{name: "E11", opts: options(claim("acr", "b2c_1a_custom")), want: identity.ErrPolicy},
		{name: "E11 acr is no string", opts: options(claim("acr", 1)), want: identity.ErrPolicy},
		{name: "E11 tfp is no string", opts: options(claim("tfp", 1), claim("acr", "b2c_1_susi")), want: identity.ErrPolicy},
		{name: "E11 equal", opts: options(claim("acr", "b2c_1_susi"))},

		{name: "E12 off", opts: options(mockidp.TFPIssuer()), want: identity.ErrIssuer},
		{name: "E12 on", change: tfpIssuers, opts: options(mockidp.TFPIssuer())},
		{name: "E12 on, in the configured case", change: tfpIssuers, opts: options(tfpOf("B2C_1_susi"))},
		{name: "E12 on, another policy in the path", change: tfpIssuers, opts: options(tfpOf("b2c_1a_custom")), want: identity.ErrPolicy},
		{name: "E12 on, an unregistered policy in both", change: tfpIssuers, opts: options(mockidp.TFPIssuer(), mockidp.Policy("B2C_1_test")), want: identity.ErrPolicy},
		{name: "E12 on, a path that is no policy", change: tfpIssuers, opts: options(tfpOf("susi")), want: identity.ErrIssuer},
		{name: "E12 on, the usual issuer", change: tfpIssuers},
		{name: "E12 on, another host", change: tfpIssuers, opts: options(mockidp.TFPIssuer(), mockidp.IssuedBy("attacker.b2clogin.com")), want: identity.ErrIssuer},

		{name: "E17", opts: options(claim("iss", "https://"+shopHost+"/"+mockidp.Shop+"/v2.0")), want: identity.ErrUnknownTenant},
	} {
		t.Run(row.name, row.run)
	}
}

// E6: both hosts at once, each asked for its own documents.
func TestB2CHosts(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, func(t *identity.Tenant) { t.B2C.Hosts = []string{customHost} })
	for range 2 {
		for _, host := range []string{shopHost, customHost} {
			a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.IssuedBy(host))).accepted(t)
		}
	}
	if log := a.log.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
		t.Fatalf("complaints: %s", log)
	}
	for _, host := range []string{shopHost, customHost} {
		if n := a.idp.CountIf(func(r mockidp.Request) bool { return r.Host == host }); n != 2 {
			t.Errorf("requests to %s: got=%d, want=2", host, n)
		}
	}
}

// E13: the policies of a directory have keys of their own, and none stands for another's.
func TestB2CPolicyKeys(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, nil)
	handle := a.idp.Tenant(mockidp.Shop)
	first, second := handle.PolicyKeys("B2C_1_susi").Signing(), handle.PolicyKeys("B2C_1A_custom").Signing()
	for range 2 { // with cold and warm sets
		a.get(handle.Token(mockidp.SignedBy(second))).refused(t, identity.ErrKeyNotFound)
		a.get(handle.Token(mockidp.SignedBy(second.WithID(first.ID())))).refused(t, identity.ErrSignature)
		a.get(handle.Token(mockidp.Policy("B2C_1A_custom"), mockidp.SignedBy(first))).refused(t, identity.ErrKeyNotFound)
		a.get(handle.Token(mockidp.SignedBy(first))).accepted(t)
		a.get(handle.Token(mockidp.Policy("B2C_1A_custom"), mockidp.SignedBy(second))).accepted(t)
	}
	// An attacker who claims a policy whose keys were never fetched gets no further.
	a.get(handle.Token(mockidp.Policy("B2C_1_test"))).refused(t, identity.ErrPolicy)
}

// E14: the address asked for: on the issuer's host, with the domain or the ID as configured, and the policy.
func TestB2CKeyAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*identity.Tenant)
		opts   []mockidp.TokenOption
		want   string
	}{
		{"name", nil, nil, "https://" + shopHost + "/" + mockidp.Shop + "/b2c_1_susi/v2.0/"},
		{"other policy", nil, options(mockidp.Policy("B2C_1A_custom")), "https://" + shopHost + "/" + mockidp.Shop + "/b2c_1a_custom/v2.0/"},
		{
			"domain", func(t *identity.Tenant) { t.B2C.Domain = "contosob2c.onmicrosoft.com" }, nil,
			"https://" + shopHost + "/contosob2c.onmicrosoft.com/b2c_1_susi/v2.0/",
		},
		{
			"domain in upper case", func(t *identity.Tenant) { t.B2C.Domain = "ContosoB2C.onmicrosoft.com" }, nil,
			"https://" + shopHost + "/contosob2c.onmicrosoft.com/b2c_1_susi/v2.0/",
		},
		{
			"custom domain", func(t *identity.Tenant) { t.B2C.Hosts = []string{customHost} }, options(mockidp.IssuedBy(customHost)),
			"https://" + customHost + "/" + mockidp.Shop + "/b2c_1_susi/v2.0/",
		},
		{
			"custom domain alone", func(t *identity.Tenant) { t.B2C.Domain, t.B2C.Hosts = "", []string{customHost} },
			options(mockidp.IssuedBy(customHost)), "https://" + customHost + "/" + mockidp.Shop + "/b2c_1_susi/v2.0/",
		},
		{
			"custom domain and domain", func(t *identity.Tenant) {
				t.B2C.Domain, t.B2C.Hosts = "contosob2c.onmicrosoft.com", []string{customHost}
			},
			options(mockidp.IssuedBy(customHost)), "https://" + customHost + "/contosob2c.onmicrosoft.com/b2c_1_susi/v2.0/",
		},
		{
			"policy path in the issuer", func(t *identity.Tenant) { t.B2C.TFPIssuers = true }, options(mockidp.TFPIssuer()),
			"https://" + shopHost + "/" + mockidp.Shop + "/b2c_1_susi/v2.0/",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := shopAPI(t, row.change)
			a.get(a.idp.Tenant(mockidp.Shop).Token(row.opts...)).accepted(t)
			var asked []string
			for _, r := range a.idp.Requests() {
				if r.Endpoint == mockidp.Discovery {
					asked = append(asked, fmt.Sprintf("%s://%s%s", r.Scheme, r.Host, r.Path))
				}
			}
			if want := []string{row.want + ".well-known/openid-configuration"}; !slices.Equal(asked, want) {
				t.Fatalf("got=%q, want=%q", asked, want)
			}
		})
	}
}

// E15: exactly these names are policies.
func TestPolicyNames(t *testing.T) {
	t.Parallel()
	try := func(policy string) error {
		_, err := identity.New(identity.Config{
			ClientID: mockidp.API,
			Tenants:  identity.NewRegistry(shop(func(t *identity.Tenant) { t.B2C.Policies = []string{policy} })),
		})
		return err
	}
	for _, policy := range []string{
		"b2c_1_signin", "B2C_1_SIGNIN", "b2c_1_SignIn", "B2C_1_sign.in", "B2C_1_sign_in", "B2C_1_sign-in", "b2c_1_1", "b2c_1_a", "b2c_1_a_b",
		"b2c_1a_signin", "b2c_1A_signin", "B2C_1A_SIGNIN", "B2C_1a_signin", "B2C_1A_sign.in", "B2C_1A_sign_in", "B2C_1A_sign-in", "B2C_1A_TrustFramework",
	} {
		if err := try(policy); err != nil {
			t.Errorf("%q: %v", policy, err)
		}
	}
	for _, policy := range []string{
		"", " ", "signin", "b2c_SIGNIN", "b2c_1_", "b2c_1_*SIGNIN", "b2c_a_SIGNIN", "b2c_1A_", "b2c_1A_*SIGNIN",
		"b2c_2_signin", "b2c_1", "b2c_1A", "b2c_1_sign in", "b2c_1_sign/in", `b2c_1_sign\in`, "b2c_1_signin ", " b2c_1_signin", "b2c_1_sign%2fin", "b2c_1_sign?in", "b2c_1_signin#",
		"b2c_1_sïgnin", "b2c_1_ſignin", "xb2c_1_signin", "b2c_1_signin\n", "b2c_1_" + strings.Repeat("x", 123), "b2c-1-signin",
	} {
		if err := try(policy); err == nil || !strings.Contains(err.Error(), "B2C.Policies[0]: ") {
			t.Errorf("%q: got=%v, want a fault of B2C.Policies[0]", policy, err)
		}
	}
}

// E16: the kinds of a directory are apart, also when the ID is the same.
func TestKindsApart(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.AddTenant(mockidp.Tenant{ID: mockidp.Shop, Domain: "contosob2c"}) // the same directory as a workforce tenant
	b2cToken := idp.TenantOf(mockidp.B2C, mockidp.Shop).Token()
	entraV1 := idp.TenantOf(mockidp.Workforce, mockidp.Shop).Token(mockidp.V1())
	entraV2 := idp.TenantOf(mockidp.Workforce, mockidp.Shop).Token()

	workforce := newAPIOn(t, idp, func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Shop}) })
	workforce.get(b2cToken).refused(t, identity.ErrUnknownTenant)
	requireNoFetch(t, idp)
	b2c := newAPIOn(t, idp, func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(shop(nil)) })
	b2c.get(entraV1).refused(t, identity.ErrUnknownTenant)
	b2c.get(entraV2).refused(t, identity.ErrUnknownTenant)
	requireNoFetch(t, idp)

	workforce.get(entraV1).accepted(t)
	workforce.get(entraV2).accepted(t)
	b2c.get(b2cToken).accepted(t)
	both := newAPIOn(t, idp, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(shop(nil), identity.Tenant{ID: mockidp.Shop})
	})
	for _, token := range []string{b2cToken, entraV1, entraV2} {
		both.get(token).accepted(t)
	}
	// A key of the one does not sign for the other.
	b2cKey, entraKey := idp.TenantOf(mockidp.B2C, mockidp.Shop).Keys().Signing(), idp.TenantOf(mockidp.Workforce, mockidp.Shop).Keys().Signing()
	both.get(idp.TenantOf(mockidp.B2C, mockidp.Shop).Token(mockidp.SignedBy(entraKey))).refused(t, identity.ErrKeyNotFound)
	both.get(idp.TenantOf(mockidp.Workforce, mockidp.Shop).Token(mockidp.SignedBy(b2cKey))).refused(t, identity.ErrKeyNotFound)
}

// E18
func TestB2CWithoutObjectID(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, nil)
	p := a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.Without("oid"))).accepted(t)
	if p.ObjectID != "" || p.TenantID != mockidp.Shop || p.UserKey() != mockidp.Shop+"."+mockidp.User {
		t.Fatalf("got=%q %q %q", p.ObjectID, p.TenantID, p.UserKey())
	}
	p = a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.Subject("another subject"))).accepted(t)
	if p.ObjectID != mockidp.User || p.UserKey() != mockidp.Shop+"."+mockidp.User {
		t.Fatalf("got=%q %q", p.ObjectID, p.UserKey())
	}
}

// E19: B2C has no guests, so that no token is one, and to deny them is a contradiction.
func TestB2CGuests(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, nil)
	for _, opt := range []mockidp.TokenOption{mockidp.Claim("idp", "https://sts.windows.net/"+tenantB+"/"), mockidp.Claim("idp", "facebook.com"), mockidp.Claim("acct", 1)} {
		if p := a.get(a.idp.Tenant(mockidp.Shop).Token(opt)).accepted(t); p.Guest() {
			t.Fatal("a guest of B2C")
		}
	}
	_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: identity.NewRegistry(shop(func(t *identity.Tenant) { t.DenyGuests = true }))})
	if err == nil || !strings.Contains(err.Error(), "Tenants[0] (shop).DenyGuests: ") {
		t.Fatalf("got=%v, want a fault of DenyGuests", err)
	}
}

// E10, E11: the log tells a token without a policy from one whose policy is unknown, and from one with two.
func TestLogTellsWhatIsWrongWithThePolicy(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, nil)
	for _, row := range []struct {
		token mockidp.TokenOption
		want  string
	}{
		{mockidp.Without("tfp"), "names a policy"},
		{mockidp.Policy("B2C_1_test"), "none of the tenant's"},
		{mockidp.Claim("acr", "b2c_1a_custom"), "different policies"},
	} {
		before := len(a.log.String())
		a.get(a.idp.Tenant(mockidp.Shop).Token(row.token)).refused(t, identity.ErrPolicy)
		if log := a.log.String()[before:]; !strings.Contains(log, row.want) {
			t.Errorf("got=%s, want=%q", log, row.want)
		}
	}
}
