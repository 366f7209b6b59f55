package mockidp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // RS384, RS512 and their like
	"fmt"
	"strings"
)

// compact writes the token down and signs it.
func (b *builder) compact() string {
	b.nameKey()
	header, payload := b.header.text(), b.claims.text()
	for _, f := range b.editHeader {
		header = f(header)
	}
	for _, f := range b.editPayload {
		payload = f(payload)
	}
	input := base64url([]byte(header)) + "." + base64url([]byte(payload))
	signed := input
	if b.graph {
		signed = base64url([]byte(b.hashedNonce(header))) + "." + base64url([]byte(payload))
	}
	raw := input + "." + base64url(b.sign(signed))
	for _, f := range b.mutate {
		raw = f(raw)
	}
	return raw
}

// nameKey fills the header parameters that depend on key and algorithm, unless an option set or removed them.
func (b *builder) nameKey() {
	for i, m := range b.header {
		switch {
		case m.name == "alg" && !b.algSet:
			b.header[i].value = b.algorithm
		case m.name == "kid" && !b.kidSet, m.name == "x5t" && m.value == "":
			b.header[i].value = b.key.id
		}
	}
}

// hashedNonce is the header that Graph's tokens are signed with: the transported nonce is replaced by its SHA-256.
func (b *builder) hashedNonce(header string) string {
	for _, m := range b.header {
		if nonce, ok := m.value.(string); ok && m.name == "nonce" {
			return hashNonce(header, nonce)
		}
	}
	return header
}

func hashNonce(header, nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return strings.Replace(header, nonce, base64url(sum[:]), 1)
}

func checkAlgorithm(name string) {
	if !knownAlgorithm(name) {
		panic(fmt.Sprintf("mockidp: unknown algorithm %q; for the header alone use Header", name))
	}
}

func knownAlgorithm(name string) bool {
	switch name {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "HS256", "HS384", "HS512", "none":
		return true
	}
	return false
}

// hashes by the digits of an algorithm's name.
var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// sign makes the signature of the algorithm chosen, whatever the header says.
func (b *builder) sign(input string) []byte {
	if b.algorithm == "none" {
		return nil
	}
	family, hash := b.algorithm[:2], hashes[b.algorithm[2:]]
	switch family {
	case "HS":
		secret := b.secret
		if secret == nil {
			secret = b.key.PublicPEM()
		}
		mac := hmac.New(hash.New, secret)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case "ES":
		return signECDSA(b.handle.srv.ecKey(), digest(hash, input))
	case "PS":
		return mustSign(rsa.SignPSS(rand.Reader, b.key.private, hash, digest(hash, input), nil))
	}
	return mustSign(rsa.SignPKCS1v15(rand.Reader, b.key.private, hash, digest(hash, input)))
}

func digest(hash crypto.Hash, input string) []byte {
	h := hash.New()
	h.Write([]byte(input))
	return h.Sum(nil)
}

// signECDSA is the fixed-length form of RFC 7518 §3.4.
func signECDSA(key *ecdsa.PrivateKey, digest []byte) []byte {
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		panic(fmt.Sprintf("mockidp: signing: %v", err))
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}

func mustSign(signature []byte, err error) []byte {
	if err != nil {
		panic(fmt.Sprintf("mockidp: signing: %v", err))
	}
	return signature
}

// Sign makes a token of any two texts, signed with key and RS256: the lowest level, where nothing is filled in.
func (s *Server) Sign(key *Key, header, payload string) string {
	return key.SignSegments(base64url([]byte(header)), base64url([]byte(payload)))
}

// SignSegments makes a token of two segments as they are, encoded or not, signed with RS256.
func (k *Key) SignSegments(header, payload string) string {
	input := header + "." + payload
	return input + "." + base64url(mustSign(rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, digest(crypto.SHA256, input))))
}
