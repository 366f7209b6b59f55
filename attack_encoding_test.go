package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func encodingAttacks() []attackClass { return []attackClass{spellings(), serialisations()} }

// misspelling writes a segment in a way that some decoder reads all the same.
type misspelling struct {
	name, source string
	spell        func(segment string) string
	want         error // default ErrTokenMalformed
}

func base64Spellings() []misspelling {
	insert := func(at int, text string) func(string) string {
		return func(s string) string {
			if at < 0 {
				return s + text
			}
			return s[:at] + text + s[at:]
		}
	}
	return []misspelling{
		{"a line feed in it", "RFC 7515 §2: no line breaks; Go's encoding/base64 skips them", insert(5, "\n"), nil},
		{"CR LF in it", "RFC 7515 §2; RFC 2045 §6.8", insert(5, "\r\n"), nil},
		{"a carriage return at its end", "RFC 7515 §2", insert(-1, "\r"), nil},
		{"a line feed before it", "RFC 7515 §2", insert(0, "\n"), nil},
		{"a line break after 76 characters", "RFC 2045 §6.8", insert(76, "\r\n"), nil},
		{"a form feed in it", "RFC 4648 §3.3", insert(9, "\f"), nil},
		{"a blank in it", "RFC 4648 §3.3; RFC 6750 §2.1", insert(9, " "), identity.ErrRequestInvalid},
		{"a tab in it", "RFC 4648 §3.3; RFC 6750 §2.1", insert(9, "\t"), identity.ErrRequestInvalid},
		{"a NUL at its end", "RFC 4648 §3.3", insert(-1, "\x00"), nil},
		{"a NUL in it", "RFC 4648 §3.3", insert(7, "\x00"), nil},
		{"one equals sign behind it", "RFC 7515 §2: without padding", insert(-1, "="), nil},
		{"two equals signs behind it", "RFC 7515 §2", insert(-1, "=="), nil},
		{"four equals signs behind it", "RFC 7515 §2", insert(-1, "===="), nil},
		{"an equals sign in it", "RFC 4648 §3.2, §12", insert(8, "="), nil},
		{"padding percent-encoded", "RFC 7515 §2; RFC 4648 §5", insert(-1, "%3D"), nil},
		{"padding as a dot", "RFC 7515 §7.1", insert(-1, "."), nil},
		{"a plus in it", "RFC 4648 §4: another alphabet", insert(8, "+abc"), nil},
		{"a slash in it", "RFC 4648 §4", insert(8, "/abc"), nil},
		{"a comma in it", "RFC 3501 §5.1.3: modified base64", insert(8, ",abc"), nil},
		{"an asterisk in it", "RFC 4648 §3.3", insert(8, "*"), nil},
		{"a DEL in it", "RFC 4648 §3.3", insert(8, "\x7f"), nil},
		{"a byte beyond ASCII in it", "RFC 4648 §3.3", insert(8, "\xff"), nil},
		{"a full-width letter in it", "RFC 4648 §3.3", insert(8, "Ａ"), nil},
		{"a byte order mark before it", "RFC 4648 §3.3", insert(0, "\ufeff"), nil},
		{"one character too many", "RFC 4648 §3: six bits are no octet", func(s string) string { return s + strings.Repeat("A", (5-len(s)%4)%4) }, nil},
		{"bits behind the last octet", "RFC 4648 §3.5, §12: one token, several spellings", unusedBits, nil},
		{"all in hexadecimal", "RFC 7515 §2", func(s string) string { return strings.Repeat("6a:", 40) + s }, nil},
	}
}

// unusedBits sets a bit of the last character that stands for nothing.
func unusedBits(segment string) string {
	if len(segment)%4 == 0 {
		panic("no bits to spare in " + segment)
	}
	return neighbour(segment)
}

// spare makes a text one whose encoding has bits to spare.
func spare(text string) string {
	if len(text)%3 == 0 {
		return strings.Replace(text, "{", "{ ", 1)
	}
	return text
}

// spellings: of a header or claims, so spelled and signed that way; or of a signature.
func spellings() attackClass {
	class := attackClass{
		name: "spellings of base64url", source: "RFC 7515 §2; RFC 4648 §3.5",
		good: []attack{{name: "segments with bits to spare", token: of(mockidp.EditHeader(spare), mockidp.EditPayload(spare))}},
	}
	for _, sp := range base64Spellings() {
		want := sp.want
		if want == nil {
			want = identity.ErrTokenMalformed
		}
		for _, segment := range []string{"header", "claims", "signature"} {
			class.attacks = append(class.attacks, attack{segment + " with " + sp.name, sp.source, want, func(s *siege) string {
				parts := strings.Split(s.contoso.Token(mockidp.EditHeader(spare), mockidp.EditPayload(spare)), ".")
				switch segment {
				case "header":
					return s.right.SignSegments(sp.spell(parts[0]), parts[1])
				case "claims":
					return s.right.SignSegments(parts[0], sp.spell(parts[1]))
				}
				return parts[0] + "." + parts[1] + "." + sp.spell(parts[2])
			}})
		}
	}
	return class
}

// serialisations are what is not three segments with a JSON object in the first two: other formats, and tokens inside tokens.
func serialisations() attackClass {
	class := attackClass{
		name: "other serialisations", source: "RFC 7515 §7.1: the compact one; RFC 7519 §1",
		good: []attack{
			{name: "the compact serialisation", token: of()},
			{name: "a token in a claim", token: by(func(s *siege) []mockidp.TokenOption {
				return options(mockidp.Claim("nested", s.contoso.Token()))
			})},
		},
	}
	add := func(name, source string, want error, token func(s *siege) string) {
		class.attacks = append(class.attacks, attack{name, source, want, token})
	}
	text := func(token string) func(*siege) string { return func(*siege) string { return token } }
	object := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	type members = map[string]any
	split := func(s *siege) []string { return strings.Split(s.contoso.Token(), ".") }
	add("flattened JSON", "RFC 7515 §7.2.2", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return object(members{"protected": p[0], "payload": p[1], "signature": p[2]})
	})
	add("general JSON", "RFC 7515 §7.2.1", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return object(members{"payload": p[1], "signatures": []members{{"protected": p[0], "signature": p[2]}}})
	})
	add("general JSON with two signatures", "RFC 7515 §7.2.1: is one enough, or both?", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return object(members{"payload": p[1], "signatures": []members{{"header": members{"alg": "none"}, "signature": ""}, {"protected": p[0], "signature": p[2]}}})
	})
	add("JSON with an unprotected header", "RFC 7515 §7.2.1: nobody has signed it", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return object(members{"header": members{"alg": "RS256", "kid": s.right.ID()}, "payload": p[1], "signature": p[2]})
	})
	add("JSON and compact in one", "CVE-2022-39227", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return `{"` + p[0] + `.` + base64.RawURLEncoding.EncodeToString([]byte(`{"scp":"Admin"}`)) + `.":"","protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
	})
	add("JSON in base64url", "RFC 7515 §7.2", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return base64.RawURLEncoding.EncodeToString([]byte(object(members{"protected": p[0], "payload": p[1], "signature": p[2]})))
	})
	add("a token in quotes", "RFC 6750 §2.1", identity.ErrTokenMalformed, func(s *siege) string { return `"` + s.contoso.Token() + `"` })
	add("a token in brackets", "RFC 6750 §2.1", identity.ErrTokenMalformed, func(s *siege) string { return "<" + s.contoso.Token() + ">" })
	add("a token in base64url", "RFC 7515 §7.1", identity.ErrTokenMalformed, func(s *siege) string {
		return base64.RawURLEncoding.EncodeToString([]byte(s.contoso.Token()))
	})
	add("a nested token", "RFC 7519 §5.2, §7.2; RFC 8725 §3.11", identity.ErrTokenMalformed, func(s *siege) string {
		return s.signed(`{"alg":"RS256","cty":"JWT","kid":"`+s.right.ID()+`"}`, s.contoso.Token())
	})
	add("a token for a header", "RFC 7515 §4", identity.ErrTokenMalformed, func(s *siege) string {
		p := split(s)
		return base64.RawURLEncoding.EncodeToString([]byte(s.contoso.Token())) + "." + p[1] + "." + p[2]
	})
	add("claims where the header should be", "RFC 7515 §7.1", identity.ErrAlgorithm, func(s *siege) string {
		p := split(s)
		return s.right.SignSegments(p[1], p[0])
	})
	add("two tokens with a dot between", "RFC 7515 §7.1", identity.ErrTokenMalformed, func(s *siege) string { return s.contoso.Token() + "." + s.contoso.Token() })
	add("two tokens with a tilde between", "RFC 9901 §4: SD-JWT", identity.ErrTokenEncrypted, func(s *siege) string { return s.contoso.Token() + "~" + s.contoso.Token() })
	add("an SD-JWT", "RFC 9901 §4", identity.ErrTokenMalformed, func(s *siege) string { return s.contoso.Token() + "~WyJzYWx0Iiwic2NwIiwiQWRtaW4iXQ~" })
	add("a key-bound SD-JWT", "RFC 9901 §4.3", identity.ErrTokenMalformed, func(s *siege) string { return s.contoso.Token() + "~" })
	add("five segments with the right signature", "RFC 7516 §7.1; CVE-2023-51774", identity.ErrTokenEncrypted, func(s *siege) string { return s.contoso.Token() + ".AAAA.AAAA" })
	add("five empty segments", "RFC 7516 §7.1", identity.ErrTokenEncrypted, text("...."))
	for _, row := range []struct{ name, header, source string }{
		{"alg dir", `{"alg":"dir","enc":"A128GCM"}`, "RFC 7516 §5.2"},
		{"alg RSA1_5", `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`, "RFC 8725 §3.2; RFC 3218"},
		{"alg PBES2 of a billion rounds", `{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"AAAA","p2c":1000000000}`, "CVE-2022-36083"},
		{"a compressed bomb", `{"alg":"dir","enc":"A128GCM","zip":"DEF"}`, "CVE-2024-28180; CVE-2024-28176"},
		{"an invalid curve point", `{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`, "CVE-2017-16007: invalid curve"},
		{"a token inside", `{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}`, "RFC 7519 §5.2; CVE-2023-51774"},
		{"the header of a signature", `{"alg":"RS256","enc":"A256GCM"}`, "CVE-2023-51774"},
	} {
		add("JWE with "+row.name, row.source, identity.ErrTokenEncrypted, func(s *siege) string {
			return base64.RawURLEncoding.EncodeToString([]byte(row.header)) + ".AAAA.AAAA." + base64.RawURLEncoding.EncodeToString([]byte(s.contoso.Token())) + ".AAAA"
		})
	}
	add("a PASETO", "PASETO v4", identity.ErrTokenMalformed, text("v4.public.eyJ0aWQiOiJ4In0."+strings.Repeat("A", 86)))
	add("a macaroon", "RFC 6750 §2.1", identity.ErrTokenMalformed, text("MDAxY2xvY2F0aW9uIGFwaS5leGFtcGxl"))
	add("a SAML assertion", "RFC 7522 §2.1", identity.ErrTokenMalformed, text(base64.RawURLEncoding.EncodeToString([]byte(`<saml:Assertion ID="x">`))))
	add("a CWT", "RFC 8392 §7", identity.ErrTokenMalformed, text(base64.RawURLEncoding.EncodeToString([]byte{0xd8, 0x3d, 0xd2, 0x84})))
	add("an opaque refresh token", "RFC 6749 §1.5", identity.ErrTokenMalformed, text("0.AXEAb2uQmVfQ7c1bT2sA"+strings.Repeat("A", 800)))
	add("a client secret", "RFC 6749 §2.3.1", identity.ErrTokenMalformed, text("abc8Q~"+strings.Repeat("x", 34)))
	add("an authorization code", "RFC 6749 §4.1.2", identity.ErrTokenMalformed, text("1.AXEA."+strings.Repeat("A", 40)+".x.y.z"))
	for _, literal := range []string{"null", "undefined", "NaN", "true", "0", "[object", "${token}", "{{token}}", "%s", "*", "..%2f", "eyJ", "eyJ.eyJ.", "e30.e30.e30"} {
		want := identity.ErrTokenMalformed
		if literal == "e30.e30.e30" {
			want = identity.ErrAlgorithm
		}
		add("the literal "+strconv.Quote(literal), "RFC 6750 §2.1", want, text(literal))
	}
	return class
}
