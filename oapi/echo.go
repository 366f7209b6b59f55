package oapi

import (
	"context"
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
	return echo.NewHTTPError(e.StatusCode(), body(e.Body())).SetInternal(silent{err, e.Description})
}

// body is the body of an answer, in JSON.
type body string

// MarshalJSON is the body.
func (b body) MarshalJSON() ([]byte, error) { return []byte(b), nil }

// silent is a refusal whose text is fit for clients: a validator that answers with all faults at once (MultiError) shows it to them.
type silent struct {
	error
	text string
}

// Error is the sentence for clients.
func (s silent) Error() string { return s.text }

// Unwrap is the refusal.
func (s silent) Unwrap() error { return s.error }

// accepted stands in the place of a refusal that does not count any more, or not for now.
type accepted struct{ refusal *identity.Error }

// beforeKey is where a request that an authenticator has accepted keeps the context that it had before.
type beforeKey struct{ *authenticator }

// accept puts the principal where handlers look for it.
func (a *authenticator) accept(ctx context.Context, r *http.Request, withPrincipal context.Context) {
	setContext(ctx, r, context.WithValue(withPrincipal, beforeKey{a}, r.Context()))
	if c := echomiddleware.GetEchoContext(ctx); c != nil {
		if refusal, ok := c.Get(refusalKey).(*identity.Error); ok {
			c.Set(refusalKey, accepted{refusal}) // not nil: the hook is there already
		}
	}
}

// revoke takes the principal away again: another scheme of the same alternative refuses, and who satisfies half of one is not to be the
// caller of the next.
func (a *authenticator) revoke(ctx context.Context, r *http.Request) {
	own := r.Context()
	for before, ok := own, true; ok; before, ok = own.Value(beforeKey{a}).(context.Context) {
		own = before
	}
	if own == r.Context() {
		return
	}
	setContext(ctx, r, own)
	if c := echomiddleware.GetEchoContext(ctx); c != nil {
		if a, ok := c.Get(refusalKey).(accepted); ok {
			c.Set(refusalKey, a.refusal)
		}
	}
}

// setContext changes the context of a request in place.
func setContext(ctx context.Context, r *http.Request, own context.Context) {
	*r = *r.WithContext(own)
	if c := echomiddleware.GetEchoContext(ctx); c != nil && c.Request() != r { // with a prefix the validator looks at a copy
		c.SetRequest(c.Request().WithContext(own))
	}
}
