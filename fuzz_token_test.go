package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// FuzzJSON holds our scanner against an independent one: it accepts a document if and only if jsontext does by its strict
// defaults and the document obeys our further rules, and it reads the same values.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(jwsHeader))
	f.Add([]byte(jwsPayload))
	for _, size := range []int{maxName, maxName + 1} {
		f.Add([]byte(`{"a":"","` + strings.Repeat("x", size) + `":"","b":""}`))
	}
	f.Add([]byte(`,"a":"b"}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if len(document) > 16<<10 {
			t.Skip()
		}
		var got claims
		err := got.parse(string(document))
		if strict := strictObject(document); !strict {
			if !errors.Is(err, ErrTokenMalformed) {
				t.Fatalf("got=%v for a document that is not strict JSON", err)
			}
			return
		}
		want, ok := claimsByLibrary(t, document)
		if !ok {
			if !errors.Is(err, ErrClaims) {
				t.Fatalf("got=%v for claims of the wrong type", err)
			}
			return
		}
		if err != nil {
			t.Fatalf("got=%v for a document that is right", err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("\n got=%+v\nwant=%+v", got, want)
		}
	})
}

// strictObject tells by jsontext whether a document is an object that obeys our rules.
func strictObject(document []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(document))
	var names []string
	deepest, bounded := 0, true
	for first := true; ; first = false {
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		if first && token.Kind() != '{' {
			return false
		}
		deepest = max(deepest, d.StackDepth())
		if d.StackDepth() == 0 {
			break
		}
		if kind, length := d.StackIndex(d.StackDepth()); kind == '[' {
			bounded = bounded && length <= maxElements
		}
		if kind, length := d.StackIndex(d.StackDepth()); kind == '{' && length%2 == 1 && token.Kind() == '"' {
			bounded = bounded && length/2 < maxMembers && len(token.String()) <= maxName
			if d.StackDepth() == 1 {
				names = append(names, token.String())
			}
		}
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return false
	}
	foreign := strings.Map(func(r rune) rune {
		if r < 0x80 {
			return -1
		}
		return r
	}, strings.Join(names, ""))
	return bounded && deepest <= maxDepth && len(foreign) <= maxFolded && distinct(names)
}

// distinct reports whether no two names, and none and a known one, are equal under simple case folding.
func distinct(names []string) bool {
	for i, name := range names {
		for _, known := range strings.Fields(knownNamesByDesign) {
			if name != known && strings.EqualFold(name, known) {
				return false
			}
		}
		for _, other := range names[:i] {
			if strings.EqualFold(name, other) {
				return false
			}
		}
	}
	return true
}

// claimsByLibrary reads the claims with a library, in the plainest way.
func claimsByLibrary(t *testing.T, document []byte) (c claims, ok bool) {
	var values map[string]jsontext.Value
	if err := jsonv2.Unmarshal(document, &values); err != nil {
		t.Fatalf("jsontext accepts what the library refuses: %v", err)
	}
	ok = true
	text := func(name string) string {
		s, isString := libraryString(values[name])
		ok = ok && (isString || values[name] == nil)
		return s
	}
	list := func(name string) stringList {
		l, isList := libraryList(values[name])
		ok = ok && (isList || values[name] == nil)
		return l
	}
	has := func(name string) bool { return values[name] != nil }

	c.issuer, _ = libraryString(values["iss"])
	c.version, _ = libraryString(values["ver"])
	c.tenantID, _ = libraryString(values["tid"])
	c.tfp, _ = libraryString(values["tfp"])
	c.acr, _ = libraryString(values["acr"])
	c.audience, _ = libraryList(values["aud"])
	c.hasTenantID, c.hasTFP, c.hasACR = has("tid"), has("tfp"), has("acr")
	c.subject, c.objectID, c.azp, c.appID = text("sub"), text("oid"), text("azp"), text("appid")
	c.idType, c.idp, c.scope = text("idtyp"), text("idp"), text("scp")
	c.hasScope, c.hasRoles, c.bound = has("scp"), has("roles"), has("cnf")
	c.roles, c.groups, c.authContexts, c.capabilities = list("roles"), list("groups"), list("acrs"), list("xms_cc")
	c.expires = libraryDate(t, values["exp"])
	c.notBefore = libraryDate(t, values["nbf"])
	c.issuedAt = libraryDate(t, values["iat"])
	if v := values["hasgroups"]; v != nil {
		s, isString := libraryString(v)
		c.hasGroups = s == "true" || v.Kind() == 't'
		ok = ok && (isString || v.Kind() == 't' || v.Kind() == 'f')
	}
	if v := values["_claim_names"]; v != nil {
		var sources map[string]jsontext.Value
		ok = ok && v.Kind() == '{' && jsonv2.Unmarshal(v, &sources) == nil
		c.groupsElsewhere = sources["groups"] != nil
	}
	if v := values["acct"]; v != nil {
		s, isString := libraryString(v)
		ok = ok && (isString || v.Kind() == '0')
		if c.account = accountGuest; s == "0" || string(v) == "0" {
			c.account = accountMember
		}
	}
	ok = ok && !(has("azp") && has("appid") && c.azp != c.appID)
	return c, ok
}

func libraryString(v jsontext.Value) (s string, ok bool) {
	if v == nil || v.Kind() != '"' {
		return "", false
	}
	return s, jsonv2.Unmarshal(v, &s) == nil
}

func libraryList(v jsontext.Value) (l stringList, ok bool) {
	if v == nil || v.Kind() != '[' {
		l.one, ok = libraryString(v)
		return l, ok
	}
	var values []jsontext.Value
	if err := jsonv2.Unmarshal(v, &values); err != nil {
		return l, false
	}
	var all []string
	for _, v := range values {
		s, isString := libraryString(v)
		if !isString {
			return stringList{}, false
		}
		all = append(all, s)
	}
	switch len(all) {
	case 0:
	case 1:
		l.one = all[0]
	default:
		l.many = all
	}
	return l, true
}

// libraryDate is exact too: a fraction of big integers.
func libraryDate(t *testing.T, v jsontext.Value) numericDate {
	switch {
	case v == nil:
		return numericDate{}
	case v.Kind() != '0' || v[0] == '-':
		return numericDate{set: true, invalid: true}
	}
	if _, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e"); len(strings.TrimLeft(exponent, "+-")) > 4 {
		t.Skip("the exponent is too large for a fraction of integers")
	}
	r, ok := new(big.Rat).SetString(string(v))
	if !ok {
		t.Fatalf("%s is no number", v)
	}
	seconds := new(big.Int).Quo(r.Num(), r.Denom())
	if seconds.Cmp(big.NewInt(maxDate)) > 0 {
		return numericDate{set: true, invalid: true}
	}
	return numericDate{unix: seconds.Int64(), set: true}
}

// FuzzParseToken: no input makes parseToken panic, an accepted token has one spelling only, it does not matter what the parser and its
// headers were used for before, and golang-jwt's parser, which
// is laxer, reads the same in it. The token is made of the parts, or is the tail alone if there is no header. // N3
func FuzzParseToken(f *testing.F) {
	signature := make([]byte, 256)
	f.Add([]byte(jwsHeader), []byte(jwsPayload), signature, "")
	f.Add([]byte(nil), []byte(nil), []byte(nil), jws(jwsHeader, jwsPayload))
	for i := range 8 * len(parsedHeaders) { // so that each of its places holds a header that is not the one looked for
		if _, err := parseToken(jws(fmt.Sprintf(`{"alg":"RS256","kid":"other-%d"}`, i), jwsPayload)); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, header, payload, signature []byte, tail string) {
		raw := tail
		if len(header) > 0 {
			raw = encodeSegment(header) + "." + encodeSegment(payload) + "." + encodeSegment(signature) + tail
		}
		got, err := parseToken(raw)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok || got != nil {
				t.Fatalf("got=%v with %T", got, err)
			}
			return
		}
		var none headerCache
		cold, err := new(tokenParser).parse(raw, &none) // in memory that nobody has used, with a header that nobody has read
		if err != nil || !reflect.DeepEqual(cold, got) {
			t.Fatalf("got=%+v, %v anew, %+v in used memory", cold, err, got)
		}
		first, _, _ := strings.Cut(raw, ".")
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(first)
		if err != nil {
			t.Fatal(err)
		}
		if again := encodeSegment(decoded) + "." + encodeSegment([]byte(got.payload)) + "." + encodeSegment(got.signature); again != raw {
			t.Fatalf("got=%q, want=%q", again, raw)
		}
		if !strings.HasPrefix(raw, got.signed+".") || strings.Count(got.signed, ".") != 1 {
			t.Fatalf("signed: got=%q", got.signed)
		}
		if json.Unmarshal(decoded, &map[string]any{}) != nil {
			t.Skip("the header has a number that a float64 cannot hold")
		}
		sameByLibrary(t, got)
	})
}

func sameByLibrary(t *testing.T, got *token) {
	parsed, _, err := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithJSONNumber()).ParseUnverified(got.raw, jwt.MapClaims{})
	if err != nil {
		t.Fatalf("golang-jwt refuses what we accept: %v", err)
	}
	if parsed.Header["kid"] != got.kid || parsed.Header["alg"] != "RS256" || !bytes.Equal(parsed.Signature, got.signature) {
		t.Fatalf("kid: got=%q, want=%v", got.kid, parsed.Header)
	}
	values := parsed.Claims.(jwt.MapClaims)
	for name, value := range map[string]string{"iss": got.claims.issuer, "tid": got.claims.tenantID, "sub": got.claims.subject} {
		if want, _ := values[name].(string); value != want {
			t.Fatalf("%s: got=%q, want=%q", name, value, want)
		}
	}
	if audience, _ := values.GetAudience(); !got.claims.audience.empty() && !slices.Equal(got.claims.audience.strings(), audience) {
		t.Fatalf("aud: got=%q, want=%q", got.claims.audience.strings(), audience)
	}
	number, _ := values["exp"].(json.Number)
	if want := libraryDate(t, jsontext.Value(number)); number != "" && got.claims.expires != want {
		t.Fatalf("exp: got=%+v, want=%+v", got.claims.expires, want)
	}
}
