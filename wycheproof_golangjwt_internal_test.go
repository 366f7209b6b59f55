package identity

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// published are the keys of a group by their kids, and a single key under no kid as well. Nothing that a key says about itself is looked
// at, as in a KeyFunc that only selects it.
func (g vectorGroup) published(t *testing.T) map[string]*rsa.PublicKey {
	t.Helper()
	type entry struct{ Kid, N, E string }
	var set struct {
		entry
		Keys []entry
	}
	if err := json.Unmarshal(g.Public, &set); err != nil {
		t.Fatal(err)
	}
	if set.Keys == nil {
		set.Keys = []entry{set.entry, {N: set.N, E: set.E}}
	}
	keys := make(map[string]*rsa.PublicKey)
	for _, key := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(key.N)
		e, errE := base64.RawURLEncoding.DecodeString(key.E)
		if errN != nil || errE != nil {
			t.Fatalf("the key %q is not base64url", key.Kid)
		}
		keys[key.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return keys
}

// byGolangJWT reports whether golang-jwt takes a vector: with RS256 as its only valid method, strict base64url, and the key that the
// header names. The claims are left out, as in vectorJudge: its parser would refuse what is no JSON, in good vectors too.
func byGolangJWT(keys map[string]*rsa.PublicKey, raw string) bool {
	parser := jwt.NewParser(jwt.WithStrictDecoding())
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return false
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = parser.DecodeSegment(part); err != nil {
			return false
		}
	}
	var head struct{ Alg, Kid string }
	if json.Unmarshal(decoded[0], &head) != nil || head.Alg != jwt.SigningMethodRS256.Alg() {
		return false
	}
	key, ok := keys[head.Kid]
	return ok && jwt.SigningMethodRS256.Verify(parts[0]+"."+parts[1], decoded[2], key) == nil
}

// What golang-jwt alone makes of the vectors of TestWycheproof: of the 299 invalid ones under RSA keys in the files of signatures and of
// both it refuses 295, of all 304 with those of keys 297. The seven are good signatures of keys that must not be used, which it leaves to
// whoever hands it the key. TestWycheproof has all 304 refused.
func TestWycheproofGolangJWT(t *testing.T) {
	t.Parallel()
	for _, file := range []struct {
		name           string
		valid, invalid int // under RSA keys; the valid ones with RS256
		taken          map[string]string
	}{
		{"json_web_signature_test.json", 8, 286, map[string]string{
			"332 UsingRS256": "its alg is PS512", "353 rejectWrongUse": "its use is enc", "355 rejectWrongKeyOps": "its key_ops is encrypt",
		}},
		{"json_web_key_test.json", 1, 5, map[string]string{
			"6 rejectsWrongUse": "its use is enc", "7 rejectsKeyWithRocaVulnerability": "it can be factored", "8 rejects1024bitRsaKey": "it has 1024 bits",
		}},
		{"json_web_crypto_test.json", 1, 13, map[string]string{"46 rejectsKeyWithRocaVulnerability": "it can be factored"}},
	} {
		t.Run(file.name, func(t *testing.T) {
			t.Parallel()
			valid, invalid, taken := 0, 0, make(map[string]string)
			for _, group := range readVectors(t, file.name).TestGroups {
				if !group.rsa() {
					continue
				}
				keys := group.published(t)
				for _, vec := range group.Tests {
					raw, name := vec.raw(), fmt.Sprintf("%d %s", vec.ID, vec.Comment)
					switch accepts := byGolangJWT(keys, raw); {
					case vec.Result == "invalid":
						if invalid++; accepts {
							taken[name] = file.taken[name]
						}
					case headerSays(raw, algorithm):
						if valid++; !accepts {
							t.Errorf("%s: golang-jwt refuses a valid vector", name)
						}
					}
				}
			}
			if valid != file.valid || invalid != file.invalid {
				t.Errorf("got=%d valid and %d invalid vectors, want=%d, %d", valid, invalid, file.valid, file.invalid)
			}
			if !maps.Equal(taken, file.taken) {
				t.Errorf("got=%v, want=%v", taken, file.taken)
			}
			t.Logf("golang-jwt refuses %d of %d", invalid-len(taken), invalid)
		})
	}
}
