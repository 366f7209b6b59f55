package identity

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Verifier verifies access tokens. It is immutable and safe for concurrent use. It has no Close, and no goroutine but a key
// fetch, shared by the requests that need it and bounded by [KeyOptions.Timeout], and a look-up of [TenantCache].
type Verifier struct {
	tenants   TenantSource
	clientID  string
	audiences []string
	leeway    time.Duration
	keys      *keyResolver
	headers   headerCache
	cache     *tokenCache // nil: off
	resource  *resource   // nil if not configured
	trace     Trace
	log       *refusalLog
	now       func() time.Time

	lookup       tokenLookup
	skipper      middleware.Skipper
	optional     bool
	contextKey   string
	errorHandler func(c echo.Context, err error) error
}

// Verify verifies a token and returns its principal. The error is an [*Error]. It asks the network only for keys, only of hosts
// that the trusted tenant is configured with, and honours the end of ctx while it waits.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Principal, error) {
	return v.verify(ctx, raw, origin{})
}

func (v *Verifier) verify(ctx context.Context, raw string, from origin) (*Principal, error) {
	a, err := v.accept(ctx, raw, from)
	if err != nil {
		return nil, err
	}
	return &a.principal, nil
}

// accepted is all the memory that an accepted request needs for its principal, in one piece.
type accepted struct {
	principal Principal
	context   principalContext
	token     jwt.Token
	few       [4]string // the principal's lists, as long as they are short
}

// accept verifies a token and makes its principal.
func (v *Verifier) accept(ctx context.Context, raw string, from origin) (*accepted, error) {
	c := newCheck(v, raw, from)
	if err := c.verify(ctx, true); err != nil {
		c.free()
		return nil, err
	}
	a := new(accepted)
	c.principal(&a.principal, a.few[:0])
	c.free()
	return a, nil
}

// Authenticate finds the token of a request and verifies it. The error is an [*Error]; without a token it is [ErrTokenMissing],
// in optional mode too.
func (v *Verifier) Authenticate(r *http.Request) (*Principal, error) {
	raw, err := v.lookup.token(r)
	if err != nil {
		return nil, v.refuse(r.Context(), origin{request: r}, err, nil)
	}
	return v.verify(r.Context(), raw, origin{request: r})
}

// Admit authenticates a request for an adapter, and returns the context to go on with: it holds the principal, for [FromContext]
// and for guards. In optional mode a request without a token is admitted without one. The error is an [*Error].
func (v *Verifier) Admit(r *http.Request) (context.Context, error) {
	return v.admit(origin{request: r})
}

func (v *Verifier) admit(from origin) (context.Context, error) {
	r := from.request
	raw, err := v.lookup.token(r)
	if err != nil {
		if v.optional && errors.Is(err, ErrTokenMissing) {
			return v.anonymous(r), nil
		}
		return nil, v.refuse(r.Context(), from, err, nil)
	}
	p, err := v.verify(r.Context(), raw, from)
	if err != nil {
		return nil, err
	}
	return &principalContext{r.Context(), p, r}, nil
}

// Refuse completes an error that an adapter met, as Verify completes its own: the *Error that results has the address of
// [Config.Resource] in its challenge, and has been logged. An error that is none of this package is an internal fault, 500.
func (v *Verifier) Refuse(ctx context.Context, err error) *Error {
	return v.refuse(ctx, originOf(ctx), err, nil)
}

// KeyFunc is a [jwt.Keyfunc] for those who keep an echojwt.Config of their own. It runs every check of [Verifier.Verify] but
// the signature on token.Raw, and then hands out the key, so that golang-jwt verifies the very bytes that were judged. No
// principal results, so guards refuse, and the rules about where a token may stand in the request are echo-jwt's. There is no
// context to honour.
//
// The answers are echo-jwt's too: every refusal is a 401 there, an outage as well. The 503 that keeps clients from throwing good
// tokens away needs [Verifier.EchoJWTConfig]. [Trace.Verified] cannot know what became of the signature; see
// [VerifyInfo.Unsigned].
func (v *Verifier) KeyFunc(token *jwt.Token) (any, error) {
	ctx := context.Background()
	c := newCheck(v, token.Raw, origin{})
	err := c.verify(ctx, false)
	key := c.key
	c.free()
	if err != nil {
		return nil, err
	}
	return key.public, nil
}

// refuse completes a refusal with what this API's challenges say, and logs it. It changes a copy: a rule or a tenant source may
// return one *Error to several requests, and one of another verifier too.
func (v *Verifier) refuse(ctx context.Context, from origin, err error, about subject) *Error {
	own := v.completed(err)
	v.log.write(ctx, own, about, from)
	v.traceRefusal(ctx, own, about, from)
	return own
}

// completed is a refusal as this API answers it, without a word to anybody.
func (v *Verifier) completed(err error) *Error {
	e, ok := asError(err)
	if !ok {
		e = newError(ErrInternal, err)
	}
	own := *e
	own.original = e
	if own.rule == nil && err != error(e) {
		own.cause = err
	}
	own.metadata = ""
	if v.resource != nil {
		own.metadata = v.resource.metadata
		if own.Reason == reasonOf(ErrTokenMissing) || own.Reason == reasonOf(ErrNotAuthenticated) { // where a client has to start
			own.Scopes = slices.Clone(v.resource.Scopes)
		} else {
			own.Scopes = v.resource.requestable(own.Scopes)
		}
	}
	own.refused = true
	return &own
}
