package mockidp

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// exchangeAudience is what the tokens of other issuers are meant for when they stand for a client.
const exchangeAudience = "api://AzureADTokenExchange"

var errNoKey = errors.New("no such key")

// assertionParser leaves time and audience to the callers, who refuse them in their own words.
func assertionParser() *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
}

// assertionSubject reads sub without believing it.
func assertionSubject(raw string) string {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &claims); err != nil {
		return ""
	}
	return claims.Subject
}

// checkAssertion verifies that the client signed the assertion (RFC 7523 §3), or that an issuer whom it trusts did.
func (x *exchange) checkAssertion(app *application, raw string) *refusal {
	var claims jwt.RegisteredClaims
	token, _, err := jwt.NewParser().ParseUnverified(raw, &claims)
	if err != nil {
		return refuse("invalid_client", 50027, "JWT token is invalid or malformed.").inB2C(90085, "The client assertion is invalid.")
	}
	if !strings.EqualFold(claims.Issuer, app.ID) && len(app.FederatedCredentials) > 0 {
		return x.checkFederated(app, raw, claims)
	}
	if !app.confidential() {
		return refuse("invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.").inB2C(90085, "The client assertion is invalid.")
	}
	parsed, err := assertionParser().Parse(raw, func(*jwt.Token) (any, error) { return certificateKey(app, token.Header) })
	if err != nil || !parsed.Valid {
		return refuse("invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application. Client assertion failed signature "+
			"validation. App ID: '%s'.", app.ID).inB2C(90085, "The client assertion is invalid.").advise("Add the certificate to the application on this server.")
	}
	if !strings.EqualFold(claims.Issuer, app.ID) || !strings.EqualFold(claims.Subject, app.ID) {
		return refuse("invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at "+
			"https://aka.ms/certCreds.").inB2C(90085, "The client assertion is invalid.")
	}
	if r := x.checkAssertionTime(claims); r != nil {
		return r
	}
	if !slices.ContainsFunc(claims.Audience, x.isOwnAddress) {
		return refuse("invalid_client", 700023, "Client assertion audience claim does not match Realm issuer. Review the documentation at https://aka.ms/certCreds.").
			inB2C(90085, "The client assertion is invalid.")
	}
	return nil
}

func (x *exchange) checkAssertionTime(claims jwt.RegisteredClaims) *refusal {
	const skew = 5 * time.Minute
	now := x.srv.now()
	expired := claims.ExpiresAt == nil || now.After(claims.ExpiresAt.Add(skew))
	if early := claims.NotBefore != nil && now.Add(skew).Before(claims.NotBefore.Time); expired || early {
		return refuse("invalid_client", 700024, "Client assertion is not within its valid time range. Current time: %s. Review the documentation at https://aka.ms/certCreds.",
			now.UTC().Format(time.RFC3339)).inB2C(90085, "The client assertion is invalid.")
	}
	return nil
}

// certificateKey finds the certificate that the header names by its thumbprint. MSAL Go writes x5t#S256 in padded standard
// base64, everybody else in base64url.
func certificateKey(app *application, header map[string]any) (any, error) {
	named := false
	for _, c := range app.certificates {
		s1, s256 := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
		for name, sum := range map[string][]byte{"x5t": s1[:], "x5t#S256": s256[:], "kid": s1[:]} {
			text, ok := header[name].(string)
			named = named || ok && name != "kid"
			if ok && slices.Equal(eitherBase64(text), sum) {
				return c.PublicKey.(*rsa.PublicKey), nil
			}
		}
	}
	if !named && len(app.certificates) == 1 {
		return app.certificates[0].PublicKey.(*rsa.PublicKey), nil // openid-client names no thumbprint
	}
	return nil, errNoKey
}

// eitherBase64 decodes both alphabets, padded or not; nil when it is neither.
func eitherBase64(text string) []byte {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return b
}

// isOwnAddress accepts as audience the token endpoint, the issuer or the authority, under every name of host and tenant.
func (x *exchange) isOwnAddress(audience string) bool {
	u, err := url.Parse(audience)
	if err != nil || u.Host == "" {
		return false
	}
	host := strings.ToLower(u.Host)
	sameHost := host == x.rt.host || host == hostOf(x.rt.issuerBase()) || x.rt.cloud != nil && slices.Contains(x.rt.cloud.hosts, host)
	segments := strings.Split(strings.Trim(strings.ToLower(u.Path), "/"), "/")
	if !sameHost {
		return false
	}
	if segments[0] == "tfp" {
		segments = segments[1:]
	}
	if len(segments) == 0 || !x.isOwnTenant(segments[0]) {
		return false
	}
	if len(segments) > 1 && x.rt.policy != "" && segments[1] == x.rt.policy {
		segments = segments[1:]
	}
	return slices.Contains([]string{"oauth2/v2.0/token", "oauth2/token", "v2.0", ""}, strings.Join(segments[1:], "/"))
}

func (x *exchange) isOwnTenant(name string) bool {
	if t := x.rt.tenant; t != nil && (name == t.ID || name == t.domain()) {
		return true
	}
	return name == x.rt.pathTenant || x.rt.cloud != nil && (name == "common" || name == "organizations")
}

// checkFederated verifies a token of another issuer (workload identity federation). Issuer, subject and audience compare exactly.
func (x *exchange) checkFederated(app *application, raw string, claims jwt.RegisteredClaims) *refusal {
	for _, f := range app.FederatedCredentials {
		audience := f.Audience
		if audience == "" {
			audience = exchangeAudience
		}
		if f.Issuer != claims.Issuer || f.Subject != claims.Subject || !slices.Contains(claims.Audience, audience) {
			continue
		}
		_, err := assertionParser().Parse(raw, func(token *jwt.Token) (any, error) {
			if f.Key != "" {
				return parsePublicKey(f.Key)
			}
			return x.srv.keyOfIssuer(f.Issuer, token.Header["kid"])
		})
		if err != nil {
			return refuse("invalid_client", 700027, "Client assertion failed signature validation. Issuer: '%s'.", f.Issuer)
		}
		return x.checkAssertionTime(claims)
	}
	return refuse("invalid_client", 70021, "No matching federated identity record found for presented assertion. Assertion Issuer: '%s'. Assertion Subject: '%s'. Assertion Audience: '%s'.",
		claims.Issuer, claims.Subject, strings.Join(claims.Audience, ", "))
}

// keyOfIssuer finds a published key of one of the server's own tenants: nothing is fetched.
func (s *Server) keyOfIssuer(issuer string, kid any) (any, error) {
	s.mu.RLock()
	var found []*tenant
	for _, t := range s.directory.tenants {
		if strings.Contains(issuer, t.ID) {
			found = append(found, t)
		}
	}
	s.mu.RUnlock()
	for _, t := range found {
		for _, set := range s.keySetsOf(t) {
			for _, k := range set.Published() {
				if k.ID() == kid {
					return k.Public(), nil
				}
			}
		}
	}
	return nil, errNoKey
}

// keySetsOf are all sets that sign a tenant's tokens.
func (s *Server) keySetsOf(t *tenant) []*KeySet {
	handle := &TenantHandle{srv: s, t: t}
	if t.Kind != B2C {
		return []*KeySet{handle.Keys()}
	}
	sets := make([]*KeySet, len(t.Policies))
	for i, p := range t.Policies {
		sets[i] = handle.PolicyKeys(p)
	}
	return sets
}
