package identity_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func headerAttacks() []attackClass {
	return []attackClass{keysInHeader(), criticalHeaders(), headerTypes()}
}

// headerKey is a header parameter that would hand the verifier a key, or tell it where to find one.
type headerKey struct {
	name, source string
	opt          func(s *siege) mockidp.TokenOption
}

const attackersKeys = "https://attacker.example/keys"

func headerKeys() []headerKey {
	fixed := func(name string, value any) func(*siege) mockidp.TokenOption {
		return func(*siege) mockidp.TokenOption { return mockidp.Header(name, value) }
	}
	chain := func(keys ...func(s *siege) *mockidp.Key) func(*siege) mockidp.TokenOption {
		return func(s *siege) mockidp.TokenOption {
			var x5c []string
			for _, key := range keys {
				x5c = append(x5c, base64.StdEncoding.EncodeToString(key(s).CertificateDER()))
			}
			return mockidp.Header("x5c", x5c)
		}
	}
	right, stranger := func(s *siege) *mockidp.Key { return s.right }, func(s *siege) *mockidp.Key { return s.stranger }
	return []headerKey{
		{"jwk", "CVE-2018-0114; RFC 8725 §3.10", func(s *siege) mockidp.TokenOption {
			return mockidp.Header("jwk", json.RawMessage(publicJWK(s.stranger)))
		}},
		{"jwk with the right kid", "CVE-2018-0114", func(s *siege) mockidp.TokenOption {
			return mockidp.Header("jwk", json.RawMessage(publicJWK(s.stranger.WithID(s.right.ID()))))
		}},
		{"jwk that is symmetric", "CVE-2018-0114; RFC 7515 §4.1.3", fixed("jwk", map[string]string{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"})},
		{"jwk of alg none", "CVE-2018-0114; RFC 8725 §2.1", fixed("jwk", map[string]string{"kty": "RSA", "alg": "none"})},
		{"jwk that is an address", "RFC 7515 §4.1.3", fixed("jwk", attackersKeys)},
		{"jwk null", "RFC 7515 §4.1.3", fixed("jwk", nil)},
		{"jwks", "CVE-2018-0114", func(s *siege) mockidp.TokenOption {
			return mockidp.Header("jwks", json.RawMessage(`{"keys":[`+string(publicJWK(s.stranger))+`]}`))
		}},
		{"jku of an attacker", "RFC 8725 §3.10; RFC 7515 §4.1.2", fixed("jku", attackersKeys)},
		{"jku on Microsoft's host as user info", "RFC 8725 §3.10; RFC 3986 §7.6", fixed("jku", "https://login.microsoftonline.com@attacker.example/keys")},
		{"jku on a look-alike host", "RFC 8725 §3.10", fixed("jku", "https://login.microsoftonline.com.attacker.example/common/discovery/v2.0/keys")},
		{"jku of an open redirect", "RFC 8725 §3.10", fixed("jku", "https://login.microsoftonline.com/common/oauth2/logout?post_logout_redirect_uri="+attackersKeys)},
		{"jku of another cloud", "RFC 8725 §3.10", fixed("jku", "https://login.partner.microsoftonline.cn/common/discovery/v2.0/keys")},
		{"jku of the instance metadata", "RFC 8725 §3.10; CWE-918", fixed("jku", "http://169.254.169.254/metadata/identity/oauth2/token")},
		{"jku of this machine", "RFC 8725 §3.10; CWE-918", fixed("jku", "http://127.0.0.1:2375/keys")},
		{"jku of a file", "RFC 8725 §3.10; CWE-73", fixed("jku", "file:///proc/self/environ")},
		{"jku with the key in it", "RFC 8725 §3.10; RFC 2397", func(s *siege) mockidp.TokenOption {
			return mockidp.Header("jku", "data:application/json;base64,"+base64.StdEncoding.EncodeToString(publicJWK(s.stranger)))
		}},
		{"jku in a list", "RFC 7515 §4.1.2", fixed("jku", []string{attackersKeys})},
		{"x5u of an attacker", "RFC 8725 §3.10; RFC 7515 §4.1.5", fixed("x5u", "https://attacker.example/certificate.pem")},
		{"x5u of this machine", "RFC 8725 §3.10; CWE-918", fixed("x5u", "http://[::1]:8080/certificate.pem")},
		{"x5c of a stranger", "RFC 7515 §4.1.6; CVE-2018-0114", chain(stranger)},
		{"x5c of the right key before a stranger's", "RFC 7515 §4.1.6", chain(right, stranger)},
		{"x5c of a stranger before the right key's", "RFC 7515 §4.1.6", chain(stranger, right)},
		{"x5c of nonsense", "RFC 7515 §4.1.6", fixed("x5c", []any{"MIIB", 1, nil})},
		{"x5t of a stranger", "RFC 7515 §4.1.7", func(s *siege) mockidp.TokenOption { return mockidp.Header("x5t", s.stranger.ID()) }},
		{"x5t of the right key", "RFC 7515 §4.1.7", func(s *siege) mockidp.TokenOption { return mockidp.Header("x5t", s.right.ID()) }},
		{"x5t#S256", "RFC 7515 §4.1.8", fixed("x5t#S256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
		{"iss in the header", "RFC 7519 §5.3: replicated claims", fixed("iss", "https://attacker.example/")},
		{"pem", "RFC 8725 §3.10", func(s *siege) mockidp.TokenOption { return mockidp.Header("pem", string(s.stranger.PublicPEM())) }},
	}
}

// keysInHeader: a key that comes with the token is the attacker's. It must not be used, whether its kid is a published one or not,
// nor may anybody be asked for it; the token that the right key signed is good in spite of it.
func keysInHeader() attackClass {
	class := attackClass{
		name: "keys in the header", source: "RFC 8725 §3.10; CVE-2018-0114",
		after: func(t *testing.T, s *siege) {
			for _, r := range s.idp.Requests() {
				if r.Host != "login.microsoftonline.com" || r.Scheme != "https" {
					t.Errorf("asked %s://%s%s", r.Scheme, r.Host, r.Path)
				}
			}
		},
	}
	for _, h := range headerKeys() {
		class.good = append(class.good, attack{name: "right signature, " + h.name, token: by(func(s *siege) []mockidp.TokenOption {
			return options(h.opt(s))
		})})
		class.attacks = append(class.attacks,
			attack{"forged under the right kid, " + h.name, h.source, identity.ErrSignature, by(func(s *siege) []mockidp.TokenOption {
				return options(mockidp.SignedBy(s.stranger.WithID(s.right.ID())), h.opt(s))
			})},
			attack{"signed by a stranger, " + h.name, h.source, identity.ErrKeyNotFound, by(func(s *siege) []mockidp.TokenOption {
				return options(mockidp.SignedBy(s.stranger), h.opt(s))
			})})
	}
	return class
}

func criticalHeaders() attackClass {
	class := attackClass{
		name: "critical header parameters", source: "RFC 7515 §4.1.11; CVE-2025-59420",
		good: []attack{
			{name: "an extension that is not critical", token: of(mockidp.Header("urn:example:extension", true))},
			{name: "crit inside another member", token: of(mockidp.Header("x", map[string]any{"crit": []string{"exp"}}))},
			{name: "crit as a claim", token: of(mockidp.Claim("crit", []string{"exp"}))},
			{name: "zip without compression", token: of(mockidp.Header("zip", "DEF"))},
		},
	}
	add := func(name, source string, want error, token func(*siege) string) {
		class.attacks = append(class.attacks, attack{name, source, want, token})
	}
	for _, crit := range []string{
		`"exp"`, `1`, `null`, `true`, `{}`, `{"exp":true}`, `["alg"]`, `["kid","alg"]`, `["crit"]`, `[""]`, `[null]`, `[["exp"]]`, `["exp","exp"]`, `["EXP"]`,
		`["http://openbanking.org.uk/iat"]`, `["typ"]`,
	} {
		add("crit "+crit, "", identity.ErrCritical, func(s *siege) string { return s.contoso.Token(mockidp.Header("crit", json.RawMessage(crit))) })
	}
	for _, b64 := range []string{`true`, `null`, `0`, `"false"`, `[]`} {
		add("b64 "+b64, "RFC 7797 §3, §6", identity.ErrCritical, func(s *siege) string { return s.contoso.Token(mockidp.Header("b64", json.RawMessage(b64))) })
	}
	head := func(members string) func(s *siege) string {
		return func(s *siege) string {
			return s.signed(`{"alg":"RS256","kid":"`+s.right.ID()+`",`+members+`}`, claimsOf(s.contoso.Token()))
		}
	}
	add("crit in escapes", "", identity.ErrCritical, head(`"cr\u0069t":["exp"]`))
	add("b64 in escapes", "RFC 7797 §6", identity.ErrCritical, head(`"b6\u0034":false`))
	add("crit in capitals", "", identity.ErrTokenMalformed, head(`"CRIT":["exp"]`))
	add("B64 in capitals", "RFC 7797 §6", identity.ErrTokenMalformed, head(`"B64":false`))
	add("crit twice", "RFC 7515 §4", identity.ErrTokenMalformed, head(`"crit":["exp"],"crit":[]`))
	add("unencoded payload", "RFC 7797 §5", identity.ErrCritical, func(s *siege) string {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"` + s.right.ID() + `","crit":["b64"],"b64":false}`))
		return s.right.SignSegments(head, "{}")
	})
	add("detached payload", "RFC 7515 appendix F", identity.ErrTokenMalformed, func(s *siege) string {
		parts := strings.Split(s.contoso.Token(), ".")
		return parts[0] + ".." + parts[2]
	})
	add("compressed payload", "RFC 7516 §4.1.3: for JWE alone; CVE-2024-28176", identity.ErrTokenMalformed, func(s *siege) string {
		return s.signed(`{"alg":"RS256","kid":"`+s.right.ID()+`","zip":"DEF"}`, deflated(claimsOf(s.contoso.Token())))
	})
	add("compressed payload that grows", "CVE-2024-28180; CVE-2024-21319", identity.ErrTokenMalformed, func(s *siege) string {
		return s.signed(`{"alg":"RS256","kid":"`+s.right.ID()+`","zip":"DEF"}`, deflated(strings.Repeat(" ", 10<<20)))
	})
	return class
}

func deflated(text string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func headerTypes() attackClass {
	class := attackClass{
		name: "token types", source: "RFC 8725 §3.11, §2.8: one kind of token for another",
		good: []attack{
			{name: "typ at+jwt", token: of(mockidp.Header("typ", "at+jwt"))},
			{name: "cty without meaning", token: of(mockidp.Header("cty", "JWT"))},
		},
	}
	for _, typ := range []string{
		"dpop+jwt", "secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "oauth-mtls+jwt", "entity-statement+jwt", "wit+jwt", "jwe", "JOSE", "JOSE+JSON", "application/jwt",
		"application/jose", "application/at+jwt; charset=utf-8", "application/application/at+jwt", "text/at+jwt", "at+JWT ", "at jwt", "at+jwt\x00", "at+jwt,JWT", "ａt+jwt", "JWT\n",
		"J\u200bWT", "JŴT", "ſat+jwt", "vc+sd-jwt", "kb+jwt",
	} {
		source := ""
		switch typ {
		case "dpop+jwt":
			source = "RFC 9449 §4.2"
		case "secevent+jwt":
			source = "RFC 8417 §2.3"
		case "token-introspection+jwt":
			source = "RFC 9701 §5"
		case "oauth-authz-req+jwt":
			source = "RFC 9101 §4"
		}
		class.attacks = append(class.attacks, attack{"typ " + typ, source, identity.ErrTokenType, of(mockidp.Header("typ", typ))})
	}
	return class
}
