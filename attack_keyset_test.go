package identity_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func keySetAttacks() []attackClass { return []attackClass{weakKeys(), sharedKids()} }

// rawKey is an RSA key that crypto/rsa would have nothing to do with.
type rawKey struct{ n, e, d *big.Int }

// sign is the raw operation on the encoding for a modulus of this size.
func (k rawKey) sign(signed string) []byte {
	size := (k.n.BitLen() + 7) / 8
	em := encodedMessage(sha256Info, hashOf(crypto.SHA256, signed))
	em = slices.Concat(em[:size-52], em[204:]) // padding goes, DigestInfo stays
	return new(big.Int).Exp(new(big.Int).SetBytes(em), k.d, k.n).FillBytes(make([]byte, size))
}

// jwkOf is the key as it is published.
func jwkOf(kid string, n, e *big.Int) map[string]any {
	return map[string]any{"kty": "RSA", "use": "sig", "kid": kid, "n": encoded(n), "e": encoded(e)}
}

// small makes a key of so few bits that an attacker can factor it, or an afternoon of computing power can.
func small(bits int) rawKey {
	for {
		p, q, e := must(rand.Prime(rand.Reader, bits/2)), must(rand.Prime(rand.Reader, bits/2)), big.NewInt(65537)
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(e, phi); d != nil {
			return rawKey{new(big.Int).Mul(p, q), e, d}
		}
	}
}

// cubeRoot is the forgery for e=3: a number whose cube begins with an encoding that has room behind the digest. It needs no key.
func cubeRoot(signed string) []byte {
	t := append(must(hex.DecodeString(sha256Info)), hashOf(crypto.SHA256, signed)...)
	prefix := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8), []byte{0}, t)
	target := new(big.Int).SetBytes(append(prefix, bytes.Repeat([]byte{0xff}, 256-len(prefix))...))
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), 700)
	for one := big.NewInt(1); new(big.Int).Sub(high, low).Cmp(one) > 0; {
		middle := new(big.Int).Rsh(new(big.Int).Add(low, high), 1)
		if new(big.Int).Exp(middle, big.NewInt(3), nil).Cmp(target) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	if cube := new(big.Int).Exp(low, big.NewInt(3), nil).FillBytes(make([]byte, 256)); !bytes.HasPrefix(cube, prefix) {
		panic("the forgery does not work")
	}
	return low.FillBytes(make([]byte, 256))
}

// weakKeys are published under their kids, and the tokens are what somebody would sign, or forge, with them. Only the key is at fault:
// where it is the material of the right key, the signature is too.
func weakKeys() attackClass {
	class := attackClass{
		name: "weak keys in the set", source: "RFC 7518 §3.3: 2048 bits or more; RFC 8017 §3.1",
		good: []attack{
			{name: "the right key", token: of()},
			{name: "the right key, published again", token: by(func(*siege) []mockidp.TokenOption { return options(mockidp.KeyID("again")) })},
		},
	}
	var published []func(s *siege) map[string]any
	class.prepare = func(s *siege) {
		for _, bits := range []int{512, 768, 1024, 1536} {
			s.numbers[bitsName(bits)] = small(bits)
		}
		for _, entry := range published {
			s.contoso.Keys().PublishRaw(entry(s))
		}
	}
	right := func(s *siege, kid string) map[string]any { return jwkOf(kid, s.right.Public().N, big.NewInt(65537)) }
	published = append(published, func(s *siege) map[string]any { return right(s, "again") })
	// add publishes the right key with a change, under a kid of its own. Without sign, the right key signs.
	add := func(kid, name, source string, change func(s *siege, jwk map[string]any), sign func(s *siege, signed string) []byte) {
		kid = strings.ReplaceAll(kid, " ", "-")
		published = append(published, func(s *siege) map[string]any {
			entry := right(s, kid)
			change(s, entry)
			return entry
		})
		class.attacks = append(class.attacks, attack{"key " + name, source, identity.ErrKeyUnusable, func(s *siege) string {
			token := s.contoso.Token(mockidp.KeyID(kid))
			if sign == nil {
				return token
			}
			return withoutSignature(token) + base64.RawURLEncoding.EncodeToString(sign(s, token[:len(withoutSignature(token))-1]))
		}})
	}
	for _, bits := range []int{512, 768, 1024, 1536} {
		source := "RFC 7518 §3.3; RSA-768, factored in 2009"
		if bits == 512 {
			source = "RFC 7518 §3.3; CVE-2015-0204 (FREAK); Zachary Harris on DKIM, 2012: factored for 75 dollars"
		}
		name := bitsName(bits)
		add(name, "of "+name, source, func(s *siege, jwk map[string]any) { jwk["n"] = encoded(s.numbers[name].n) }, func(s *siege, signed string) []byte {
			return s.numbers[name].sign(signed)
		})
	}
	member := func(name, value string) func(*siege, map[string]any) {
		return func(_ *siege, jwk map[string]any) { jwk[name] = value }
	}
	exponent := func(e int64) func(*siege, map[string]any) { return member("e", encoded(big.NewInt(e))) }
	add("e1", "with e=1, and the encoding for a signature", "CVE-2013-2228: keys with e=1; RFC 8017 §3.1", exponent(1), func(_ *siege, signed string) []byte {
		return encodedMessage(sha256Info, hashOf(crypto.SHA256, signed))
	})
	add("e3", "with e=3, and a cube root for a signature", "Bleichenbacher, CRYPTO 2006 rump session; CVE-2006-4339; CVE-2014-1568", exponent(3), func(_ *siege, signed string) []byte {
		return cubeRoot(signed)
	})
	for _, e := range []int64{0, 2, 5, 17, 257, 65535, 65536, 65538, 1<<31 + 1, 1<<32 + 65537} {
		add("e"+big.NewInt(e).String(), "with e="+big.NewInt(e).String(), "RFC 8017 §3.1; NIST SP 800-56B §6.2: odd, above 2^16", exponent(e), nil)
	}
	add("enone", "without e", "RFC 7518 §6.3.1.2", func(_ *siege, jwk map[string]any) { delete(jwk, "e") }, nil)
	add("eempty", "with an empty e", "RFC 7518 §6.3.1.2", member("e", ""), nil)
	add("enumber", "with e as a number", "RFC 7518 §6.3.1.2", func(_ *siege, jwk map[string]any) { jwk["e"] = 65537 }, nil)
	add("epadded", "with e padded", "RFC 7515 §2", member("e", "AQAB===="), nil)
	modulus := func(kid, name string, n func(n *big.Int) *big.Int) {
		add(kid, "with "+name, "RFC 8017 §3.1", func(s *siege, jwk map[string]any) {
			jwk["n"] = encoded(n(new(big.Int).Set(s.right.Public().N)))
		}, nil)
	}
	modulus("n0", "n=0", func(*big.Int) *big.Int { return new(big.Int) })
	modulus("n1", "n=1", func(*big.Int) *big.Int { return big.NewInt(1) })
	modulus("n3", "n=3", func(*big.Int) *big.Int { return big.NewInt(3) })
	modulus("neven", "an even n", func(n *big.Int) *big.Int { return n.SetBit(n, 0, 0) })
	modulus("npower", "a power of two for n", func(*big.Int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), 2047) })
	modulus("nlong", "an n of 8,193 bits", func(n *big.Int) *big.Int { return n.SetBit(n.Lsh(n, 8193-2048), 0, 1) })
	modulus("nhuge", "an n of 100,000 bits", func(n *big.Int) *big.Int { return n.SetBit(n.Lsh(n, 100_000-2048), 0, 1) })
	modulus("nshort", "an n of 2,047 bits", func(n *big.Int) *big.Int { return n.SetBit(n.Rsh(n, 1), 0, 1) })
	add("nnone", "without n", "RFC 7518 §6.3.1.1", func(_ *siege, jwk map[string]any) { delete(jwk, "n") }, nil)
	add("nhex", "with n in hexadecimal", "RFC 7518 §2", func(s *siege, jwk map[string]any) { jwk["n"] = "0x" + s.right.Public().N.Text(16) + "=" }, nil)
	add("nstd", "with n in the standard alphabet", "RFC 7515 §2", func(s *siege, jwk map[string]any) {
		jwk["n"] = "+/" + encoded(s.right.Public().N)[2:]
	}, nil)
	add("nx5c", "in x5c alone", "RFC 7517 §4.7", func(s *siege, jwk map[string]any) {
		delete(jwk, "n")
		jwk["x5c"] = []string{base64.StdEncoding.EncodeToString(s.right.CertificateDER())}
	}, nil)
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		add("private"+name, "that publishes its "+name, "RFC 7518 §6.3.2; RFC 7517 §9.2: anybody can sign", member(name, "AQAB"), nil)
	}
	add("privateoth", "that publishes its oth", "RFC 7518 §6.3.2.7", func(_ *siege, jwk map[string]any) {
		jwk["oth"] = []any{map[string]string{"r": "AQAB", "d": "AQAB", "t": "AQAB"}}
	}, nil)
	add("privatenull", "that publishes a d of null", "RFC 7518 §6.3.2", func(_ *siege, jwk map[string]any) { jwk["d"] = nil }, nil)
	add("withk", "with k besides n", "RFC 7518 §6.4", member("k", "c2VjcmV0"), nil)
	for _, kty := range []string{"oct", "EC", "OKP", "AKP", "rsa", "Rsa", "RSA ", "RSA-HSM", ""} {
		add("kty"+kty, "of kty "+`"`+kty+`"`, "RFC 7517 §4.1; RFC 7518 §6.1", member("kty", kty), nil)
	}
	for _, alg := range []string{"RS1", "RS384", "PS256", "HS256", "none", "RSA-OAEP", "RS256 ", "rs256"} {
		add("alg"+alg, "of alg "+`"`+alg+`"`, "RFC 7517 §4.4; RFC 8725 §3.1", member("alg", alg), nil)
	}
	for _, use := range []string{"enc", "SIG", "sig enc", "tls"} {
		add("use"+use, "of use "+`"`+use+`"`, "RFC 7517 §4.2", member("use", use), nil)
	}
	for _, ops := range [][]string{{}, {"sign"}, {"encrypt", "wrapKey"}, {"VERIFY"}} {
		add("ops"+fmt.Sprint(ops), fmt.Sprintf("of key_ops %q", ops), "RFC 7517 §4.3", func(_ *siege, jwk map[string]any) { jwk["key_ops"] = ops }, nil)
	}
	return class
}

func bitsName(bits int) string { return big.NewInt(int64(bits)).String() + " bits" }

// sharedKids: a kid means something within one key set only. Contoso's cloud, two policies of the shop and the customers' directory
// all publish a key under the same one.
func sharedKids() attackClass {
	signedBy := func(name string, opts ...mockidp.TokenOption) func(s *siege) []mockidp.TokenOption {
		return func(s *siege) []mockidp.TokenOption { return append(opts, mockidp.SignedBy(s.keys[name])) }
	}
	tenants := []struct {
		name  string
		token func(s *siege, key string) string
	}{
		{"contoso", func(s *siege, key string) string { return s.contoso.Token(signedBy(key)(s)...) }},
		{"susi", func(s *siege, key string) string { return s.shop.Token(signedBy(key)(s)...) }},
		{"custom", func(s *siege, key string) string {
			return s.shop.Token(signedBy(key, mockidp.Policy("B2C_1A_custom"))(s)...)
		}},
		{"customers", func(s *siege, key string) string { return s.customers.Token(signedBy(key)(s)...) }},
	}
	class := attackClass{
		name: "one kid in several sets", source: "RFC 8725 §3.8: a key belongs to an issuer; RFC 7517 §4.5: a kid is the set's own",
		prepare: func(s *siege) {
			sets := map[string]*mockidp.KeySet{
				"contoso": s.contoso.Keys(), "susi": s.shop.PolicyKeys("B2C_1_susi"), "custom": s.shop.PolicyKeys("B2C_1A_custom"), "customers": s.customers.Keys(),
			}
			for _, tenant := range tenants {
				key := sets[tenant.name].NewKey().WithID("shared")
				sets[tenant.name].Publish(key)
				s.keys[tenant.name] = key
			}
			twice := s.contoso.Keys().NewKey().WithID("twice")
			s.keys["twice"] = twice
			s.contoso.Keys().Publish(twice)
			s.contoso.Keys().Publish(s.contoso.Keys().NewKey().WithID("twice"))
		},
	}
	for _, tenant := range tenants {
		class.good = append(class.good, attack{name: "token of " + tenant.name + " under a shared kid", token: func(s *siege) string { return tenant.token(s, tenant.name) }})
		for _, other := range tenants {
			if other.name == tenant.name {
				continue
			}
			class.attacks = append(class.attacks, attack{"token of " + tenant.name + ", key of " + other.name + ", same kid", "", identity.ErrSignature, func(s *siege) string {
				return tenant.token(s, other.name)
			}})
		}
	}
	class.attacks = append(class.attacks, attack{"one kid for two keys of a set", "RFC 7517 §4.5: should be distinct", identity.ErrKeyUnusable, by(signedBy("twice"))})
	return class
}
