package identity

import (
	"errors"
	"strings"
)

// IssuerForm is one of the four documented shapes of an issuer.
type IssuerForm uint8

const (
	// FormV1 is https://{host}/{tid}/, the issuer of Entra ID v1.0 tokens.
	FormV1 IssuerForm = iota + 1
	// FormV2 is https://{host}/{tid}/v2.0, the issuer of Entra ID v2.0 and External ID tokens.
	FormV2
	// FormB2C is https://{host}/{tid}/v2.0/, the default of Azure AD B2C.
	FormB2C
	// FormTFP is https://{host}/tfp/{tid}/{policy}/v2.0/, which a B2C policy can be set to.
	FormTFP
)

// Issuer is the iss claim of a token taken apart. It is pure syntax: a well-formed issuer says nothing of trust, which
// comes from the tenant that a [TenantSource] finds for it.
type Issuer struct {
	// Raw is the claim itself.
	Raw string
	// Host is the host, with the port when one is written.
	Host string
	// TenantID is the tenant's GUID, in lower case.
	TenantID string
	// Form tells which of the documented shapes it is.
	Form IssuerForm
	// Policy is the policy in the path of a [FormTFP] issuer.
	Policy string

	origin string // scheme and host, a prefix of Raw
}

var errIssuerForm = errors.New("iss is not of a documented form")

// ParseIssuer takes the iss claim apart. The grammar is strict: https (http on loopback only), a lower-case host, a
// lower-case GUID, and exactly one of the documented paths. Two different strings never give the same parts, so that
// comparing parts is comparing the claim (RFC 8725 §3.8).
func ParseIssuer(raw string) (Issuer, error) {
	host, ok := strings.CutPrefix(raw, "https://")
	insecure := false
	if !ok {
		host, insecure = strings.CutPrefix(raw, "http://")
		if !insecure {
			return Issuer{}, errIssuerForm
		}
	}
	host, path, ok := strings.Cut(host, "/")
	if !ok || !validHost(host) || insecure && !loopback(host) {
		return Issuer{}, errIssuerForm
	}
	iss := Issuer{Raw: raw, Host: host, origin: raw[:len(raw)-len(path)-1]}
	if !iss.parsePath(path) {
		return Issuer{}, errIssuerForm
	}
	return iss, nil
}

// clone is a copy that shares no memory with the token.
func (iss Issuer) clone() Issuer {
	for _, s := range []*string{&iss.Raw, &iss.Host, &iss.TenantID, &iss.Policy, &iss.origin} {
		*s = strings.Clone(*s)
	}
	return iss
}

// parsePath reads what follows the slash after the host.
func (iss *Issuer) parsePath(path string) bool {
	rest, tfp := strings.CutPrefix(path, "tfp/")
	if len(rest) < guidLength || !validGUID(rest[:guidLength]) {
		return false
	}
	iss.TenantID = rest[:guidLength]
	rest = rest[guidLength:]
	if tfp {
		policy, ok := strings.CutSuffix(rest, "/v2.0/")
		if !ok || policy == "" || !validPolicy(policy[1:]) || policy[0] != '/' {
			return false
		}
		iss.Form, iss.Policy = FormTFP, policy[1:]
		return true
	}
	switch rest {
	case "/":
		iss.Form = FormV1
	case "/v2.0":
		iss.Form = FormV2
	case "/v2.0/":
		iss.Form = FormB2C
	}
	return iss.Form != 0
}

const guidLength = 36

// validGUID reports whether s is a GUID in the one form that Microsoft puts into tokens: 8-4-4-4-12 lower-case hex.
func validGUID(s string) bool {
	if len(s) != guidLength || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	sum := 0
	for i := range guidLength {
		sum += int(guidBytes[s[i]])
	}
	return sum == 4 // the hyphens, and nothing but digits beside them
}

// guidBytes says of each byte what it adds to the sum in validGUID: without a branch for each, it takes half the time.
var guidBytes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
			t[c] = 0
		case c == '-':
			t[c] = 1
		default:
			t[c] = guidLength
		}
	}
	return t
}()
