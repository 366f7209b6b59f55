package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	jwsHeader  = `{"typ":"JWT","alg":"RS256","kid":"Xj3kdkP0x4YlZzQmVfQ7c1bT2sA"}`
	jwsPayload = `{"aud":"cccccccc-3333-4333-8333-cccccccccccc",` +
		`"iss":"https://login.microsoftonline.com/aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa/v2.0",` +
		`"iat":1767225600,"nbf":1767225600,"exp":1767230400,` +
		`"aio":"AVQAq/8TAAAAb2uQmVfQ7c1bT2sAXj3kdkP0x4YlZzQmVfQ7c1bT2sAXj3kdkP0x4YlZzQmVf",` +
		`"azp":"dddddddd-4444-4444-8444-dddddddddddd","azpacr":"0","name":"Jo Doe",` +
		`"oid":"eeeeeeee-5555-4555-8555-eeeeeeeeeeee","preferred_username":"jo@contoso.example",` +
		`"rh":"0.AXEAb2uQmVfQ7c1bT2sAXj3kdkP0x4YlZzQm","roles":["Orders.Approver"],"scp":"access_as_user",` +
		`"sub":"hX5aZ0t7yQkP1dLr9uVn3sWc8eJm2fGb6oTi4xRlYqA","tid":"aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa",` +
		`"uti":"Qk3JxYt0m0y8b1nGdVwzAA","ver":"2.0","xms_cc":["cp1"],"idtyp":"user",` +
		`"xms_ftd":"zQb2uQmVfQ7c1bT2sAXj3kdkP0x4YlZzQmVfQ7c1bT2","acct":0}`
)

var encodeSegment = base64.RawURLEncoding.EncodeToString

// jws puts a token together. Its signature is 256 bytes of nothing: parseToken does not verify.
func jws(header, payload string) string {
	return encodeSegment([]byte(header)) + "." + encodeSegment([]byte(payload)) + "." + encodeSegment(make([]byte, 256))
}

func TestParseToken(t *testing.T) {
	t.Parallel()
	raw := jws(jwsHeader, jwsPayload)
	got, err := parseToken(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.raw != raw || got.signed+"."+encodeSegment(got.signature) != raw || got.payload != jwsPayload ||
		got.kid != "Xj3kdkP0x4YlZzQmVfQ7c1bT2sA" || got.graphNonce {
		t.Errorf("got=%+v", got)
	}
	want := claims{
		issuer:       "https://login.microsoftonline.com/aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa/v2.0",
		subject:      "hX5aZ0t7yQkP1dLr9uVn3sWc8eJm2fGb6oTi4xRlYqA",
		version:      "2.0",
		tenantID:     "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa",
		hasTenantID:  true,
		objectID:     "eeeeeeee-5555-4555-8555-eeeeeeeeeeee",
		azp:          "dddddddd-4444-4444-8444-dddddddddddd",
		idType:       "user",
		audience:     stringList{one: "cccccccc-3333-4333-8333-cccccccccccc"},
		scope:        "access_as_user",
		hasScope:     true,
		roles:        stringList{one: "Orders.Approver"},
		hasRoles:     true,
		capabilities: stringList{one: "cp1"},
		expires:      numericDate{unix: 1767230400, set: true},
		notBefore:    numericDate{unix: 1767225600, set: true},
		issuedAt:     numericDate{unix: 1767225600, set: true},
		account:      accountMember,
	}
	if fmt.Sprintf("%+v", got.claims) != fmt.Sprintf("%+v", want) {
		t.Errorf("got=%+v\nwant=%+v", got.claims, want)
	}
}

// TestTokenShape holds refused tokens, each with an accepted one next to it.
func TestTokenShape(t *testing.T) {
	t.Parallel()
	good := jws(jwsHeader, jwsPayload)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	signed := header + "." + payload + "."
	none := encodeSegment([]byte(`{"alg":"none"}`))
	// of an n-byte token: a claim that fills it up
	sized := func(n int) string {
		const empty = `{"x":""}`
		room := n - len(header) - len(signature) - 2
		return header + "." + encodeSegment([]byte(`{"x":"`+strings.Repeat("x", room*6/8-len(empty))+`"}`)) + "." + signature
	}
	largest := sized(maxToken)
	paddedHeader := func(n int) string { return jws(jwsHeader+strings.Repeat(" ", n*6/8-len(jwsHeader)), "{}") }
	for _, row := range []struct {
		name     string
		refused  string
		sentinel error
		accepted string
	}{
		{"too large", largest + strings.Repeat("A", maxToken+1-len(largest)), ErrTokenTooLarge, largest}, // A16
		{"too large, and junk", strings.Repeat(".", maxToken+1), ErrTokenTooLarge, good},
		{"empty", "", ErrTokenMalformed, good},
		{"null", "null", ErrTokenMalformed, good}, // A14
		{"undefined", "undefined", ErrTokenMalformed, good},
		{"dots", "..", ErrTokenMalformed, good},
		{"header only", header, ErrTokenMalformed, good},
		{"two segments", header + "." + payload, ErrTokenMalformed, good},
		{"no header", "." + payload + "." + signature, ErrTokenMalformed, good},
		{"no payload", header + ".." + signature, ErrTokenMalformed, good},
		{"no signature", signed, ErrTokenMalformed, good},
		{"alg none without signature", none + "." + payload + ".", ErrAlgorithm, good}, // B1
		{"four segments", good + ".AAAA", ErrTokenMalformed, good},
		{"five segments", good + ".AAAA.AAAA", ErrTokenEncrypted, good}, // A15
		{"five segments, no encrypted key", header + "..AAAA.AAAA.AAAA", ErrTokenEncrypted, good},
		{"six segments", good + ".AAAA.AAAA.AAAA", ErrTokenMalformed, good},
		{"header not base64", "!" + good[1:], ErrTokenMalformed, good}, // A14
		{"header of one character", "e." + payload + "." + signature, ErrTokenMalformed, good},
		{"header too long", paddedHeader(4100), ErrTokenMalformed, paddedHeader(4096)},
		{"payload of one character", header + ".e." + signature, ErrTokenMalformed, header + ".e30." + signature},
		{"standard alphabet", header + ".eyJ4IjoiPj4+In0." + signature, ErrTokenMalformed, header + ".eyJ4IjoiPj4-In0." + signature},
		{"standard alphabet, slash", header + ".eyJ4IjoiPz8/In0." + signature, ErrTokenMalformed, header + ".eyJ4IjoiPz8_In0." + signature},
		{"padding of the signature", good + "==", ErrTokenMalformed, good}, // B20
		{"padding of the payload", header + ".eyJhIjowfQ==." + signature, ErrTokenMalformed, header + ".eyJhIjowfQ." + signature},
		{"line break at the end", good + "\n", ErrTokenMalformed, good},
		{"carriage return in the signature", good[:len(good)-3] + "\r" + good[len(good)-3:], ErrTokenMalformed, good},
		{"line break in the payload", header + "." + payload[:8] + "\n" + payload[8:] + "." + signature, ErrTokenMalformed, good},
		{"line break in the header", header[:5] + "\r\n" + header[5:] + "." + payload + "." + signature, ErrTokenMalformed, good},
		{"line break near the end of a segment", header + ".e3\n0." + signature, ErrTokenMalformed, header + ".e30." + signature},
		{"blank in the signature", good[:len(good)-1] + " ", ErrTokenMalformed, good},
		{"trailing bits of the signature", good[:len(good)-1] + "B", ErrTokenMalformed, good}, // B20
		{"trailing bits of the payload", header + ".e31." + signature, ErrTokenMalformed, header + ".e30." + signature},
		{"byte beyond ASCII", good[:len(good)-2] + "\u00e9", ErrTokenMalformed, good},
		{"signature longer than any", signed + encodeSegment(make([]byte, 1025)), ErrTokenMalformed, signed + encodeSegment(make([]byte, 1024))},
		{"signature shorter than one octet", signed + "A", ErrTokenMalformed, signed + "AA"},
		{"header is no JSON", jws("RS256", jwsPayload), ErrTokenMalformed, good}, // A14
		{"header is an array", jws("["+jwsHeader+"]", jwsPayload), ErrTokenMalformed, good},
		{"payload is no JSON", jws(jwsHeader, "x"), ErrTokenMalformed, jws(jwsHeader, "{}")}, // A14
		{"payload is an array", jws(jwsHeader, "[]"), ErrTokenMalformed, jws(jwsHeader, `{"a":[]}`)},
		{"payload is a string", jws(jwsHeader, `"{}"`), ErrTokenMalformed, jws(jwsHeader, `{"a":"{}"}`)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			checkRefused(t, row.refused, row.sentinel)
			checkAccepted(t, row.accepted)
		})
	}
}

// The log says what is wrong with the shape.
func TestTokenShapeCauses(t *testing.T) {
	t.Parallel()
	good := jws(jwsHeader, jwsPayload)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	signed := header + "." + payload + "."
	for raw, want := range map[string]error{
		strings.Repeat("A", maxToken+1): errTooLarge,
		header:                          errSegments,
		"." + payload + "." + signature: errSegments,
		header + ".." + signature:       errSegments,
		signed:                          errSegments,
		good + ".AAAA.AAAA":             errEncrypted,
		strings.Repeat("A", maxHeader+1) + "." + payload + "." + signature: errHeader,
		"!" + good:                 errBase64,
		header + ".!." + signature: errBase64,
		signed + "!!":              errBase64,
		signed + encodeSegment(make([]byte, maxSignature+1)): errSignature,
	} {
		checkRefused(t, raw, want)
	}
}

func checkRefused(t *testing.T, raw string, sentinel error) {
	t.Helper()
	got, err := parseToken(raw)
	if !errors.Is(err, sentinel) {
		t.Errorf("refused: got=%v, want=%v", err, sentinel)
	}
	if _, ok := errors.AsType[*Error](err); !ok || got != nil {
		t.Errorf("refused: got=%v with %T", got, err)
	}
}

func checkAccepted(t *testing.T, raw string) *token {
	t.Helper()
	got, err := parseToken(raw)
	if err != nil {
		t.Fatalf("accepted: got=%v", err)
	}
	if got.signed+"."+encodeSegment(got.signature) != raw {
		t.Errorf("accepted: got=%q %x", got.signed, got.signature)
	}
	return got
}

// TestDecodeSegment compares the decoder with encoding/base64 for all short segments of a few characters, and behind
// eight good ones.
func TestDecodeSegment(t *testing.T) {
	t.Parallel()
	strict := base64.RawURLEncoding.Strict()
	var check func(segment string, n int)
	check = func(segment string, n int) {
		for _, s := range []string{segment, "eyJ4IjoiPj4" + segment, "eyJ4Ijoi" + segment, segment + "eyJ4IjoiPj4"} {
			want, err := strict.DecodeString(s)
			wantOK := err == nil && !strings.ContainsAny(s, "\r\n")
			var buffer [8]byte
			got, ok := decodeSegment(buffer[:0], s)
			if ok != wantOK || ok && string(got) != string(want) {
				t.Fatalf("%q: got=%q %v, want=%q %v", s, got, ok, want, wantOK)
			}
		}
		if n == 0 {
			return
		}
		for _, c := range "AQg_-9z=+\n\r\x00é" {
			check(segment+string(c), n-1)
		}
	}
	check("", 4)
	for c := range 256 {
		for at := range 11 {
			s := []byte("eyJ4IjoiPj4")
			s[at] = byte(c)
			_, err := strict.DecodeString(string(s))
			if _, ok := decodeSegment(nil, string(s)); ok != (err == nil && c != '\n' && c != '\r') {
				t.Fatalf("%q: got=%v, want=%v", s, ok, err)
			}
		}
	}
}

// TestTokenHeader holds refused headers, each with an accepted one next to it.
func TestTokenHeader(t *testing.T) {
	t.Parallel()
	with := func(members string) string { return `{"alg":"RS256","kid":"k1",` + members + `}` }
	kid := func(value string) string { return `{"alg":"RS256","kid":` + value + `}` }
	alg := func(value string) string { return `{"kid":"k1","alg":` + value + `}` }
	const plain = `{"alg":"RS256","kid":"k1"}`
	for _, row := range []struct {
		name     string
		refused  string
		sentinel error
		accepted string
	}{
		{"alg none", alg(`"none"`), ErrAlgorithm, plain},                                   // B1
		{"alg HS256", alg(`"HS256"`), ErrAlgorithm, plain},                                 // B2
		{"alg RS384", alg(`"RS384"`), ErrAlgorithm, plain},                                 // B3
		{"alg PS256", alg(`"PS256"`), ErrAlgorithm, plain},                                 // B3
		{"alg ES256", alg(`"ES256"`), ErrAlgorithm, plain},                                 // B3
		{"alg in lower case", alg(`"rs256"`), ErrAlgorithm, plain},                         // B4
		{"alg with a blank", alg(`" RS256"`), ErrAlgorithm, `{"kid":"k1","alg": "RS256"}`}, // B4
		{"alg with a NUL", alg(`"RS256\u0000"`), ErrAlgorithm, alg(`"RS25\u0036"`)},
		{"no alg", `{"kid":"k1"}`, ErrAlgorithm, plain}, // B4
		{"alg a number", alg(`256`), ErrAlgorithm, plain},
		{"alg null", alg(`null`), ErrAlgorithm, plain},
		{"alg an array", alg(`["RS256"]`), ErrAlgorithm, plain},
		{"alg empty", alg(`""`), ErrAlgorithm, plain},
		{"alg only in upper case", `{"kid":"k1","ALG":"RS256"}`, ErrTokenMalformed, plain},
		{"two algs", `{"kid":"k1","alg":"RS256","alg":"RS256"}`, ErrTokenMalformed, plain},
		{"crit", with(`"crit":["exp"]`), ErrCritical, with(`"critical":["exp"]`)}, // B17
		{"crit empty", with(`"crit":[]`), ErrCritical, plain},
		{"crit null", with(`"crit":null`), ErrCritical, plain},
		{"crit in upper case", with(`"CRIT":["exp"]`), ErrTokenMalformed, plain},
		{"b64", with(`"b64":false`), ErrCritical, with(`"b65":false`)},
		{"b64 true", with(`"b64":true`), ErrCritical, plain},
		{"typ another", with(`"typ":"id+jwt"`), ErrTokenType, with(`"typ":"JWT"`)},           // B18
		{"typ longer", with(`"typ":"xat+jwt"`), ErrTokenType, with(`"typ":"at+jwt"`)},        // B18
		{"typ of a DPoP proof", with(`"typ":"dpop+jwt"`), ErrTokenType, with(`"typ":"jwt"`)}, // B18
		{"typ in parts", with(`"typ":"application/jwt"`), ErrTokenType, with(`"typ":"application/at+jwt"`)},
		{"typ with a parameter", with(`"typ":"at+jwt; v=1"`), ErrTokenType, with(`"typ":"AT+JWT"`)},
		{"typ with a blank", with(`"typ":"JWT "`), ErrTokenType, with(`"typ":"Application/At+Jwt"`)},
		{"typ empty", with(`"typ":""`), ErrTokenType, with(`"typ":"Jwt"`)},
		{"typ a number", with(`"typ":1`), ErrTokenType, plain}, // B18
		{"typ null", with(`"typ":null`), ErrTokenType, plain},
		{"typ an array", with(`"typ":["JWT"]`), ErrTokenType, plain},
		{"no kid", `{"alg":"RS256"}`, ErrKeyID, plain}, // B12
		{"kid a number", kid(`1`), ErrKeyID, kid(`"1"`)},
		{"kid null", kid(`null`), ErrKeyID, plain}, // B13
		{"kid an array", kid(`["k1"]`), ErrKeyID, plain},
		{"kid an object", kid(`{}`), ErrKeyID, plain},
		{"kid empty", kid(`""`), ErrKeyID, kid(`"k"`)},
		{"kid too long", kid(`"` + strings.Repeat("k", 257) + `"`), ErrKeyID, kid(`"` + strings.Repeat("k", 256) + `"`)},
		{"kid with a line break", kid(`"k\n1"`), ErrKeyID, kid(`"k\u00311"`)},
		{"kid with a NUL", kid(`"k1\u0000"`), ErrKeyID, kid(`"!~"`)},
		{"kid with a blank", kid(`"k 1"`), ErrKeyID, kid(`"k-1"`)},
		{"kid with DEL", kid("\"k\x7f\""), ErrKeyID, kid("\"k\x7e\"")},
		{"kid beyond ASCII", kid(`"ké"`), ErrKeyID, kid(`"ke"`)},
		{"kid with a Kelvin sign", "{\"alg\":\"RS256\",\"\u212aid\":\"k1\"}", ErrTokenMalformed, plain},
		// In the header too the names of claims have no look-alikes, and are of no consequence.
		{"look-alike of a claim", with(`"Iss":"x"`), ErrTokenMalformed, with(`"iss":1,"exp":"x"`)},
		// B16: keys and addresses of keys are not looked at
		{"alg none with keys", `{"alg":"none","jku":"https://a.example"}`, ErrAlgorithm, with(`"jku":"https://a.example","x5u":1,"jwk":{"kty":"oct"},"x5c":["x"],"enc":"x","zip":"DEF"`)},
		// the order: JSON, alg, crit, typ, kid
		{"JSON before alg", `{"alg":"none",}`, ErrTokenMalformed, plain},
		{"alg before crit", `{"crit":[],"typ":1,"alg":"none"}`, ErrAlgorithm, plain},
		{"crit before typ", `{"alg":"RS256","typ":1,"crit":[]}`, ErrCritical, plain},
		{"typ before kid", `{"alg":"RS256","typ":1}`, ErrTokenType, plain},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			checkRefused(t, jws(row.refused, jwsPayload), row.sentinel)
			checkAccepted(t, jws(row.accepted, jwsPayload))
		})
	}
}

// B19
func TestTokenGraphNonce(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		`{"alg":"RS256","kid":"k1","nonce":"x"}`:        true,
		`{"alg":"RS256","kid":"k1","n\u006fnce":null}`:  true,
		`{"alg":"RS256","kid":"k1","x":{"nonce":"x"}}`:  false,
		`{"nonces":"x","alg":"RS256","kid":"k\u0031"}`:  false,
		`{"alg":"RS256","kid":"k1","x":"nonce","y":[]}`: false,
	} {
		if got := checkAccepted(t, jws(header, "{}")); got.graphNonce != want || got.kid != "k1" {
			t.Errorf("%s: got=%v %q", header, got.graphNonce, got.kid)
		}
	}
}

// TestClaimTypes holds refused payloads, each with an accepted one next to it.
func TestClaimTypes(t *testing.T) {
	t.Parallel()
	type row struct {
		name     string
		refused  string
		sentinel error
		accepted string
	}
	rows := []row{
		{"scp an array", `{"scp":["a"]}`, ErrClaims, `{"scp":"a"}`}, // I6
		{"scp a number", `{"scp":1}`, ErrClaims, `{"scope":1}`},     // I6 I8
		{"scp an object", `{"scp":{}}`, ErrClaims, `{"scp":""}`},    // I6
		{"roles an object", `{"roles":{}}`, ErrClaims, `{"roles":[]}`},
		{"roles with a number", `{"roles":["a",1]}`, ErrClaims, `{"roles":["a","1"]}`},
		{"roles nested", `{"roles":[["a"]]}`, ErrClaims, `{"roles":["a"]}`},
		{"roles with null", `{"roles":[null]}`, ErrClaims, `{"roles":"a"}`},
		{"groups a number", `{"groups":1}`, ErrClaims, `{"groups":"1"}`},
		{"groups with an object", `{"groups":[{}]}`, ErrClaims, `{"groups":["{}"]}`},
		{"acrs with a boolean", `{"acrs":[true]}`, ErrClaims, `{"acrs":"c1"}`}, // J14
		{"xms_cc a number", `{"xms_cc":1}`, ErrClaims, `{"xms_cc":"cp1"}`},
		{"hasgroups a number", `{"hasgroups":1}`, ErrClaims, `{"hasgroups":true}`}, // J9
		{"hasgroups an array", `{"hasgroups":[]}`, ErrClaims, `{"hasgroups":"true"}`},
		{"_claim_names a string", `{"_claim_names":"groups"}`, ErrClaims, `{"_claim_names":{}}`},
		{"_claim_names an array", `{"_claim_names":["groups"]}`, ErrClaims, `{"_claim_names":{"groups":1}}`},
		{"acct a boolean", `{"acct":true}`, ErrClaims, `{"acct":1}`}, // J3
		{"acct an array", `{"acct":[0]}`, ErrClaims, `{"acct":"0"}`},
		{"azp and appid differ", `{"azp":"a","appid":"b"}`, ErrClaims, `{"azp":"a","appid":"a"}`}, // J7
		{"appid empty, azp not", `{"azp":"a","appid":""}`, ErrClaims, `{"azp":"a"}`},              // J7
		// JSON decides before any claim does, wherever its fault stands.
		{"JSON before types", `{"scp":1,"a":1,"a":1}`, ErrTokenMalformed, `{"scp":"a","a":1}`},
		{"end of JSON before types", `{"scp":1`, ErrTokenMalformed, `{"scp":"a"}`},
		{"tid twice", `{"tid":"a","tid":"b"}`, ErrTokenMalformed, `{"tid":"a"}`}, // D19
		{"tid and TID", `{"tid":"a","TID":"a"}`, ErrTokenMalformed, `{"tid":"a","x":{"TID":"a"}}`},
		{"TID and tid", `{"TID":"a","tid":"a"}`, ErrTokenMalformed, `{"tid":"a"}`},
		{"only TID", `{"TID":"a"}`, ErrTokenMalformed, `{"tid":"a"}`}, // D18
		{"look-alike of a header name", `{"Alg":"a"}`, ErrTokenMalformed, `{"alg":1}`},
	}
	for _, name := range []string{"sub", "oid", "azp", "appid", "idtyp", "idp", "scp"} {
		for _, value := range []string{`1`, `true`, `{}`, `[]`, `["a"]`} {
			rows = append(rows, row{name + " " + value, `{"` + name + `":` + value + `}`, ErrClaims, `{"` + name + `":"a"}`})
		}
	}
	for _, name := range []string{"sub", "oid", "azp", "appid", "idtyp", "idp", "scp", "roles", "groups", "acrs", "xms_cc", "hasgroups", "_claim_names", "acct"} {
		rows = append(rows, row{name + " null", `{"` + name + `":null}`, ErrClaims, `{"x` + name + `":null}`})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			checkRefused(t, jws(jwsHeader, row.refused), row.sentinel)
			checkAccepted(t, jws(jwsHeader, row.accepted))
		})
	}
}

// A refusal names the claim, not what it says.
func TestClaimTypesCause(t *testing.T) {
	t.Parallel()
	_, err := parseToken(jws(jwsHeader, `{"scp":["secret"]}`))
	if err == nil || !strings.Contains(err.Error(), "claim scp") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got=%v", err)
	}
}

// TestClaimValues holds payloads that are accepted here, whatever later steps make of them.
func TestClaimValues(t *testing.T) {
	t.Parallel()
	one := func(s string) stringList { return stringList{one: s} }
	two := stringList{many: []string{"a", "b"}}
	for payload, want := range map[string]claims{
		`{}`: {},
		`{"iss":"a\u002fb","sub":"s","ver":"1.0","oid":"o"}`: {issuer: "a/b", subject: "s", version: "1.0", objectID: "o"},
		`{"iss":1,"ver":2.0}`:                                {}, // G4
		`{"iss":null,"ver":[]}`:                              {},
		`{"tid":"t"}`:                                        {tenantID: "t", hasTenantID: true},
		`{"tid":1}`:                                          {hasTenantID: true}, // D20
		`{"tid":null}`:                                       {hasTenantID: true}, // D20
		`{"tid":""}`:                                         {hasTenantID: true},
		`{"tfp":"B2C_1_a"}`:                                  {tfp: "B2C_1_a", hasTFP: true},
		`{"tfp":1,"acr":[]}`:                                 {hasTFP: true, hasACR: true},
		`{"acr":"1"}`:                                        {acr: "1", hasACR: true},
		`{"azp":"a","idp":"i"}`:                              {azp: "a", idp: "i"},
		`{"appid":"a"}`:                                      {appID: "a"},
		`{"idtyp":"app"}`:                                    {idType: "app"},
		`{"aud":"a"}`:                                        {audience: one("a")},
		`{"aud":["a","b"]}`:                                  {audience: two},
		`{"aud":[ "a" , "b" ]}`:                              {audience: two},
		`{"aud":["a"]}`:                                      {audience: one("a")},
		`{"aud":["\u0061"]}`:                                 {audience: one("a")},
		`{"aud":""}`:                                         {}, // G7
		`{"aud":[]}`:                                         {}, // G7
		`{"aud":[ ]}`:                                        {},
		`{"aud":null}`:                                       {}, // G7
		`{"aud":1}`:                                          {}, // G7
		`{"aud":[1]}`:                                        {}, // G7
		`{"aud":["a",1]}`:                                    {},
		`{"aud":[["a"]]}`:                                    {},
		`{"aud":["a",["a"]]}`:                                {},
		`{"aud":{"a":"a"}}`:                                  {},
		`{"aud":["a,\"b","b"]}`:                              {audience: stringList{many: []string{`a,"b`, "b"}}},
		`{"scp":"a b"}`:                                      {scope: "a b", hasScope: true},
		`{"scp":""}`:                                         {hasScope: true},
		`{"scope":"a"}`:                                      {},
		`{"roles":"a b"}`:                                    {roles: one("a b"), hasRoles: true}, // I10
		`{"roles":["a","b"]}`:                                {roles: two, hasRoles: true},
		`{"roles":[]}`:                                       {hasRoles: true},
		`{"groups":["a","b"]}`:                               {groups: two},
		`{"groups":"a"}`:                                     {groups: one("a")},
		`{"acrs":"c1"}`:                                      {authContexts: one("c1")}, // J14
		`{"acrs":["c1"]}`:                                    {authContexts: one("c1")},
		`{"xms_cc":"cp1"}`:                                   {capabilities: one("cp1")},
		`{"hasgroups":true}`:                                 {hasGroups: true}, // J9
		`{"hasgroups":"true"}`:                               {hasGroups: true},
		`{"hasgroups":false}`:                                {},
		`{"hasgroups":"false"}`:                              {},
		`{"_claim_names":{"x":"y","groups":"src1"}}`: {groupsElsewhere: true}, // J9
		`{"_claim_names":{"gr\u006fups":"src1"}}`:    {groupsElsewhere: true},
		`{"_claim_names":{"Groups":"src1"}}`:         {},
		`{"_claim_names":{"x":{"groups":"src1"}}}`:   {},
		`{"acct":0}`:                           {account: accountMember}, // J3
		`{"acct":"0"}`:                         {account: accountMember},
		`{"acct":1}`:                           {account: accountGuest},
		`{"acct":"1"}`:                         {account: accountGuest},
		`{"acct":2}`:                           {account: accountGuest},
		`{"acct":-0}`:                          {account: accountGuest},
		`{"acct":0.0}`:                         {account: accountGuest},
		`{"acct":""}`:                          {account: accountGuest},
		`{"cnf":{"kid":"x"}}`:                  {bound: true}, // J15
		`{"cnf":null}`:                         {bound: true},
		`{"x":{"cnf":1,"iss":1}}`:              {},
		`{"amr":["pwd"],"n":9007199254740993}`: {}, // L3
	} {
		got := checkAccepted(t, jws(jwsHeader, payload))
		if fmt.Sprintf("%+v", got.claims) != fmt.Sprintf("%+v", want) || got.payload != payload {
			t.Errorf("%s:\n got=%+v\nwant=%+v", payload, got.claims, want)
		}
	}
}

// H8: a time that is none is left for the step that checks the lifetime, see ErrTime.
func TestNumericDate(t *testing.T) {
	t.Parallel()
	valid := func(unix int64) numericDate { return numericDate{unix: unix, set: true} }
	invalid := numericDate{set: true, invalid: true}
	for raw, want := range map[string]numericDate{
		"0":                          valid(0),
		"1":                          valid(1),
		"1767225600":                 valid(1767225600),
		"1767225600.999999999999999": valid(1767225600),
		"1.7672256e9":                valid(1767225600),
		"1.7672256E+9":               valid(1767225600),
		"17672256e2":                 valid(1767225600),
		"17672256009e-1":             valid(1767225600),
		"1.7672256009e9":             valid(1767225600),
		"0.00017672256e13":           valid(1767225600),
		"0.5":                        valid(0),
		"9e-1":                       valid(0),
		"1e-999999999999999999999":   valid(0),
		"0e999999999999999999999":    valid(0),
		"1e-18446744073709551616":    valid(0), // the exponent must not wrap around
		"1e18446744073709551616":     invalid,
		"0.0e400":                    valid(0),
		"253402300799":               valid(maxDate),
		"253402300799.9999999":       valid(maxDate),
		"2.53402300799e11":           valid(maxDate),
		"253402300800":               invalid,
		"2.534023008e11":             invalid,
		"1e12":                       invalid,
		"1e400":                      invalid,
		"1e999999999999999999999":    invalid,
		"9223372036854775808":        invalid,
		"18446744073709551616":       invalid, // 2^64, zero after a wrap-around
		"18446744075476777216":       invalid,
		"-1":                         invalid,
		"-0.5":                       invalid,
		"-0":                         invalid,
		"-1e-9":                      invalid,
		`"1767225600"`:               invalid,
		"null":                       invalid,
		"true":                       invalid,
		"[1767225600]":               invalid,
		"{}":                         invalid,
		"0." + strings.Repeat("0", 9_999) + "17672256e10009":   valid(1767225600),
		"17672256" + strings.Repeat("0", 9_999) + "e-9997":     valid(1767225600),
		"0." + strings.Repeat("0", 9_999) + "17672256e1000000": invalid,
	} {
		got := checkAccepted(t, jws(jwsHeader, `{"exp":`+raw+`,"nbf":`+raw+`,"iat": `+raw+` }`)).claims
		if got.expires != want || got.notBefore != want || got.issuedAt != want {
			t.Errorf("%.40s: got=%+v %+v %+v, want=%+v", raw, got.expires, got.notBefore, got.issuedAt, want)
		}
	}
}

func TestStringList(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		raw  string
		want []string
	}{
		{`[]`, nil},
		{`""`, nil},
		{`[""]`, nil},
		{`"a"`, []string{"a"}},
		{`["a"]`, []string{"a"}},
		{`["a","",""]`, []string{"a", "", ""}},
	} {
		list, ok := listValue(row.raw)
		if !ok || !slices.Equal(list.strings(), row.want) || list.empty() != (row.want == nil) || list.contains("a") != (row.want != nil) || list.contains("A") {
			t.Errorf("%s: got=%+v %v", row.raw, list, ok)
		}
		if copied := list.strings(); len(copied) > 0 {
			if copied[0] = "changed"; list.contains("changed") { // L6
				t.Errorf("%s: the list was changed through its copy", row.raw)
			}
		}
	}
	if (stringList{}).contains("") {
		t.Error("an empty list contains the empty string")
	}
}

// A stranger's junk must not make us allocate.
func TestParseTokenAllocs(t *testing.T) {
	for _, row := range []struct {
		name string
		raw  string
		max  float64
	}{
		{"typical", jws(jwsHeader, jwsPayload), 3},
		{"garbage", "garbage", 1},
		{"too large", strings.Repeat("a.", maxToken), 1},
		{"header too long", strings.Repeat("e", 50_000) + ".e30.AA", 1},
		{"signature too long", encodeSegment([]byte(jwsHeader)) + ".e30." + strings.Repeat("A", 50_000), 3},
	} {
		if got := testing.AllocsPerRun(100, func() { _, _ = parseToken(row.raw) }); got > row.max {
			t.Errorf("%s: got=%v allocations, want at most %v", row.name, got, row.max)
		}
	}
}

// BenchmarkParseToken stands next to the signature check that it precedes.
func BenchmarkParseToken(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	signed := encodeSegment([]byte(jwsHeader)) + "." + encodeSegment([]byte(jwsPayload))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	raw := signed + "." + encodeSegment(signature)
	for _, row := range []struct{ name, raw string }{
		{"typical", raw},
		{"garbage", "garbage"},
		{"algorithm", jws(`{"alg":"none"}`, jwsPayload)},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = parseToken(row.raw)
			}
		})
	}
	b.Run("rsa", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			digest := sha256.Sum256([]byte(signed))
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})
}
