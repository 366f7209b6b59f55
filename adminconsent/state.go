package adminconsent

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// step is one of the two answers. A state is good for one of them.
type step string

const (
	consentStep step = "consent"
	signInStep  step = "sign-in"
)

// state is what goes through Microsoft and back. Nobody can read or change it.
type state struct {
	Browser []byte `json:"b"`           // SHA-256 of the browser's secret
	For     string `json:"f,omitempty"` // customer
	Tenant  string `json:"t,omitempty"` // before consent, the only one allowed; afterwards, the one to be proven
	Ends    int64  `json:"e"`           // Unix time
}

func (s *state) ends() time.Time { return time.Unix(s.Ends, 0) }

// id names the one use of an answer.
func (s *state) id(at step) string { return string(at) + "." + encode(s.Browser) }

// sealer seals states with AES-256-GCM. Its random nonces are good for some four billion flows per key (NIST SP 800-38D §8.3).
type sealer struct{ keys []cipher.AEAD }

func newSealer(keys [][]byte) (*sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("at least one is required")
	}
	s := new(sealer)
	for i, key := range keys {
		if len(key) < minKey {
			return nil, fmt.Errorf("key %d has %d bytes, at least %d are needed", i, len(key), minKey)
		}
		derived, err := hkdf.Key(sha256.New, key, nil, "adminconsent state v1", 32) // the application may use the key for other things
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, err
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, gcm)
	}
	return s, nil
}

// seal binds the state to a step of one application: context is authenticated, not contained.
func (s *sealer) seal(st state, context string) (string, error) {
	plain, err := json.Marshal(st)
	if err != nil {
		return "", err
	}
	gcm := s.keys[0]
	nonce := random(gcm.NonceSize())
	return encode(gcm.Seal(nonce, nonce, plain, []byte(context))), nil
}

func (s *sealer) open(text, context string) (st state, ok bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return st, false
	}
	for _, gcm := range s.keys {
		if len(sealed) < gcm.NonceSize() {
			return st, false
		}
		plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], []byte(context))
		if err == nil {
			return st, json.Unmarshal(plain, &st) == nil
		}
	}
	return st, false
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// secretLen is the length of a browser's secret.
const secretLen = 32

// codeVerifier is PKCE's (RFC 7636 §4.1). It follows from the browser's secret, so that there is nothing more to keep.
func codeVerifier(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("code_verifier"))
	return encode(mac.Sum(nil))
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return encode(sum[:])
}
