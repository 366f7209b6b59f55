package identity

import (
	"maps"

	"github.com/labstack/echo/v4"
)

// OneOf authenticates by alternatives: a bearer token, else an API key, say. They are tried in order, and the first that calls
// its next handler wins; the others are not asked. If all refuse, the answer is the first one's. An alternative that
// writes a response itself ends the matter. Nil alternatives panic.
func OneOf(first echo.MiddlewareFunc, others ...echo.MiddlewareFunc) echo.MiddlewareFunc {
	alternatives := append([]echo.MiddlewareFunc{first}, others...)
	for _, alternative := range alternatives {
		if alternative == nil {
			panic("identity: OneOf: an alternative is nil")
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			request, header := c.Request(), c.Response().Header()
			before := maps.Clone(header)
			var refusal error
			answer := before // the headers of the first refusal
			for i, alternative := range alternatives {
				passed := false
				err := alternative(func(c echo.Context) error {
					passed = true
					return next(c)
				})(c)
				if passed || c.Response().Committed {
					return err
				}
				if i == 0 {
					refusal, answer = err, maps.Clone(header)
				}
				// What a refusing alternative left behind must not reach the next one, nor the handler.
				c.SetRequest(request)
				restore(header, before)
			}
			restore(header, answer)
			if refusal == nil { // refused without saying so
				refusal = httpError(c, newError(ErrNotAuthenticated, nil), newError(ErrNotAuthenticated, nil))
			}
			return refusal
		}
	}
}

func restore[M ~map[K]V, K comparable, V any](m, saved M) {
	clear(m)
	maps.Copy(m, saved)
}
