package main

import (
	"strings"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// request is a row of the table: a request, and the answer that it must get.
type request struct {
	what          string
	method        string
	path          string
	authorization string // the header; empty: none
	want          string // status and, of a refusal, the reason
}

// requests has one row for each rule that people meet in practice.
func requests(idp *mockidp.Server) []request {
	contoso, fabrikam := idp.Tenant(mockidp.Contoso), idp.Tenant(mockidp.Fabrikam)
	shop, customers := idp.Tenant(mockidp.Shop), idp.Tenant(mockidp.Customers)
	orders := mockidp.Scopes("Orders.Read")
	get := func(what, path, token, want string) request {
		return request{what, "GET", path, bearer(token), want}
	}
	job := func(what, token, want string) request {
		return request{what, "POST", "/jobs", bearer(token), want}
	}
	return []request{
		get("contoso user, v2.0 token", "/orders", contoso.Token(orders), "200"),
		get("contoso user, v1.0 token", "/orders", contoso.Token(orders, mockidp.V1()), "200"),
		get("fabrikam user", "/orders", fabrikam.Token(orders), "200"),
		get("B2C, user flow", "/orders", shop.Token(orders, mockidp.Policy("B2C_1_susi")), "200"),
		get("B2C, custom policy", "/orders", shop.Token(orders, mockidp.Policy("B2C_1A_custom")), "200"),
		get("External ID user", "/orders", customers.Token(orders), "200"),
		job("application with the role", contoso.Token(mockidp.AppOnly("Jobs.Run.All")), "202"),
		get("strong authentication (c1)", "/secrets", contoso.Token(mockidp.Claim("acrs", []string{"c1"})), "200"),

		{"no token", "GET", "/me", "", "401 token_missing"},
		{"another scheme", "GET", "/me", "Basic dTpw", "401 token_missing"},
		{"two tokens in one header", "GET", "/me", "Bearer a b", "400 request_invalid"},
		get("token of 65 KiB", "/me", strings.Repeat("x", 65<<10), "400 token_too_large"),
		get("not a token", "/me", "null", "401 token_malformed"),
		get("alg none", "/me", contoso.Token(mockidp.Algorithm("none")), "401 algorithm_not_allowed"),
		get("changed after signing", "/me", tampered(contoso.Token()), "401 signature_invalid"),
		get("signed with an unknown key", "/me", contoso.Token(mockidp.SignedBy(contoso.Keys().NewKey())), "401 key_not_found"),
		get("signed with the personal-account key", "/me", contoso.Token(mockidp.SignedBy(contoso.Keys().Consumer())), "401 key_issuer_mismatch"),
		get("tenant that is not registered", "/me", contoso.Token(mockidp.PersonalAccount()), "401 tenant_unknown"),
		get("tid of another tenant", "/me", contoso.Token(mockidp.Claim("tid", mockidp.Fabrikam)), "401 tenant_mismatch"),
		get("v1.0 token where only v2.0 is accepted", "/me", fabrikam.Token(mockidp.V1()), "401 version_not_allowed"),
		get("expired an hour ago", "/me", contoso.Token(mockidp.ExpiresIn(-time.Hour)), "401 token_expired"),
		get("for another API", "/me", contoso.Token(mockidp.Audience(mockidp.Client)), "401 audience_mismatch"),
		get("for Microsoft Graph", "/me", contoso.Token(mockidp.ForGraph()), "401 token_for_other_resource"),
		get("ID token", "/me", contoso.Token(mockidp.IDToken()), "401 id_token"),
		get("B2C policy that is not listed", "/me", shop.Token(mockidp.Claim("tfp", "B2C_1_test")), "401 policy_not_allowed"),
		get("application that nobody granted anything", "/me", contoso.Token(mockidp.AppOnly()), "401 no_permissions"),

		get("scope missing", "/orders", contoso.Token(mockidp.Scopes("Orders.Write")), "403 scope_missing"),
		get("application on a user's route", "/orders", contoso.Token(mockidp.AppOnly("Orders.Read")), "403 scope_missing"),
		job("user whose role is spelled like a permission", contoso.Token(orders, mockidp.Roles("Jobs.Run.All")), "403 scope_or_role_missing"),
		get("guest of a tenant that denies guests", "/me", fabrikam.Token(mockidp.Guest(mockidp.Contoso)), "403 guest_denied"),
		get("step-up, client can (cp1)", "/secrets", contoso.Token(mockidp.Claim("xms_cc", []string{"cp1"})), "401 auth_context_missing"),
		get("step-up, client cannot", "/secrets", contoso.Token(), "403 auth_context_missing"),
	}
}

func bearer(token string) string { return "Bearer " + token }

// tampered swaps two characters in the signature of a token.
func tampered(token string) string {
	swapped := []byte(token)
	for i := strings.LastIndexByte(token, '.') + 1; ; i++ {
		if swapped[i] != swapped[i+1] {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			return string(swapped)
		}
	}
}
