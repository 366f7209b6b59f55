package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vectorFile is a file of Wycheproof; see testdata/wycheproof.
type vectorFile struct {
	NumberOfTests int
	TestGroups    []vectorGroup
}

// vectorGroup has one key, or one key set, and tokens.
type vectorGroup struct {
	Comment         string
	Public, Private json.RawMessage
	Tests           []vector
}

type vector struct {
	ID       int `json:"tcId"`
	Comment  string
	JWS, JWE json.RawMessage // a string, or the JSON serialisation as it is
	Result   string
}

// raw is the vector as a client would send it.
func (vec vector) raw() string {
	text := vec.JWS
	if text == nil {
		text = vec.JWE
	}
	var raw string
	if json.Unmarshal(text, &raw) != nil {
		return string(text)
	}
	return raw
}

func readVectors(t *testing.T, name string) vectorFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "wycheproof", name))
	if err != nil {
		t.Fatal(err)
	}
	var file vectorFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// document is the group's key set, as a server would publish it: the public keys, or what the group has instead. A sound key is added, or
// a set without any other would be refused before its kids are looked at.
func (g vectorGroup) document(t *testing.T, companion map[string]any) []byte {
	t.Helper()
	keys := g.Public
	if keys == nil {
		keys = g.Private
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(keys, &set); err != nil {
		t.Fatal(err)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{keys}
	}
	sound, err := json.Marshal(companion)
	if err != nil {
		t.Fatal(err)
	}
	set.Keys = append(set.Keys, sound)
	document, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// rsa reports whether the group's keys are all RSA keys.
func (g vectorGroup) rsa() bool {
	return g.Public != nil && strings.Contains(string(g.Public), `"RSA"`) && !strings.Contains(string(g.Public), `"EC"`)
}

// vectorJudge takes a vector through our own code, step by step and in the order of the pipeline. The claims are left out: the payloads
// are no claims of Entra, most of them no JSON.
type vectorJudge struct {
	v         *Verifier
	companion map[string]any
}

func newVectorJudge(t *testing.T) vectorJudge {
	t.Helper()
	v, err := New(Config{ClientID: "cccccccc-3333-4333-8333-cccccccccccc", Tenants: NewRegistry(Tenant{ID: "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa"})})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return vectorJudge{v, map[string]any{
		"kty": "RSA", "kid": "companion", "n": encodeSegment(key.N.Bytes()), "e": encodeSegment(big.NewInt(int64(key.E)).Bytes()),
	}}
}

// decode is the shape, the header, and the spelling of all segments.
func (j vectorJudge) decode(p *tokenParser, raw string) (header, segments, error) {
	parts, err := splitToken(raw)
	if err != nil {
		return header{}, parts, err
	}
	h, err := p.parseHeader(parts.header)
	if err != nil {
		return h, parts, err
	}
	if _, err := p.decodeSignature(parts.signature); err != nil {
		return h, parts, err
	}
	if _, ok := decodeSegment(p.payload[:0], parts.payload); !ok {
		return h, parts, newError(ErrTokenMalformed, errBase64)
	}
	return h, parts, nil
}

// verify finds the key and verifies the signature.
func (j vectorJudge) verify(document []byte, kid, raw, signature string) error {
	set, err := parseKeySet(document, "", time.Now(), nil)
	if err != nil {
		return err
	}
	c := newCheck(j.v, raw, origin{})
	defer c.free()
	if c.key, err = set.lookUp(kid, signer{tenant: new(Tenant)}); err != nil {
		return err
	}
	c.token = &token{raw: raw, signed: raw[:len(raw)-len(signature)-1]}
	c.handle = newKeyHandle("vectors", 0)
	c.request.name = c.handle.name
	return c.verifySignature(context.Background())
}

// judge is nil for a vector that is accepted.
func (j vectorJudge) judge(document []byte, raw string) error {
	h, parts, err := j.decode(new(tokenParser), raw)
	if err != nil {
		return err
	}
	return j.verify(document, h.kid, raw, parts.signature)
}

// rule is what has refused a vector, in short.
func rule(err error) string {
	if err == nil {
		return "accepted"
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err.Error()
	}
	if e.cause != nil && errors.Is(err, ErrKeyUnusable) {
		return fmt.Sprintf("%s: %v", e.Reason, e.cause)
	}
	return string(e.Reason)
}

// emptyPayload is the one valid RS256 vector that is no token for us: it has no claims. Its signature is good all the same.
const emptyPayload = 259

// Every JWS, JWK and JWC vector of Wycheproof: what is valid under RS256 is accepted, and nothing else is, each for the reason that is
// counted here.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	j := newVectorJudge(t)
	for _, file := range []struct {
		name  string
		total int
		rules map[string]int // of all vectors
		rsa   map[string]int // of the invalid ones under RSA keys
	}{
		{
			name: "json_web_signature_test.json", total: 401,
			rules: map[string]int{
				"accepted": 7, "token_malformed": 37, "algorithm_not_allowed": 138, "key_not_found": 1, "key_unusable: alg is not RS256": 1,
				"key_unusable: key_ops lacks verify": 1, "key_unusable: use is not sig": 1, "signature_invalid": 215,
			},
			rsa: map[string]int{ // 286
				"token_malformed": 9, "algorithm_not_allowed": 58, "key_not_found": 1, "key_unusable: alg is not RS256": 1,
				"key_unusable: key_ops lacks verify": 1, "key_unusable: use is not sig": 1, "signature_invalid": 215,
			},
		},
		{
			name: "json_web_key_test.json", total: 26,
			rules: map[string]int{"accepted": 1, "token_malformed": 2, "algorithm_not_allowed": 21, "key_unusable: use is not sig": 1, rocaRule: 1},
			rsa:   map[string]int{"token_malformed": 2, "algorithm_not_allowed": 1, "key_unusable: use is not sig": 1, rocaRule: 1},
		},
		{
			name: "json_web_crypto_test.json", total: 83,
			rules: map[string]int{
				"accepted": 1, "token_malformed": 39, "token_encrypted": 23, "algorithm_not_allowed": 16, "key_not_found": 1, "signature_invalid": 2, rocaRule: 1,
			},
			rsa: map[string]int{"token_malformed": 9, "key_not_found": 1, "signature_invalid": 2, rocaRule: 1}, // 13
		},
	} {
		t.Run(file.name, func(t *testing.T) {
			t.Parallel()
			vectors := readVectors(t, file.name)
			total, rules, ofRSA := 0, make(map[string]int), make(map[string]int)
			for _, group := range vectors.TestGroups {
				document := group.document(t, j.companion)
				for _, vec := range group.Tests {
					total++
					raw := vec.raw()
					err := j.judge(document, raw)
					rules[rule(err)]++
					if group.rsa() && vec.Result == "invalid" {
						ofRSA[rule(err)]++
					}
					if err == nil && (vec.Result != "valid" || !group.rsa()) {
						t.Errorf("%s %d %s: accepted", group.Comment, vec.ID, vec.Comment)
					}
					if err != nil && vec.Result == "valid" && headerSays(raw, algorithm) && vec.ID != emptyPayload {
						t.Errorf("%s %d %s: %v", group.Comment, vec.ID, vec.Comment, err)
					}
				}
			}
			if total != file.total || vectors.NumberOfTests != file.total {
				t.Errorf("got=%d vectors, the file says %d, want=%d", total, vectors.NumberOfTests, file.total)
			}
			if !maps.Equal(rules, file.rules) {
				t.Errorf("all: got=%v, want=%v", rules, file.rules)
			}
			if !maps.Equal(ofRSA, file.rsa) {
				t.Errorf("invalid under RSA keys: got=%v, want=%v", ofRSA, file.rsa)
			}
		})
	}
}

const rocaRule = "key_unusable: the modulus is one that can be factored (ROCA)"

// Some vectors have an empty payload, which is refused before their keys and signatures are looked at. These are judged here, as if
// it were no fault.
func TestWycheproofWithoutPayload(t *testing.T) {
	t.Parallel()
	j := newVectorJudge(t)
	got := make(map[string]string)
	for _, name := range []string{"json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"} {
		for _, group := range readVectors(t, name).TestGroups {
			for _, vec := range group.Tests {
				raw := vec.raw()
				head, signature, ok := strings.Cut(raw, "..")
				if !ok || !group.rsa() || !headerSays(raw, algorithm) || strings.Contains(signature, ".") {
					continue
				}
				h, err := new(tokenParser).parseHeader(head)
				if err != nil {
					t.Errorf("%s %d: %v", name, vec.ID, err)
				}
				got[fmt.Sprintf("%s of %s", vec.Comment, name)] = rule(j.verify(group.document(t, j.companion), h.kid, raw, signature))
			}
		}
	}
	want := map[string]string{
		"emptyPayload of json_web_signature_test.json":          "accepted",
		"rejectsMissingPayload of json_web_signature_test.json": "signature_invalid",
		"rejectsMissingPayload of json_web_crypto_test.json":    "signature_invalid",
		"rejects1024bitRsaKey of json_web_key_test.json":        "key_unusable: the modulus has 1024 bits",
		"rejectsPublicExponent1 of json_web_key_test.json":      "key_unusable: the exponent is even, below 65537 or above 2^31-1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got=%v, want=%v", got, want)
	}
}

func headerSays(raw, alg string) bool {
	head, ok := decodeSegment(nil, strings.Split(raw, ".")[0])
	return ok && strings.Contains(string(head), `"`+alg+`"`)
}
