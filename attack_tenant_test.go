package identity_test

import (
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func tenantAttacks() []attackClass {
	return []attackClass{crossTenant(), crossCloud(), crossPolicy(), consumerKeys()}
}

// from makes a token of one of the siege's tenants.
func from(tenant func(s *siege) *mockidp.TenantHandle, opts ...mockidp.TokenOption) func(*siege) string {
	return func(s *siege) string { return tenant(s).Token(opts...) }
}

func contosoOf(s *siege) *mockidp.TenantHandle   { return s.contoso }
func fabrikamOf(s *siege) *mockidp.TenantHandle  { return s.fabrikam }
func shopOf(s *siege) *mockidp.TenantHandle      { return s.shop }
func customersOf(s *siege) *mockidp.TenantHandle { return s.customers }

func iss(text string) mockidp.TokenOption { return mockidp.Claim("iss", text) }
func tid(id string) mockidp.TokenOption   { return mockidp.Claim("tid", id) }

const login = "https://login.microsoftonline.com/"

// crossTenant: one tenant's token must not speak for another one, of the same kind or of any. The signatures are those of the
// keys that the tokens would need.
func crossTenant() attackClass {
	class := attackClass{
		name: "across tenants", source: "RFC 8725 §3.8; Microsoft: tid and iss must name the same tenant; CVE-2025-55241",
		good: []attack{
			{name: "contoso's token", token: from(contosoOf)}, {name: "fabrikam's token", token: from(fabrikamOf)},
			{name: "the shop's token", token: from(shopOf)}, {name: "the customers' token", token: from(customersOf)},
			{name: "a guest of fabrikam in contoso", token: from(contosoOf, mockidp.Guest(tenantB))},
		},
	}
	add := func(name string, want error, token func(*siege) string) {
		class.attacks = append(class.attacks, attack{name, "", want, token})
	}
	mismatch, unknown, issuer, noKey := identity.ErrTenantMismatch, identity.ErrUnknownTenant, identity.ErrIssuer, identity.ErrKeyNotFound
	add("contoso's v1.0 issuer, fabrikam's tid", mismatch, from(contosoOf, mockidp.V1(), tid(tenantB)))
	add("fabrikam's issuer, contoso's tid", mismatch, from(fabrikamOf, tid(tenantA)))
	add("contoso's issuer, the shop's tid", mismatch, from(contosoOf, tid(mockidp.Shop)))
	add("contoso's issuer, the customers' tid", mismatch, from(contosoOf, tid(mockidp.Customers)))
	add("the shop's issuer, fabrikam's tid", mismatch, from(shopOf, tid(tenantB)))
	add("the customers' issuer, contoso's tid", mismatch, from(customersOf, tid(tenantA)))
	add("contoso's issuer, both tids in one", mismatch, from(contosoOf, tid(tenantA+" "+tenantB)))
	add("contoso's issuer, tid of personal accounts", mismatch, from(contosoOf, tid(mockidp.PersonalAccounts)))
	add("contoso's issuer, tid organizations", mismatch, from(contosoOf, tid("organizations")))
	add("a guest's home tenant for tid", mismatch, from(contosoOf, mockidp.Guest(tenantB), tid(tenantB)))
	add("an unknown tenant, v1.0", unknown, from(contosoOf, mockidp.V1(), iss("https://sts.windows.net/"+tenantX+"/"), tid(tenantX)))
	add("an unknown tenant in the issuer, contoso in tid", unknown, from(contosoOf, iss(login+tenantX+"/v2.0")))
	add("the shop's directory as a workforce tenant", unknown, from(contosoOf, iss(login+mockidp.Shop+"/v2.0"), tid(mockidp.Shop)))
	add("the shop's directory as a workforce tenant, v1.0", unknown, from(contosoOf, mockidp.V1(), iss("https://sts.windows.net/"+mockidp.Shop+"/"), tid(mockidp.Shop)))
	add("the customers' directory as a workforce tenant, v1.0", issuer, from(contosoOf, mockidp.V1(), iss("https://sts.windows.net/"+mockidp.Customers+"/"), tid(mockidp.Customers)))
	add("the customers' directory at the workforce host", issuer, from(contosoOf, iss(login+mockidp.Customers+"/v2.0"), tid(mockidp.Customers)))
	add("contoso as a B2C directory", unknown, from(shopOf, iss("https://contosob2c.b2clogin.com/"+tenantA+"/v2.0/"), tid(tenantA)))
	add("contoso as an External ID directory", issuer, from(customersOf, iss("https://"+tenantA+".ciamlogin.com/"+tenantA+"/v2.0"), tid(tenantA)))
	add("contoso at the customers' host", issuer, from(customersOf, iss("https://"+mockidp.Customers+".ciamlogin.com/"+tenantA+"/v2.0"), tid(tenantA)))
	add("the shop at the customers' host", unknown, from(shopOf, iss("https://"+mockidp.Customers+".ciamlogin.com/"+mockidp.Shop+"/v2.0"), tid(mockidp.Shop)))
	add("the customers at the shop's host", unknown, from(customersOf, iss("https://contosob2c.b2clogin.com/"+mockidp.Customers+"/v2.0/"), tid(mockidp.Customers)))
	for _, name := range []string{"common", "organizations", "consumers", "contoso.onmicrosoft.com", "*", "{tenantid}", "00000000-0000-0000-0000-000000000000"} {
		want := issuer
		if strings.HasPrefix(name, "0000") {
			want = unknown
		}
		add("issuer and tid "+name, want, from(contosoOf, iss(login+name+"/v2.0"), tid(name)))
	}
	keyOf := func(name string, tenant func(*siege) *mockidp.TenantHandle, key func(s *siege) *mockidp.Key) {
		add(name, noKey, func(s *siege) string { return tenant(s).Token(mockidp.SignedBy(key(s))) })
	}
	keyOf("contoso's token, the shop's key", contosoOf, func(s *siege) *mockidp.Key { return s.shop.Keys().Signing() })
	keyOf("contoso's token, the customers' key", contosoOf, func(s *siege) *mockidp.Key { return s.customers.Keys().Signing() })
	keyOf("contoso's token, the key of fabrikam's application", contosoOf, func(s *siege) *mockidp.Key { return s.fabrikam.AppKeys(mockidp.API).Signing() })
	keyOf("the shop's token, the workforce key", shopOf, func(s *siege) *mockidp.Key { return s.right })
	keyOf("the shop's token, the customers' key", shopOf, func(s *siege) *mockidp.Key { return s.customers.Keys().Signing() })
	keyOf("the customers' token, the shop's key", customersOf, func(s *siege) *mockidp.Key { return s.shop.Keys().Signing() })
	keyOf("the customers' token, a stranger's key", customersOf, func(s *siege) *mockidp.Key { return s.stranger })
	return class
}

// crossCloud: the national clouds are apart. Contoso is in the public one here, fabrikam in that of the US government.
func crossCloud() attackClass {
	const us, cn = "https://login.microsoftonline.us/", "https://login.partner.microsoftonline.cn/"
	class := attackClass{
		name: "across clouds", source: "RFC 8725 §3.8; Microsoft: national clouds have endpoints and keys of their own",
		config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB, Cloud: identity.USGovernment})
		},
		good: []attack{
			{name: "a token of the public cloud", token: from(contosoOf)},
			{name: "a token of the US government's", token: func(s *siege) string {
				return s.fabrikam.Token(iss(us+tenantB+"/v2.0"), mockidp.SignedBy(s.idp.CloudKeys(mockidp.USGovernment).Signing()))
			}},
		},
	}
	add := func(name string, want error, token func(s *siege) string) {
		class.attacks = append(class.attacks, attack{name, "", want, token})
	}
	by := func(cloud mockidp.Cloud, tenant func(*siege) *mockidp.TenantHandle, opts ...mockidp.TokenOption) func(*siege) string {
		return func(s *siege) string {
			return tenant(s).Token(append(opts, mockidp.SignedBy(s.idp.CloudKeys(cloud).Signing()))...)
		}
	}
	add("public tenant, key of the US government", identity.ErrKeyNotFound, by(mockidp.USGovernment, contosoOf))
	add("public tenant, key of China, v1.0", identity.ErrKeyNotFound, by(mockidp.China, contosoOf, mockidp.V1()))
	add("public tenant at the US host", identity.ErrIssuer, by(mockidp.USGovernment, contosoOf, iss(us+tenantA+"/v2.0")))
	add("public tenant at the Chinese host", identity.ErrIssuer, by(mockidp.China, contosoOf, iss(cn+tenantA+"/v2.0")))
	add("public tenant at the Chinese host, v1.0", identity.ErrIssuer, by(mockidp.China, contosoOf, mockidp.V1(), iss("https://sts.chinacloudapi.cn/"+tenantA+"/")))
	add("public tenant at the old German host", identity.ErrIssuer, by(mockidp.Public, contosoOf, iss("https://login.microsoftonline.de/"+tenantA+"/v2.0")))
	add("US tenant at the public host", identity.ErrIssuer, by(mockidp.Public, fabrikamOf))
	add("US tenant at the public host, key of the US government", identity.ErrIssuer, by(mockidp.USGovernment, fabrikamOf))
	add("US tenant, key of the public cloud", identity.ErrKeyNotFound, by(mockidp.Public, fabrikamOf, iss(us+tenantB+"/v2.0")))
	add("US tenant, key of China", identity.ErrKeyNotFound, by(mockidp.China, fabrikamOf, iss(us+tenantB+"/v2.0")))
	add("US tenant at the Chinese host with its v1.0 issuer", identity.ErrIssuer, by(mockidp.China, fabrikamOf, mockidp.V1(), iss("https://sts.chinacloudapi.cn/"+tenantB+"/")))
	add("US key of personal accounts", identity.ErrKeyIssuer, func(s *siege) string {
		return s.fabrikam.Token(iss(us+tenantB+"/v2.0"), mockidp.SignedBy(s.idp.CloudKeys(mockidp.USGovernment).Consumer()))
	})
	return class
}

// crossPolicy: a policy of a B2C directory that asks for less must not open what another one guards.
func crossPolicy() attackClass {
	class := attackClass{
		name: "across policies", source: "Microsoft: tfp, or acr, names the policy that a B2C token came from; keys are the policy's own",
		good: []attack{
			{name: "the first policy", token: from(shopOf)}, {name: "the second policy", token: from(shopOf, mockidp.Policy("B2C_1A_custom"))},
			{name: "the policy in capitals", token: from(shopOf, mockidp.Claim("tfp", "B2C_1_SUSI"))},
		},
	}
	for _, policy := range []string{
		"B2C_1_susi ", " B2C_1_susi", "B2C_1_susi\x00", "B2C_1_susi\n", "B2C_1_susi/../B2C_1A_custom", "B2C_1_susi?p=B2C_1A_custom", "B2C_1_susi,B2C_1A_custom", "B2C_1_sus", "B2C_1_susi2", "B2C_1_ſuſi",
		"B2C_1_suſi", "Ｂ2C_1_susi", "b2c-1-susi", "susi", "*", "b2c_1_password_reset",
	} {
		class.attacks = append(class.attacks, attack{"tfp " + strings.ReplaceAll(policy, "\x00", "NUL"), "", identity.ErrPolicy, from(shopOf, mockidp.Claim("tfp", policy))})
	}
	add := func(name string, want error, token func(s *siege) string) {
		class.attacks = append(class.attacks, attack{name, "", want, token})
	}
	add("tfp null, acr right", identity.ErrPolicy, from(shopOf, mockidp.Claim("tfp", nil), mockidp.Claim("acr", "b2c_1_susi")))
	add("tfp empty, acr right", identity.ErrPolicy, from(shopOf, mockidp.Claim("tfp", ""), mockidp.Claim("acr", "b2c_1_susi")))
	add("tfp right, acr another of the API's", identity.ErrPolicy, from(shopOf, mockidp.Claim("acr", "b2c_1a_custom")))
	add("tfp right, acr a number", identity.ErrPolicy, from(shopOf, mockidp.Claim("acr", 1)))
	add("tfp a list with the right one", identity.ErrPolicy, from(shopOf, mockidp.Claim("tfp", []string{"B2C_1_susi"})))
	add("acr unknown", identity.ErrPolicy, from(shopOf, mockidp.Without("tfp"), mockidp.Claim("acr", "b2c_1_none")))
	add("second policy, first one's key", identity.ErrKeyNotFound, func(s *siege) string {
		return s.shop.Token(mockidp.Policy("B2C_1A_custom"), mockidp.SignedBy(s.shop.PolicyKeys("B2C_1_susi").Signing()))
	})
	add("second policy in acr, first one's key", identity.ErrKeyNotFound, func(s *siege) string {
		return s.shop.Token(mockidp.Without("tfp"), mockidp.Claim("acr", "b2c_1a_custom"), mockidp.SignedBy(s.shop.PolicyKeys("B2C_1_susi").Signing()))
	})
	add("second policy, first one's key under its kid", identity.ErrSignature, func(s *siege) string {
		key := s.shop.PolicyKeys("B2C_1_susi").Signing().WithID(s.shop.PolicyKeys("B2C_1A_custom").Signing().ID())
		return s.shop.Token(mockidp.Policy("B2C_1A_custom"), mockidp.SignedBy(key))
	})
	add("the policy in the path of the issuer", identity.ErrIssuer, from(shopOf, iss("https://contosob2c.b2clogin.com/"+mockidp.Shop+"/B2C_1_susi/v2.0/")))
	add("a custom domain that is not configured", identity.ErrIssuer, from(shopOf, iss("https://login.contoso.example/"+mockidp.Shop+"/v2.0/")))
	add("another directory's host", identity.ErrIssuer, from(shopOf, iss("https://fabrikamb2c.b2clogin.com/"+mockidp.Shop+"/v2.0/")))
	return class
}

// consumerKeys: in July 2023 a stolen key of personal accounts signed tokens of organisations, and those were accepted, because nobody
// asked whom the key may sign for.
func consumerKeys() attackClass {
	class := attackClass{
		name: "key of personal accounts", source: "Storm-0558, July 2023: MSRC, and CSRB review of March 2024",
		config: func(cfg *identity.Config) {
			everyKind(cfg)
			if err := cfg.Tenants.(*identity.Registry).Add(identity.Tenant{ID: mockidp.PersonalAccounts}); err != nil {
				panic(err)
			}
		},
		good: []attack{
			{name: "a personal account, where those are trusted", token: from(contosoOf, mockidp.PersonalAccount())},
			{name: "an organisation's token by its own key", token: from(contosoOf)},
		},
	}
	add := func(name string, want error, tenant func(*siege) *mockidp.TenantHandle, opts ...mockidp.TokenOption) {
		class.attacks = append(class.attacks, attack{name, "", want, func(s *siege) string {
			return tenant(s).Token(append(opts, mockidp.SignedBy(s.contoso.Keys().Consumer()))...)
		}})
	}
	foreign := identity.ErrKeyIssuer
	add("consumer key for another organisation", foreign, fabrikamOf)
	add("consumer key for another organisation, v1.0", foreign, fabrikamOf, mockidp.V1())
	add("consumer key for an application", foreign, contosoOf, mockidp.AppOnly("Mail.Read.All"))
	add("consumer key for an application, v1.0", foreign, contosoOf, mockidp.AppOnly("Mail.Read.All"), mockidp.V1())
	add("consumer key for a guest", foreign, contosoOf, mockidp.Guest(mockidp.PersonalAccounts))
	add("consumer key for an administrator", foreign, contosoOf, mockidp.Roles("Admin"), mockidp.Claim("wids", []string{"62e90394-69f5-4237-9190-012177145e10"}))
	add("consumer key with idp of personal accounts", foreign, contosoOf, mockidp.Claim("idp", "live.com"))
	add("consumer key, tid of an organisation", identity.ErrTenantMismatch, contosoOf, mockidp.PersonalAccount(), tid(tenantA))
	add("consumer key, issuer of an organisation", identity.ErrTenantMismatch, contosoOf, mockidp.PersonalAccount(), iss(login+tenantA+"/v2.0"))
	add("consumer key for the shop", identity.ErrKeyNotFound, shopOf)
	add("consumer key for the customers", identity.ErrKeyNotFound, customersOf)
	class.attacks = append(class.attacks,
		attack{"consumer key under an organisation's kid", "", identity.ErrSignature, func(s *siege) string {
			return s.contoso.Token(mockidp.SignedBy(s.contoso.Keys().Consumer().WithID(s.right.ID())))
		}},
		attack{"an organisation's key for personal accounts, under the consumers' kid", "", identity.ErrSignature, func(s *siege) string {
			return s.contoso.Token(mockidp.PersonalAccount(), mockidp.SignedBy(s.right.WithID(s.contoso.Keys().Consumer().ID())))
		}},
	)
	return class
}
