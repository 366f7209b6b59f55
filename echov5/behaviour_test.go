package echov5_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/echov5"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/labstack/echo/v5"
)

// What every adapter must do.
func TestEcho(t *testing.T) {
	t.Parallel()
	behaviour.Test(t, framework(echo.DefaultHTTPErrorHandler))
}

// framework describes the adapter behind an error handler.
func framework(handler func(expose bool) echo.HTTPErrorHandler) behaviour.Framework[echo.MiddlewareFunc] {
	return behaviour.Framework[echo.MiddlewareFunc]{
		Middleware: func(cfg identity.Config, hooks behaviour.Hooks) (echo.MiddlewareFunc, error) {
			own := echov5.Config{Config: cfg}
			if hooks.Skip != nil {
				own.Skipper = func(c *echo.Context) bool { return hooks.Skip(c.Request()) }
			}
			if hooks.Preflight {
				own.Skipper = echov5.SkipPreflight
			}
			if hooks.ErrorHandler != nil {
				own.ErrorHandler = func(c *echo.Context, err error) error { return hooks.ErrorHandler(callOf(c), err) }
			}
			return own.ToMiddleware()
		},
		Serve: func(app behaviour.App[echo.MiddlewareFunc]) http.Handler {
			e := echo.New()
			e.Use(app.Use...)
			group := e.Group("", app.Group...)
			for path, handler := range app.Routes {
				group.Any(path, func(c *echo.Context) error { return handler(callOf(c)) }, app.Guards...)
			}
			answer := handler(app.Expose)
			e.HTTPErrorHandler = func(c *echo.Context, err error) {
				if app.Failed != nil {
					app.Failed(c.Request(), err)
				}
				answer(c, err)
			}
			return e
		},
		Step: func(f func(behaviour.Call) error) echo.MiddlewareFunc {
			return func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c *echo.Context) error {
					if err := f(callOf(c)); err != nil {
						return err
					}
					return next(c)
				}
			}
		},
		Chain: func(all ...echo.MiddlewareFunc) echo.MiddlewareFunc {
			return func(next echo.HandlerFunc) echo.HandlerFunc {
				for _, m := range slices.Backward(all) {
					next = m(next)
				}
				return next
			}
		},
		Guards: behaviour.Guards[echo.MiddlewareFunc]{
			Require: echov5.Require, RequireScope: echov5.RequireScope, RequireAnyScope: echov5.RequireAnyScope,
			RequireRole: echov5.RequireRole, RequireAllRoles: echov5.RequireAllRoles, RequireScopeOrRole: echov5.RequireScopeOrRole,
			RequireAppOnly: echov5.RequireAppOnly, RequireGroup: echov5.RequireGroup, RequireAuthContext: echov5.RequireAuthContext,
		},
		OneOf: echov5.OneOf,
	}
}

func callOf(c *echo.Context) behaviour.Call {
	return behaviour.Call{
		W: c.Response(), R: c.Request(), Get: c.Get, Set: c.Set,
		From: func() (*identity.Principal, bool) { return echov5.From(c) },
	}
}
