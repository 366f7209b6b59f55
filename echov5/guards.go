package echov5

import (
	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v5"
)

// Require makes rules a guard for routes and groups: all of them must pass, in order. It panics without a rule.
func Require(rules ...identity.Rule) echo.MiddlewareFunc {
	rule := identity.AllOf(rules...)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if err := rule.Check(c.Request().Context()); err != nil {
				return newAnswer(c, err)
			}
			return next(c)
		}
	}
}

// RequireScope guards a route with [identity.AllScopes].
func RequireScope(scopes ...string) echo.MiddlewareFunc {
	return Require(identity.AllScopes(scopes...))
}

// RequireAnyScope guards a route with [identity.AnyScope].
func RequireAnyScope(scopes ...string) echo.MiddlewareFunc {
	return Require(identity.AnyScope(scopes...))
}

// RequireRole guards a route with [identity.AnyRole].
func RequireRole(roles ...string) echo.MiddlewareFunc { return Require(identity.AnyRole(roles...)) }

// RequireAllRoles guards a route with [identity.AllRoles].
func RequireAllRoles(roles ...string) echo.MiddlewareFunc {
	return Require(identity.AllRoles(roles...))
}

// RequireScopeOrRole guards a route with [identity.ScopeOrRole].
func RequireScopeOrRole(scopes, roles []string) echo.MiddlewareFunc {
	return Require(identity.ScopeOrRole(scopes, roles))
}

// RequireAppOnly guards a route with [identity.AppOnly].
func RequireAppOnly() echo.MiddlewareFunc { return Require(identity.AppOnly()) }

// RequireGroup guards a route with [identity.InGroup].
func RequireGroup(resolve identity.GroupResolver, groups ...string) echo.MiddlewareFunc {
	return Require(identity.InGroup(resolve, groups...))
}

// RequireAuthContext guards a route with [identity.AuthContext].
func RequireAuthContext(id string) echo.MiddlewareFunc { return Require(identity.AuthContext(id)) }
