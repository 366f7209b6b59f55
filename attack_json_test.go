package identity_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func jsonAttacks() []attackClass {
	return []attackClass{duplicates(), lookAlikes(), headerMembers(), numbers(), malformedNumbers(), deepAndHuge()}
}

// inFront and behind put members into the claims, which are signed as they then are.
func inFront(members string) mockidp.TokenOption {
	return mockidp.EditPayload(func(text string) string { return "{" + members + "," + text[1:] })
}

func behind(members string) mockidp.TokenOption {
	return mockidp.EditPayload(func(text string) string { return text[:len(text)-1] + "," + members + "}" })
}

// duplicates: one parser takes the first member of a name, another one the last.
func duplicates() attackClass {
	class := attackClass{
		name: "duplicate members", source: "RFC 7519 §4; RFC 8259 §4; CVE-2017-12635: two parsers, two readings",
		good: []attack{
			{name: "equal names in two objects", token: of(inFront(`"x":{"a":1,"tid":2},"y":{"a":1}`))},
			{name: "a claim that starts like another", token: of(inFront(`"tid2":"x"`))},
		},
	}
	for _, claim := range []struct{ name, evil string }{
		{"aud", `"x"`}, {"scp", `"Admin"`}, {"roles", `["Admin"]`}, {"oid", `"x"`}, {"sub", `"x"`}, {"azp", `"x"`}, {"nbf", `0`}, {"iat", `0`}, {"groups", `[]`}, {"idtyp", `"app"`},
		{"acct", `0`}, {"idp", `"live.com"`}, {"acrs", `["c1"]`}, {"xms_cc", `["cp1"]`}, {"tfp", `"x"`}, {"hasgroups", `true`}, {"_claim_names", `{}`}, {"cnf", `{}`}, {"name", `"x"`},
	} {
		twice := fmt.Sprintf(`"%s":%s,"%s":%s`, claim.name, claim.evil, claim.name, claim.evil)
		class.attacks = append(class.attacks, attack{claim.name + " twice", "", identity.ErrTokenMalformed, of(mockidp.Without(claim.name), behind(twice))})
	}
	for _, claim := range []struct{ name, evil string }{
		{"tid", `"x"`}, {"iss", `"x"`}, {"exp", `253402300799`}, {"ver", `"1.0"`}, {"aud", `"x"`}, {"scp", `"Admin"`},
	} {
		class.attacks = append(class.attacks, attack{"a second " + claim.name + " at the end", "", identity.ErrTokenMalformed, of(behind(fmt.Sprintf("%q:%s", claim.name, claim.evil)))})
	}
	add := func(name string, opt mockidp.TokenOption) {
		class.attacks = append(class.attacks, attack{name, "", identity.ErrTokenMalformed, of(opt)})
	}
	add("exp a second time, all in escapes", behind(`"\u0065\u0078\u0070":253402300799`))
	add("iss a second time, in escapes with capitals", behind(`"\u0069\u0073\u0073":"x"`))
	add("equal names in an object in a list", behind(`"x":[[{"a":1,"a":1}]]`))
	add("equal names, one in escapes, in an object", behind(`"x":{"a":1,"\u0061":2}`))
	add("an empty name twice", behind(`"":1,"":2`))
	add("a surrogate pair and its character", behind(`"\ud83d\ude00":1,"😀":2`))
	add("groups twice in _claim_names", behind(`"_claim_names":{"groups":"a","groups":"b"}`))
	return class
}

// lookAlikes: encoding/json, and whoever decodes into a struct with it, ignores case by Unicode's rules.
func lookAlikes() attackClass {
	class := attackClass{
		name: "look-alike members", source: "RFC 7519 §4: names compare with case; hashicorp/cap #191, 2026: decoders that fold case",
		good: []attack{
			{name: "names that fold to no claim of ours", token: of(inFront(`"İSS":1,"ıss":2,"tıd":3,"ISS2":4,"х":5`))},
			{name: "a look-alike in a nested object", token: of(inFront(`"x":{"TID":1,"tid":2}`))},
		},
	}
	for _, claim := range []struct{ name, value string }{
		{"SUB", `"x"`}, {"Oid", `"x"`}, {"AZP", `"x"`}, {"AppId", `"x"`}, {"NBF", `0`}, {"Iat", `0`}, {"VER", `"2.0"`}, {"GROUPS", `["g"]`}, {"HasGroups", `false`},
		{"IDTYP", `"app"`}, {"Tfp", `"x"`}, {"ACR", `"x"`}, {"ACRS", `["c1"]`}, {"IDP", `"x"`}, {"Acct", `0`}, {"CNF", `null`}, {"_Claim_Names", `{}`}, {"XMS_CC", `["cp1"]`},
		{"acrſ", `["c1"]`}, {"roleſ", `["Admin"]`}, {"groupſ", `["g"]`}, {"haſgroups", `false`}, {"ſub", `"x"`}, {"ſcp", `"Admin"`}, {"xmſ_cc", `[]`}, {"_claim_nameſ", `{}`},
		{"ISſ", `"x"`}, {"iſſ", `"x"`}, {"TiD", `"x"`}, {`\u0054id`, `"x"`}, {`i\u017fs`, `"x"`}, {`e\u0058p`, `253402300799`},
	} {
		class.attacks = append(class.attacks, attack{claim.name + " besides the claims", "", identity.ErrTokenMalformed, of(behind(fmt.Sprintf(`"%s":%s`, claim.name, claim.value)))})
	}
	for _, claim := range []string{"iss", "aud", "exp", "scp", "oid"} {
		class.attacks = append(class.attacks, attack{strings.ToUpper(claim) + " instead of " + claim, "", identity.ErrTokenMalformed,
			of(mockidp.EditPayload(func(text string) string {
				return strings.Replace(text, `"`+claim+`"`, `"`+strings.ToUpper(claim)+`"`, 1)
			}))})
	}
	return class
}

// headerMembers are duplicates and look-alikes in the header.
func headerMembers() attackClass {
	class := attackClass{
		name: "members of the header", source: "RFC 7515 §4: names are unique and compare with case",
		good: []attack{{name: "foreign members in the header", token: of(mockidp.EditHeader(func(text string) string { return `{"x":{"alg":"none"},` + text[1:] }))}},
	}
	for _, members := range []string{
		`"typ":"JWT","typ":"JWT"`, `"\u006bid":"x"`, `"KID":"x"`, `"Kid":"x"`, "\"\u212aid\":\"x\"", "\"\u212aID\":\"x\"", `"Alg":"none"`, `"aLG":"HS256"`, `"Typ":"id+jwt"`,
		`"jwk":1,"jwk":2`, `"jku":"a","JKU":"b"`, `"x":{"a":1,"a":2}`, `"Crit":[]`, `"iSS":"x"`, `"":1,"":2`,
	} {
		class.attacks = append(class.attacks, attack{"header with " + members, "", identity.ErrTokenMalformed, of(mockidp.EditHeader(func(text string) string {
			if strings.Contains(members, `"typ":"JWT",`) {
				text = strings.Replace(text, `"typ":"JWT",`, "", 1)
			}
			return "{" + members + "," + text[1:]
		}))})
	}
	return class
}

func rawJSON(text string) json.RawMessage { return json.RawMessage(text) }

func rawClaim(name, number string) mockidp.TokenOption { return mockidp.Claim(name, rawJSON(number)) }

// numbers that JSON allows, and that no machine, or no calendar, has.
func numbers() attackClass {
	const source = "RFC 7519 §2: NumericDate; RFC 8259 §6: numbers without limits"
	soon := func(format string) func(*siege) string {
		return func(s *siege) string {
			return s.contoso.Token(rawClaim("exp", fmt.Sprintf(format, time.Now().Add(time.Hour).Unix())))
		}
	}
	class := attackClass{
		name: "numbers", source: source,
		good: []attack{
			{name: "exp with a fraction", token: soon("%d.999999999")},
			{name: "exp with an exponent", token: soon("%de0")},
			{name: "the last second of the year 9999", token: of(mockidp.Claim("exp", int64(253402300799)))},
		},
	}
	far := []string{
		"1e400", "1e308", "1e99999999999999999999", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"340282366920938463463374607431768211456", "253402300800", "253402300799e1", "1e18", "-1", "-1e400", "-9223372036854775809", `"1e400"`, `"4102444800"`, `""`, `"NaN"`, `"Infinity"`,
		`{}`, `[]`, `true`, `false`, `[4102444800]`, "-0", "-0.0", `{"$date":4102444800}`, `"2099-01-01T00:00:00Z"`,
	}
	for _, number := range far {
		for _, claim := range []string{"exp", "nbf", "iat"} {
			class.attacks = append(class.attacks, attack{claim + " " + number, "", identity.ErrTime, of(rawClaim(claim, number))})
		}
	}
	for _, number := range []string{"0", "0.9", "1", "1e-400", "5e-324", "0e400", "1.7e9"} {
		want := identity.ErrExpired
		class.attacks = append(class.attacks, attack{"exp " + number, source + "; RFC 7519 §4.1.4", want, of(rawClaim("exp", number), mockidp.Without("nbf", "iat"))})
	}
	for _, claim := range []string{"nbf", "iat"} {
		want := map[string]error{"nbf": identity.ErrNotYetValid, "iat": identity.ErrIssuedInFuture}[claim]
		class.attacks = append(class.attacks, attack{claim + " in the year 9999", "RFC 7519 §4.1.5, §4.1.6", want,
			of(mockidp.Claim("exp", int64(253402300799)), rawClaim(claim, "253402300799"))})
	}
	return class
}

// malformedNumbers are none in JSON, though one parser or another reads them.
func malformedNumbers() attackClass {
	class := attackClass{
		name: "numbers that are none", source: "RFC 8259 §6",
		good: []attack{{name: "an odd number of JSON", token: of(inFront(`"x":-0.00E+00`))}},
	}
	for _, number := range []string{
		"NaN", "nan", "Infinity", "-Infinity", "+1", "01", "00", "-01", "-", "1.", ".5", "1e", "1e+", "1E-", "0x7fffffff", "0b1", "0o7", "1_000", "1,000", "1 000", "4102444800n", "4102444800L", "1.2.3", "--1",
		"1e1.5", "٤١٠", "４１０", "²", "½", "1/0", "undefined", "True", "'1'", "0x", "1f", "1e4OO",
	} {
		class.attacks = append(class.attacks, attack{"exp written " + number, "", identity.ErrTokenMalformed, of(mockidp.EditPayload(func(text string) string {
			before, after, _ := strings.Cut(text, `"exp":`)
			return before + `"exp":` + number + after[strings.IndexAny(after, ",}"):]
		}))})
	}
	return class
}

// deepAndHuge is JSON that costs the verifier, or its stack, more than the attacker.
func deepAndHuge() attackClass {
	const depth = "RFC 8259 §9; CVE-2020-36518, CVE-2024-21907: stack exhausted by nesting"
	class := attackClass{
		name: "deep and huge JSON", source: "RFC 8259 §9: an implementation may set limits",
		good: []attack{
			{name: "nesting of 16", token: of(inFront(`"x":` + nest("[", 15, "]")))},
			{name: "500 members", token: of(mockidp.EditPayload(func(text string) string {
				return text[:len(text)-1] + "," + manyMembers(500-strings.Count(text, `":`)) + "}"
			}))},
			{name: "a name of 1 KiB", token: of(inFront(`"` + strings.Repeat("x", 1024) + `":1`))},
			{name: "a list of 1,000", token: of(inFront(`"x":[` + strings.Repeat("0,", 999) + `0]`))},
		},
	}
	add := func(name, source string, opts ...mockidp.TokenOption) {
		class.attacks = append(class.attacks, attack{name, source, identity.ErrTokenMalformed, of(opts...)})
	}
	add("arrays nested 17 deep", depth, inFront(`"x":`+nest("[", 16, "]")))
	add("objects nested 17 deep", depth, inFront(`"x":`+nest(`{"a":`, 15, "}", "{}")))
	add("arrays and objects nested 1,000 deep", depth, inFront(`"x":`+nest(`[{"a":`, 500, "}]", "0")))
	add("arrays nested 40,000 deep without an end", depth, mockidp.RawPayload(`{"x":`+strings.Repeat("[", 40_000)))
	add("objects nested 8,000 deep without an end", depth, mockidp.RawPayload(strings.Repeat(`{"a":`, 8_000)))
	add("roles nested 20 deep", depth, mockidp.Claim("roles", json.RawMessage(nest("[", 20, "]"))))
	add("arrays nested 40 deep in the header", depth, mockidp.Header("x", json.RawMessage(nest("[", 40, "]"))))
	add("501 members", "CWE-407", mockidp.EditPayload(func(text string) string {
		return text[:len(text)-1] + "," + manyMembers(501-strings.Count(text, `":`)) + "}"
	}))
	add("3,000 members", "CWE-407; CVE-2011-4885: names that collide in a hash table", behind(manyMembers(3_000)))
	add("501 members of an inner object", "CWE-407", behind(`"x":{`+manyMembers(501)+`}`))
	add("a list of 1,001", "CWE-400", inFront(`"x":[`+strings.Repeat("0,", 1_000)+`0]`))
	add("roles of 1,001", "CWE-400", mockidp.Claim("roles", make([]string, 1_001)))
	add("a name of 1,025 bytes", "CWE-400", behind(`"`+strings.Repeat("x", 1025)+`":1`))
	add("a name of 40,000 letters to fold", "CWE-407", behind(`"`+strings.Repeat("ß", 20_000)+`":1`))
	add("300 members of the header, and one twice", "CWE-407", mockidp.EditHeader(func(text string) string {
		return text[:len(text)-1] + "," + manyMembers(300) + `,"m7":0}`
	}))
	add("a header of 60 KB", "CVE-2025-30204", mockidp.Header("x", strings.Repeat("x", 44_000)))
	class.attacks = append(class.attacks,
		attack{"60,000 dots", "CVE-2025-30204; CVE-2025-22868: work for every dot", identity.ErrTokenMalformed, func(*siege) string { return strings.Repeat(".", 60_000) }},
		attack{"a header, and 60,000 dots", "CVE-2025-30204; CVE-2025-27144", identity.ErrTokenMalformed, func(s *siege) string {
			return strings.Split(s.contoso.Token(), ".")[0] + strings.Repeat(".", 60_000)
		}},
		attack{"a token of 64 KiB and a byte", "RFC 9110 §5.4; CWE-400", identity.ErrTokenTooLarge, func(*siege) string { return strings.Repeat("A", 64<<10+1) }},
		attack{"a token of 1 MiB", "RFC 9110 §5.4; CWE-400", identity.ErrTokenTooLarge, func(s *siege) string { return s.contoso.Token() + strings.Repeat("A", 1<<20) }},
		attack{"a token of 1 MiB of dots", "CVE-2025-30204", identity.ErrTokenTooLarge, func(*siege) string { return strings.Repeat(".", 1<<20) }},
		attack{"a signature of 1,025 bytes", "RFC 8017 §8.2.2", identity.ErrTokenMalformed, func(s *siege) string {
			return withoutSignature(s.contoso.Token()) + strings.Repeat("A", 1367)
		}},
		attack{"a signature of 40 KB", "RFC 8017 §8.2.2", identity.ErrTokenMalformed, func(s *siege) string {
			return withoutSignature(s.contoso.Token()) + strings.Repeat("A", 40_000)
		}},
	)
	return class
}

func nest(open string, n int, end string, inner ...string) string {
	return strings.Repeat(open, n) + strings.Join(inner, "") + strings.Repeat(end, n)
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return b.String()[1:]
}
