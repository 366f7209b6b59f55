package identity_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// guarded is one token at one guard. The token is tenant A's unless tenant says otherwise; with sentinel nil it is accepted.
type guarded struct {
	row      string
	guard    echo.MiddlewareFunc // nil: none
	tenant   string
	token    []mockidp.TokenOption
	sentinel error
	scope    string // the scope attribute of the challenge; empty: there is none
}

func (row guarded) run(t *testing.T) {
	var guards []echo.MiddlewareFunc
	if row.guard != nil {
		guards = append(guards, row.guard)
	}
	a := newAPI(t, everyKind, guards...)
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

// with is short for the options of a row's token.
func with(opts ...mockidp.TokenOption) []mockidp.TokenOption { return opts }

// user is a token with these scopes as they stand in scp, and roles.
func user(scp string, roles ...string) []mockidp.TokenOption {
	return with(mockidp.Claim("scp", scp), mockidp.Roles(roles...))
}

func app(roles ...string) []mockidp.TokenOption { return with(mockidp.AppOnly(roles...)) }

var (
	anyAB      = identity.RequireAnyScope("a", "b")
	allAB      = identity.RequireScope("a", "b")
	needsRead  = identity.RequireScope("read")
	scopeOrApp = identity.RequireScopeOrRole([]string{"a"}, []string{"r"})
)

var permissions = []guarded{
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

	{row: "I9 any, one", guard: identity.RequireRole("r", "s"), token: user("x", "s")},
	{row: "I9 any, none", guard: identity.RequireRole("r", "s"), token: user("x", "t"), sentinel: identity.ErrRole},
	{row: "I9 any, no claim", guard: identity.RequireRole("r", "s"), token: user("x"), sentinel: identity.ErrRole},
	{row: "I9 any, case", guard: identity.RequireRole("r", "s"), token: user("x", "R"), sentinel: identity.ErrRole},
	{row: "I9 any, application", guard: identity.RequireRole("r", "s"), token: app("r")},
	{row: "I9 all, one", guard: identity.RequireAllRoles("r", "s"), token: user("x", "s"), sentinel: identity.ErrRole},
	{row: "I9 all, all", guard: identity.RequireAllRoles("r", "s"), token: user("x", "s", "t", "r")},

	{row: "I10 two words", guard: identity.RequireRole("a"), token: with(mockidp.Claim("roles", "a b")), sentinel: identity.ErrRole},
	{row: "I10 the whole string", guard: identity.RequireRole("a b"), token: with(mockidp.Claim("roles", "a b"))},
	{row: "I10 one word", guard: identity.RequireRole("a"), token: with(mockidp.Claim("roles", "a"))},
	{row: "I10 an array of numbers", guard: identity.RequireRole("a"), token: with(mockidp.Claim("roles", []any{"a", 1})), sentinel: identity.ErrClaims},

	{row: "I11 role for scope", guard: identity.RequireScope("x"), token: app("x"), sentinel: identity.ErrScope, scope: "x"},
	{row: "I11 role of a user for scope", guard: identity.RequireScope("x"), token: user("y", "x"), sentinel: identity.ErrScope, scope: "x"},
	{row: "I12 scope for role", guard: identity.RequireRole("x"), token: user("x"), sentinel: identity.ErrRole},
	{row: "I12 scope for all roles", guard: identity.RequireAllRoles("x"), token: user("x"), sentinel: identity.ErrRole},
	{row: "I13 a user with roles", guard: identity.RequireScope("a"), token: user("a", "r")},

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
	{row: "I16 user, either will do", guard: identity.Require(scopeAOrAnyRoleR), token: user("b", "r")},

	{row: "I17 application on a scope route", guard: identity.RequireScope("a"), token: app("a"), sentinel: identity.ErrScope, scope: "a"},
	{row: "I17 application, no idtyp", guard: identity.RequireAnyScope("a"), token: with(mockidp.AppOnly("a"), mockidp.Without("idtyp")), sentinel: identity.ErrScope, scope: "a"},
	{row: "I17 user", guard: identity.RequireScope("a"), token: user("a")},

	{row: "I18 idtyp app", guard: identity.RequireAppOnly(), token: app("r")},
	{row: "I18 oid is sub", guard: identity.RequireAppOnly(), token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"))},
	{row: "I18 oid is sub, v1", guard: identity.RequireAppOnly(), token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.V1())},
	{row: "I18 oid is not sub", guard: identity.RequireAppOnly(), token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.Subject("other")), sentinel: identity.ErrAppOnly},
	{row: "I18 neither oid nor sub", guard: identity.RequireAppOnly(), token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp", "oid", "sub")), sentinel: identity.ErrAppOnly},
	{row: "I18 idtyp user", guard: identity.RequireAppOnly(), token: with(mockidp.AppOnly("r"), mockidp.Claim("idtyp", "user")), sentinel: identity.ErrAppOnly},
	{row: "I18 scp", guard: identity.RequireAppOnly(), token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"), mockidp.Scopes("a")), sentinel: identity.ErrAppOnly},
	{row: "I18 user", guard: identity.RequireAppOnly(), token: user("a"), sentinel: identity.ErrAppOnly},
	{row: "I18 B2C user, oid is sub", guard: identity.RequireAppOnly(), tenant: mockidp.Shop, token: with(mockidp.Without("scp"), mockidp.Roles("r")), sentinel: identity.ErrAppOnly},
	{row: "I18 B2C daemon, no idtyp", guard: identity.RequireAppOnly(), tenant: mockidp.Shop, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp")), sentinel: identity.ErrAppOnly},
	{row: "I18 B2C daemon, idtyp", guard: identity.RequireAppOnly(), tenant: mockidp.Shop, token: with(mockidp.AppOnly("r"), mockidp.Claim("idtyp", "app"))},
	{row: "I18 B2C daemon, its roles are in scp", guard: identity.RequireScope("r"), tenant: mockidp.Shop, token: app("r")},
	{row: "I18 External ID", guard: identity.RequireAppOnly(), tenant: mockidp.Customers, token: with(mockidp.AppOnly("r"), mockidp.Without("idtyp"))},
}

// scopeAOrAnyRoleR is what somebody writes who wants a user's role to count.
func scopeAOrAnyRoleR(_ context.Context, p *identity.Principal) error {
	if p.HasScope("a") || p.HasRole("r") {
		return nil
	}
	return identity.ErrScopeOrRole
}

// I1, I2, I3, I4, I5, I6, I8, I9, I10, I11, I12, I13, I14, I15, I16, I17, I18
func TestPermissions(t *testing.T) {
	t.Parallel()
	for _, row := range permissions {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			row.run(t)
		})
	}
}

// I14, I15: with AllowNoPermissions a token that grants nothing is accepted, and still opens no guard.
func TestAllowNoPermissions(t *testing.T) {
	t.Parallel()
	allow := func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, AllowNoPermissions: true}, identity.Tenant{ID: tenantB})
	}
	a := newAPI(t, allow)
	a.get(a.token(mockidp.AppOnly())).accepted(t)
	a.get(a.token(mockidp.Without("scp"))).accepted(t)
	a.get(a.token(mockidp.IDToken(), mockidp.Audience(mockidp.API))).refused(t, identity.ErrIDToken)
	a.get(a.idp.Tenant(tenantB).Token(mockidp.AppOnly())).refused(t, identity.ErrNoPermissions) // the rule is the tenant's
	for _, guard := range []struct {
		guard    echo.MiddlewareFunc
		sentinel error
	}{
		{scopeOrApp, identity.ErrScopeOrRole},
		{anyAB, identity.ErrScope},
		{identity.RequireRole("r"), identity.ErrRole},
	} {
		a := newAPI(t, allow, guard.guard)
		a.get(a.token(mockidp.AppOnly())).refused(t, guard.sentinel)
	}
	a = newAPI(t, allow, identity.RequireAppOnly())
	a.get(a.token(mockidp.AppOnly())).accepted(t)
}

// panics returns what f panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// I7, I19: a requirement that lets everybody pass, or nobody ever, is a fault at start-up.
func TestRequirementFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"no scope":           func() { identity.RequireScope() },
		"no scope, any":      func() { identity.RequireAnyScope() },
		"empty scope":        func() { identity.RequireScope("a", "") },
		"empty scope, any":   func() { identity.RequireAnyScope("") },
		"blank scope":        func() { identity.RequireScope(" ") },
		"blank, any":         func() { identity.RequireAnyScope("a", "\t") },
		"blanks around":      func() { identity.RequireScope(" a") },
		"two in one":         func() { identity.RequireScope("a b") },
		"no role":            func() { identity.RequireRole() },
		"no role, all":       func() { identity.RequireAllRoles() },
		"blank role":         func() { identity.RequireRole("r", " ") },
		"blank role, all":    func() { identity.RequireAllRoles("") },
		"scope or no role":   func() { identity.RequireScopeOrRole([]string{"a"}, nil) },
		"no scope or role":   func() { identity.RequireScopeOrRole(nil, []string{"r"}) },
		"neither":            func() { identity.RequireScopeOrRole(nil, nil) },
		"no group":           func() { identity.RequireGroup(nil) },
		"blank group":        func() { identity.RequireGroup(nil, "") },
		"no context":         func() { identity.RequireAuthContext("") },
		"context beyond c99": func() { identity.RequireAuthContext("c100") },
		"context c0":         func() { identity.RequireAuthContext("c0") },
		"context in words":   func() { identity.RequireAuthContext("mfa") },
		"no rule":            func() { identity.Require() },
		"nil rule":           func() { identity.Require(identity.AppOnly(), nil) },
		"nil rule, net/http": func() { identity.Rule(nil).Handler(http.NotFoundHandler()) },
	} {
		if panics(f) == nil {
			t.Errorf("%s: got no panic", name)
		}
	}
	const long = "api://cccccccc-3333-4333-8333-cccccccccccc/access_as_user"
	for _, f := range []func(){
		func() { identity.RequireScope(long) },
		func() { identity.RequireAnyScope("a", long) },
		func() { identity.RequireScopeOrRole([]string{long}, []string{"r"}) },
	} {
		if value := fmt.Sprint(panics(f)); !strings.Contains(value, "the short name, access_as_user") {
			t.Errorf("got=%s, want a hint at the short name", value)
		}
	}
	if value := panics(func() {
		identity.RequireScopeOrRole([]string{"access_as_user"}, []string{"api://x/y"})
		identity.RequireAuthContext("c99")
	}); value != nil {
		t.Errorf("got=%v, want these accepted", value)
	}
}

// What a guard was made of can change afterwards without changing the guard.
func TestRequirementsAreCopied(t *testing.T) {
	t.Parallel()
	scopes, roles := []string{"a"}, []string{"r"}
	guard, either := identity.RequireScope(scopes...), identity.RequireScopeOrRole(scopes, roles)
	scopes[0], roles[0] = "b", "q"
	a := newAPI(t, nil, guard, either)
	a.get(a.token(mockidp.Scopes("a"))).accepted(t)
	a.get(a.token(mockidp.Scopes("b"))).refused(t, identity.ErrScope)
}

// I20
func TestGuardWithoutAuthentication(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) { cfg.Optional = true }, identity.RequireScope("access_as_user"))
	a.get(a.token()).accepted(t)
	got := a.do(request{}.build(""))
	got.refused(t, identity.ErrNotAuthenticated)
	if challenge := got.header.Get("WWW-Authenticate"); challenge != bare {
		t.Fatalf("got=%s, want=%s", challenge, bare)
	}
	a = newAPI(t, func(cfg *identity.Config) { cfg.Skipper = func(echo.Context) bool { return true } }, identity.RequireRole("r"))
	a.get(a.token(mockidp.Roles("r"))).refused(t, identity.ErrNotAuthenticated)
}

// I21: the verified principal decides, not what the request says by now.
func TestGuardReadsThePrincipal(t *testing.T) {
	t.Parallel()
	var replacement string
	tamper := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Request().Header.Set("Authorization", "Bearer "+replacement)
			c.Set("user", nil)
			return next(c)
		}
	}
	a := newAPI(t, nil, tamper, identity.RequireScope("a"))
	without, withA := a.token(mockidp.Scopes("b")), a.token(mockidp.Scopes("a"))
	replacement = withA
	a.get(without).refused(t, identity.ErrScope)
	replacement = without
	a.get(withA).accepted(t)
}

// I22: what a group requires and what a route requires both count.
func TestGroupAndRoute(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	group := a.e.Group("/orders", identity.RequireAnyScope("read", "write"))
	group.GET("/all", func(c echo.Context) error {
		answerOf(c).reached = true
		answerOf(c).principal, _ = identity.From(c)
		return c.NoContent(http.StatusOK)
	}, identity.RequireScope("write", "admin"))
	for _, row := range []struct {
		scopes []string
		asked  string // for; empty: accepted
	}{
		{[]string{"write", "admin"}, ""},
		{[]string{"read"}, "write admin"},
		{[]string{"admin"}, "read write"},
		{[]string{"other"}, "read write"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/orders/all", nil)
		r.Header.Set("Authorization", "Bearer "+a.token(mockidp.Scopes(row.scopes...)))
		got := a.do(r)
		if row.asked == "" {
			got.accepted(t)
			continue
		}
		if e := got.refused(t, identity.ErrScope); !slices.Equal(e.Scopes, strings.Fields(row.asked)) {
			t.Fatalf("%v: got=%v, want=%s", row.scopes, e.Scopes, row.asked)
		}
	}
}
