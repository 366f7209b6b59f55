// Package identity is Echo middleware that accepts access tokens of many Microsoft tenants at once: Entra ID tenants in
// several clouds, Azure AD B2C policies and Entra External ID directories. Everything else is refused with an answer that a
// client can act on.
//
//	e.Use(identity.Middleware(identity.Config{
//		ClientID: "cccccccc-3333-4333-8333-cccccccccccc", // this API's application ID
//		Tenants: identity.NewRegistry(
//			identity.Tenant{ID: "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa", Name: "contoso"},
//			identity.Tenant{ID: "bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb", Name: "fabrikam", DenyGuests: true},
//		),
//	}))
//	e.GET("/orders", listOrders, identity.RequireScope("Orders.Read"))
//
// A [TenantSource] says who is trusted; a [Registry] is the ready one. A token goes through one ordered list of checks
// (verify.go) and becomes a [Principal], which handlers get with [From] and which guards such as [RequireScope] read. A
// refusal is an [*Error]: its Reason is for programs, its text for the log, its Description for the client.
//
// The package mockidp stands in for Microsoft in tests: the configuration stays that of production, only
// [KeyOptions.HTTPClient] is the mock's.
package identity

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Config is the configuration of a [Verifier] and its middleware. Slices and the HTTP client are copied: changing them later
// has no effect.
type Config struct {
	// Tenants says whose tokens are trusted. The issuer of a token is hostile until this says otherwise. Required.
	Tenants TenantSource
	// ClientID is this API's application ID, a GUID. Tokens for it and for api://{ClientID} are accepted.
	ClientID string
	// Audiences lists further audiences, compared exactly. Required if ClientID is empty and a tenant has none of its own.
	Audiences []string

	// Skipper lets a request pass without authentication. Decide by c.Path(), the route, not by the text of the URL, or put
	// what needs no authentication into another group. Optional. Default: none is skipped.
	Skipper middleware.Skipper
	// Optional lets requests without a token pass, without a principal. A bad token is still refused.
	Optional bool
	// TokenLookup lists where to look for the token, separated by commas: header (Authorization: Bearer), query and form
	// (access_token), cookie:{name}, websocket:{prefix} (an entry of Sec-WebSocket-Protocol that begins with prefix). A token in
	// two of header, query and form is refused; otherwise the first that holds a value decides. Optional. Default "header".
	TokenLookup string
	// ContextKey is where c.Get finds a *jwt.Token whose Claims are the *Principal. Optional. Default "user".
	ContextKey string
	// ErrorHandler chooses the error that the middleware returns for a refusal; [errors.As] finds the [*Error] in err.
	// Returning nil without having written a response means the refusal itself: a request never passes. Optional.
	ErrorHandler func(c echo.Context, err error) error

	// Leeway is how far clocks may differ. Zero means 1 minute, negative none. At most 5 minutes.
	Leeway time.Duration
	// Keys says how signing keys are fetched and kept.
	Keys KeyOptions
	// TokenCache bounds the cache of verified tokens. Optional. Default: on.
	TokenCache TokenCacheOptions
	// Resource describes this API for clients that discover where to sign in (RFC 9728). Optional.
	Resource Resource
	// Observe says where to report what happens.
	Observe Observe
}

// Verifier verifies access tokens. It is immutable and safe for concurrent use. It has no Close: no goroutine outlives its
// caller, but for a key fetch by at most [KeyOptions.Timeout].
type Verifier struct {
	tenants   TenantSource
	clientID  string
	audiences []string
	leeway    time.Duration
	keys      *keyResolver
	cache     *tokenCache // nil: off
	resource  *resource   // nil if not configured
	trace     Trace
	log       *refusalLog
	now       func() time.Time

	lookup       lookup
	skipper      middleware.Skipper
	optional     bool
	contextKey   string
	errorHandler func(c echo.Context, err error) error
}

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

const maxLeeway = 5 * time.Minute

// New makes a verifier, or returns every fault of the configuration in one error. It does no network I/O.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{
		tenants: cfg.Tenants, clientID: strings.ToLower(cfg.ClientID), leeway: cfg.Leeway, trace: cfg.Observe.Trace, now: time.Now,
		skipper: cfg.Skipper, optional: cfg.Optional, contextKey: cfg.ContextKey, errorHandler: cfg.ErrorHandler,
	}
	var faults []error
	fault := func(field string, err error) {
		faults = append(faults, split(prefixed("identity: Config."+field, err))...)
	}
	if v.clientID != "" && !validGUID(v.clientID) {
		fault("ClientID", fmt.Errorf("%q is not an application ID (a GUID)", cfg.ClientID))
	}
	audiences, err := sealedAudiences("Audiences", cfg.Audiences)
	for _, e := range split(err) {
		faults = append(faults, fmt.Errorf("identity: Config.%w", e))
	}
	v.audiences = audiences
	if v.clientID != "" {
		v.audiences = append([]string{v.clientID, "api://" + v.clientID}, audiences...)
	}
	switch {
	case v.leeway == 0:
		v.leeway = time.Minute
	case v.leeway < 0:
		v.leeway = 0
	case v.leeway > maxLeeway:
		fault("Leeway", fmt.Errorf("%v is more than %v", cfg.Leeway, maxLeeway))
	}
	if v.lookup, err = parseLookup(cfg.TokenLookup); err != nil {
		fault("TokenLookup", err)
	}
	if v.resource, err = newResource(cfg.Resource); err != nil {
		fault("Resource", err)
	}
	if v.contextKey == "" {
		v.contextKey = "user"
	}
	keys, keyFaults := cfg.Keys.withDefaults()
	faults = append(faults, keyFaults...)
	faults = append(faults, v.tenantFaults()...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	logger := cfg.Observe.Logger
	if logger == nil {
		logger = slog.Default()
	}
	v.log = &refusalLog{logger: logger, now: time.Now, windows: make(map[Reason]*window)}
	v.cache = newTokenCache(cfg.TokenCache)
	v.keys = newKeyResolver(keys, logger, cfg.Observe.Trace.KeysFetched)
	return v, nil
}

// lister is a source whose tenants can be told at start-up.
type lister interface{ All() iter.Seq[Tenant] }

// tenantFaults finds what is wrong with the source, and with tenants under this configuration.
func (v *Verifier) tenantFaults() (faults []error) {
	if v.tenants == nil {
		return []error{errors.New("identity: Config.Tenants: is required")}
	}
	if source, ok := v.tenants.(faulty); ok {
		if err := source.fault(); err != nil {
			return split(prefixed("identity: Config.Tenants", err))
		}
	}
	var source any = v.tenants
	if cache, ok := source.(*TenantCache); ok {
		source = cache.source
	}
	if _, ok := source.(anyTenant); ok { // none of its tenants has rules of its own
		if err := v.usable(new(Tenant)); err != nil {
			faults = append(faults, fmt.Errorf("identity: Config.Tenants: AnyTenant: %w", err))
		}
	}
	list, ok := source.(lister)
	if !ok {
		return faults
	}
	for t := range list.All() {
		if err := v.usable(&t); err != nil {
			faults = append(faults, fmt.Errorf("identity: Config.Tenants: %s%s: %w", t.ID, named(t.Name), err))
		}
	}
	return faults
}

// usable finds what a tenant lacks under this configuration.
func (v *Verifier) usable(t *Tenant) error {
	if len(v.audiencesOf(t)) == 0 {
		return errors.New("no audience: set Config.ClientID, Config.Audiences or Tenant.Audiences")
	}
	if t.AppKeys && v.clientID == "" {
		return errors.New("AppKeys needs Config.ClientID")
	}
	return nil
}

func (v *Verifier) audiencesOf(t *Tenant) []string {
	if len(t.Audiences) > 0 {
		return t.Audiences
	}
	return v.audiences
}

// Verify verifies a token and returns its principal. The error is an [*Error]. It asks the network only for keys, only of hosts
// that the trusted tenant is configured with, and honours the end of ctx while it waits.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Principal, error) {
	p := new(verification)
	if err := p.verify(ctx, v, raw); err != nil {
		return nil, err
	}
	return &p.principal, nil
}

// verification is everything that one request needs of memory for its principal, in one piece.
type verification struct {
	check     check
	principal Principal
	context   principalContext
	token     jwt.Token
}

func (p *verification) verify(ctx context.Context, v *Verifier, raw string) error {
	p.check = check{Verifier: v, raw: raw}
	if err := p.check.verify(ctx, true); err != nil {
		return err
	}
	p.check.principal(&p.principal)
	return nil
}

// Authenticate finds the token of a request and verifies it. The error is an [*Error]; without a token it is [ErrTokenMissing],
// in optional mode too.
func (v *Verifier) Authenticate(r *http.Request) (*Principal, error) {
	raw, err := v.lookup.token(r)
	if err != nil {
		return nil, v.refuse(r.Context(), err, nil)
	}
	return v.Verify(r.Context(), raw)
}

// KeyFunc is a [jwt.Keyfunc] for those who keep an echojwt.Config of their own. It runs every check of [Verifier.Verify] but
// the signature on token.Raw, and then hands out the key, so that golang-jwt verifies the very bytes that were judged. No
// principal results, so guards refuse, and the rules about where a token may stand in the request are echo-jwt's. There is no
// context to honour.
func (v *Verifier) KeyFunc(token *jwt.Token) (any, error) {
	ctx := context.Background()
	c := &check{Verifier: v, raw: token.Raw}
	if err := c.verify(ctx, false); err != nil {
		return nil, err
	}
	return c.key.public, nil
}

// EchoJWTConfig is the complete configuration of echo-jwt that [Verifier.Middleware] runs on.
func (v *Verifier) EchoJWTConfig() echojwt.Config {
	return echojwt.Config{
		Skipper:    v.skip,
		ContextKey: v.contextKey,
		TokenLookupFuncs: []middleware.ValuesExtractor{func(c echo.Context) ([]string, error) {
			if err := v.skipperFault(c); err != nil {
				return nil, err
			}
			raw, err := v.lookup.token(c.Request())
			if err != nil {
				return nil, err
			}
			return []string{raw}, nil
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
			c.Set(skipperFaultKey, err)
			return false
		}
		if skip {
			return true
		}
	}
	if !v.optional {
		return false
	}
	_, err := v.lookup.token(c.Request())
	return errors.Is(err, ErrTokenMissing)
}

// askSkipper calls the application's Skipper.
func (v *Verifier) askSkipper(c echo.Context) (skip bool, err error) {
	defer recovered(&err)
	return v.skipper(c), nil
}

// skipperFaultKey is where skip leaves a panic of the Skipper: it can only say yes or no, while the extraction, which comes next,
// can refuse.
const skipperFaultKey = "identity: fault of the Skipper"

func (v *Verifier) skipperFault(c echo.Context) error {
	if v.skipper == nil {
		return nil
	}
	err, _ := c.Get(skipperFaultKey).(error)
	if err != nil {
		c.Set(skipperFaultKey, nil) // not for another verifier's extraction
	}
	return err
}

// SkipPreflight is a Skipper for CORS preflight requests, which browsers send without a token: OPTIONS with Origin and
// Access-Control-Request-Method. The CORS middleware must answer them.
func SkipPreflight(c echo.Context) bool {
	r := c.Request()
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// parse verifies the token of a request and puts the principal where handlers look for it.
func (v *Verifier) parse(c echo.Context, raw string) (any, error) {
	r := c.Request()
	p := new(verification)
	if err := p.verify(r.Context(), v, raw); err != nil {
		return nil, err
	}
	p.context = principalContext{r.Context(), &p.principal}
	p.token = jwt.Token{Raw: raw, Method: jwt.SigningMethodRS256, Claims: &p.principal, Valid: true}
	c.SetRequest(r.WithContext(&p.context))
	return &p.token, nil
}

// answer turns a refusal into the error that Echo answers with.
func (v *Verifier) answer(c echo.Context, err error) error {
	refusal := v.refuse(c.Request().Context(), err, nil)
	if v.errorHandler == nil {
		return httpError(c, refusal, err)
	}
	chosen, hookErr := v.choose(c, err)
	switch {
	case hookErr != nil:
		return httpError(c, v.refuse(c.Request().Context(), hookErr, nil), hookErr)
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
	return v.errorHandler(c, refusal), nil
}

// httpError wraps a refusal for Echo v4, whose error handler knows no other error that has a status.
func httpError(c echo.Context, e *Error, chain error) error {
	e.setHeader(c.Response().Header())
	return echo.NewHTTPError(e.StatusCode(), e.body()).SetInternal(chain)
}

// refuse completes a refusal with what this API's challenges say, and logs it once.
func (v *Verifier) refuse(ctx context.Context, err error, about subject) *Error {
	e, ok := asError(err)
	if !ok {
		e = newError(ErrInternal, err)
	}
	if e.rule == nil { // the application's own, which it may use again
		own := *e
		if own.original == nil {
			own.original = e
		}
		if err != error(e) {
			own.cause = err
		}
		e = &own
	}
	if v.resource != nil {
		e.metadata = v.resource.metadata
		if e.Reason == ErrTokenMissing.(*sentinel).reason {
			e.Scopes = slices.Clone(v.resource.Scopes)
		}
	}
	v.log.write(ctx, e, about)
	return e
}
