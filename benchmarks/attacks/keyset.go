package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"

	"github.com/echo-identity/identity/mockidp"
)

// keyAttack is a token whose key is published, but must not be used. It gets a server of its own, so that what one key does to the
// rest of the set does not show elsewhere.
type keyAttack struct {
	name, breaks, source string
	class                class
	token                func(t *mockidp.TenantHandle) string // publishes the key
}

// keyAttacks are those that need no more than a key set: their keys stand beside the right one.
var keyAttacks = []keyAttack{
	{"key-1024-bits", "The key has 1024 bits.", "RFC 7518 §3.3: 2048 bits or more", unfitKey, func(t *mockidp.TenantHandle) string {
		return signedByPublished(t, t.Keys().NewKeyOfSize(1024))
	}},
	{"key-exponent-one", "The exponent of the key is one, so that anybody can sign.", "CVE-2013-2228; RFC 8017 §3.1", unfitKey, exponentOne},
	{"key-for-encryption", "The use of the key is enc.", "RFC 7517 §4.2", unfitKey, changed("use", "enc")},
	{"key-operations", "The operation of the key is encrypt.", "RFC 7517 §4.3", unfitKey, changed("key_ops", []string{"encrypt"})},
	{"key-other-algorithm", "The algorithm of the key is RS512, that of the token RS256.", "RFC 7517 §4.4; RFC 8725 §3.1", unfitKey, changed("alg", "RS512")},
	{"key-symmetric", "The key is a published HMAC secret.", "RFC 7518 §6.4; RFC 8725 §3.1", leakedKey, symmetric},
	{"key-private", "The private half of the key is published, too.", "RFC 7517 §9.2: anybody can sign", leakedKey, private},
}

func signedByPublished(t *mockidp.TenantHandle, key *mockidp.Key) string {
	t.Keys().Publish(key)
	return t.Token(mockidp.SignedBy(key))
}

// changed is a good key but for one member of its JWK.
func changed(member string, value any) func(*mockidp.TenantHandle) string {
	return func(t *mockidp.TenantHandle) string {
		return signedByPublished(t, t.Keys().NewKey().WithJWK(member, value))
	}
}

// exponentOne takes the encoding of the digest for its signature, because that is its own first power. RFC 8017 §9.2
func exponentOne(t *mockidp.TenantHandle) string {
	n := t.Keys().Signing().Public().N
	t.Keys().PublishRaw(map[string]any{"kty": "RSA", "use": "sig", "kid": "one", "n": encode(n.Bytes()), "e": encode([]byte{1})})
	raw := t.Token(mockidp.KeyID("one"))
	signed := raw[:strings.LastIndexByte(raw, '.')]
	digest := sha256.Sum256([]byte(signed))
	info, err := hex.DecodeString("3031300d060960864801650304020105000420")
	if err != nil {
		panic(err) // not reached: the argument is constant
	}
	info = append(info, digest[:]...)
	padding := bytes.Repeat([]byte{0xff}, (n.BitLen()+7)/8-len(info)-3)
	return signed + "." + encode(slices.Concat([]byte{0, 1}, padding, []byte{0}, info))
}

func symmetric(t *mockidp.TenantHandle) string {
	secret := bytes.Repeat([]byte("everybody knows "), 4)
	t.Keys().PublishRaw(map[string]any{"kty": "oct", "use": "sig", "kid": "secret", "alg": "HS256", "k": encode(secret)})
	return t.Token(mockidp.Algorithm("HS256"), mockidp.HMACSecret(secret), mockidp.KeyID("secret"))
}

func private(t *mockidp.TenantHandle) string {
	key := t.Keys().NewKey()
	secret := key.Private()
	secret.Precompute()
	for member, value := range map[string]*big.Int{
		"d": secret.D, "p": secret.Primes[0], "q": secret.Primes[1], "dp": secret.Precomputed.Dp, "dq": secret.Precomputed.Dq, "qi": secret.Precomputed.Qinv,
	} {
		key = key.WithJWK(member, encode(value.Bytes()))
	}
	return signedByPublished(t, key)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
