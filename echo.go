package identity

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// EchoJWTConfig is the complete configuration of echo-jwt that [Verifier.Middleware] runs on.
func (v *Verifier) EchoJWTConfig() echojwt.Config {
	return echojwt.Config{
		Skipper:    v.skip,
		ContextKey: v.contextKey,
		TokenLookupFuncs: []middleware.ValuesExtractor{func(c echo.Context) ([]string, error) {
			found := v.extract(c)
			if found.err != nil {
				return nil, v.refuse(c.Request().Context(), echoOrigin(c), found.err, nil)
			}
			return []string{found.raw}, nil
		}},
		ParseTokenFunc: v.parse,
		KeyFunc:        v.KeyFunc,
		ErrorHandler:   v.answer,
	}
}

// Middleware returns the middleware: echo-jwt with our extraction, verification and answers.
func (v *Verifier) Middleware() echo.MiddlewareFunc {
	authenticate, err := v.EchoJWTConfig().ToMiddleware()
	if err != nil {
		panic(err) // not reached: the configuration above is complete
	}
	if v.resource == nil {
		return authenticate
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		guarded := authenticate(next)
		document := echo.WrapHandler(v.resource)
		return func(c echo.Context) error {
			if v.resource.asked(c.Request()) {
				return document(c)
			}
			return guarded(c)
		}
	}
}

// skip lets requests pass that need no authentication. Optional mode stands here and not in the error handler, where a request
// could pass after a refusal.
func (v *Verifier) skip(c echo.Context) bool {
	if v.skipper != nil {
		skip, err := v.askSkipper(c)
		if err != nil {
			c.Set(extractionKey, extraction{err: err})
			return false
		}
		if skip {
			return true
		}
	}
	if !v.optional {
		return false
	}
	raw, err := v.lookup.token(c.Request())
	if errors.Is(err, ErrTokenMissing) {
		r := c.Request()
		c.SetRequest(r.WithContext(v.anonymous(r)))
		return true
	}
	c.Set(extractionKey, extraction{raw, err})
	return false
}

// askSkipper calls the application's Skipper.
func (v *Verifier) askSkipper(c echo.Context) (skip bool, err error) {
	defer recovered(&err)
	return v.skipper(c), nil
}

// extraction is what came of looking for a token.
type extraction struct {
	raw string
	err error
}

// extractionKey is where skip leaves what it has found to extract, which comes next. It must not be looked for twice: the form can
// be read only once, and what was wrong with it does not show again. A panic of the Skipper goes the same way, because skip can
// only say yes or no, while the extraction can refuse.
const extractionKey = "identity: extraction"

// extract takes what skip has found, or looks for the token.
func (v *Verifier) extract(c echo.Context) extraction {
	if v.optional || v.skipper != nil {
		if found, ok := c.Get(extractionKey).(extraction); ok {
			c.Set(extractionKey, nil) // not for another verifier
			return found
		}
	}
	raw, err := v.lookup.token(c.Request())
	return extraction{raw, err}
}

// SkipPreflight is a Skipper for CORS preflight requests, which browsers send without a token: OPTIONS with Origin and
// Access-Control-Request-Method. The CORS middleware must answer them.
func SkipPreflight(c echo.Context) bool {
	return preflight(c.Request())
}

func echoOrigin(c echo.Context) origin { return origin{c.Request(), c.Response().Header()} }

// parse verifies the token of a request and puts the principal where handlers look for it.
func (v *Verifier) parse(c echo.Context, raw string) (any, error) {
	r := c.Request()
	a, err := v.accept(r.Context(), raw, echoOrigin(c))
	if err != nil {
		return nil, err
	}
	a.context = principalContext{r.Context(), &a.principal, r}
	a.token = jwt.Token{Raw: raw, Method: jwt.SigningMethodRS256, Claims: &a.principal, Valid: true}
	c.SetRequest(r.WithContext(&a.context))
	return &a.token, nil
}

// answer turns a refusal into the error that Echo answers with.
func (v *Verifier) answer(c echo.Context, err error) error {
	ctx := c.Request().Context()
	refusal, ok := asError(err)
	if !ok || !refusal.refused { // not from the two functions of ours in EchoJWTConfig
		refusal = v.refuse(ctx, echoOrigin(c), err, nil)
	}
	if v.errorHandler == nil {
		return httpError(c, refusal, err)
	}
	chosen, hookErr := v.choose(c, err)
	switch {
	case hookErr != nil:
		return httpError(c, v.refuse(ctx, echoOrigin(c), hookErr, nil), hookErr)
	case chosen == nil && c.Response().Committed:
		return nil // the handler has answered; echo-jwt does not call the next one
	case chosen == nil:
		return httpError(c, refusal, err)
	}
	if _, ok := chosen.(*echo.HTTPError); ok {
		return chosen
	}
	if e, ok := asError(chosen); ok {
		return httpError(c, e, chosen)
	}
	return chosen
}

// choose calls the application's error handler.
func (v *Verifier) choose(c echo.Context, refusal error) (chosen, hookErr error) {
	defer recovered(&hookErr)
	return probed(v.errorHandler(c, refusal)), nil
}

// httpError wraps a refusal for Echo v4, whose error handler knows no other error that has a status.
func httpError(c echo.Context, e *Error, chain error) error {
	e.setHeader(c.Response().Header())
	return echo.NewHTTPError(e.StatusCode(), e.body()).SetInternal(chain)
}
