package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// algorithm is the only one. Microsoft issues nothing else, and a list that can be widened is a list that will be
// (RFC 8725 §3.1).
const algorithm = "RS256"

// check is one token on its way through the pipeline. Each step may rely on what the steps before it have found.
type check struct {
	*Verifier
	raw    string
	token  *token           // decode
	issuer Issuer           // issuer
	tenant *Tenant          // trust
	policy string           // policy
	key    *verificationKey // findKey
	cached bool             // the verification is one of before

	request keyRequest // findKey
	handle  *keyHandle // findKey: the key set that answers request, nil if the key is from another
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

// decode takes the token apart (RFC 7515 §5.2, RFC 7519 §7.2): size, shape, header, claims.
func (c *check) decode(_ context.Context) (err error) {
	c.token, err = parseToken(c.raw)
	return err
}

func (c *check) parseIssuer(_ context.Context) (err error) {
	if c.issuer, err = ParseIssuer(c.token.claims.issuer); err != nil {
		return newError(ErrIssuer, err)
	}
	return nil
}

// trust asks who the issuer's tenant is, and whether it issues under this very issuer (RFC 8725 §3.8).
func (c *check) trust(ctx context.Context) error {
	t, err := c.ask(ctx)
	if err != nil {
		return err
	}
	if t, err = t.sealed(); err != nil {
		return newError(ErrTenantInvalid, err)
	}
	if t.ID != c.issuer.TenantID {
		return newError(ErrTenantInvalid, fmt.Errorf("the tenant source answered with %s", t.ID))
	}
	if err := c.usable(t); err != nil {
		return newError(ErrTenantInvalid, err)
	}
	if !t.issues(c.issuer) {
		return newError(ErrIssuer, errors.New("iss is not an issuer of this tenant: another cloud, host, kind or version"))
	}
	c.tenant = t
	return nil
}

// ask calls the tenant source, which belongs to the application.
func (c *check) ask(ctx context.Context) (t *Tenant, err error) {
	defer recovered(&err)
	t, err = c.tenants.Tenant(ctx, c.issuer)
	switch {
	case errors.Is(err, ErrUnknownTenant) || err == nil && t == nil:
		return nil, newError(ErrUnknownTenant, nil)
	case err == nil:
		return t, nil
	}
	if errors.Is(err, ErrInternal) || errors.Is(err, ErrTenantInvalid) {
		return nil, err // a panic, or a tenant that TenantCache has refused
	}
	return nil, newError(ErrTenantsUnavailable, err)
}

var (
	errNoTID    = errors.New("tid is missing or not a string")
	errOtherTID = errors.New("tid is not the tenant of iss")
)

// matchTenant compares tid with the issuer's tenant. B2C issues none unless a policy adds it.
func (c *check) matchTenant(_ context.Context) error {
	claims := &c.token.claims
	if claims.tenantID == "" {
		if c.tenant.kind() == b2c && !claims.hasTenantID {
			return nil
		}
		return newError(ErrTenantMismatch, errNoTID)
	}
	if claims.tenantID != c.issuer.TenantID {
		return newError(ErrTenantMismatch, errOtherTID)
	}
	return nil
}

var (
	errNotV1 = errors.New("a v2.0 token, where only v1.0 is accepted: the API's requestedAccessTokenVersion is 2")
	errNotV2 = errors.New("a v1.0 token, where only v2.0 is accepted: set requestedAccessTokenVersion to 2 in the API's registration, or accept v1.0")
	errVer   = errors.New("ver is missing or does not agree with iss")
)

// matchVersion compares ver with the issuer's form, and the tenant's rule.
func (c *check) matchVersion(_ context.Context) error {
	want := "2.0"
	if c.issuer.Form != FormV2 {
		want = "1.0" // B2C says so too, in spite of the v2.0 in its issuer
	}
	switch {
	case c.token.claims.version != want:
		return newError(ErrVersion, errVer)
	case c.tenant.Version == 1 && want == "2.0":
		return newError(ErrVersion, errNotV1)
	case c.tenant.Version == 2 && want == "1.0":
		return newError(ErrVersion, errNotV2)
	}
	return nil
}

var (
	errAudience = errors.New("aud is none of this API's audiences")
	errGraph    = errors.New("the token is for Microsoft Graph; the client must ask for a scope of this API instead, such as api://{client ID}/.default")
	errIDToken  = errors.New("an ID token: it says who signed in to a client and has neither scp nor azp; the client must send its access token")
)

// matchAudience requires the token to be for this API (RFC 8725 §3.9).
func (c *check) matchAudience(_ context.Context) error {
	claims := &c.token.claims
	if forAny(claims.audience, c.audiencesOf(c.tenant)) {
		return nil
	}
	switch {
	case c.token.graphNonce || forAny(claims.audience, graphAudiences):
		return newError(ErrOtherResource, errGraph)
	case claims.idToken():
		return newError(ErrIDToken, errIDToken)
	}
	return newError(ErrAudience, errAudience)
}

func forAny(aud stringList, audiences []string) bool {
	return slices.ContainsFunc(audiences, aud.contains)
}

// graphAudiences are the names of Microsoft Graph and Azure AD Graph, whose tokens only they can validate.
var graphAudiences = []string{
	"00000003-0000-0000-c000-000000000000", "00000002-0000-0000-c000-000000000000",
	"https://graph.microsoft.com", "https://graph.microsoft.com/",
	"https://graph.microsoft.us", "https://graph.microsoft.us/",
	"https://dod-graph.microsoft.us", "https://dod-graph.microsoft.us/",
	"https://microsoftgraph.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/",
	"https://graph.windows.net", "https://graph.windows.net/",
}

// idToken reports the one sure sign: no access token lacks both scp and the application that asked for it.
func (c *claims) idToken() bool { return !c.hasScope && c.client() == "" }

var (
	errTimeType = errors.New("exp is missing, or exp, nbf or iat is not a number of seconds up to the year 9999")
	errNbfExp   = errors.New("nbf is after exp")
)

// checkTime applies exp, nbf and iat (RFC 7519 §4.1.4 to §4.1.6) with the leeway.
func (c *check) checkTime(_ context.Context) error {
	claims := &c.token.claims
	exp, nbf, iat := claims.expires, claims.notBefore, claims.issuedAt
	if !exp.set || exp.invalid || nbf.invalid || iat.invalid {
		return newError(ErrTime, errTimeType)
	}
	if nbf.set && nbf.unix > exp.unix {
		return newError(ErrTime, errNbfExp)
	}
	now := c.now()
	if late := now.Sub(time.Unix(exp.unix, 0)); late >= c.leeway {
		return newError(ErrExpired, ago{"exp", late})
	}
	if early := time.Unix(nbf.unix, 0).Sub(now); nbf.set && early > c.leeway {
		return newError(ErrNotYetValid, ago{"nbf", -early})
	}
	if early := time.Unix(iat.unix, 0).Sub(now); iat.set && early > c.leeway {
		return newError(ErrIssuedInFuture, ago{"iat", -early})
	}
	return nil
}

// ago is the cause of a refusal by time. It is put into words only if somebody reads it.
type ago struct {
	claim string
	by    time.Duration
}

func (a ago) Error() string {
	if a.by < 0 {
		return fmt.Sprintf("%s is %v ahead; is this machine's clock right?", a.claim, (-a.by).Round(time.Second))
	}
	return fmt.Sprintf("%s was %v ago", a.claim, a.by.Round(time.Second))
}

var (
	errNoPolicy    = errors.New("neither tfp nor acr names a policy")
	errTwoPolicies = errors.New("tfp and acr name different policies")
	errPolicy      = errors.New("the policy is none of the tenant's; is it missing in B2C.Policies?")
	errPathPolicy  = errors.New("the policy in iss is not the one in the claim")
)

// checkPolicy requires one of the tenant's B2C policies. It comes before the key because each policy has its own keys.
func (c *check) checkPolicy(_ context.Context) error {
	if c.tenant.kind() != b2c {
		return nil
	}
	claims := &c.token.claims
	name := claims.tfp
	if !claims.hasTFP {
		name = claims.acr
	}
	if name == "" {
		return newError(ErrPolicy, errNoPolicy)
	}
	if claims.hasTFP && claims.hasACR && !strings.EqualFold(claims.tfp, claims.acr) {
		return newError(ErrPolicy, errTwoPolicies)
	}
	policy, ok := c.tenant.B2C.policy(name)
	if !ok {
		return newError(ErrPolicy, errPolicy)
	}
	if c.issuer.Form == FormTFP && !samePolicy(policy, c.issuer.Policy) {
		return newError(ErrPolicy, errPathPolicy)
	}
	c.policy = policy
	return nil
}

// findKey finds the one key that may have signed: in the trusted tenant's key set, by kid (RFC 7515 §4.1.4). It is the only
// step that may ask the network.
func (c *check) findKey(ctx context.Context) (err error) {
	c.request = keyRequestOf(c.tenant, c.issuer, c.policy, c.clientID)
	c.key, c.handle, err = c.keys.find(ctx, c.request, c.token.kid, signer{c.issuer, c.tenant})
	return err
}

// verifySignature verifies RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3) over the bytes that were decoded.
func (c *check) verifySignature(_ context.Context) error {
	if err := jwt.SigningMethodRS256.Verify(c.token.signed, c.token.signature, c.key.public); err != nil {
		return newError(ErrSignature, err)
	}
	return nil
}

var errBound = errors.New("the token has a cnf claim")

// refuseBound refuses tokens that are only good together with a key (RFC 7800): who took one must not be able to use it here.
func (c *check) refuseBound(_ context.Context) error {
	if c.token.claims.bound {
		return newError(ErrBound, errBound)
	}
	return nil
}

var errNoPermissions = errors.New("neither scp nor roles: nobody granted this application anything; see Tenant.AllowNoPermissions")

// requirePermissions refuses ID tokens, and access tokens that grant nothing.
func (c *check) requirePermissions(_ context.Context) error {
	claims := &c.token.claims
	if claims.idToken() {
		return newError(ErrIDToken, errIDToken)
	}
	if scope, _ := nextField(claims.scope); scope == "" && claims.roles.empty() && !c.tenant.AllowNoPermissions {
		return newError(ErrNoPermissions, errNoPermissions)
	}
	return nil
}

var errClient = errors.New("the calling application is not in Tenant.Clients")

// allowClient applies the tenant's list of calling applications.
func (c *check) allowClient(_ context.Context) error {
	if len(c.tenant.Clients) > 0 && !slices.Contains(c.tenant.Clients, c.token.claims.client()) {
		return newError(ErrClient, errClient)
	}
	return nil
}

func (c *check) denyGuest(_ context.Context) error {
	if c.tenant.DenyGuests && guest(&c.token.claims, c.tenant) {
		return newError(ErrGuest, nil)
	}
	return nil
}

// guest reports whether the user belongs to another directory than the tenant.
func guest(c *claims, t *Tenant) bool {
	if t.kind() == b2c {
		return false
	}
	if c.account != accountUnknown {
		return c.account == accountGuest
	}
	if c.idp == "" || c.idp == c.issuer || t.kind() == external {
		return false
	}
	// idp is the home tenant's v1.0 issuer, in v2.0 tokens too; or a name such as live.com.
	home, err := ParseIssuer(c.idp)
	return err != nil || home.TenantID != t.ID
}

// run takes a token through steps of the pipeline. Without signature it leaves that one step to the caller.
func (c *check) run(ctx context.Context, steps []step, signature bool) error {
	for i := range steps {
		if !signature && steps[i].name == signatureStep {
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
	if c.trace.Verified != nil {
		began = c.now()
	}
	err := c.decide(ctx, signature)
	if err != nil {
		err = c.refuse(ctx, err, c)
	}
	if c.trace.Verified == nil {
		return err
	}
	info := VerifyInfo{TenantID: c.issuer.TenantID, Duration: c.now().Sub(began), Cached: c.cached, Err: err}
	if e, ok := asError(err); ok {
		info.Reason = e.Reason
	}
	if hookErr := c.traced(ctx, info); hookErr != nil {
		return c.refuse(ctx, hookErr, c)
	}
	return err
}

// decide asks the cache of verified tokens, else runs the pipeline and remembers.
func (c *check) decide(ctx context.Context, signature bool) error {
	if !signature || c.cache == nil {
		return c.run(ctx, pipeline, signature)
	}
	if entry := c.cache.find(c.raw); entry != nil {
		return c.rerun(ctx, entry)
	}
	if err := c.run(ctx, pipeline, true); err != nil {
		return err
	}
	c.cache.remember(c)
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
		if c.keys.holds(ctx, e) {
			c.policy, c.key, c.cached = e.policy, e.key, true
			return nil
		}
	}
	if err := c.run(ctx, afterTrust, true); err != nil {
		return err
	}
	c.cache.put(c)
	return nil
}

// traced calls the application's callback.
func (v *Verifier) traced(ctx context.Context, info VerifyInfo) (err error) {
	defer recovered(&err)
	v.trace.Verified(ctx, info)
	return nil
}

// attrs are what a log line may say of a refused token: what it claims of issuer and key, once that is well-formed.
func (c *check) attrs() []slog.Attr {
	var attrs []slog.Attr
	if c.token != nil {
		attrs = append(attrs, slog.String("kid", c.token.kid))
	}
	if c.issuer.Form != 0 {
		attrs = append(attrs, slog.String("iss", c.issuer.Raw), slog.String("tid", c.issuer.TenantID))
	}
	if c.tenant != nil && c.tenant.Name != "" {
		attrs = append(attrs, slog.String("tenant", c.tenant.Name))
	}
	return attrs
}
