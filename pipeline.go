package identity

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// check is one token on its way through the pipeline.
type check struct {
	findings
	parser tokenParser
}

// findings are what a check goes by. Each step may rely on what the steps before it have found.
type findings struct {
	v      *Verifier
	raw    string
	from   origin
	token  *token           // decode
	issuer Issuer           // issuer
	tenant *Tenant          // trust
	now    time.Time        // checkTime: what the clock says
	policy string           // policy
	key    *verificationKey // findKey
	cached bool             // the verification is one of before

	request keyRequest // findKey
	handle  *keyHandle // findKey: the key set that key is from
}

// checks are those that nobody uses at the moment. Nothing that leaves the pipeline points into a check.
var checks = sync.Pool{New: func() any { return new(check) }}

func newCheck(v *Verifier, raw string, from origin) *check {
	c := checks.Get().(*check)
	c.v, c.raw, c.from = v, raw, from
	return c
}

// free gives a check back. One that a panic has ended is left to the garbage collector.
func (c *check) free() {
	c.findings = findings{}
	c.parser.reset()
	checks.Put(c)
}

// step is one check of the pipeline.
type step struct {
	name string
	run  func(*check, context.Context) error
}

// The pipeline. The order is the contract: a stranger must cost almost nothing and cause no fetch, so what needs no key comes
// before the key, and the first failure is the answer. Each check stands here once; what the claims say beyond the signature
// leaves this list only when all of it has passed, and the signature covers the very bytes that were decoded.
var pipeline = []step{
	{"token", (*check).decode},
	{"issuer", (*check).parseIssuer},
	{"tenant", (*check).trust},
	{"tid", (*check).matchTenant},
	{"version", (*check).matchVersion},
	{"audience", (*check).matchAudience},
	{"time", (*check).checkTime},
	{"policy", (*check).checkPolicy},
	{"key", (*check).findKey},
	{signatureStep, (*check).verifySignature},
	{"binding", (*check).refuseBound},
	{"permissions", (*check).requirePermissions},
	{"client", (*check).allowClient},
	{"guest", (*check).denyGuest},
}

const signatureStep = "signature"

// afterTrust is the pipeline behind the step that asks the tenant source, which a request does once.
var afterTrust = pipeline[1+slices.IndexFunc(pipeline, func(s step) bool { return s.name == "tenant" }):]

// run takes a token through steps of the pipeline. Without signature it leaves that one step to the caller.
func (c *check) run(ctx context.Context, steps []step, signature bool) error {
	for i := range steps {
		if !signature && steps[i].name == signatureStep {
			c.v.keys.use(c.now, c.request, c.handle) // nobody says later what the signature was
			continue
		}
		if err := steps[i].run(c, ctx); err != nil {
			return err
		}
	}
	return nil
}

// verify runs the pipeline, and reports what came of it.
func (c *check) verify(ctx context.Context, signature bool) error {
	var began time.Time
	if c.v.trace.Verified != nil {
		began = c.v.now()
	}
	err := c.decide(ctx, signature)
	if err != nil {
		err = c.v.refuse(ctx, c.from, err, c)
	}
	if c.v.trace.Verified == nil {
		return err
	}
	info := VerifyInfo{TenantID: c.issuer.TenantID, Duration: c.v.now().Sub(began), Unsigned: !signature, Cached: c.cached, Err: err}
	if e, ok := asError(err); ok {
		info.Reason = e.listed()
	}
	if c.tenant != nil {
		info.Kind = c.tenant.kind().String()
	}
	if hookErr := c.v.traced(ctx, info); hookErr != nil {
		return c.v.refuse(ctx, c.from, hookErr, c)
	}
	return err
}

// decide asks the cache of verified tokens, else runs the pipeline and remembers.
func (c *check) decide(ctx context.Context, signature bool) error {
	if !signature {
		return c.run(ctx, pipeline, false)
	}
	if entry := c.v.cache.find(c.raw); entry != nil {
		return c.rerun(ctx, entry)
	}
	if err := c.run(ctx, pipeline, true); err != nil {
		return err
	}
	c.token.kid = c.v.headers.remember(c.token)
	c.v.cache.remember(c)
	return nil
}

// rerun judges a token that has been verified before. Whatever can have changed since is checked again: who the tenant is, the
// time, and whether the tenant's current key set still holds the key; that last step drives the refresh of the set as findKey
// does. Where the tenant or the key set is another one, the pipeline speaks, from the step after trust on.
func (c *check) rerun(ctx context.Context, e *cachedToken) error {
	c.token, c.issuer = e.token, e.issuer
	if err := c.trust(ctx); err != nil {
		return err
	}
	if c.tenant.equal(e.tenant) {
		if err := c.checkTime(ctx); err != nil {
			return err
		}
		if c.v.keys.holds(ctx, c.now, e) {
			c.policy, c.key, c.cached = e.policy, e.key, true
			return nil
		}
	}
	if err := c.run(ctx, afterTrust, true); err != nil {
		return err
	}
	c.v.cache.remember(c)
	return nil
}

// traced calls the application's callback.
func (v *Verifier) traced(ctx context.Context, info VerifyInfo) (err error) {
	defer recovered(&err)
	v.trace.Verified(ctx, info)
	return nil
}

// attrs are what a log line may say of a refused token: what it claims of issuer, key and client, once that is well-formed.
func (c *check) attrs() []slog.Attr {
	if c.token == nil {
		return nil
	}
	return subjectAttrs(c.token, c.issuer, c.tenant)
}

// subjectAttrs are the same fields for whatever refuses: a check or a guard.
func subjectAttrs(t *token, issuer Issuer, tenant *Tenant) []slog.Attr {
	attrs := []slog.Attr{slog.String("kid", t.kid)}
	if issuer.Form != 0 {
		attrs = append(attrs, slog.String("iss", issuer.Raw), slog.String("tid", issuer.TenantID))
	}
	if tenant != nil && tenant.Name != "" {
		attrs = append(attrs, slog.String("tenant", tenant.Name))
	}
	if client := t.claims.client(); validGUID(client) { // anything else can be anything
		attrs = append(attrs, slog.String("client", client))
	}
	return attrs
}
