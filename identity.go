// Package identity is Echo middleware that accepts access tokens of many Microsoft tenants at once: Entra ID tenants in
// several clouds, Azure AD B2C policies and Entra External ID directories. Everything else is refused with an answer that a
// client can act on.
//
//	e := echo.New()
//	e.Use(identity.Middleware(identity.Config{
//		ClientID: "cccccccc-3333-4333-8333-cccccccccccc", // this API's application ID
//		Tenants: identity.NewRegistry(
//			identity.Tenant{ID: "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa", Name: "contoso"},
//			identity.Tenant{ID: "bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb", Name: "fabrikam", DenyGuests: true},
//		),
//	}))
//	e.GET("/orders", listOrders, identity.RequireScope("Orders.Read"))
//	e.Start("localhost:8080")
//
// A [Config] becomes the middleware of Echo by [Middleware], which panics if it is bad, or by [Config.ToMiddleware], which returns
// why; by [New] it becomes a [Verifier], for net/http and everything else.
//
// A [TenantSource] says who is trusted; a [Registry] is the ready one. A token goes through one ordered list of checks
// (pipeline.go) and becomes a [Principal], which handlers get with [From] and which guards such as [RequireScope] read. A
// refusal is an [*Error]: its Reason is for programs, its text for the log, its Description for the client.
//
// What strangers and key servers can make it take, keep and wait for is bounded; the README has all limits in one table.
//
// The package mockidp stands in for Microsoft in tests: the configuration stays that of production, only
// [KeyOptions.HTTPClient] is the mock's.
package identity

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

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
	// two of header, query and form is refused; otherwise the first that holds a value decides. With form, put the middleware
	// before anything that reads the form: net/http reads it once, and tells only the first reader what is wrong with it.
	//
	// A browser sends a cookie along with whatever any site makes it send (CSRF). So set it with Secure, HttpOnly and SameSite=Lax
	// or Strict, under a name that begins with __Host-; let GET and HEAD change nothing; and put [net/http.CrossOriginProtection],
	// which goes by Sec-Fetch-Site and Origin, in front of all else. That one lets every GET pass, and so every upgrade to a
	// WebSocket: compare Origin there, as most libraries for WebSockets do by default.
	//
	// The server of a WebSocket must choose another of the client's subprotocols than the entry with the token, which would be
	// echoed. A token counts when the connection begins: close it when [Principal.ExpiresAt] has come.
	//
	// Optional. Default "header".
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
		tenants: cfg.Tenants, clientID: strings.ToLower(cfg.ClientID), trace: cfg.Observe.Trace, now: time.Now,
		skipper: cfg.Skipper, optional: cfg.Optional, contextKey: cfg.ContextKey, errorHandler: cfg.ErrorHandler,
	}
	if v.contextKey == "" {
		v.contextKey = "user"
	}
	keys, keyFaults := cfg.Keys.withDefaults()
	// The tenants are judged last, by the audiences that the rest of the configuration gives.
	if faults := slices.Concat(v.fieldFaults(cfg), keyFaults, v.tenantFaults()); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	logger := cfg.Observe.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger = guardedLogger(logger)
	if unverified(cfg.Keys.HTTPClient) {
		logger.Warn("identity: the client in Config.Keys.HTTPClient has InsecureSkipVerify on: whoever is between can hand in keys of their own")
	}
	v.log = &refusalLog{logger: logger, level: cfg.Observe.RefusalLevel, now: time.Now, windows: make(map[Reason]*window)}
	v.cache = newTokenCache(cfg.TokenCache)
	v.keys = newKeyResolver(keys, logger, cfg.Observe.Trace.KeysFetched)
	return v, nil
}

// fieldFaults takes over the fields that are checked one by one, and finds what is wrong with them.
func (v *Verifier) fieldFaults(cfg Config) (faults []error) {
	fault := func(field string, err error) {
		faults = append(faults, splitFaults(prefixed("identity: Config."+field, err))...)
	}
	if v.clientID != "" && !validGUID(v.clientID) {
		fault("ClientID", fmt.Errorf("%q is not an application ID (a GUID)", cfg.ClientID))
	}
	audiences, err := sealedAudiences("Audiences", cfg.Audiences)
	for _, e := range splitFaults(err) {
		faults = append(faults, fmt.Errorf("identity: Config.%w", e))
	}
	v.audiences = audiences
	if v.clientID != "" {
		v.audiences = append([]string{v.clientID, "api://" + v.clientID}, audiences...)
	}
	if v.leeway, err = leewayOf(cfg.Leeway); err != nil {
		fault("Leeway", err)
	}
	if v.lookup, err = parseLookup(cfg.TokenLookup); err != nil {
		fault("TokenLookup", err)
	}
	if v.resource, err = newResource(cfg.Resource, v.lookup.methods()); err != nil {
		fault("Resource", err)
	}
	return faults
}

// leewayOf reads Config.Leeway.
func leewayOf(d time.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		return time.Minute, nil
	case d > maxLeeway:
		return 0, fmt.Errorf("%v is more than %v", d, maxLeeway)
	}
	return max(d, 0), nil
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
			return splitFaults(prefixed("identity: Config.Tenants", err))
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
			faults = append(faults, fmt.Errorf("identity: Config.Tenants: %s%s: %w", t.ID, inParentheses(t.Name), err))
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
