// Package echov5 is identity for Echo v5: the same middleware, guards and accessors as the root package has for Echo v4.
//
//	e.Use(echov5.Middleware(echov5.Config{Config: identity.Config{
//		ClientID: "cccccccc-3333-4333-8333-cccccccccccc", // this API's application ID
//		Tenants: identity.NewRegistry(
//			identity.Tenant{ID: "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa", Name: "contoso"},
//		),
//	}}))
//	e.GET("/orders", listOrders, echov5.RequireScope("Orders.Read"))
//
// Tenants, rules, principals and errors are those of the root package, and so is every check and every answer.
package echov5

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"

	"github.com/echo-identity/identity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// Config is the configuration of a [Verifier] and its middleware.
type Config struct {
	// Config is all that does not depend on the framework. Its own Skipper and ErrorHandler are Echo v4's and must be nil.
	identity.Config

	// Skipper lets a request pass without authentication. Decide by c.Path(), the route, not by the text of the URL, or put
	// what needs no authentication into another group. Optional. Default: none is skipped.
	Skipper middleware.Skipper
	// ErrorHandler chooses the error that the middleware returns for a refusal; [errors.As] finds the [*identity.Error] in err.
	// Returning nil without having written a response means the refusal itself: a request never passes. Optional.
	ErrorHandler func(c *echo.Context, err error) error
}

var _ echo.MiddlewareConfigurator = Config{}

// Middleware returns the middleware of a configuration. It panics if the configuration is bad, so call it at start-up.
func Middleware(cfg Config) echo.MiddlewareFunc {
	mw, err := cfg.ToMiddleware()
	if err != nil {
		panic(err)
	}
	return mw
}

// ToMiddleware returns the middleware of the configuration, or every fault of it.
func (cfg Config) ToMiddleware() (echo.MiddlewareFunc, error) {
	v, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return v.Middleware(), nil
}

// Verifier is an [identity.Verifier] whose Middleware is Echo v5's.
type Verifier struct {
	*identity.Verifier

	skipper      middleware.Skipper
	errorHandler func(c *echo.Context, err error) error
	contextKey   string
}

// New makes a verifier, or returns every fault of the configuration in one error. It does no network I/O.
func New(cfg Config) (*Verifier, error) {
	var faults []error
	if cfg.Config.Skipper != nil {
		faults = append(faults, errors.New("identity: Config.Skipper: is Echo v4's; set the one of echov5.Config"))
	}
	if cfg.Config.ErrorHandler != nil {
		faults = append(faults, errors.New("identity: Config.ErrorHandler: is Echo v4's; set the one of echov5.Config"))
	}
	own, err := identity.New(cfg.Config)
	if err = errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	v := &Verifier{Verifier: own, skipper: cfg.Skipper, errorHandler: cfg.ErrorHandler, contextKey: cfg.ContextKey}
	if v.contextKey == "" {
		v.contextKey = "user"
	}
	return v, nil
}

// Middleware returns the middleware. A refusal is the error that it returns: Echo's error handlers answer with its status and its
// body, and show nothing of its cause, also when they are told to expose errors.
func (v *Verifier) Middleware() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			r := c.Request()
			if v.ServeResourceMetadata(c.Response(), r) {
				return nil
			}
			skip, err := v.skip(c)
			switch {
			case err != nil:
				return v.answer(c, v.Refuse(r.Context(), err))
			case skip:
				return next(c)
			}
			ctx, err := v.Admit(r)
			if err != nil {
				return v.answer(c, err)
			}
			before, _ := identity.FromContext(r.Context())
			c.SetRequest(r.WithContext(ctx))
			if p, ok := identity.FromContext(ctx); ok && p != before {
				undoOf(ctx).remember(c, v.contextKey)
				c.Set(v.contextKey, &jwt.Token{Raw: p.RawToken(), Method: jwt.SigningMethodRS256, Claims: p, Valid: true})
			}
			return next(c)
		}
	}
}

// skip calls the application's Skipper.
func (v *Verifier) skip(c *echo.Context) (skip bool, err error) {
	if v.skipper == nil {
		return false, nil
	}
	defer recovered(&err)
	return v.skipper(c), nil
}

// SkipPreflight is a Skipper for CORS preflight requests, which browsers send without a token: OPTIONS with Origin and
// Access-Control-Request-Method. The CORS middleware must answer them.
func SkipPreflight(c *echo.Context) bool {
	r := c.Request()
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// answer turns a refusal into the error that Echo answers with.
func (v *Verifier) answer(c *echo.Context, refusal error) error {
	if v.errorHandler == nil {
		return newAnswer(c, refusal)
	}
	chosen, err := v.choose(c, refusal)
	switch {
	case err != nil:
		return newAnswer(c, v.Refuse(c.Request().Context(), err))
	case chosen == nil && committed(c):
		return nil // the handler has answered, and nobody calls the next one
	case chosen == nil:
		return newAnswer(c, refusal)
	}
	return newAnswer(c, chosen)
}

var errProbe = errors.New("no error has this in it")

// choose calls the application's error handler. It walks through the error that comes back: a nil pointer in an interface, whose
// methods panic, so does it here, where recovered stands.
func (v *Verifier) choose(c *echo.Context, refusal error) (chosen, err error) {
	defer recovered(&err)
	chosen = v.errorHandler(c, refusal)
	_ = errors.Is(chosen, errProbe)
	return chosen, nil
}

// recovered turns a panic of a hook into the error of the function that defers it: an internal fault, whose stack is logged.
func recovered(err *error) {
	if value := recover(); value != nil {
		*err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
	}
}

func committed(c *echo.Context) bool {
	response, _ := echo.UnwrapResponse(c.Response())
	return response != nil && response.Committed
}

// answer is a refusal on its way to the client. It brings its own status and body, for [echo.DefaultHTTPErrorHandler] and for
// [echo.ProblemDetailsHTTPErrorHandler].
type answer struct {
	error
	refusal *identity.Error
}

// newAnswer makes err an answer, and sets its headers. An error that is none of ours stays as it is, and so does Echo's own.
func newAnswer(c *echo.Context, err error) error {
	if _, ok := err.(*echo.HTTPError); ok {
		return err
	}
	e, ok := identity.AsError(err)
	if !ok {
		return err
	}
	maps.Copy(c.Response().Header(), e.Header())
	return &answer{err, e}
}

// Unwrap returns the error that was chosen, and the refusal that is answered with.
func (a *answer) Unwrap() []error { return []error{a.error, a.refusal} }

// StatusCode is the status. It implements [echo.HTTPStatusCoder].
func (a *answer) StatusCode() int { return a.refusal.StatusCode() }

// MarshalJSON is the body.
func (a *answer) MarshalJSON() ([]byte, error) { return a.refusal.Body(), nil }

// ProblemError is the body in the form of RFC 9457. It implements [echo.ProblemErrorer].
func (a *answer) ProblemError() *echo.ProblemError {
	return &echo.ProblemError{Status: a.refusal.StatusCode(), Detail: a.refusal.Description}
}

// From returns the principal of a request: [identity.FromContext] of its context.
func From(c *echo.Context) (p *identity.Principal, ok bool) {
	return identity.FromContext(c.Request().Context())
}
