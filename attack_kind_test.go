package identity_test

import (
	"strconv"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// kindAttacks: a token is for one thing. ID tokens, tokens of other APIs, bound tokens are no bearer tokens of this one; and what it
// grants, it grants as what it is.
func kindAttacks() []attackClass {
	return []attackClass{substitutes(), scopeRoute(), roleRoute(), appRoute(), eitherRoute(), groupRoute()}
}

func substitutes() attackClass {
	class := attackClass{
		name: "substitution", source: "RFC 8725 §2.8, §3.12; RFC 9068 §5; RFC 6750 §5.2",
		good: []attack{
			{name: "an access token of a user", token: from(contosoOf)}, {name: "an access token of an application", token: from(contosoOf, mockidp.AppOnly("r"))},
			{name: "a B2C access token", token: from(shopOf)},
		},
	}
	add := func(name, source string, want error, token func(*siege) string) {
		class.attacks = append(class.attacks, attack{name, source, want, token})
	}
	const openID = "OpenID Connect Core §2; Microsoft: an ID token is not for APIs"
	api := mockidp.Audience(mockidp.API)
	add("an ID token of the customers", openID, identity.ErrIDToken, from(customersOf, mockidp.IDToken()))
	add("an ID token of a guest", openID, identity.ErrIDToken, from(contosoOf, mockidp.IDToken(), mockidp.Guest(tenantB)))
	add("an ID token for the API, v1.0", openID, identity.ErrIDToken, from(contosoOf, mockidp.IDToken(), mockidp.V1(), api))
	add("an ID token for the API, of the customers", openID, identity.ErrIDToken, from(customersOf, mockidp.IDToken(), api))
	add("an ID token for the API with roles", openID, identity.ErrIDToken, from(contosoOf, mockidp.IDToken(), api, mockidp.Roles("Admin")))
	add("an ID token for the API with nonce and at_hash", openID, identity.ErrIDToken,
		from(contosoOf, mockidp.IDToken(), api, mockidp.Claim("nonce", "x"), mockidp.Claim("at_hash", "x"), mockidp.Claim("c_hash", "x")))
	add("an ID token for the API that says scope", openID, identity.ErrIDToken, from(contosoOf, mockidp.IDToken(), api, mockidp.Claim("scope", "access_as_user")))
	add("a token for the client itself", "RFC 8725 §3.9", identity.ErrAudience, from(contosoOf, mockidp.Audience(mockidp.Client)))
	add("a token for another API of the directory", "RFC 8725 §3.9; RFC 8707 §1: passed on by another API", identity.ErrAudience, from(contosoOf, mockidp.Audience(mockidp.MiddleTier)))
	add("a token for the API's site", "RFC 8725 §3.9", identity.ErrAudience, from(contosoOf, mockidp.Audience("https://contoso.onmicrosoft.com/"+mockidp.API)))
	for _, resource := range []string{
		"https://graph.microsoft.com", "https://graph.microsoft.us/", "https://microsoftgraph.chinacloudapi.cn", "https://graph.windows.net", "00000002-0000-0000-c000-000000000000",
	} {
		add("a token for "+resource, "RFC 8725 §3.9; Microsoft: tokens for Graph are for Graph alone", identity.ErrOtherResource, from(contosoOf, mockidp.Audience(resource)))
	}
	for _, resource := range []string{
		"https://management.azure.com/", "https://vault.azure.net", "https://storage.azure.com/", "https://outlook.office365.com", "api://AzureADTokenExchange", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"https://login.microsoftonline.com/" + tenantA + "/v2.0", "https://login.microsoftonline.com/" + tenantA + "/oauth2/v2.0/token",
	} {
		add("a token for "+resource, "RFC 8725 §3.9; RFC 7523 §3", identity.ErrAudience, from(contosoOf, mockidp.Audience(resource)))
	}
	add("a client assertion", "RFC 7523 §2.2, §3", identity.ErrIssuer, from(contosoOf, iss(mockidp.Client), mockidp.Subject(mockidp.Client), mockidp.Without("scp", "azp", "tid")))
	for _, cnf := range []string{`{"jwk":{"kty":"RSA"}}`, `{"jku":"https://attacker.example"}`, `{"xms_ksl":"sw"}`, `{}`, `[]`, `""`, `false`} {
		add("bound by cnf "+cnf, "RFC 7800 §3; RFC 9449 §7.1; RFC 8705 §3", identity.ErrBound, from(contosoOf, mockidp.Claim("cnf", rawJSON(cnf))))
	}
	none := "Microsoft: an access token has scp or roles"
	add("scp of blanks", none, identity.ErrNoPermissions, from(contosoOf, mockidp.Claim("scp", "   ")))
	add("scp of a tab", none, identity.ErrNoPermissions, from(contosoOf, mockidp.Claim("scp", "\t")))
	add("no scp and a list of no roles", none, identity.ErrNoPermissions, from(contosoOf, mockidp.Scopes(), mockidp.Claim("roles", []string{})))
	add("no scp and an empty role", none, identity.ErrNoPermissions, from(contosoOf, mockidp.Scopes(), mockidp.Claim("roles", []string{""})))
	add("only directory roles", none, identity.ErrNoPermissions, from(contosoOf, mockidp.Scopes(), mockidp.Claim("wids", []string{"62e90394-69f5-4237-9190-012177145e10"})))
	add("only groups", none, identity.ErrNoPermissions, from(contosoOf, mockidp.Scopes(), mockidp.Groups("g")))
	add("only scopes and permissions of other dialects", none, identity.ErrNoPermissions,
		from(contosoOf, mockidp.Scopes(), mockidp.Claim("scopes", []string{"access_as_user"}), mockidp.Claim("permissions", []string{"access_as_user"}), mockidp.Claim("role", "Admin")))
	return class
}

// guardedBy is a class whose tokens are sound, and not good enough for the route.
func guardedBy(name, source string, want error, guard echo.MiddlewareFunc) guardClass {
	return guardClass{attackClass{name: name, source: source, guards: []echo.MiddlewareFunc{guard}}, want}
}

type guardClass struct {
	attackClass
	want error
}

func (c *guardClass) pass(name string, opts ...mockidp.TokenOption) {
	c.good = append(c.good, attack{name: name, token: of(opts...)})
}

func (c *guardClass) refuse(name string, opts ...mockidp.TokenOption) {
	c.attacks = append(c.attacks, attack{name, "", c.want, of(opts...)})
}

// scopeRoute is a route for users: no role of any kind, and nothing that resembles the scope, opens it.
func scopeRoute() attackClass {
	c := guardedBy("route that needs a scope", "RFC 6750 §3.1; Microsoft: scp holds delegated permissions, roles do not", identity.ErrScope, identity.RequireScope("Orders.Read"))
	c.pass("the scope", mockidp.Scopes("Orders.Read"))
	c.pass("the scope among others", mockidp.Scopes("a", "Orders.Read", "b"))
	c.refuse("an application with a role of the scope's name", mockidp.AppOnly("Orders.Read"))
	c.refuse("an application with it, v1.0", mockidp.AppOnly("Orders.Read"), mockidp.V1())
	c.refuse("an application with it and no idtyp", mockidp.AppOnly("Orders.Read"), mockidp.Without("idtyp"))
	c.refuse("an application that says idtyp user", mockidp.AppOnly("Orders.Read"), mockidp.Claim("idtyp", "user"))
	c.refuse("a user with a role of the scope's name", mockidp.Scopes("other"), mockidp.Roles("Orders.Read"))
	c.refuse("a user in a group of the scope's name", mockidp.Scopes("other"), mockidp.Groups("Orders.Read"))
	c.refuse("the scope in scope", mockidp.Scopes("other"), mockidp.Claim("scope", "Orders.Read"))
	c.refuse("the scope in scopes", mockidp.Scopes("other"), mockidp.Claim("scopes", []string{"Orders.Read"}))
	for _, scp := range []string{
		"Orders.Read.All", "Orders.ReadWrite", "xOrders.Read", "orders.read", "ORDERS.READ", "Orders.Rea", "Orders", "Orders.*", "*", ".default", "Orders.Read,Other", "Other,Orders.Read", "Orders.Read;x",
		"Orders.Read+x", "x+Orders.Read", "Orders.Read%20x", "\"Orders.Read\"", "api://" + mockidp.API + "/Orders.Read", "Orders.Read\u00a0x", "x\u00a0Orders.Read", "Orders.Read\u2003x", "Orders.Read\x00", "x\x00Orders.Read",
		"Orders.Read\u200b", "Оrders.Read", "Orders．Read", "-Orders.Read", "!Orders.Read", "Orders.Read/x", "[Orders.Read]", "Orders.Read\u0301",
	} {
		c.refuse("scp "+strconv.Quote(scp), mockidp.Claim("scp", scp))
	}
	return c.attackClass
}

// roleRoute is a route for who has been assigned a role.
func roleRoute() attackClass {
	c := guardedBy("route that needs a role", "Microsoft: roles holds what an administrator assigned, scp does not; RFC 9068 §2.2.3.1", identity.ErrRole, identity.RequireRole("Admin"))
	c.pass("a user with the role", mockidp.Roles("Admin"))
	c.pass("an application with the role", mockidp.AppOnly("Admin"))
	c.refuse("a scope of the role's name", mockidp.Scopes("Admin"))
	c.refuse("a group of the role's name", mockidp.Groups("Admin"))
	c.refuse("the role in role", mockidp.Claim("role", "Admin"))
	c.refuse("the role in wids", mockidp.Claim("wids", []string{"Admin"}))
	c.refuse("the role in an extension claim", mockidp.Claim("extension_roles", "Admin"), mockidp.Claim("extn.roles", []string{"Admin"}))
	c.refuse("the role as a SAML attribute", mockidp.Claim("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "Admin"))
	c.refuse("the role in realm_access", mockidp.Claim("realm_access", map[string]any{"roles": []string{"Admin"}}))
	c.refuse("the role in another source", mockidp.Claim("_claim_names", map[string]string{"roles": "src1"}), mockidp.Claim("_claim_sources", map[string]any{"src1": map[string]string{"endpoint": "https://attacker.example"}}))
	for _, role := range []string{
		"admin", "ADMIN", "Admin ", " Admin", "Admins", "Adm", "Admin\x00", "Admin\n", "Αdmin", "Admin,User", "User Admin", "*", "Admin\u200b", "{\"Admin\":true}", "Аdmin",
	} {
		c.refuse("role "+strconv.Quote(role), mockidp.Roles("User", role))
	}
	c.refuse("two roles in one string", mockidp.Claim("roles", "Admin User"))
	c.refuse("two roles in one string with a comma", mockidp.Claim("roles", "Admin,User"))
	return c.attackClass
}

// appRoute is a route for daemons.
func appRoute() attackClass {
	c := guardedBy("route for applications", "Microsoft: idtyp tells users from applications; RFC 9068 §5: sub of a client and of a user", identity.ErrAppOnly, identity.RequireAppOnly())
	c.pass("an application that says so", mockidp.AppOnly("r"))
	c.pass("an application of v1.0", mockidp.AppOnly("r"), mockidp.V1())
	c.refuse("a user with a scope")
	c.refuse("a user with a role and no scope", mockidp.Scopes(), mockidp.Roles("r"))
	c.refuse("a user with app in scp", mockidp.Scopes("app"))
	c.refuse("a user with appidacr", mockidp.V1(), mockidp.Claim("appidacr", "2"))
	c.refuse("a user whose client has a certificate", mockidp.Claim("azpacr", "2"))
	c.refuse("a user with the type application", mockidp.Claim("idtyp", "application"))
	c.refuse("a user with the type App", mockidp.Claim("idtyp", "App"))
	c.refuse("a user with the type app and a blank", mockidp.Claim("idtyp", "app "))
	c.refuse("a user of the type user", mockidp.Claim("idtyp", "user"), mockidp.Scopes(), mockidp.Roles("r"))
	c.refuse("an application of the type user", mockidp.AppOnly("r"), mockidp.Claim("idtyp", "user"))
	c.refuse("an application of the type device", mockidp.AppOnly("r"), mockidp.Claim("idtyp", "device"))
	c.refuse("a user whose sub is in capitals oid", mockidp.Scopes(), mockidp.Roles("r"), mockidp.Without("idtyp"), mockidp.Claim("oid", "a"), mockidp.Subject("A"))
	c.refuse("neither oid nor sub", mockidp.AppOnly("r"), mockidp.Without("idtyp", "oid", "sub"))
	c.refuse("an empty oid and an empty sub", mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.Claim("oid", ""), mockidp.Claim("sub", ""))
	c.refuse("a user with oid for sub, and a scope", mockidp.Without("idtyp"), mockidp.Claim("oid", "a"), mockidp.Subject("a"))
	return c.attackClass
}

// eitherRoute is a route for users with a scope, or applications with a role.
func eitherRoute() attackClass {
	c := guardedBy("route that needs a scope or a role", "Microsoft: a user's role is not an application's permission", identity.ErrScopeOrRole,
		identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"}))
	c.pass("a user with the right scope", mockidp.Scopes("Jobs.Run"))
	c.pass("an application with the right role", mockidp.AppOnly("Jobs.Run.All"))
	c.refuse("a user with the application's role", mockidp.Scopes("other"), mockidp.Roles("Jobs.Run.All"))
	c.refuse("a user with the application's role for a scope", mockidp.Scopes("Jobs.Run.All"))
	c.refuse("an application with the scope for a role", mockidp.AppOnly("Jobs.Run"))
	c.refuse("a user without scp, with the role, and the type user", mockidp.Scopes(), mockidp.Roles("Jobs.Run.All"), mockidp.Claim("idtyp", "user"))
	c.refuse("a user with an empty scp and the role", mockidp.Claim("scp", ""), mockidp.Roles("Jobs.Run.All"))
	c.refuse("the type device with the role", mockidp.AppOnly("Jobs.Run.All"), mockidp.Claim("idtyp", "device"))
	return c.attackClass
}

// groupRoute is a route for members of a group, by its object ID.
func groupRoute() attackClass {
	const group = "66666666-7777-4777-8777-000000000001"
	c := guardedBy("route that needs a group", "Microsoft: groups are compared by object ID", identity.ErrGroup, identity.RequireGroup(nil, group))
	c.pass("a member", mockidp.Groups(group))
	c.refuse("the group for a role", mockidp.Roles(group))
	c.refuse("the group for a scope", mockidp.Scopes(group))
	c.refuse("the group for a directory role", mockidp.Claim("wids", []string{group}))
	c.refuse("the group by another claim", mockidp.Claim("group", group), mockidp.Claim("group_ids", []string{group}))
	c.refuse("two groups in one string", mockidp.Claim("groups", group+","+group))
	c.refuse("the group and a blank", mockidp.Groups(group+" "))
	c.refuse("the beginning of the group", mockidp.Groups(group[:35]))
	return c.attackClass
}
