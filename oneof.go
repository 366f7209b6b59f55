package identity

import (
	"maps"
	"sync"

	"github.com/labstack/echo/v4"
)

// OneOf authenticates by alternatives: a bearer token, else an API key, say. They are tried in order, and the first that calls
// its next handler wins; the others are not asked. If all refuse, the answer is the first one's. An alternative that
// writes a response itself ends the matter. Nil alternatives panic.
//
// The request, the response headers and the values (c.Set) that a refusing alternative leaves behind are undone: its caller does not
// reach the next alternative, nor the handler. For that, each alternative gets the [echo.Context] in a wrapper, so it must not
// assert a type of its own on it; the handler gets the context as it was.
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
			before := header.Clone() // also the values, which Add may append to in place
			var refusal error
			answer := before // the headers of the first refusal
			for i, alternative := range alternatives {
				passed := false
				own := &overlay{Context: c, values: make(map[string]any)}
				err := alternative(func(given echo.Context) error {
					passed = true
					own.apply()
					if given == echo.Context(own) {
						given = c
					}
					return next(given)
				})(own)
				if passed || c.Response().Committed {
					return err
				}
				if i == 0 {
					refusal, answer = err, header.Clone()
				}
				c.SetRequest(request)
				restore(header, before.Clone())
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

// overlay is the context that an alternative gets. It keeps the values to itself until the alternative lets the request pass: a
// context cannot list its values, so that nobody could take them back.
type overlay struct {
	echo.Context

	mu     sync.RWMutex
	values map[string]any // nil once the request has passed
}

// Get returns a value that the alternative has set, else the request's.
func (o *overlay) Get(key string) any {
	o.mu.RLock()
	value, ok := o.values[key]
	o.mu.RUnlock()
	if ok {
		return value
	}
	return o.Context.Get(key)
}

// Set sets a value for the alternative, and for the request once it has passed.
func (o *overlay) Set(key string, value any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.values == nil {
		o.Context.Set(key, value)
		return
	}
	o.values[key] = value
}

// apply hands the values over to the request.
func (o *overlay) apply() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, value := range o.values {
		o.Context.Set(key, value)
	}
	o.values = nil
}
