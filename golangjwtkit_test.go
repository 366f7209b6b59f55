package identity_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
)

// fuzzTime is when the comparison with golang-jwt takes place, for ever: an input must mean the same in every run.
var fuzzTime = time.Unix(1_800_000_000, 0)

const fuzzLeeway = time.Minute // the default

// trustedIssuer is what an API that uses golang-jwt alone configures for one issuer.
type trustedIssuer struct {
	tenant  string
	kind    mockidp.Kind
	version string // of its tokens
	keys    map[string]*rsa.PublicKey
	parser  *jwt.Parser
	claims  *jwt.Validator // by the parser's options
}

// comparison is an API of ours and one of golang-jwt that trust the same issuers, audiences and keys.
type comparison struct {
	cached, fresh *identity.Verifier
	issuers       map[string]*trustedIssuer
	signers       []*mockidp.Key
	consumer      string            // the key ID of personal accounts
	policies      map[string]string // whose keys these are, by key ID
	good          string
	idp           *mockidp.Server
}

// strictTenants trusts a tenant of each kind, and one that has every rule of its own.
func strictTenants(cfg *identity.Config) {
	cfg.Tenants = identity.NewRegistry(
		identity.Tenant{ID: mockidp.Contoso},
		identity.Tenant{ID: mockidp.Fabrikam, Clients: []string{mockidp.Client}, DenyGuests: true},
		shop(nil),
		identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx"}},
	)
}

func newComparison(t testing.TB) *comparison {
	clock := func() time.Time { return fuzzTime }
	idp := mockidp.New(mockidp.WithClock(clock))
	c := &comparison{idp: idp, issuers: make(map[string]*trustedIssuer), policies: make(map[string]string)}
	c.cached = verifierOn(t, idp, strictTenants)
	c.fresh = verifierOn(t, idp, func(cfg *identity.Config) {
		strictTenants(cfg)
		cfg.TokenCache.MaxBytes = -1
	})
	identity.StopClock(c.cached, fuzzTime)
	identity.StopClock(c.fresh, fuzzTime)

	contoso, b2c, customers := idp.Tenant(mockidp.Contoso), idp.Tenant(mockidp.Shop), idp.Tenant(mockidp.Customers)
	right, consumer := contoso.Keys().Signing(), contoso.Keys().Consumer()
	flow, custom := b2c.PolicyKeys("B2C_1_susi").Signing(), b2c.PolicyKeys("B2C_1A_custom").Signing()
	c.consumer = consumer.ID()
	c.policies[flow.ID()], c.policies[custom.ID()] = "B2C_1_susi", "B2C_1A_custom"
	c.signers = []*mockidp.Key{right, consumer, flow, custom, customers.Keys().Signing(), contoso.Keys().NewKey().WithID(right.ID())}
	c.good = contoso.Token()

	for _, workforce := range []*mockidp.TenantHandle{contoso, idp.Tenant(mockidp.Fabrikam)} {
		c.trust(workforce, workforce.V1Issuer(), "1.0", right, consumer)
		c.trust(workforce, workforce.Issuer(), "2.0", right, consumer)
	}
	c.trust(b2c, b2c.Issuer(), "1.0", flow, custom)
	c.trust(customers, customers.Issuer(), "2.0", c.signers[4])
	return c
}

// trust sets up golang-jwt for one issuer with the strictest options that it has.
func (c *comparison) trust(tenant *mockidp.TenantHandle, issuer, version string, keys ...*mockidp.Key) {
	options := []jwt.ParserOption{
		jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithIssuer(issuer), jwt.WithAudience(mockidp.API, "api://"+mockidp.API), jwt.WithLeeway(fuzzLeeway),
		jwt.WithTimeFunc(func() time.Time { return fuzzTime }),
	}
	i := &trustedIssuer{
		tenant: tenant.ID(), kind: tenant.Kind(), version: version, keys: make(map[string]*rsa.PublicKey),
		parser: jwt.NewParser(options...), claims: jwt.NewValidator(options...),
	}
	for _, key := range keys {
		i.keys[key.ID()] = key.Public()
	}
	c.issuers[issuer] = i
}

var errNoSuchKey = errors.New("no such key")

func (i *trustedIssuer) key(token *jwt.Token) (any, error) {
	kid, _ := token.Header["kid"].(string)
	if key, ok := i.keys[kid]; ok {
		return key, nil
	}
	return nil, errNoSuchKey
}

// evidence is a token as encoding/json reads it, which is as golang-jwt does, but for numbers in the header.
type evidence struct {
	*comparison
	raw             string
	header, payload []byte
	members, claims map[string]any // those of the header, and the claims
	issuer          *trustedIssuer // nil: none of ours
}

// examine is nil for what encoding/json cannot read either.
func (c *comparison) examine(raw string) *evidence {
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		return nil
	}
	e := &evidence{comparison: c, raw: raw}
	var err error
	if e.header, e.members, err = decodeObject(segments[0]); err != nil {
		return nil
	}
	if e.payload, e.claims, err = decodeObject(segments[1]); err != nil {
		return nil
	}
	issuer, _ := e.claims["iss"].(string)
	e.issuer = c.issuers[issuer]
	return e
}

func decodeObject(segment string) (text []byte, members map[string]any, err error) {
	if text, err = base64.RawURLEncoding.Strict().DecodeString(segment); err != nil {
		return nil, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return text, members, d.Decode(&members)
}

// byGolangJWT is what golang-jwt says.
func (e *evidence) byGolangJWT() (*jwt.Token, error) {
	if e == nil || e.issuer == nil {
		return nil, jwt.ErrTokenUnverifiable
	}
	return e.issuer.parser.Parse(e.raw, e.issuer.key)
}

// onlySignatureMissing guesses whether golang-jwt would accept the token if it were signed. Signing takes a millisecond, and no
// signature helps most of what a fuzzer comes up with.
func (e *evidence) onlySignatureMissing() bool {
	if e == nil || e.issuer == nil {
		return false
	}
	_, err := e.issuer.key(&jwt.Token{Header: e.members})
	return err == nil && e.issuer.claims.Validate(jwt.MapClaims(e.claims)) == nil
}

// verify asks both verifiers, and the one with a cache a second time: they have to agree.
func (c *comparison) verify(t testing.TB, raw string) (*identity.Principal, *identity.Error) {
	t.Helper()
	p, e := verdict(t, c.fresh, raw)
	for range 2 {
		cached, other := verdict(t, c.cached, raw)
		if (e == nil) != (other == nil) || e != nil && e.Reason != other.Reason {
			t.Fatalf("%q: got=%v with a cache, %v without", raw, other, e)
		}
		if e == nil && (cached.String() != p.String() || cached.UserKey() != p.UserKey() || cached.RawToken() != p.RawToken()) {
			t.Fatalf("%q: got=%v with a cache, %v without", raw, cached, p)
		}
	}
	return p, e
}

func verdict(t testing.TB, v *identity.Verifier, raw string) (*identity.Principal, *identity.Error) {
	t.Helper()
	p, err := v.Verify(context.Background(), raw)
	if err == nil {
		return p, nil
	}
	e, ok := err.(*identity.Error)
	if !ok || p != nil || e.Reason == "" || e.Status != 400 && e.Status != 401 && e.Status != 403 {
		t.Fatalf("%q: got=%v %#v, want an error that blames the token, and no principal", raw, p, err)
	}
	return nil, e
}

// The ways in which FuzzGolangJWT spells a segment. Header and payload are signed as spelled.
var segmentSpellings = []func(s string) string{
	func(s string) string { return s },
	func(s string) string { return s + "\n" },
	func(s string) string { return s[:len(s)/2] + "\r\n" + s[len(s)/2:] },
	func(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) },
	func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) },
	func(s string) string { return s[:len(s)-min(1, len(s))] },
	func(s string) string { return s + "A" },
	func(s string) string { return " " + s },
	func(s string) string { return s + ".e30" },
	func(string) string { return "" },
	func(s string) string { // the last character, whose bits may stand for nothing
		return s[:len(s)-min(1, len(s))] + string(alphabet[(strings.IndexByte(alphabet, (s + "A")[max(0, len(s)-1)])+1)%len(alphabet)])
	},
}

// token makes a token of two texts. Where a text has {kid}, the signer's key ID comes in. A signature is made only if one of the two
// asks for it; the one of another token stands in for it otherwise.
func (c *comparison) token(t testing.TB, header, payload []byte, signer, spelling uint8) string {
	key := c.signers[int(signer)%len(c.signers)]
	spell, where := segmentSpellings[int(spelling)/3%len(segmentSpellings)], spelling%3
	text := strings.ReplaceAll(string(header), "{kid}", key.ID())
	first, second := base64.RawURLEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString(payload)
	switch where {
	case 1:
		first = spell(first)
	case 2:
		second = spell(second)
	}
	raw := first + "." + second + c.good[strings.LastIndexByte(c.good, '.'):]
	_, err := verdict(t, c.fresh, raw)
	if err != nil && errors.Is(err, identity.ErrSignature) || c.examine(raw).onlySignatureMissing() {
		raw = key.SignSegments(first, second)
	}
	if where == 0 {
		dot := strings.LastIndexByte(raw, '.') + 1
		raw = raw[:dot] + spell(raw[dot:])
	}
	return raw
}
