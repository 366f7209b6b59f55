package identity

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// algorithm is the only one. Microsoft issues nothing else, and a list that can be widened is a list that will be
// (RFC 8725 §3.1).
const algorithm = "RS256"

// decode takes the token apart (RFC 7515 §5.2, RFC 7519 §7.2): size, shape, header, claims.
func (c *check) decode(_ context.Context) (err error) {
	c.token, err = c.parser.parse(c.raw, &c.v.headers)
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
	if err := c.v.usable(t); err != nil {
		return newError(ErrTenantInvalid, err)
	}
	if !t.issues(c.issuer) {
		return newError(ErrIssuer, &otherIssuer{t})
	}
	c.tenant = t
	return nil
}

// otherIssuer is the cause of a refusal of a tenant that is trusted under other issuers.
type otherIssuer struct{ tenant *Tenant }

func (*otherIssuer) Error() string {
	return "iss is not an issuer of this tenant: another cloud, host, kind or version"
}

// ask calls the tenant source, which belongs to the application.
func (c *check) ask(ctx context.Context) (t *Tenant, err error) {
	defer recovered(&err)
	t, err = c.v.tenants.Tenant(ctx, c.issuer)
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
	if forAny(claims.audience, c.v.audiencesOf(c.tenant)) {
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
	c.now = c.v.now()
	if late := c.now.Sub(time.Unix(exp.unix, 0)); late >= c.v.leeway {
		return newError(ErrExpired, ago{"exp", late})
	}
	if early := time.Unix(nbf.unix, 0).Sub(c.now); nbf.set && early > c.v.leeway {
		return newError(ErrNotYetValid, ago{"nbf", -early})
	}
	if early := time.Unix(iat.unix, 0).Sub(c.now); iat.set && early > c.v.leeway {
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
	c.request = keyRequestOf(c.tenant, c.issuer, c.policy, c.v.clientID)
	c.key, c.handle, err = c.v.keys.find(ctx, c.now, c.request, c.token.kid, signer{c.issuer, c.tenant})
	return err
}

// verifySignature verifies RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3) over the bytes that were decoded.
func (c *check) verifySignature(_ context.Context) error {
	digest := sha256.Sum256(bytesOf(c.token.signed))
	if err := rsa.VerifyPKCS1v15(c.key.public, crypto.SHA256, digest[:], c.parser.signatureOf(c.token)); err != nil {
		return newError(ErrSignature, err)
	}
	c.v.keys.use(c.now, c.request, c.handle)
	return nil
}

// bytesOf is a string without a copy of it, for readers only.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

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
