package echov5

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v5"
)

// OneOf authenticates by alternatives: a bearer token, else an API key, say. They are tried in order, and the first that calls
// its next handler wins; the others are not asked. If all refuse, the answer is the first one's. An alternative that
// writes a response itself ends the matter. Nil alternatives panic.
//
// The request, the response headers and the principal that a refusing alternative leaves behind are undone, and so is the value under
// [identity.Config.ContextKey]: its caller does not reach the next alternative, nor the handler. Other values that it has set (c.Set)
// stay, because a context of Echo v5 can be neither wrapped nor asked for its values.
func OneOf(first echo.MiddlewareFunc, others ...echo.MiddlewareFunc) echo.MiddlewareFunc {
	alternatives := append([]echo.MiddlewareFunc{first}, others...)
	for _, alternative := range alternatives {
		if alternative == nil {
			panic("identity: OneOf: an alternative is nil")
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			request, response := c.Request(), c.Response()
			header := response.Header()
			before := header.Clone()
			var refusal error
			answer := before // the headers of the first refusal
			for i, alternative := range alternatives {
				passed := false
				done := &undo{outer: undoOf(request.Context())}
				c.SetRequest(request.WithContext(context.WithValue(request.Context(), undoKey{}, done)))
				err := alternative(func(c *echo.Context) error {
					passed = true
					return next(c)
				})(c)
				if passed || committed(c) {
					return err
				}
				if i == 0 {
					refusal, answer = err, header.Clone()
				}
				done.run(c)
				c.SetRequest(request)
				c.SetResponse(response)
				restore(header, before.Clone())
			}
			restore(header, answer)
			if refusal == nil { // refused without saying so
				refusal = newAnswer(c, identity.ErrNotAuthenticated)
			}
			return refusal
		}
	}
}

func restore(header, saved http.Header) {
	clear(header)
	maps.Copy(header, saved)
}

// undo holds what values of the context were before an alternative set them.
type undo struct {
	values []value
	outer  *undo // of the OneOf around this one
}

type value struct {
	key    string
	before any
}

type undoKey struct{}

// undoOf is the undo of the alternative that runs, nil outside of one.
func undoOf(ctx context.Context) *undo {
	u, _ := ctx.Value(undoKey{}).(*undo)
	return u
}

// remember is to be called before a value is set.
func (u *undo) remember(c *echo.Context, key string) {
	for ; u != nil; u = u.outer {
		u.values = append(u.values, value{key, c.Get(key)})
	}
}

func (u *undo) run(c *echo.Context) {
	for _, v := range slices.Backward(u.values) {
		c.Set(v.key, v.before)
	}
}
