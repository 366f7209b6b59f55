package identity

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// header is what matters of a JOSE header that has passed its checks.
type header struct {
	kid   string
	nonce bool
}

// parseHeader reads and checks the header. Keys in it or addresses of keys (jwk, x5c, jku, x5u) are never looked at.
func (p *tokenParser) parseHeader(segment string) (h header, err error) {
	decoded, ok := decodeSegment(p.header[:0], segment)
	if !ok {
		return h, newError(ErrTokenMalformed, errBase64)
	}
	r := objectReader{scanner: scanner{src: string(decoded)}}
	var members headerMembers
	for r.next() {
		members.set(&r)
	}
	if r.fault != nil {
		return h, newError(ErrTokenMalformed, r.fault)
	}
	return members.check()
}

// headerMembers are the members that matter, as JSON, empty if absent.
type headerMembers struct {
	alg, typ, kid   string
	critical, nonce bool
}

func (m *headerMembers) set(r *objectReader) {
	switch r.name {
	case "alg":
		m.alg = r.value
	case "typ":
		m.typ = r.value
	case "kid":
		m.kid = r.value
	case "crit", "b64":
		m.critical = true
	case "nonce":
		m.nonce = true
	}
}

func (m *headerMembers) check() (h header, err error) {
	if alg, _ := stringValue(m.alg); alg != algorithm { // RFC 8725 §3.1
		return h, newError(ErrAlgorithm, errAlgorithm)
	}
	if m.critical { // RFC 7515 §4.1.11; b64 without crit is against RFC 7797 §6
		return h, newError(ErrCritical, errCritical)
	}
	if typ, _ := stringValue(m.typ); m.typ != "" && !accessTokenType(typ) {
		return h, newError(ErrTokenType, errType)
	}
	kid, _ := stringValue(m.kid)
	if !validKID(kid) {
		return h, newError(ErrKeyID, errKeyID)
	}
	return header{kid, m.nonce}, nil
}

// accessTokenType tells by typ whether a token can be an access token (RFC 8725 §3.11, RFC 9068 §4). Microsoft says JWT.
// None of these has a letter that something beyond ASCII folds to.
func accessTokenType(typ string) bool {
	return strings.EqualFold(typ, "JWT") || strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt")
}

func validKID(kid string) bool {
	for i := range len(kid) {
		if kid[i] <= ' ' || kid[i] > '~' {
			return false
		}
	}
	return kid != "" && len(kid) <= maxKID
}

// headerCache remembers the headers of tokens that have been verified: what one key has signed usually begins with the same
// bytes, and what those say does not change. Nothing else enters, so that a stranger can push nothing out. It is bounded: two
// headers that belong into one place take turns.
type headerCache [32]atomic.Pointer[knownHeader]

type knownHeader struct {
	segment string
	header  header
}

var headerSeed = maphash.MakeSeed()

func (c *headerCache) place(segment string) *atomic.Pointer[knownHeader] {
	return &c[maphash.String(headerSeed, segment)%uint64(len(c))]
}

// find returns what parseHeader has once made of a segment.
func (c *headerCache) find(segment string) (h header, ok bool) {
	if known := c.place(segment).Load(); known != nil && known.segment == segment {
		return known.header, true
	}
	return h, false
}

// remember keeps the header of a token that has been verified. It returns the kid, in memory that such tokens share.
func (c *headerCache) remember(t *token) (kid string) {
	segment, _, _ := strings.Cut(t.raw, ".")
	if known, ok := c.find(segment); ok {
		return known.kid
	}
	kid = strings.Clone(t.kid)
	c.place(segment).Store(&knownHeader{strings.Clone(segment), header{kid, t.graphNonce}})
	return kid
}
