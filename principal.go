package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
)

// Principal is the verified caller. Each request gets its own: what a handler does to it no other request can see. It is
// not safe for use by several goroutines that change it.
//
// The exported fields are copies for reading; [Principal.Claim] and [Principal.Decode] reach everything else in the token.
type Principal struct {
	// TenantID is tid. A B2C token without one has the tenant of its issuer.
	TenantID string
	// ObjectID is oid, the user or service principal in this tenant. Empty where the token has none (B2C, by choice).
	ObjectID string
	// Subject is sub: pairwise per application in Entra ID, so no key for a user across applications.
	Subject string
	// ClientID is the calling application: azp, or appid in v1.0 tokens.
	ClientID string
	// Scopes are the delegated permissions, scp taken apart.
	Scopes []string
	// Roles are the app roles: application permissions of an application, or roles that the user was assigned.
	Roles []string
	// Groups are the object IDs of groups. Empty if there are too many; see [Principal.GroupsOverage].
	Groups []string
	// Policy is the B2C policy, as registered.
	Policy string
	// Version is ver: "1.0" or "2.0". B2C always issues "1.0".
	Version string
	// Issuer is iss.
	Issuer string
	// ExpiresAt is exp.
	ExpiresAt time.Time

	token    *token
	tenant   *Tenant
	verifier *Verifier
}

var _ jwt.Claims = (*Principal)(nil)

// principal fills in the principal of a verified token. Its lists are in few, if they fit in there.
func (c *check) principal(p *Principal, few []string) {
	claims := &c.token.claims
	*p = Principal{
		TenantID:  c.issuer.TenantID,
		ObjectID:  claims.objectID,
		Subject:   claims.subject,
		ClientID:  claims.client(),
		Policy:    c.policy,
		Version:   claims.version,
		Issuer:    c.issuer.Raw,
		ExpiresAt: time.Unix(claims.expires.unix, 0),
		token:     c.token,
		tenant:    c.tenant,
		verifier:  c.v,
	}
	p.Scopes, p.Roles, p.Groups = claims.lists(few)
}

// client is the application that asked for the token.
func (c *claims) client() string {
	if c.azp != "" {
		return c.azp
	}
	return c.appID
}

// lists copies the three lists into few, or into one fresh slice, each with no room to grow into the next.
func (c *claims) lists(few []string) (scopes, roles, groups []string) {
	all := few
	if n := strings.Count(c.scope, " ") + 1 + c.roles.count() + c.groups.count(); n > cap(few) {
		all = make([]string, 0, n)
	}
	for rest := c.scope; ; {
		var scope string
		if scope, rest = nextField(rest); scope == "" {
			break
		}
		all = append(all, scope)
	}
	s := len(all)
	all = c.roles.appendTo(all)
	r := len(all)
	all = c.groups.appendTo(all)
	return all[:s:s], all[s:r:r], all[r:len(all):len(all)]
}

func (l stringList) count() int {
	if l.many == nil && l.one != "" {
		return 1
	}
	return len(l.many)
}

func (l stringList) appendTo(list []string) []string {
	if l.many == nil && l.one != "" {
		return append(list, l.one)
	}
	return append(list, l.many...)
}

// nextField cuts the first word from a list that blanks separate (RFC 6749 §3.3; Entra writes single spaces).
func nextField(s string) (field, rest string) {
	start := 0
	for start < len(s) && isBlank(s[start]) {
		start++
	}
	end := start
	for end < len(s) && !isBlank(s[end]) {
		end++
	}
	return s[start:end], s[end:]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// HasScope reports whether scope was granted, compared exactly.
func (p *Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

// HasRole reports whether the caller has an app role, compared exactly.
func (p *Principal) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// AppOnly reports whether an application calls in its own name, without a user: idtyp is app or, where the API's registration
// does not ask for that claim, there is no scp and oid equals sub. In B2C, where sub is the user's object ID, only idtyp counts.
func (p *Principal) AppOnly() bool {
	if p.token == nil {
		return false
	}
	c := &p.token.claims
	if c.idType != "" {
		return c.idType == "app"
	}
	return p.tenant.kind() != b2c && !c.hasScope && c.objectID != "" && c.objectID == c.subject
}

// Guest reports whether the user is a guest of the tenant: acct says so, or idp is another tenant or identity provider. B2C
// has no guests; in External ID, where customers sign in with social accounts, only acct counts.
func (p *Principal) Guest() bool {
	if p.token == nil {
		return false
	}
	return guest(&p.token.claims, p.tenant)
}

// GroupsOverage reports whether the token leaves the groups out because there are too many.
func (p *Principal) GroupsOverage() bool {
	if p.token == nil {
		return false
	}
	c := &p.token.claims
	return c.groupsElsewhere || c.hasGroups && c.groups.empty()
}

// UserKey identifies the user in a database: tid.oid, or tid.sub where there is no oid. Names and mail addresses change hands.
func (p *Principal) UserKey() string {
	if p.ObjectID != "" {
		return p.TenantID + "." + p.ObjectID
	}
	return p.TenantID + "." + p.Subject
}

// Tenant is a copy of the registry's entry that the token was accepted under.
func (p *Principal) Tenant() Tenant {
	if p.tenant == nil {
		return Tenant{ID: p.TenantID}
	}
	return p.tenant.clone()
}

// Claim returns the value of a claim, decoded anew: string, bool, [json.Number], []any or map[string]any; nil if there is
// none of exactly this name.
func (p *Principal) Claim(name string) any {
	if p.token == nil {
		return nil
	}
	raw, ok := lookupClaim(p.token.payload, name)
	if !ok {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(raw)))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil // not reached: the payload has been read strictly
	}
	return value
}

// Decode puts all claims into v, as [json.Unmarshal] does. Mind that it matches names regardless of case; the verified claims
// hold no two names that differ by case only.
func (p *Principal) Decode(v any) error {
	if p.token == nil {
		return json.Unmarshal([]byte("{}"), v)
	}
	return json.Unmarshal([]byte(p.token.payload), v)
}

// RawToken is the token as it was sent, for on-behalf-of calls. Treat it as a password.
func (p *Principal) RawToken() string {
	if p.token == nil {
		return ""
	}
	return p.token.raw
}

// LogValue says what may stand in a log: no token, no personal data.
func (p *Principal) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("tid", p.TenantID), slog.String("client", p.ClientID), slog.Bool("app_only", p.AppOnly()),
		slog.String("version", p.Version), slog.String("policy", p.Policy),
	)
}

// attrs are what a log line of a guard says.
func (p *Principal) attrs() []slog.Attr {
	if p.token == nil { // made by a test, not by a token
		return []slog.Attr{slog.String("tid", p.TenantID), slog.String("client", p.ClientID)}
	}
	issuer, _ := ParseIssuer(p.token.claims.issuer)
	return subjectAttrs(p.token, issuer, p.tenant)
}

// String is the text of LogValue, so that printing a principal gives nothing away.
func (p *Principal) String() string { return "principal" + p.LogValue().String() }

// GoString is String, for the same reason.
func (p *Principal) GoString() string { return p.String() }

// GetExpirationTime is exp. It implements [jwt.Claims], as the other five do.
func (p *Principal) GetExpirationTime() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(p.ExpiresAt), nil
}

// GetIssuedAt is iat, nil if there is none.
func (p *Principal) GetIssuedAt() (*jwt.NumericDate, error) {
	if p.token == nil {
		return nil, nil
	}
	return p.token.claims.issuedAt.jwt(), nil
}

func (d numericDate) jwt() *jwt.NumericDate {
	if !d.set {
		return nil
	}
	return jwt.NewNumericDate(time.Unix(d.unix, 0))
}

// GetNotBefore is nbf, nil if there is none.
func (p *Principal) GetNotBefore() (*jwt.NumericDate, error) {
	if p.token == nil {
		return nil, nil
	}
	return p.token.claims.notBefore.jwt(), nil
}

// GetIssuer is iss.
func (p *Principal) GetIssuer() (string, error) { return p.Issuer, nil }

// GetSubject is sub.
func (p *Principal) GetSubject() (string, error) { return p.Subject, nil }

// GetAudience is aud.
func (p *Principal) GetAudience() (jwt.ClaimStrings, error) {
	if p.token == nil {
		return nil, nil
	}
	return p.token.claims.audience.strings(), nil
}

type contextKey struct{}

// principalContext is a context with a principal, one that can be allocated together with it.
type principalContext struct {
	context.Context
	p       *Principal
	request *http.Request // nil if not known
}

func (c *principalContext) Value(key any) any {
	if key == (contextKey{}) {
		return c.p
	}
	if key == (requestKey{}) && c.request != nil {
		return c.request
	}
	return c.Context.Value(key)
}

// NewContext returns a context with a principal: what the middleware does for a request, and what a test of a handler may do.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return &principalContext{Context: ctx, p: p}
}

// FromContext returns the principal of a request. ok is false if no authentication has run, or in optional mode no token came.
func FromContext(ctx context.Context) (p *Principal, ok bool) {
	p, ok = ctx.Value(contextKey{}).(*Principal)
	return p, ok && p != nil
}

type verifierKey struct{}

// anonymous is a context without a principal, that tells guards who has let the request pass: the answer is that API's.
func (v *Verifier) anonymous(r *http.Request) context.Context {
	return context.WithValue(context.WithValue(r.Context(), requestKey{}, r), verifierKey{}, v)
}

// From returns the principal of an Echo request: [FromContext] of its request context.
func From(c echo.Context) (p *Principal, ok bool) {
	return FromContext(c.Request().Context())
}
