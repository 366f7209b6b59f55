package identity_test

import (
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// textAttacks are values that look like the right ones, to a person or to a library that is too helpful, and strings that are none.
func textAttacks() []attackClass {
	return []attackClass{homoglyphs(), brokenStrings()}
}

func homoglyphs() attackClass {
	class := attackClass{
		name: "Unicode that looks right", source: "RFC 7519 §7.3: compared code point by code point; RFC 8265 §1; CWE-1007",
		good: []attack{
			{name: "the right values in escapes", token: of(mockidp.EditPayload(func(text string) string {
				return strings.NewReplacer("login.microsoftonline.com", `login\u002emicrosoftonline.com`, mockidp.API, `\u0063`+mockidp.API[1:]).Replace(text)
			}))},
			{name: "names beyond ASCII", token: of(mockidp.Claim("name", "Žofie Ωμέγα \U0001f600\u202e"), mockidp.Claim("имя", "x"))},
		},
	}
	const host, rest = "https://login.microsoftonline.com/", "/v2.0"
	for _, row := range []struct{ name, issuer string }{
		{"a Cyrillic o in the host", "https://lоgin.microsoftonline.com/" + tenantA + rest},
		{"a full-width dot in the host", "https://login．microsoftonline.com/" + tenantA + rest},
		{"an ideographic full stop in the host", "https://login。microsoftonline。com/" + tenantA + rest},
		{"a long s in the host", "https://login.microſoftonline.com/" + tenantA + rest},
		{"a Punycode host", "https://xn--lgin-qqa.microsoftonline.com/" + tenantA + rest},
		{"a zero-width space in the host", "https://login.microsoft\u200bonline.com/" + tenantA + rest},
		{"a soft hyphen in the host", "https://login.microsoft\u00adonline.com/" + tenantA + rest},
		{"a fraction slash in the path", "https://login.microsoftonline.com\u2044" + tenantA + rest},
		{"a full-width tenant", host + wide(tenantA) + rest},
		{"an Arabic digit in the tenant", host + strings.Replace(tenantA, "1", "١", 1) + rest},
		{"a non-breaking hyphen in the tenant", host + strings.ReplaceAll(tenantA, "-", "\u2011") + rest},
		{"a byte order mark before the issuer", "\ufeff" + host + tenantA + rest},
		{"a right-to-left override in the issuer", host + tenantA + "\u202e" + rest},
		{"a NUL behind the issuer", host + tenantA + rest + "\x00"},
		{"a NUL behind the host of the issuer", "https://login.microsoftonline.com\x00.attacker.example/" + tenantA + rest},
		{"a line break in the issuer", host + tenantA + rest + "\n"},
		{"a tab in the issuer", "https://login.micro\tsoftonline.com/" + tenantA + rest},
		{"a backslash for a slash", `https://login.microsoftonline.com\` + tenantA + rest},
		{"the scheme in capitals", "HTTPS://login.microsoftonline.com/" + tenantA + rest},
		{"the tenant without hyphens", host + strings.ReplaceAll(tenantA, "-", "") + rest},
		{"the tenant in braces", host + "{" + tenantA + "}" + rest},
		{"the tenant percent-encoded", host + "%61" + tenantA[1:] + rest},
		{"v2.0 in other digits", host + tenantA + "/v２.0"},
		{"the version v2", host + tenantA + "/v2"},
		{"the version v3.0", host + tenantA + "/v3.0"},
	} {
		class.attacks = append(class.attacks, attack{"issuer: " + row.name, "RFC 8725 §3.8; RFC 3986 §7.6", identity.ErrIssuer, of(mockidp.Claim("iss", row.issuer))})
	}
	for _, row := range []struct{ name, tenant string }{
		{"full-width", wide(tenantA)}, {"with an Arabic digit", strings.Replace(tenantA, "1", "١", 1)}, {"with a Cyrillic a", "а" + tenantA[1:]}, {"and a blank", tenantA + " "},
		{"and a line break", tenantA + "\n"}, {"behind a NUL", "\x00" + tenantA}, {"and a NUL and more", tenantA + "\x00" + tenantB}, {"with a zero-width joiner", tenantA[:8] + "\u200d" + tenantA[8:]},
		{"without hyphens", strings.ReplaceAll(tenantA, "-", "")}, {"in braces", "{" + tenantA + "}"}, {"as a URN", "urn:uuid:" + tenantA}, {"twice", tenantA + "," + tenantA},
	} {
		class.attacks = append(class.attacks, attack{"tid " + row.name, "CWE-1007; Microsoft: tid and iss must name the same tenant", identity.ErrTenantMismatch, of(mockidp.Claim("tid", row.tenant))})
	}
	for _, row := range []struct{ name, audience string }{
		{"full-width", wide(mockidp.API)}, {"with a Cyrillic c", "с" + mockidp.API[1:]}, {"and a NUL", mockidp.API + "\x00"}, {"behind a NUL", "\x00" + mockidp.API}, {"and a line break", mockidp.API + "\n"},
		{"and another behind a NUL", mockidp.API + "\x00" + mockidp.Client}, {"behind a byte order mark", "\ufeff" + mockidp.API}, {"under API://", "API://" + mockidp.API}, {"under api:", "api:" + mockidp.API},
		{"with a path", "api://" + mockidp.API + "/access_as_user"}, {"with a query", "api://" + mockidp.API + "?x"}, {"behind another", mockidp.Client + "," + mockidp.API}, {"as a wildcard", "api://*"},
		{"under https", "https://" + mockidp.API}, {"with user info", "api://" + mockidp.API + "@attacker.example"},
	} {
		class.attacks = append(class.attacks, attack{"aud " + row.name, "RFC 7519 §4.1.3; RFC 8725 §3.9; CWE-1007", identity.ErrAudience, of(mockidp.Audience(row.audience))})
	}
	return class
}

// wide spells ASCII in full-width characters, which compatibility normalisation turns back.
func wide(s string) string {
	return strings.Map(func(r rune) rune { return r + 0xfee0 }, s)
}

func brokenStrings() attackClass {
	class := attackClass{
		name: "strings that are none", source: "RFC 8259 §7, §8.1; RFC 8725 §3.7",
		good: []attack{
			{name: "every kind of escape", token: of(inFront(`"x":"\"\\\/\b\f\n\r\t\u0000\ud83d\ude00"`))},
			{name: "blanks where JSON allows them", token: of(mockidp.EditPayload(func(text string) string {
				return " \t\r\n{ " + strings.Replace(text[1:], ":", " :\n", 1) + "\n"
			}))},
		},
	}
	for _, row := range []struct{ name, member string }{
		{"a lone low surrogate", `"x":"\udc00"`},
		{"two high surrogates", `"x":"\ud83d\ud83d"`},
		{"half a pair at the end", `"x":"a\ud83d"`},
		{"half a pair in a name", `"\ud83d":1`},
		{"half a pair in the name of a claim", `"tid\ud800":"x"`},
		{"a surrogate in UTF-8", "\"x\":\"\xed\xa0\x80\""},
		{"a pair of surrogates in UTF-8", "\"x\":\"\xed\xa0\xbd\xed\xb8\x80\""},
		{"a code point beyond Unicode", "\"x\":\"\xf4\x90\x80\x80\""},
		{"a sequence of five bytes", "\"x\":\"\xf8\x88\x80\x80\x80\""},
		{"a NUL in two bytes", "\"x\":\"\xc0\x80\""},
		{"a quote in three bytes", "\"x\":\"\xe0\x80\xa2\""},
		{"a sequence that is cut off", "\"x\":\"\xe2\x82\""},
		{"a lone continuation byte", "\"x\":\"\x80\""},
		{"Latin-1", "\"x\":\"Fran\xe7ois\""},
		{"invalid bytes in a nested name", "\"x\":{\"\xff\":1}"},
		{"invalid bytes in a nested list", "\"x\":[\"\xff\"]"},
		{"a raw NUL in a string", "\"x\":\"a\x00b\""},
		{"a raw NUL between members", "\x00\"x\":1"},
		{"a raw tab in a string", "\"x\":\"a\tb\""},
		{"a raw escape character in a string", "\"x\":\"\x1b[2J\""},
		{"an escape that is none", `"x":"\x41"`},
		{"an escape of an apostrophe", `"x":"\'"`},
		{"an escape of a line break", "\"x\":\"\\\n\""},
		{"an escape of three digits", `"x":"\u041"`},
		{"an escape with a capital U", `"x":"\U0041"`},
		{"an escape with a sign", `"x":"\u+041"`},
		{"an escape with braces", `"x":"\u{41}"`},
		{"an octal escape", `"x":"\101"`},
		{"apostrophes for quotes", `'x':'y'`},
		{"a name without quotes", `x:1`},
		{"a number for a name", `1:1`},
		{"a line comment", "\"x\":1//\n"},
		{"a block comment", `"x":/* tid */1`},
		{"a hash comment", "#\n\"x\":1"},
		{"two commas", `"x":1,`},
		{"a missing comma", `"x":1 "y":2`},
		{"a missing colon", `"x" 1`},
		{"two values", `"x":1 2`},
		{"a vertical tab for a blank", "\v\"x\":1"},
		{"a form feed for a blank", "\f\"x\":1"},
		{"a non-breaking space for a blank", "\u00a0\"x\":1"},
		{"a line separator for a blank", "\u2028\"x\":1"},
		{"typographic quotes", `“x”:1`},
		{"a list that is not closed", `"x":[1,2`},
		{"a list that ends in a comma", `"x":[1,]`},
		{"a brace for a bracket", `"x":[1}`},
		{"capitals in true", `"x":TRUE`},
		{"a cut-off null", `"x":nul`},
		{"None", `"x":None`},
	} {
		class.attacks = append(class.attacks, attack{"JSON with " + row.name, "", identity.ErrTokenMalformed, of(inFront(row.member))})
	}
	return class
}
