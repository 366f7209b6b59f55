package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha512"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func signatureAttacks() []attackClass { return []attackClass{wrongSignatures()} }

// resigned puts another signature behind what contoso's token says.
func resigned(sign func(s *siege, signed string) []byte) func(*siege) string {
	return func(s *siege) string {
		raw := withoutSignature(s.contoso.Token())
		return raw + base64.RawURLEncoding.EncodeToString(sign(s, raw[:len(raw)-1]))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func hashOf(h crypto.Hash, text string) []byte {
	w := h.New()
	w.Write([]byte(text))
	return w.Sum(nil)
}

// wrongSignatures are the right key's, or nobody's, over the right bytes or others, in a way that RS256 is not. The header says
// RS256 throughout.
func wrongSignatures() attackClass {
	class := attackClass{
		name: "signatures under RS256", source: "RFC 7518 §3.3; RFC 8725 §3.1",
		good: []attack{{name: "PKCS #1 v1.5 with SHA-256", token: resigned(func(s *siege, signed string) []byte {
			return must(rsa.SignPKCS1v15(nil, s.right.Private(), crypto.SHA256, hashOf(crypto.SHA256, signed)))
		})}},
	}
	add := func(name, source string, sign func(s *siege, signed string) []byte) {
		class.attacks = append(class.attacks, attack{name, source, identity.ErrSignature, resigned(sign)})
	}
	for _, h := range []crypto.Hash{
		crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256,
	} {
		add("PKCS #1 v1.5 with "+h.String(), "RFC 8017 §9.2; RFC 6194", func(s *siege, signed string) []byte {
			return must(rsa.SignPKCS1v15(nil, s.right.Private(), h, hashOf(h, signed)))
		})
	}
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, salt := range []int{8, h.Size(), 256 - h.Size() - 2} {
			add(fmt.Sprintf("PSS with %v and %d bytes of salt", h, salt), "RFC 7518 §3.5; RFC 8017 §8.1", func(s *siege, signed string) []byte {
				return must(rsa.SignPSS(rand.Reader, s.right.Private(), h, hashOf(h, signed), &rsa.PSSOptions{SaltLength: salt}))
			})
		}
	}
	add("PKCS #1 v1.5 of the bare digest", "RFC 8017 §9.2: no DigestInfo", func(s *siege, signed string) []byte {
		return must(rsa.SignPKCS1v15(nil, s.right.Private(), 0, hashOf(crypto.SHA256, signed)))
	})
	add("a digest of the digest", "RFC 8017 §8.2.1", func(s *siege, signed string) []byte {
		return must(rsa.SignPKCS1v15(nil, s.right.Private(), crypto.SHA256, hashOf(crypto.SHA256, string(hashOf(crypto.SHA256, signed)))))
	})
	over := func(name string, text func(signed string) string) {
		add("the right signature over "+name, "RFC 7515 §5.2: over what is transported", func(s *siege, signed string) []byte {
			return must(rsa.SignPKCS1v15(nil, s.right.Private(), crypto.SHA256, hashOf(crypto.SHA256, text(signed))))
		})
	}
	over("nothing", func(string) string { return "" })
	over("the header alone", func(signed string) string { return strings.Split(signed, ".")[0] })
	over("the claims alone", func(signed string) string { return strings.Split(signed, ".")[1] })
	over("both without their dot", func(signed string) string { return strings.Replace(signed, ".", "", 1) })
	over("both and another dot", func(signed string) string { return signed + "." })
	over("both in lower case", strings.ToLower)
	over("the decoded texts", func(signed string) string {
		head, claims, _ := strings.Cut(signed, ".")
		return string(must(base64.RawURLEncoding.DecodeString(head))) + "." + string(must(base64.RawURLEncoding.DecodeString(claims)))
	})
	over("claims that were changed later", func(signed string) string {
		head, claims, _ := strings.Cut(signed, ".")
		text := string(must(base64.RawURLEncoding.DecodeString(claims)))
		return head + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(text, "access_as_user", "other", 1)))
	})
	over("another header", func(signed string) string {
		_, claims, _ := strings.Cut(signed, ".")
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + claims
	})
	add("ECDSA", "RFC 7518 §3.4", func(_ *siege, signed string) []byte {
		return must(ecdsa.SignASN1(rand.Reader, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), hashOf(crypto.SHA256, signed)))
	})
	add("Ed25519", "RFC 8037 §3.1", func(_ *siege, signed string) []byte {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return ed25519.Sign(must(private, err), []byte(signed))
	})
	add("the digest itself", "RFC 8017 §8.2.2", func(_ *siege, signed string) []byte { return hashOf(crypto.SHA256, signed) })
	number := func(name, source string, n func(k *rsa.PublicKey) *big.Int) {
		add("the number "+name, "RFC 8017 §8.2.2 step 1: as long as the modulus", func(s *siege, _ string) []byte {
			return n(s.right.Public()).FillBytes(make([]byte, 257))[:]
		})
		add("the number "+name+" in 256 bytes", source, func(s *siege, _ string) []byte {
			return n(s.right.Public()).FillBytes(make([]byte, 257))[1:]
		})
	}
	number("zero", "CVE-2022-21449: zeros pass, under ECDSA there", func(*rsa.PublicKey) *big.Int { return new(big.Int) })
	number("one", "RFC 8017 §8.2.2", func(*rsa.PublicKey) *big.Int { return big.NewInt(1) })
	number("n", "RFC 8017 §5.2.2: the representative is below the modulus", func(k *rsa.PublicKey) *big.Int { return k.N })
	number("n-1", "RFC 8017 §8.2.2", func(k *rsa.PublicKey) *big.Int { return new(big.Int).Sub(k.N, big.NewInt(1)) })
	number("n+1", "RFC 8017 §5.2.2", func(k *rsa.PublicKey) *big.Int { return new(big.Int).Add(k.N, big.NewInt(1)) })
	changed := func(name string, change func(k *rsa.PublicKey, sig *big.Int) *big.Int) {
		add("the right signature, "+name, "RFC 8017 §8.2.2", func(s *siege, signed string) []byte {
			sig := new(big.Int).SetBytes(must(rsa.SignPKCS1v15(nil, s.right.Private(), crypto.SHA256, hashOf(crypto.SHA256, signed))))
			return change(s.right.Public(), sig).Bytes()
		})
	}
	changed("negated", func(k *rsa.PublicKey, sig *big.Int) *big.Int { return sig.Sub(k.N, sig) })
	changed("plus n", func(k *rsa.PublicKey, sig *big.Int) *big.Int { return sig.Add(sig, k.N) })
	changed("doubled", func(k *rsa.PublicKey, sig *big.Int) *big.Int { return sig.Mod(sig.Lsh(sig, 1), k.N) })
	changed("squared", func(k *rsa.PublicKey, sig *big.Int) *big.Int { return sig.Mod(sig.Mul(sig, sig), k.N) })
	changed("shifted by a byte", func(_ *rsa.PublicKey, sig *big.Int) *big.Int { return sig.Lsh(sig, 8) })
	bytesOf := func(name string, change func(sig []byte) []byte) {
		add("the right signature "+name, "RFC 8017 §8.2.2 step 1", func(s *siege, signed string) []byte {
			return change(must(rsa.SignPKCS1v15(nil, s.right.Private(), crypto.SHA256, hashOf(crypto.SHA256, signed))))
		})
	}
	bytesOf("reversed", func(sig []byte) []byte {
		out := make([]byte, len(sig))
		for i, b := range sig {
			out[len(sig)-1-i] = b
		}
		return out
	})
	bytesOf("twice", func(sig []byte) []byte { return append(sig[:len(sig):len(sig)], sig...) })
	bytesOf("without its first byte", func(sig []byte) []byte { return sig[1:] })
	bytesOf("without its last byte", func(sig []byte) []byte { return sig[:len(sig)-1] })
	bytesOf("before 256 zeros", func(sig []byte) []byte { return append(sig[:len(sig):len(sig)], make([]byte, 256)...) })
	bytesOf("behind 256 zeros", func(sig []byte) []byte { return append(make([]byte, 256), sig...) })
	class.attacks = append(class.attacks,
		attack{"a v1.0 token's signature", "", identity.ErrSignature, func(s *siege) string {
			v1 := s.contoso.Token(mockidp.V1())
			return withoutSignature(s.contoso.Token()) + v1[strings.LastIndexByte(v1, '.')+1:]
		}},
		attack{"an expired token made young again", "CWE-347", identity.ErrSignature, func(s *siege) string {
			old := s.contoso.Token(mockidp.ExpiresIn(-3600e9))
			return withoutSignature(s.contoso.Token()) + old[strings.LastIndexByte(old, '.')+1:]
		}},
		attack{"claims changed and not signed", "CVE-2021-22573", identity.ErrSignature, func(s *siege) string {
			return forged(s.contoso.Token(), 1, func(text string) string { return strings.Replace(text, "access_as_user", "Admin.All", 1) })
		}},
		attack{"scp emptied and not signed", "CVE-2021-22573", identity.ErrSignature, func(s *siege) string {
			return forged(s.contoso.Token(mockidp.Roles("r")), 1, func(text string) string { return strings.Replace(text, "access_as_user", "", 1) })
		}},
	)
	return class
}
