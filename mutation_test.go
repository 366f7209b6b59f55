package identity_test

import (
	"context"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// mutations is how many mutated tokens TestMutations tries; MUTATIONS overrides it.
const mutations = 20_000

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// mutators change a token in one step. What comes out may be the token itself.
var mutators = []func(r *rand.Rand, s string) string{
	func(r *rand.Rand, s string) string { // a bit is flipped
		return withByte(s, r.IntN(len(s)), func(b byte) byte { return b ^ 1<<r.IntN(8) })
	},
	func(r *rand.Rand, s string) string { // a character is any byte
		return withByte(s, r.IntN(len(s)), func(byte) byte { return byte(r.IntN(256)) })
	},
	func(r *rand.Rand, s string) string { // a character is another one of base64url
		return withByte(s, r.IntN(len(s)), func(byte) byte { return alphabet[r.IntN(64)] })
	},
	func(r *rand.Rand, s string) string { // the last character of a segment, where bits are to spare, is another one
		end := len(s)
		for range r.IntN(3) {
			end = strings.LastIndexByte(s[:end], '.')
		}
		return withByte(s, end-1, func(byte) byte { return alphabet[r.IntN(64)] })
	},
	func(r *rand.Rand, s string) string { // a letter changes its case
		return withByte(s, r.IntN(len(s)), func(b byte) byte {
			if b|0x20 >= 'a' && b|0x20 <= 'z' {
				return b ^ 0x20
			}
			return b
		})
	},
	func(r *rand.Rand, s string) string { // any byte is put in
		at := r.IntN(len(s) + 1)
		return s[:at] + string([]byte{byte(r.IntN(256))}) + s[at:]
	},
	func(r *rand.Rand, s string) string { // something that a decoder may skip is put in
		skipped := []string{"\n", "\r\n", "=", "==", ".", " ", "\t", "\x00", "%", "A", "AAAA"}
		at := r.IntN(len(s) + 1)
		return s[:at] + skipped[r.IntN(len(skipped))] + s[at:]
	},
	func(r *rand.Rand, s string) string { // a character is left out
		at := r.IntN(len(s))
		return s[:at] + s[at+1:]
	},
	func(r *rand.Rand, s string) string { // a character is doubled
		at := r.IntN(len(s))
		return s[:at+1] + s[at:]
	},
	func(r *rand.Rand, s string) string { // two neighbours change places
		at := r.IntN(len(s) - 1)
		return s[:at] + string([]byte{s[at+1], s[at]}) + s[at+2:]
	},
	func(r *rand.Rand, s string) string { // two characters change places
		b := []byte(s)
		i, j := r.IntN(len(b)), r.IntN(len(b))
		b[i], b[j] = b[j], b[i]
		return string(b)
	},
	func(r *rand.Rand, s string) string { // a group of four characters is left out, or doubled
		at := r.IntN(len(s)/4-1) * 4
		if r.IntN(2) == 0 {
			return s[:at] + s[at+4:]
		}
		return s[:at+4] + s[at:]
	},
	func(r *rand.Rand, s string) string { // the end is cut off
		return s[:r.IntN(len(s))]
	},
	func(r *rand.Rand, s string) string { // two segments change places
		parts := strings.Split(s, ".")
		i, j := r.IntN(3), r.IntN(3)
		parts[i], parts[j] = parts[j], parts[i]
		return strings.Join(parts, ".")
	},
	func(r *rand.Rand, s string) string { // a bit is flipped in what a segment stands for
		return inSegment(r, s, func(b []byte) []byte {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			return b
		})
	},
	func(r *rand.Rand, s string) string { // a byte is put into what a segment stands for
		return inSegment(r, s, func(b []byte) []byte {
			at := r.IntN(len(b) + 1)
			return append(b[:at:at], append([]byte{byte(r.IntN(256))}, b[at:]...)...)
		})
	},
	func(r *rand.Rand, s string) string { // a digit of what a segment stands for is another one: times, versions
		return inSegment(r, s, func(b []byte) []byte {
			if at := r.IntN(len(b)); b[at] >= '0' && b[at] <= '9' {
				b[at] = byte('0' + r.IntN(10))
			}
			return b
		})
	},
}

func withByte(s string, at int, change func(byte) byte) string {
	b := []byte(s)
	b[at] = change(b[at])
	return string(b)
}

// inSegment changes a segment's decoded bytes, so that its encoding is sound.
func inSegment(r *rand.Rand, s string, change func([]byte) []byte) string {
	parts := strings.Split(s, ".")
	i := r.IntN(3)
	decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		panic(err)
	}
	parts[i] = base64.RawURLEncoding.EncodeToString(change(decoded))
	return strings.Join(parts, ".")
}

// No token is accepted that differs from a valid one in one step: with the cache of verified tokens, which is keyed by the whole token,
// and without, where each is judged anew.
func TestMutations(t *testing.T) {
	t.Parallel()
	n := mutations
	if text := os.Getenv("MUTATIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n <= 0 {
			t.Fatalf("MUTATIONS=%s: want a number", text)
		}
	}
	for name, maxBytes := range map[string]int64{"cached": 0, "not cached": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := mockidp.New()
			v := verifierOn(t, idp, func(cfg *identity.Config) {
				everyKind(cfg)
				cfg.TokenCache.MaxBytes = maxBytes
			})
			good := validTokens(t, idp, v)
			r := rand.New(rand.NewPCG(8725, 7515))
			equal, forgeries := 0, 0
			for mutants := 0; mutants < n; {
				token := good[r.IntN(len(good))]
				which := r.IntN(len(mutators))
				raw := mutators[which](r, token)
				_, err := v.Verify(context.Background(), raw)
				switch {
				case raw == token && err != nil:
					t.Fatalf("mutator %d, and nothing changed: got=%v, want it accepted", which, err)
				case raw == token:
					equal++
					continue
				case err == nil:
					t.Fatalf("mutator %d: accepted %q, which is not %q", which, raw, token)
				case errors.Is(err, identity.ErrSignature):
					forgeries++
				}
				mutants++
			}
			// Or the mutants would be too crude to say anything.
			if forgeries < n/10 || equal < n/1000 {
				t.Fatalf("got=%d of %d refused for their signature, and %d unchanged tokens, want more", forgeries, n, equal)
			}
			t.Logf("%d mutants, %d of them refused for their signature alone; %d unchanged tokens accepted", n, forgeries, equal)
		})
	}
}

// validTokens are tokens of every kind, each accepted once: what the cache holds is there before the mutants come.
func validTokens(t *testing.T, idp *mockidp.Server, v *identity.Verifier) []string {
	t.Helper()
	a, long := idp.Tenant(tenantA), mockidp.ExpiresIn(24*time.Hour)
	good := []string{
		a.Token(long), a.Token(long, mockidp.V1()), a.Token(long, mockidp.AppOnly("Jobs.Run")), a.Token(long, mockidp.Roles("a", "b"), mockidp.Groups("g")),
		idp.Tenant(mockidp.Shop).Token(long), idp.Tenant(mockidp.Customers).Token(long),
	}
	for _, raw := range good {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	return good
}
