package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Rule decides whether a verified caller may pass. Nil lets it pass; an [*Error] is the answer as it stands; any other error
// is 403. It must be safe for concurrent use, and knows nothing of Echo, so that every adapter can use it.
type Rule func(ctx context.Context, p *Principal) error

// AllScopes requires every one of the delegated permissions, compared exactly. It panics if there is none, or one that is not
// the short name that scp holds.
func AllScopes(scopes ...string) Rule {
	scopes = checkedNames("scope", scopes, shortScope)
	return func(_ context.Context, p *Principal) error {
		for _, scope := range scopes {
			if !p.HasScope(scope) {
				return scopesMissing(ErrScope, scopes)
			}
		}
		return nil
	}
}

// AnyScope requires one of the delegated permissions.
func AnyScope(scopes ...string) Rule {
	scopes = checkedNames("scope", scopes, shortScope)
	return func(_ context.Context, p *Principal) error {
		if slices.ContainsFunc(scopes, p.HasScope) {
			return nil
		}
		return scopesMissing(ErrScope, scopes)
	}
}

// AnyRole requires one of the app roles, whether the caller is a user or an application.
func AnyRole(roles ...string) Rule {
	roles = checkedNames("role", roles, nil)
	return func(_ context.Context, p *Principal) error {
		if slices.ContainsFunc(roles, p.HasRole) {
			return nil
		}
		return newError(ErrRole, requirement(roles))
	}
}

// AllRoles requires every one of the app roles.
func AllRoles(roles ...string) Rule {
	roles = checkedNames("role", roles, nil)
	return func(_ context.Context, p *Principal) error {
		for _, role := range roles {
			if !p.HasRole(role) {
				return newError(ErrRole, requirement(roles))
			}
		}
		return nil
	}
}

// ScopeOrRole requires one of the scopes of a user's client, or one of the roles as an application permission. A role counts
// only in a token of an application in its own name: without scp, and with idtyp absent or app. A role that a user was assigned
// never stands for an application permission of the same name; where it should, write a Rule that says so.
func ScopeOrRole(scopes, roles []string) Rule {
	scopes, roles = checkedNames("scope", scopes, shortScope), checkedNames("role", roles, nil)
	return func(_ context.Context, p *Principal) error {
		if slices.ContainsFunc(scopes, p.HasScope) || p.applicationRoles() && slices.ContainsFunc(roles, p.HasRole) {
			return nil
		}
		return scopesMissing(ErrScopeOrRole, scopes)
	}
}

// applicationRoles reports whether the roles can be application permissions.
func (p *Principal) applicationRoles() bool {
	if p.token == nil { // made by a test, not by a token
		return len(p.Scopes) == 0
	}
	c := &p.token.claims
	return !c.hasScope && (c.idType == "" || c.idType == "app")
}

// AppOnly requires an application in its own name; see [Principal.AppOnly].
func AppOnly() Rule {
	return func(_ context.Context, p *Principal) error {
		if p.AppOnly() {
			return nil
		}
		return newError(ErrAppOnly, nil)
	}
}

// GroupResolver tells the groups of a caller whose token has no room for them, from Microsoft Graph say. It must be safe for
// concurrent use; an error is a 503.
type GroupResolver func(ctx context.Context, p *Principal) ([]string, error)

// InGroup requires membership in one of the groups, by object ID. resolve answers for callers with too many groups for a token
// ([Principal.GroupsOverage]); without one they get 403 with a reason of its own.
func InGroup(resolve GroupResolver, groups ...string) Rule {
	groups = checkedNames("group", groups, nil)
	return func(ctx context.Context, p *Principal) error {
		member := p.Groups
		if p.GroupsOverage() {
			if resolve == nil {
				return newError(ErrGroupOverage, errors.New("the token leaves the groups out, and InGroup has no resolver"))
			}
			var err error
			if member, err = resolve(ctx, p); err != nil {
				return newError(ErrGroupsUnavailable, err)
			}
		}
		if slices.ContainsFunc(groups, func(group string) bool { return slices.Contains(member, group) }) {
			return nil
		}
		return newError(ErrGroup, nil)
	}
}

// AuthContext requires a Conditional Access authentication context, c1 to c99 (acrs). A client that declares cp1 (xms_cc) is
// told by a claims challenge how to step up; others get 403.
func AuthContext(id string) Rule {
	if !validAuthContext(id) {
		panic("identity: AuthContext: " + id + " is none of c1 to c99")
	}
	claims, err := json.Marshal(map[string]any{"access_token": map[string]any{"acrs": map[string]any{"essential": true, "value": id}}})
	if err != nil {
		panic(err) // not reached: strings and a bool
	}
	return func(_ context.Context, p *Principal) error {
		if p.token != nil && p.token.claims.authContexts.contains(id) {
			return nil
		}
		e := p.StepUp(string(claims))
		e.cause = errors.New("acrs lacks " + id)
		return e
	}
}

// claimsCapable reports whether the client understands claims challenges.
func (p *Principal) claimsCapable() bool {
	return p.token != nil && slices.ContainsFunc(p.token.claims.capabilities.strings(), func(capability string) bool {
		return strings.EqualFold(capability, "cp1") // MSAL may send CP1
	})
}

func validAuthContext(id string) bool {
	digits, ok := strings.CutPrefix(id, "c")
	if !ok || len(digits) < 1 || len(digits) > 2 || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// checkedNames copies and checks what a rule asks for: a rule without any would let everybody pass.
func checkedNames(what string, names []string, check func(string) string) []string {
	if len(names) == 0 {
		panic("identity: a rule must require at least one " + what)
	}
	for _, name := range names {
		if name == "" || strings.Trim(name, " \t\r\n") != name {
			panic("identity: a rule requires the " + what + ` "` + name + `", which is empty or has blanks around it`)
		}
		if check != nil {
			if fault := check(name); fault != "" {
				panic("identity: a rule requires the scope " + name + ": " + fault)
			}
		}
	}
	return slices.Clone(names)
}

// shortScope finds a scope in the form that clients ask with, which no token ever holds.
func shortScope(scope string) string {
	if strings.Contains(scope, "://") {
		return "scp holds the short name, " + scope[strings.LastIndex(scope, "/")+1:]
	}
	if strings.ContainsAny(scope, " \t") {
		return "give several scopes as several arguments"
	}
	return ""
}

func scopesMissing(sentinel error, scopes []string) error {
	e := newError(sentinel, requirement(scopes))
	e.Scopes = slices.Clone(scopes)
	return e
}

// requirement is what a rule asked for; put into words only if somebody reads it.
type requirement []string

func (r requirement) Error() string { return "required: " + strings.Join(r, ", ") }

// Require makes rules a guard for routes and groups of Echo: all of them must pass, in order. It panics without a rule.
func Require(rules ...Rule) echo.MiddlewareFunc {
	rule := AllOf(rules...)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if e := rule.decide(c.Request().Context(), echoOrigin(c)); e != nil {
				return httpError(c, e, e)
			}
			return next(c)
		}
	}
}

// Handler makes the rule a guard for net/http.
func (rule Rule) Handler(next http.Handler) http.Handler {
	rule = AllOf(rule)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := rule.decide(r.Context(), origin{r, w.Header()}); e != nil {
			e.write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Check decides for an adapter whether the request of ctx may pass: nil, or the [*Error] to answer with, completed and logged. It
// refuses where no authentication has run, and where a request was admitted without a token.
func (rule Rule) Check(ctx context.Context) error {
	if e := rule.decide(ctx, originOf(ctx)); e != nil {
		return e
	}
	return nil
}

// AllOf is the rule that asks each of the rules, in order: the first refusal is the answer. It panics without a rule.
func AllOf(rules ...Rule) Rule {
	if len(rules) == 0 || slices.ContainsFunc(rules, func(r Rule) bool { return r == nil }) {
		panic("identity: a guard needs at least one rule, and no nil one")
	}
	if len(rules) == 1 {
		return rules[0]
	}
	rules = slices.Clone(rules)
	return func(ctx context.Context, p *Principal) error {
		for _, rule := range rules {
			if err := rule(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}
}

// unattended answers and logs for principals without a verifier: there are none in production but where authentication is missing.
var unattended = &Verifier{log: &refusalLog{now: time.Now, windows: make(map[Reason]*window)}}

// decide runs the rule on the principal of a request: nil, or the answer.
func (rule Rule) decide(ctx context.Context, from origin) *Error {
	p, ok := FromContext(ctx)
	if !ok {
		v, ok := ctx.Value(verifierKey{}).(*Verifier)
		if !ok {
			v = unattended
		}
		return v.refuse(ctx, from, newError(ErrNotAuthenticated, errors.New("a guard runs without authentication before it, or on an optional route without a token")), nil)
	}
	err := rule.judge(ctx, p)
	if err == nil {
		return nil
	}
	if _, ok := asError(err); !ok {
		err = newError(ErrRule, err)
	}
	v := p.verifier
	if v == nil {
		v = unattended
	}
	return v.refuse(ctx, from, err, p)
}

// judge calls the rule, which may be the application's.
func (rule Rule) judge(ctx context.Context, p *Principal) (err error) {
	defer recovered(&err)
	return probed(rule(ctx, p))
}

// RequireScope guards a route with [AllScopes].
func RequireScope(scopes ...string) echo.MiddlewareFunc { return Require(AllScopes(scopes...)) }

// RequireAnyScope guards a route with [AnyScope].
func RequireAnyScope(scopes ...string) echo.MiddlewareFunc { return Require(AnyScope(scopes...)) }

// RequireRole guards a route with [AnyRole].
func RequireRole(roles ...string) echo.MiddlewareFunc { return Require(AnyRole(roles...)) }

// RequireAllRoles guards a route with [AllRoles].
func RequireAllRoles(roles ...string) echo.MiddlewareFunc { return Require(AllRoles(roles...)) }

// RequireScopeOrRole guards a route with [ScopeOrRole].
func RequireScopeOrRole(scopes, roles []string) echo.MiddlewareFunc {
	return Require(ScopeOrRole(scopes, roles))
}

// RequireAppOnly guards a route with [AppOnly].
func RequireAppOnly() echo.MiddlewareFunc { return Require(AppOnly()) }

// RequireGroup guards a route with [InGroup].
func RequireGroup(resolve GroupResolver, groups ...string) echo.MiddlewareFunc {
	return Require(InGroup(resolve, groups...))
}

// RequireAuthContext guards a route with [AuthContext].
func RequireAuthContext(id string) echo.MiddlewareFunc { return Require(AuthContext(id)) }
