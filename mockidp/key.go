package mockidp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Key is a signing key. It is immutable; the With methods return changed copies, which are keys of their own: publishing a copy
// does not touch the original. The zero value is not usable. It is safe for concurrent use.
type Key struct {
	id          string
	private     *rsa.PrivateKey
	certificate []byte // DER; nil for B2C, whose keys have none
	notBefore   int64  // nbf of B2C keys; 0 elsewhere
	personal    bool   // bound to the issuer of personal accounts
	issuer      *string
	members     []member // of the JWK, applied last; a nil value removes
}

// newCertifiedKey makes a key as workforce and External ID sets have it: its ID is the SHA-1 of a self-signed certificate.
func newCertifiedKey(private *rsa.PrivateKey, commonName string, now time.Time) *Key {
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(randomBytes(16)), // makes the ID differ from server to server
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.AddDate(0, -1, 0),
		NotAfter:     now.AddDate(5, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(fmt.Sprintf("mockidp: certificate: %v", err))
	}
	sum := sha1.Sum(der)
	return &Key{id: base64url(sum[:]), private: private, certificate: der}
}

// newPlainKey makes a key as B2C has it: no certificate, an ID of 43 characters, and nbf.
func newPlainKey(private *rsa.PrivateKey, now time.Time) *Key {
	return &Key{id: base64url(randomBytes(32)), private: private, notBefore: now.Unix()}
}

// ID is the kid.
func (k *Key) ID() string { return k.id }

// Public is the public half. It must not be modified.
func (k *Key) Public() *rsa.PublicKey { return &k.private.PublicKey }

// Private is the private half. It must not be modified.
func (k *Key) Private() *rsa.PrivateKey { return k.private }

// CertificateDER is the self-signed certificate of x5c, nil for B2C keys.
func (k *Key) CertificateDER() []byte { return slices.Clone(k.certificate) }

// PublicDER is the public key in PKIX form: with [Key.PublicPEM] and [Key.Modulus] the secrets of the HMAC confusion attack.
func (k *Key) PublicDER() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		panic(fmt.Sprintf("mockidp: public key: %v", err))
	}
	return der
}

// PublicPEM is the public key in PEM.
func (k *Key) PublicPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.PublicDER()})
}

// Modulus is the modulus in big-endian bytes.
func (k *Key) Modulus() []byte { return k.private.N.Bytes() }

// WithID is a copy under another kid, with the same material.
func (k *Key) WithID(kid string) *Key {
	c := k.clone()
	c.id = kid
	return c
}

// WithIssuer is a copy whose issuer in v2 documents is this one, instead of the one its set gives to all its keys. Empty removes
// the member. "{tenantid}" stays as it is: Microsoft publishes the placeholder.
func (k *Key) WithIssuer(issuer string) *Key {
	c := k.clone()
	c.issuer = &issuer
	return c
}

// WithJWK is a copy whose published JWK has this member set, in documents of every version; a nil value removes the member. The
// value is any JSON value. Signing is not affected.
func (k *Key) WithJWK(name string, value any) *Key {
	c := k.clone()
	c.members = append(c.members, member{name, value})
	return c
}

func (k *Key) clone() *Key {
	c := *k
	c.members = slices.Clone(k.members)
	return &c
}

// jwk renders the key. An empty issuer stands for a document that has none.
func (k *Key) jwk(issuer string) object {
	public := k.Public()
	n, e := base64url(public.N.Bytes()), base64url(big.NewInt(int64(public.E)).Bytes())
	var o object
	if k.certificate == nil {
		o = object{{"kid", k.id}, {"nbf", k.notBefore}, {"use", "sig"}, {"kty", "RSA"}, {"e", e}, {"n", n}}
	} else {
		x5c := []string{base64.StdEncoding.EncodeToString(k.certificate)}
		o = object{{"kty", "RSA"}, {"use", "sig"}, {"kid", k.id}, {"x5t", k.id}, {"n", n}, {"e", e}, {"x5c", x5c}}
	}
	switch {
	case issuer == "":
	case k.issuer != nil:
		issuer = *k.issuer
	case k.personal:
		issuer = strings.ReplaceAll(issuer, "{tenantid}", PersonalAccounts)
	}
	if issuer != "" {
		o.set("issuer", issuer)
	}
	for _, m := range k.members {
		if m.value == nil {
			o.remove(m.name)
		} else {
			o.set(m.name, m.value)
		}
	}
	return o
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
