package identity

import (
	"errors"
	"net/netip"
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
	if len(s) != guidLength {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// validHost reports whether s is a lower-case host name or address in its one spelling, with at most one port.
func validHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		addr, err := netip.ParseAddr(s[1:end])
		return err == nil && addr.Is6() && addr.Zone() == "" && addr.String() == s[1:end] && validPort(s[end+1:])
	}
	name, port := s, ""
	if colon := strings.IndexByte(s, ':'); colon >= 0 {
		name, port = s[:colon], s[colon:]
	}
	return validName(name) && validPort(port)
}

// validName checks the letters-digits-hyphen rule of RFC 1123 §2.1, label by label.
func validName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for len(s) > 0 {
		label, rest, more := strings.Cut(s, ".")
		if !validLabel(label) || more && rest == "" {
			return false
		}
		s = rest
	}
	return true
}

func validLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// validPort accepts nothing, or a colon and a port without leading zeros.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	digits := s[1:]
	if s[0] != ':' || digits == "" || len(digits) > 5 || digits[0] == '0' {
		return false
	}
	port := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
		port = port*10 + int(digits[i]-'0')
	}
	return port <= 65535
}

// loopback reports whether a host, with or without a port, is this machine by its very name.
func loopback(host string) bool {
	name := hostname(host)
	if name == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// hostname is a host without its port and brackets.
func hostname(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return host[1:end]
		}
	}
	name, _, _ := strings.Cut(host, ":")
	return name
}
