package corpus

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
)

// Refused are tokens that no API may accept, made from good ones without signing anew, because nobody gets as far as the signature.
type Refused struct {
	Junk          []*Token // three segments of the right length, base64url of random bytes
	UnknownTenant []*Token // well-formed, of a tenant that nobody registered
	UnknownKey    []*Token // well-formed, of a key that nobody published
}

// Refuse makes n tokens of each kind.
func (c *Corpus) Refuse(n int) (*Refused, error) {
	r := &Refused{}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		segments := strings.Split(c.Users[i%len(c.Users)].Raw, ".")
		header, payload := decoded(segments[0]), decoded(segments[1])
		tenant := c.Tenants[c.tenantOf(i%len(c.Users))]
		for _, make := range []struct {
			kind            *[]*Token
			header, payload []byte
		}{
			{&r.Junk, noise(random, len(header)), noise(random, len(payload))},
			{&r.UnknownTenant, header, bytes.ReplaceAll(payload, []byte(tenant), []byte(guid(random)))},
			{&r.UnknownKey, bytes.Replace(header, []byte(c.KeyID), []byte(opaque(random, len(c.KeyID))), 1), payload},
		} {
			t, err := newToken(encoded(make.header) + "." + encoded(make.payload) + "." + segments[2])
			if err != nil {
				return nil, err
			}
			*make.kind = append(*make.kind, t)
		}
	}
	return r, nil
}

// Oversized is a bearer token of a megabyte.
func Oversized() *Token { return Bearer(strings.Repeat("a", 1<<20)) }

func noise(random *rand.Rand, length int) []byte {
	text := make([]byte, length)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	return text
}

func encoded(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

func decoded(segment string) []byte {
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		panic(err) // not reached: the mock encoded it
	}
	return text
}
