package oapi

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"

	"github.com/labstack/echo/v4"
	echomiddleware "github.com/oapi-codegen/echo-middleware"

	"github.com/echo-identity/identity"
)

// refusalKey is where a request of Echo keeps its first refusal, with which the validator answers if no alternative accepts.
const refusalKey = "identity/oapi: refusal"

// answer is a refusal as the validator passes it on. Its headers wait until the answer is written: a later alternative may accept, and
// the requirement {} does so without a word to us.
func (a *authenticator) answer(ctx context.Context, err error) error {
	c := echomiddleware.GetEchoContext(ctx)
	e, ok := errors.AsType[*identity.Error](err)
	if c == nil || !ok {
		return err
	}
	if c.Get(refusalKey) == nil {
		c.Set(refusalKey, e)
		c.Response().Before(func() {
			if refusal, ok := c.Get(refusalKey).(*identity.Error); ok && c.Response().Status == refusal.StatusCode() {
				maps.Copy(c.Response().Header(), refusal.Header())
			}
		})
	}
	return echo.NewHTTPError(e.StatusCode(), json.RawMessage(e.Body())).SetInternal(err)
}

// accepted stands in the place of a refusal that does not count any more.
type accepted struct{}

// accept puts the principal where handlers look for it.
func (a *authenticator) accept(ctx context.Context, r *http.Request, withPrincipal context.Context) {
	*r = *r.WithContext(withPrincipal)
	c := echomiddleware.GetEchoContext(ctx)
	if c == nil {
		return
	}
	if c.Request() != r { // with a prefix the validator looks at a copy
		c.SetRequest(c.Request().WithContext(withPrincipal))
	}
	if c.Get(refusalKey) != nil {
		c.Set(refusalKey, accepted{}) // not nil: the hook is there already
	}
}
