package identity_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/labstack/echo/v4"
)

// What every adapter must do, done by the one for Echo v4. The table, in internal/behaviour, names each row where it stands; those that no other
// test names are A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A17, I1 I2 I3 I4 I5 I7 I9 I11 I12 I13 I14 I15 I16 I17 I18 I21 I22, J8 J10 J11, K8
// K12 and L7.
func TestEcho(t *testing.T) {
	t.Parallel()
	behaviour.Test(t, behaviour.Framework[echo.MiddlewareFunc]{
		Middleware: func(cfg identity.Config, hooks behaviour.Hooks) (echo.MiddlewareFunc, error) {
			if hooks.Skip != nil {
				cfg.Skipper = func(c echo.Context) bool { return hooks.Skip(c.Request()) }
			}
			if hooks.Preflight {
				cfg.Skipper = identity.SkipPreflight
			}
			if hooks.ErrorHandler != nil {
				cfg.ErrorHandler = func(c echo.Context, err error) error { return hooks.ErrorHandler(echoCall(c), err) }
			}
			return cfg.ToMiddleware()
		},
		Serve: serveEcho,
		Step: func(f func(behaviour.Call) error) echo.MiddlewareFunc {
			return func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					if err := f(echoCall(c)); err != nil {
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
			Require: identity.Require, RequireScope: identity.RequireScope, RequireAnyScope: identity.RequireAnyScope,
			RequireRole: identity.RequireRole, RequireAllRoles: identity.RequireAllRoles, RequireScopeOrRole: identity.RequireScopeOrRole,
			RequireAppOnly: identity.RequireAppOnly, RequireGroup: identity.RequireGroup, RequireAuthContext: identity.RequireAuthContext,
		},
		OneOf: identity.OneOf,
	})
}

func echoCall(c echo.Context) behaviour.Call {
	return behaviour.Call{
		W: c.Response(), R: c.Request(), Get: c.Get, Set: c.Set,
		From: func() (*identity.Principal, bool) { return identity.From(c) },
	}
}

func serveEcho(app behaviour.App[echo.MiddlewareFunc]) http.Handler {
	e := echo.New()
	e.Debug = app.Expose
	e.Use(app.Use...)
	group := e.Group("", app.Group...)
	for path, handler := range app.Routes {
		group.Any(path, func(c echo.Context) error { return handler(echoCall(c)) }, app.Guards...)
	}
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if app.Failed != nil {
			app.Failed(c.Request(), err)
		}
		e.DefaultHTTPErrorHandler(err, c)
	}
	return e
}

// plainMiddleware is a middleware of net/http.
type plainMiddleware = func(http.Handler) http.Handler

// What every adapter must do, done by the one for net/http.
func TestHandler(t *testing.T) {
	t.Parallel()
	rule := func(rule identity.Rule) plainMiddleware { return rule.Handler }
	behaviour.Test(t, behaviour.Framework[plainMiddleware]{
		NoHooks: true,
		Middleware: func(cfg identity.Config, _ behaviour.Hooks) (plainMiddleware, error) {
			v, err := identity.New(cfg)
			if err != nil {
				return nil, err
			}
			return v.Handler, nil
		},
		Serve: servePlain,
		Step: func(f func(behaviour.Call) error) plainMiddleware {
			return func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := f(plainCall(w, r)); err != nil {
						http.Error(w, "refused", http.StatusForbidden)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
		},
		Chain: func(all ...plainMiddleware) plainMiddleware {
			return func(next http.Handler) http.Handler { return wrap(next, all) }
		},
		Guards: behaviour.Guards[plainMiddleware]{
			Require:         func(rules ...identity.Rule) plainMiddleware { return rule(identity.AllOf(rules...)) },
			RequireScope:    func(scopes ...string) plainMiddleware { return rule(identity.AllScopes(scopes...)) },
			RequireAnyScope: func(scopes ...string) plainMiddleware { return rule(identity.AnyScope(scopes...)) },
			RequireRole:     func(roles ...string) plainMiddleware { return rule(identity.AnyRole(roles...)) },
			RequireAllRoles: func(roles ...string) plainMiddleware { return rule(identity.AllRoles(roles...)) },
			RequireScopeOrRole: func(scopes, roles []string) plainMiddleware {
				return rule(identity.ScopeOrRole(scopes, roles))
			},
			RequireAppOnly: func() plainMiddleware { return rule(identity.AppOnly()) },
			RequireGroup: func(resolve identity.GroupResolver, groups ...string) plainMiddleware {
				return rule(identity.InGroup(resolve, groups...))
			},
			RequireAuthContext: func(id string) plainMiddleware { return rule(identity.AuthContext(id)) },
		},
	})
}

func plainCall(w http.ResponseWriter, r *http.Request) behaviour.Call {
	return behaviour.Call{W: w, R: r, From: func() (*identity.Principal, bool) { return identity.FromContext(r.Context()) }}
}

func servePlain(app behaviour.App[plainMiddleware]) http.Handler {
	mux := http.NewServeMux()
	for path, handler := range app.Routes {
		if path == "/" {
			path = "/{$}"
		}
		mux.Handle(path, wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := handler(plainCall(w, r)); err != nil {
				http.Error(w, "handler failed", http.StatusInternalServerError)
			}
		}), slices.Concat(app.Group, app.Guards)))
	}
	return wrap(mux, app.Use)
}

func wrap(h http.Handler, all []plainMiddleware) http.Handler {
	for _, m := range slices.Backward(all) {
		h = m(h)
	}
	return h
}
