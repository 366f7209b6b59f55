package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// walk reads a document to its end and returns the names of its outermost members.
func walk(document string) (names []string, fault error) {
	r := objectReader{scanner: scanner{src: document}}
	for r.next() {
		names = append(names, r.name)
	}
	return names, r.fault
}

func nestedArrays(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func nestedObjects(n int) string {
	return strings.Repeat(`{"a":`, n) + "0" + strings.Repeat("}", n)
}

func members(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestJSON holds refused documents, each with an accepted one next to it. // D18 D19 L3
func TestJSON(t *testing.T) {
	t.Parallel()
	many := members(499, `"%d":0`)
	most := members(450, `"%d":0`)
	long := strings.Repeat("n", 1024)
	for _, row := range []struct {
		name     string
		refused  string
		fault    error
		accepted string
	}{
		{"empty", "", errSyntax, "{}"},
		{"blanks", " \t\r\n", errSyntax, " \t\r\n{ \t\r\n} \t\r\n"},
		{"blanks everywhere", "{ \"a\" \v: 1 }", errSyntax, "{ \"a\" \n: [ 1\t, \r{ } , [ ] ] , \"b\" : { \"c\" : 1 } }"},
		{"not an object", `[]`, errSyntax, `{"a":[]}`},
		{"a string", `"{}"`, errSyntax, `{"{}":"{}"}`},
		{"null", `null`, errSyntax, `{"a":null}`},
		{"byte order mark", "\ufeff{}", errSyntax, "{\"\ufeff\":0}"},
		{"no end", `{`, errSyntax, `{}`},
		{"no end after a member", `{"a":1`, errSyntax, `{"a":1}`},
		{"trailing data", `{}0`, errSyntax, `{} `},
		{"second object", `{}{}`, errSyntax, `{"a":{}}`},
		{"NUL at the end", "{}\x00", errSyntax, "{}"},
		{"NUL for a value", "{\"a\":\x00}", errSyntax, `{"a":0}`},
		{"comma at the end", `{"a":1,}`, errSyntax, `{"a":1}`},
		{"comma at the begin", `{,"a":1}`, errSyntax, `{"a":1}`},
		{"comma at the end of an array", `{"a":[1,]}`, errSyntax, `{"a":[1]}`},
		{"no comma", `{"a":1 "b":2}`, errSyntax, `{"a":1,"b":2}`},
		{"no comma in an array", `{"a":[1 2]}`, errSyntax, `{"a":[1,2]}`},
		{"wrong end of an array", `{"a":[1}}`, errSyntax, `{"a":[1]}`},
		{"wrong end of an object", `{"a":{]}`, errSyntax, `{"a":{}}`},
		{"no colon", `{"a"1}`, errSyntax, `{"a":1}`},
		{"no value", `{"a":}`, errSyntax, `{"a":""}`},
		{"bare name", `{a:1}`, errSyntax, `{"a":1}`},
		{"number for a name", `{1:1}`, errSyntax, `{"1":1}`},
		{"single quotes", `{'a':1}`, errSyntax, `{"a":1}`},
		{"comment", `{/**/}`, errSyntax, `{"/**/":0}`},
		{"literals", `{"a":True}`, errSyntax, `{"a":true,"b":false,"c":null}`},
		{"literal cut off", `{"a":tru`, errSyntax, `{"a":true}`},
		{"literal too long", `{"a":nulls}`, errSyntax, `{"a":null}`},
		{"NaN", `{"a":NaN}`, errSyntax, `{"a":"NaN"}`},
		{"leading zero", `{"a":01}`, errSyntax, `{"a":0}`},
		{"leading plus", `{"a":+1}`, errSyntax, `{"a":1}`},
		{"bare minus", `{"a":-}`, errSyntax, `{"a":-0}`},
		{"minus zero one", `{"a":-01}`, errSyntax, `{"a":-1}`},
		{"no digit before the point", `{"a":.5}`, errSyntax, `{"a":0.5}`},
		{"no digit after the point", `{"a":1.}`, errSyntax, `{"a":1.0}`},
		{"no exponent", `{"a":1e}`, errSyntax, `{"a":1e1}`},
		{"no exponent after its sign", `{"a":1E+}`, errSyntax, `{"a":1E+1,"b":1.5e-0}`},
		{"hexadecimal", `{"a":0x1}`, errSyntax, `{"a":1e400,"b":123456789012345678901234567890}`},
		{"string without end", `{"a`, errSyntax, `{"a":1}`},
		{"string ends in an escape", `{"a":"\`, errSyntax, `{"a":"\\"}`},
		{"unknown escape", `{"a":"\x"}`, errSyntax, `{"a":"\"\\\/\b\f\n\r\t"}`},
		{"capital U", `{"a":"\U0041"}`, errSyntax, `{"a":"\u0041\u00e4\u00E4"}`},
		{"short escape", `{"a":"\u004"}`, errSyntax, `{"a":"\u0004"}`},
		{"sign in an escape", `{"a":"\u+041"}`, errSyntax, `{"a":"\u0041"}`},
		{"escape cut off", `{"a":"\u00`, errSyntax, `{"a":"\u0000"}`},
		{"raw NUL", "{\"a\":\"\x00\"}", errSyntax, `{"a":"\u0000"}`},
		{"raw line break", "{\"a\":\"\n\"}", errSyntax, `{"a":"\n"}`},
		{"raw control character behind eight bytes", "{\"a\":\"12345678901\x1f\"}", errSyntax, "{\"a\":\"12345678901 \x7f\"}"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", errEncoding, `{"a":"ÿ"}`},
		{"invalid UTF-8 in a name", "{\"\xc3\":1}", errEncoding, "{\"\xc3\xa4\":1}"},
		{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", errEncoding, `{"a":"/"}`},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", errEncoding, "{\"a\":\"\xed\x9f\xbf\ufffd\"}"},
		{"above U+10FFFF", "{\"a\":\"\xf4\x90\x80\x80\"}", errEncoding, "{\"a\":\"\U0010ffff\"}"},
		{"half a pair", `{"a":"\ud83d"}`, errEncoding, `{"a":"\ud83d\ude00"}`},
		{"second half only", `{"a":"\ude00"}`, errEncoding, `{"a":"\uD83D\uDE00"}`},
		{"pair in the wrong order", `{"a":"\ude00\ud83d"}`, errEncoding, `{"a":"\ud83d\ude00"}`},
		{"half a pair and a letter", `{"a":"\ud83dx\ude00"}`, errEncoding, `{"a":"\ufffd"}`},
		{"half a pair in a name", `{"\ud83d":1}`, errEncoding, `{"\ud83d\ude00":1}`},
		{"arrays too deep", `{"a":` + nestedArrays(16) + `}`, errDepth, `{"a":` + nestedArrays(15) + `}`},
		{"objects too deep", nestedObjects(17), errDepth, nestedObjects(16)},
		{"far too deep", `{"a":` + strings.Repeat("[", 50_000), errDepth, `{"a":[[[]],[[]]]}`},
		{"equal names", `{"a":1,"a":1}`, errDuplicate, `{"a":1,"b":1}`}, // D19
		{"equal names that we know", `{"tid":"a","tid":"b"}`, errDuplicate, `{"tid":"a","sub":"b"}`},
		{"equal names, one escaped", `{"tid":1,"\u0074id":1}`, errDuplicate, `{"\u0074id":1}`},
		{"equal empty names", `{"":1,"":1}`, errDuplicate, `{"":1}`},
		{"equal names in an object", `{"a":{"b":1,"b":1}}`, errDuplicate, `{"a":{"b":1},"b":{"b":1}}`},
		{"equal names in an object, one escaped", `{"a":{"b":1,"\u0062":1}}`, errDuplicate, `{"a":{"b":1,"\u0042":1}}`},
		{"equal names deep down", `{"a":[[{"x":[{"b":1,"b":1}]}]]}`, errDuplicate, `{"a":[[{"x":[{"b":1},{"b":1}]}]]}`},
		{"equal names in a large object", `{"a":{` + many + `,"498":0}}`, errDuplicate, `{"a":{` + many + `}}`},
		{"equal names in a large outermost object", `{` + many + `,"17":0}`, errDuplicate, `{` + many + `}`},
		{"too many elements", `{"a":[` + strings.Repeat("0,", 1000) + `0]}`, errElements, `{"a":[` + strings.Repeat("0,", 999) + `0]}`},
		{"too many elements deeper", `{"a":[[` + strings.Repeat("{},", 1000) + `0]]}`, errElements, `{"a":[[` + strings.Repeat("{},", 999) + `0],[]]}`},
		{"too many members in an object", `{"a":{` + many + `,"x":0,"y":0}}`, errMembers, `{"a":{` + many + `,"x":0}}`},
		{"too many members in the outermost object", `{` + many + `,"x":0,"y":0}`, errMembers, `{` + many + `,"x":0}`},
		{"too many members, some of them known", `{` + many + `,"tid":0,"oid":0}`, errMembers, `{` + many + `,"tid":0}`},
		{"too many members, not in one object", `{"a":{` + many + `,"x":{` + many + `}},"a":0}`, errDuplicate, `{"a":{` + many + `,"x":{` + many + `}},` + most + `}`},
		{"equal names around a large object", `{"a":{"b":0,"c":{` + many + `},"b":0}}`, errDuplicate, `{"a":{"b":0,"c":{` + many + `},"d":0}}`},
		{"long name", `{"` + long + `n":0}`, errName, `{"` + long + `":0}`},
		{"long name in an object", `{"a":{"` + long + `n":0}}`, errName, `{"a":{"` + long + `":0}}`},
		{"long name, escaped", `{"\n` + long + `":0}`, errName, `{"\n` + long[1:] + `":0}`},
		{"too many characters beyond ASCII", `{"a":0,"` + strings.Repeat("ä", 512) + `":0,"` + strings.Repeat("ö", 512) + `":0,"ü":0}`, errName,
			`{"a":{"ü":0},"` + strings.Repeat("ä", 512) + `":0,"` + strings.Repeat("ö", 512) + `":"ü"}`},
		{"names that differ in case", `{"ab":1,"aB":1}`, errDuplicate, `{"a":{"ab":1,"aB":1}}`},
		{"names that differ in case beyond ASCII", `{"Ä":1,"ä":1}`, errDuplicate, `{"a":{"Ä":1,"ä":1}}`},
		{"names with a long s", `{"six":1,"ſix":1}`, errDuplicate, `{"six":1,"fix":1}`},
		{"names with a Kelvin sign", "{\"\u212a1\":1,\"K1\":1}", errDuplicate, "{\"\u212a1\":1,\"K2\":1}"},
		{"names with three sigmas", `{"ς":1,"Σ":1}`, errDuplicate, `{"σ":1}`},
		{"names that fold to two letters only under full folding", `{"ß":1,"ẞ":1}`, errDuplicate, `{"ß":1,"ss":1}`},
		{"look-alike of tid", `{"TID":1}`, errLookalike, `{"tid":1}`}, // D18
		{"look-alike beside tid", `{"tid":1,"Tid":1}`, errLookalike, `{"tid":1,"tid2":1}`},
		{"look-alike before tid", `{"Tid":1,"tid":1}`, errLookalike, `{"x":{"Tid":1},"tid":1}`},
		{"look-alike of iss with a long s", `{"iſs":1}`, errLookalike, `{"iss":1}`},
		{"look-alike of kid with a Kelvin sign", "{\"\u212aid\":1}", errLookalike, `{"kid":1}`},
		{"look-alike, escaped", `{"is\u017f":1}`, errLookalike, `{"is\u0073":1}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, fault := walk(row.refused); !errors.Is(fault, row.fault) {
				t.Errorf("refused: got=%v, want=%v", fault, row.fault)
			}
			if _, fault := walk(row.accepted); fault != nil {
				t.Errorf("accepted: got=%v", fault)
			}
		})
	}
}

// knownNamesByDesign is the closed list, written down a second time on purpose.
const knownNamesByDesign = `alg kid typ crit b64 iss sub aud exp nbf iat ver tid oid azp appid scp roles groups hasgroups
	_claim_names idtyp tfp acr acrs xms_cc idp acct cnf`

func TestKnownNames(t *testing.T) {
	t.Parallel()
	bits := map[uint64]string{}
	for _, name := range strings.Fields(knownNamesByDesign) {
		bit := knownName(name)
		if bit == 0 || bits[bit] != "" {
			t.Errorf("%s: bit=%b, shared with %q", name, bit, bits[bit])
		}
		bits[bit] = name
		upper := strings.ToUpper(name)
		if _, fault := walk(`{"` + upper + `":0}`); upper != name && !errors.Is(fault, errLookalike) {
			t.Errorf("%s: got=%v, want=%v", upper, fault, errLookalike)
		}
		if names, fault := walk(`{"` + name + `":0}`); fault != nil || len(names) != 1 {
			t.Errorf("%s: got=%v, fault=%v", name, names, fault)
		}
		if knownName(name+"x") != 0 || knownName(name[1:]) != 0 {
			t.Errorf("neighbours of %s are known", name)
		}
	}
	if len(bits) != len(knownNames) {
		t.Errorf("got=%d names, want=%d", len(knownNames), len(bits))
	}
}

// TestFoldName compares foldName with strings.EqualFold for every character and all that fold to it.
func TestFoldName(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		folded := foldRune(r)
		if !strings.EqualFold(string(r), string(folded)) || foldRune(folded) != folded {
			t.Fatalf("%U folds to %U", r, folded)
		}
		if next := unicode.SimpleFold(r); foldRune(next) != folded {
			t.Fatalf("%U and %U fold to %U and %U", r, next, folded, foldRune(next))
		}
	}
	for name, want := range map[string]string{"": "", "tid": "tid", "xms_CC": "xms_cc", "iſs": "iss", "\u212aid": "kid", "ÄÖ": "äö", "x-1": "x-1"} {
		if got := foldName(name); !strings.EqualFold(got, want) || strings.ToLower(want) == want && len(got) > len(name) {
			t.Errorf("%q: got=%q, want=%q", name, got, want)
		}
	}
}

// TestSkipPlain compares the eight bytes at a time with one by one, for every byte at every place.
func TestSkipPlain(t *testing.T) {
	t.Parallel()
	plain := func(c byte) bool { return c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf }
	for length := range 20 {
		for at := range length {
			for first := range 256 {
				for _, second := range []byte{'!', '#', '"', '\\', ' ', 0, 0x1f, 0x7f, 0x80, 0xff, '['} {
					b := []byte(strings.Repeat("a", length))
					b[at] = byte(first)
					if at+1 < length {
						b[at+1] = second
					}
					want := 0
					for want < length && plain(b[want]) {
						want++
					}
					if got := skipPlain(string(b), 0); got != want {
						t.Fatalf("%q: got=%d, want=%d", b, got, want)
					}
				}
			}
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		``:                            "",
		`plain`:                       "plain",
		`\"\\\/\b\f\n\r\t`:            "\"\\/\b\f\n\r\t",
		`a\u0000b`:                    "a\x00b",
		`\u00e4\u00E4ä\u20ac`:         "äää€",
		`x\ud83d\ude00y\uD83D\uDE00`:  "x😀y😀",
		`\\u0041`:                     `\u0041`,
		`\ufffd`:                      "\ufffd",
		`12345678\u0031`:              "123456781",
		`\udbff\udfff`:                "\U0010ffff",
		`\ud800\udc00`:                "\U00010000",
		`trailing plain text \t here`: "trailing plain text \t here",
	} {
		if got, ok := stringValue(`"` + raw + `"`); !ok || got != want {
			t.Errorf("%s: got=%q, want=%q", raw, got, want)
		}
	}
}

func TestLookupClaim(t *testing.T) {
	t.Parallel()
	const payload = ` { "a" : 9007199254740993 , "\u0062" : [ 1 , {"x":2} ] , "c":{"d":"e"},"T":1, "":"é" } `
	for _, row := range []struct {
		name string
		raw  string
		ok   bool
	}{
		{"a", "9007199254740993", true}, // L3
		{"b", `[ 1 , {"x":2} ]`, true},
		{"c", `{"d":"e"}`, true},
		{"T", "1", true},
		{"", `"é"`, true},
		{"t", "", false},
		{"d", "", false},
		{`\u0062`, "", false},
	} {
		if raw, ok := lookupClaim(payload, row.name); raw != row.raw || ok != row.ok {
			t.Errorf("%q: got=%q %v, want=%q %v", row.name, raw, ok, row.raw, row.ok)
		}
	}
}

// TestUnique repeats each name in lists of all sizes around the change from few to many, and in the largest.
func TestUnique(t *testing.T) {
	t.Parallel()
	for n := range maxMembers {
		if n > 70 && n < maxMembers-1 {
			continue
		}
		var names []string
		for i := range n {
			names = append(names, strings.Repeat("x", i))
		}
		if !unique(names) {
			t.Fatalf("%d different names: got=false", n)
		}
		for _, again := range names {
			if unique(append(names, again)) {
				t.Fatalf("%d names and the one of %d bytes again: got=true", n, len(again))
			}
		}
	}
}
