package behaviour

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// guarded is one token at one guard. The token is tenant A's unless tenant says otherwise; with sentinel nil it is accepted.
type guarded[M any] struct {
	row      string
	guard    []M // one, or none
	tenant   string
	token    []mockidp.TokenOption
	sentinel error
	scope    string // the scope attribute of the challenge; empty: there is none
}

func (row guarded[M]) run(t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: everyKind, guards: row.guard}, nil)
	tenant := tenantA
	if row.tenant != "" {
		tenant = row.tenant
	}
	got := a.get(a.idp.Tenant(tenant).Token(row.token...))
	if row.sentinel == nil {
		got.accepted(t)
		return
	}
	got.refused(t, row.sentinel)
	attribute := fmt.Sprintf(`scope=%q`, row.scope)
	challenge := got.header.Get("WWW-Authenticate")
	if row.scope == "" && strings.Contains(challenge, "scope=") || row.scope != "" && !strings.Contains(challenge, attribute) {
		t.Fatalf("got=%s, want %s in it", challenge, attribute)
	}
}

// user is a token with these scopes as they stand in scp, and roles.
func user(scp string, roles ...string) []mockidp.TokenOption {
	return with(mockidp.Claim("scp", scp), mockidp.Roles(roles...))
}

func app(roles ...string) []mockidp.TokenOption { return with(mockidp.AppOnly(roles...)) }

// permissions are tokens at guards of scopes and roles.
func permissions[M any](g Guards[M]) []guarded[M] {
	anyAB, allAB := []M{g.RequireAnyScope("a", "b")}, []M{g.RequireScope("a", "b")}
	needsRead, scopeOrApp := []M{g.RequireScope("read")}, []M{g.RequireScopeOrRole([]string{"a"}, []string{"r"})}
	return []guarded[M]{
		{row: "I1 one of them", guard: anyAB, token: user("b c")},
		{row: "I2 none of them", guard: anyAB, token: user("c d"), sentinel: identity.ErrScope, scope: "a b"},
		{row: "I2 one of them", guard: anyAB, token: user("c a")},
		{row: "I3 one of all", guard: allAB, token: user("a"), sentinel: identity.ErrScope, scope: "a b"},
		{row: "I3 all", guard: allAB, token: user("b a")},

		{row: "I4 two blanks", guard: allAB, token: user("a  b")},
		{row: "I4 blanks around", guard: allAB, token: user("  a b ")},
		{row: "I4 tab", guard: allAB, token: user("a\tb\t")},
		{row: "I4 a blank is no scope", guard: allAB, token: user("a "), sentinel: identity.ErrScope, scope: "a b"},

		{row: "I5 longer", guard: needsRead, token: user("readwrite"), sentinel: identity.ErrScope, scope: "read"},
		{row: "I5 case", guard: needsRead, token: user("Read"), sentinel: identity.ErrScope, scope: "read"},
		{row: "I5 prefix", guard: needsRead, token: user("orders.read"), sentinel: identity.ErrScope, scope: "read"},
		{row: "I5 exact", guard: needsRead, token: user("read")},

		{row: "I6 array", guard: needsRead, token: with(mockidp.Claim("scp", []string{"read"})), sentinel: identity.ErrClaims},
		{row: "I6 number", guard: needsRead, token: with(mockidp.Claim("scp", 1)), sentinel: identity.ErrClaims},
		{row: "I6 object", guard: needsRead, token: with(mockidp.Claim("scp", map[string]any{"read": true})), sentinel: identity.ErrClaims},
		{row: "I6 null", guard: needsRead, token: with(mockidp.Claim("scp", nil)), sentinel: identity.ErrClaims},
		{row: "I6 true", guard: needsRead, token: with(mockidp.Claim("scp", true)), sentinel: identity.ErrClaims},

		{row: "I8 scope instead of scp", guard: needsRead, token: with(mockidp.Scopes("other"), mockidp.Claim("scope", "read")), sentinel: identity.ErrScope, scope: "read"},
		{row: "I8 scope alone", guard: needsRead, token: with(mockidp.Without("scp"), mockidp.Claim("scope", "read")), sentinel: identity.ErrNoPermissions},
		{row: "I8 scope besides scp", guard: needsRead, token: with(mockidp.Scopes("read"), mockidp.Claim("scope", "other"))},

		{row: "I9 any, one", guard: []M{g.RequireRole("r", "s")}, token: user("x", "s")},
		{row: "I9 any, none", guard: []M{g.RequireRole("r", "s")}, token: user("x", "t"), sentinel: identity.ErrRole},
		{row: "I9 any, no claim", guard: []M{g.RequireRole("r", "s")}, token: user("x"), sentinel: identity.ErrRole},
		{row: "I9 any, case", guard: []M{g.RequireRole("r", "s")}, token: user("x", "R"), sentinel: identity.ErrRole},
		{row: "I9 any, application", guard: []M{g.RequireRole("r", "s")}, token: app("r")},
		{row: "I9 all, one", guard: []M{g.RequireAllRoles("r", "s")}, token: user("x", "s"), sentinel: identity.ErrRole},
		{row: "I9 all, all", guard: []M{g.RequireAllRoles("r", "s")}, token: user("x", "s", "t", "r")},

		{row: "I10 two words", guard: []M{g.RequireRole("a")}, token: with(mockidp.Claim("roles", "a b")), sentinel: identity.ErrRole},
		{row: "I10 the whole string", guard: []M{g.RequireRole("a b")}, token: with(mockidp.Claim("roles", "a b"))},
		{row: "I10 one word", guard: []M{g.RequireRole("a")}, token: with(mockidp.Claim("roles", "a"))},
		{row: "I10 an array of numbers", guard: []M{g.RequireRole("a")}, token: with(mockidp.Claim("roles", []any{"a", 1})), sentinel: identity.ErrClaims},

		{row: "I11 role for scope", guard: []M{g.RequireScope("x")}, token: app("x"), sentinel: identity.ErrScope, scope: "x"},
		{row: "I11 role of a user for scope", guard: []M{g.RequireScope("x")}, token: user("y", "x"), sentinel: identity.ErrScope, scope: "x"},
		{row: "I12 scope for role", guard: []M{g.RequireRole("x")}, token: user("x"), sentinel: identity.ErrRole},
		{row: "I12 scope for all roles", guard: []M{g.RequireAllRoles("x")}, token: user("x"), sentinel: identity.ErrRole},
		{row: "I13 a user with roles", guard: []M{g.RequireScope("a")}, token: user("a", "r")},

		{row: "I14 scope", guard: scopeOrApp, token: user("a")},
		{row: "I14 role", guard: scopeOrApp, token: app("r")},
		{row: "I14 scope wrong", guard: scopeOrApp, token: user("b"), sentinel: identity.ErrScopeOrRole, scope: "a"},
		{row: "I14 role wrong", guard: scopeOrApp, token: app("q"), sentinel: identity.ErrScopeOrRole, scope: "a"},
		{row: "I14 neither claim", guard: scopeOrApp, token: app(), sentinel: identity.ErrNoPermissions},

		{row: "I15 neither, user", token: with(mockidp.Without("scp", "roles")), sentinel: identity.ErrNoPermissions},
		{row: "I15 neither, application", token: app(), sentinel: identity.ErrNoPermissions},
		{row: "I15 both empty", token: with(mockidp.Claim("scp", " "), mockidp.Claim("roles", []string{})), sentinel: identity.ErrNoPermissions},
		{row: "I15 an empty role", token: with(mockidp.Without("scp"), mockidp.Claim("roles", "")), sentinel: identity.ErrNoPermissions},
		{row: "I15 a role", token: app("r")},

		{row: "I16 user with the role", guard: scopeOrApp, token: user("b", "r"), sentinel: identity.ErrScopeOrRole, scope: "a"},
		{row: "I16 user with both", guard: scopeOrApp, token: user("a", "r")},
		{row: "I16 user with empty scp", guard: scopeOrApp, token: user("", "r"), sentinel: identity.ErrScopeOrRole, scope: "a"},
		{row: "I16 idtyp user, no scp", guard: scopeOrApp, token: with(mockidp.Without("scp"), mockidp.Roles("r"), mockidp.Claim("idtyp", "user")), sentinel: identity.ErrScopeOrRole, scope: "a"},
		{row: "I16 application, no idtyp", guard: scopeOrApp, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"))},
		{row: "I16 application, v1", guard: scopeOrApp, token: with(mockidp.AppOnly("r"), mockidp.V1())},
		{row: "I16 user, either will do", guard: []M{g.Require(scopeAOrAnyRoleR)}, token: user("b", "r")},

		{row: "I17 application on a scope route", guard: []M{g.RequireScope("a")}, token: app("a"), sentinel: identity.ErrScope, scope: "a"},
		{row: "I17 application, no idtyp", guard: []M{g.RequireAnyScope("a")}, token: with(mockidp.AppOnly("a"), mockidp.Without("idtyp")), sentinel: identity.ErrScope, scope: "a"},
		{row: "I17 user", guard: []M{g.RequireScope("a")}, token: user("a")},

		{row: "I18 idtyp app", guard: []M{g.RequireAppOnly()}, token: app("r")},
		{row: "I18 oid is sub", guard: []M{g.RequireAppOnly()}, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"))},
		{row: "I18 oid is sub, v1", guard: []M{g.RequireAppOnly()}, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.V1())},
		{row: "I18 oid is not sub", guard: []M{g.RequireAppOnly()}, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.Subject("other")), sentinel: identity.ErrAppOnly},
		{row: "I18 neither oid nor sub", guard: []M{g.RequireAppOnly()}, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp", "oid", "sub")), sentinel: identity.ErrAppOnly},
		{row: "I18 idtyp user", guard: []M{g.RequireAppOnly()}, token: with(mockidp.AppOnly("r"), mockidp.Claim("idtyp", "user")), sentinel: identity.ErrAppOnly},
		{row: "I18 scp", guard: []M{g.RequireAppOnly()}, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.Scopes("a")), sentinel: identity.ErrAppOnly},
		{row: "I18 user", guard: []M{g.RequireAppOnly()}, token: user("a"), sentinel: identity.ErrAppOnly},
		{row: "I18 B2C user, oid is sub", guard: []M{g.RequireAppOnly()}, tenant: mockidp.Shop, token: with(mockidp.Without("scp"), mockidp.Roles("r")), sentinel: identity.ErrAppOnly},
		{row: "I18 B2C daemon, no idtyp", guard: []M{g.RequireAppOnly()}, tenant: mockidp.Shop, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp")), sentinel: identity.ErrAppOnly},
		{row: "I18 B2C daemon, idtyp", guard: []M{g.RequireAppOnly()}, tenant: mockidp.Shop, token: with(mockidp.AppOnly("r"), mockidp.Claim("idtyp", "app"))},
		{row: "I18 B2C daemon, its roles are in scp", guard: []M{g.RequireScope("r")}, tenant: mockidp.Shop, token: app("r")},
		{row: "I18 External ID", guard: []M{g.RequireAppOnly()}, tenant: mockidp.Customers, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"))},
	}
}

// scopeAOrAnyRoleR is what somebody writes who wants a user's role to count.
func scopeAOrAnyRoleR(_ context.Context, p *identity.Principal) error {
	if p.HasScope("a") || p.HasRole("r") {
		return nil
	}
	return identity.ErrScopeOrRole
}

// I1, I2, I3, I4, I5, I6, I8, I9, I10, I11, I12, I13, I14, I15, I16, I17, I18
func testPermissions[M any](t *testing.T, f Framework[M]) {
	for _, row := range permissions(f.Guards) {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			row.run(t, f)
		})
	}
}

// I14, I15: with AllowNoPermissions a token that grants nothing is accepted, and still opens no guard.
func testAllowNoPermissions[M any](t *testing.T, f Framework[M]) {
	allow := func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, AllowNoPermissions: true}, identity.Tenant{ID: tenantB})
	}
	a := newAPI(t, f, setup[M]{config: allow}, nil)
	a.get(a.token(mockidp.AppOnly())).accepted(t)
	a.get(a.token(mockidp.Without("scp"))).accepted(t)
	a.get(a.token(mockidp.IDToken(), mockidp.Audience(mockidp.API))).refused(t, identity.ErrIDToken)
	a.get(a.idp.Tenant(tenantB).Token(mockidp.AppOnly())).refused(t, identity.ErrNoPermissions) // the rule is the tenant's
	for _, guard := range []struct {
		guard    M
		sentinel error
	}{
		{f.RequireScopeOrRole([]string{"a"}, []string{"r"}), identity.ErrScopeOrRole},
		{f.RequireAnyScope("a", "b"), identity.ErrScope},
		{f.RequireRole("r"), identity.ErrRole},
	} {
		a := newAPI(t, f, setup[M]{config: allow, guards: []M{guard.guard}}, nil)
		a.get(a.token(mockidp.AppOnly())).refused(t, guard.sentinel)
	}
	a = newAPI(t, f, setup[M]{config: allow, guards: []M{f.RequireAppOnly()}}, nil)
	a.get(a.token(mockidp.AppOnly())).accepted(t)
}

// I7, I19: a requirement that lets everybody pass, or nobody ever, is a fault at start-up.
func testRequirementFaults[M any](t *testing.T, f Framework[M]) {
	for name, fault := range map[string]func(){
		"no scope":           func() { f.RequireScope() },
		"no scope, any":      func() { f.RequireAnyScope() },
		"empty scope":        func() { f.RequireScope("a", "") },
		"empty scope, any":   func() { f.RequireAnyScope("") },
		"blank scope":        func() { f.RequireScope(" ") },
		"blank, any":         func() { f.RequireAnyScope("a", "\t") },
		"blanks around":      func() { f.RequireScope(" a") },
		"two in one":         func() { f.RequireScope("a b") },
		"no role":            func() { f.RequireRole() },
		"no role, all":       func() { f.RequireAllRoles() },
		"blank role":         func() { f.RequireRole("r", " ") },
		"blank role, all":    func() { f.RequireAllRoles("") },
		"scope or no role":   func() { f.RequireScopeOrRole([]string{"a"}, nil) },
		"no scope or role":   func() { f.RequireScopeOrRole(nil, []string{"r"}) },
		"neither":            func() { f.RequireScopeOrRole(nil, nil) },
		"no group":           func() { f.RequireGroup(nil) },
		"blank group":        func() { f.RequireGroup(nil, "") },
		"no context":         func() { f.RequireAuthContext("") },
		"context beyond c99": func() { f.RequireAuthContext("c100") },
		"context c0":         func() { f.RequireAuthContext("c0") },
		"context in words":   func() { f.RequireAuthContext("mfa") },
		"no rule":            func() { f.Require() },
		"nil rule":           func() { f.Require(identity.AppOnly(), nil) },
	} {
		if panics(fault) == nil {
			t.Errorf("%s: got no panic", name)
		}
	}
	const long = "api://cccccccc-3333-4333-8333-cccccccccccc/access_as_user"
	for _, fault := range []func(){
		func() { f.RequireScope(long) },
		func() { f.RequireAnyScope("a", long) },
		func() { f.RequireScopeOrRole([]string{long}, []string{"r"}) },
	} {
		if value := fmt.Sprint(panics(fault)); !strings.Contains(value, "the short name, access_as_user") {
			t.Errorf("got=%s, want a hint at the short name", value)
		}
	}
	if value := panics(func() {
		f.RequireScopeOrRole([]string{"access_as_user"}, []string{"api://x/y"})
		f.RequireAuthContext("c99")
	}); value != nil {
		t.Errorf("got=%v, want these accepted", value)
	}
}

// What a guard was made of can change afterwards without changing the guard.
func testRequirementsAreCopied[M any](t *testing.T, f Framework[M]) {
	scopes, roles := []string{"a"}, []string{"r"}
	guard, either := f.RequireScope(scopes...), f.RequireScopeOrRole(scopes, roles)
	scopes[0], roles[0] = "b", "q"
	a := newAPI(t, f, setup[M]{guards: []M{guard, either}}, nil)
	a.get(a.token(mockidp.Scopes("a"))).accepted(t)
	a.get(a.token(mockidp.Scopes("b"))).refused(t, identity.ErrScope)
}

// I20
func testGuardWithoutAuthentication[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.Optional = true }, guards: []M{f.RequireScope("access_as_user")}}, nil)
	a.get(a.token()).accepted(t)
	got := a.do(request{}.build(""))
	got.refused(t, identity.ErrNotAuthenticated)
	if challenge := got.header.Get("WWW-Authenticate"); challenge != Bare {
		t.Fatalf("got=%s, want=%s", challenge, Bare)
	}
	if log := a.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "reason=not_authenticated") {
		t.Fatalf("got=%s, want the refusal at level Error", log)
	}
	a = newAPI(t, f, setup[M]{use: func(M) []M { return nil }, guards: []M{f.RequireRole("r")}}, nil)
	a.get(a.token(mockidp.Roles("r"))).refused(t, identity.ErrNotAuthenticated)
	if f.NoHooks {
		return
	}
	a = newAPI(t, f, setup[M]{hooks: Hooks{Skip: func(*http.Request) bool { return true }}, guards: []M{f.RequireRole("r")}}, nil)
	a.get(a.token(mockidp.Roles("r"))).refused(t, identity.ErrNotAuthenticated)
}

// I21: the verified principal decides, not what the request says by now.
func testGuardReadsThePrincipal[M any](t *testing.T, f Framework[M]) {
	var replacement string
	tamper := f.Step(func(c Call) error {
		c.R.Header.Set("Authorization", "Bearer "+replacement)
		if c.Set != nil {
			c.Set("user", nil)
		}
		return nil
	})
	a := newAPI(t, f, setup[M]{guards: []M{tamper, f.RequireScope("a")}}, nil)
	without, withA := a.token(mockidp.Scopes("b")), a.token(mockidp.Scopes("a"))
	replacement = withA
	a.get(without).refused(t, identity.ErrScope)
	replacement = without
	a.get(withA).accepted(t)
}

// I22: what a group requires and what a route requires both count.
func testGroupAndRoute[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{group: []M{f.RequireAnyScope("read", "write")}, guards: []M{f.RequireScope("write", "admin")}}, nil)
	for _, row := range []struct {
		scopes []string
		asked  string // for; empty: accepted
	}{
		{[]string{"write", "admin"}, ""},
		{[]string{"read"}, "write admin"},
		{[]string{"admin"}, "read write"},
		{[]string{"other"}, "read write"},
	} {
		got := a.path(http.MethodGet, "/orders/all", a.token(mockidp.Scopes(row.scopes...)))
		if row.asked == "" {
			got.accepted(t)
			continue
		}
		got.refused(t, identity.ErrScope)
		if scope := got.challenge(t)["scope"]; scope != row.asked {
			t.Fatalf("%v: got=%s, want=%s", row.scopes, scope, row.asked)
		}
	}
}
