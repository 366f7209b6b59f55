package identity

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

const (
	maxToken     = 64 << 10 // the whole token, in bytes
	maxHeader    = 4 << 10  // the header segment
	maxKID       = 256      // bytes, also of a published key's
	maxSignature = 1024     // decoded, that of an RSA key of 8192 bits

	usualPayload   = 2048 // decoded; a larger one costs a second buffer
	usualHeader    = 256
	usualSignature = 256
)

var (
	errTooLarge  = errors.New("longer than 64 KiB")
	errSegments  = errors.New("not three segments")
	errEncrypted = errors.New("five segments, a JWE")
	errBase64    = errors.New("a segment is not unpadded base64url in its one spelling")
	errHeader    = errors.New("the header is longer than 4 KiB")
	errSignature = errors.New("the signature is longer than any RSA signature")
	errAlgorithm = errors.New("alg is not RS256")
	errCritical  = errors.New("the header has crit or b64")
	errType      = errors.New("typ is not JWT, at+jwt or application/at+jwt")
	errKeyID     = errors.New("kid is not a string of 1 to 256 printable characters")
	errCallers   = errors.New("azp and appid differ")
)

// token is a JWS in compact form (RFC 7515 §7.1), taken apart. Nothing about it is trusted yet. It must not be copied:
// the signature usually lies within it.
type token struct {
	raw        string // as received
	signed     string // what the signature covers: raw up to the second dot
	signature  []byte
	kid        string
	graphNonce bool   // the header has a nonce: only tokens for Microsoft Graph do
	payload    string // the decoded claims, valid JSON; the claims' strings are parts of it where they can be
	claims     claims

	signatureBuffer [usualSignature + 2]byte
}

// parseToken takes a token apart, the cheapest checks first. It knows nothing of tenants, keys or time.
func parseToken(raw string) (*token, error) {
	if len(raw) > maxToken {
		return nil, newError(ErrTokenTooLarge, errTooLarge)
	}
	parts, err := splitToken(raw)
	if err != nil {
		return nil, err
	}
	header, err := parseHeader(parts.header)
	if err != nil {
		return nil, err
	}
	t := &token{
		raw:        raw,
		signed:     raw[:len(raw)-len(parts.signature)-1],
		kid:        header.kid,
		graphNonce: header.nonce,
	}
	if err := t.decodeSignature(parts.signature); err != nil {
		return nil, err
	}
	if err := t.decodePayload(parts.payload); err != nil {
		return nil, err
	}
	if err := t.claims.parse(t.payload); err != nil {
		return nil, err
	}
	return t, nil
}

type segments struct{ header, payload, signature string }

// splitToken cuts a token at its dots. The signature may still be empty: an unsecured token (RFC 7515 appendix A.5) is to be
// refused for its algorithm.
func splitToken(raw string) (s segments, err error) {
	switch strings.Count(raw, ".") {
	case 2:
	case 4:
		return s, newError(ErrTokenEncrypted, errEncrypted) // RFC 7516 §7.1
	default:
		return s, newError(ErrTokenMalformed, errSegments)
	}
	s.header, raw, _ = strings.Cut(raw, ".")
	s.payload, s.signature, _ = strings.Cut(raw, ".")
	if s.header == "" || s.payload == "" {
		return s, newError(ErrTokenMalformed, errSegments)
	}
	if len(s.header) > maxHeader {
		return s, newError(ErrTokenMalformed, errHeader)
	}
	return s, nil
}

func (t *token) decodeSignature(segment string) error {
	if segment == "" {
		return newError(ErrTokenMalformed, errSegments)
	}
	if base64.RawURLEncoding.DecodedLen(len(segment)) > maxSignature {
		return newError(ErrTokenMalformed, errSignature)
	}
	var ok bool
	if t.signature, ok = decodeSegment(t.signatureBuffer[:0], segment); !ok {
		return newError(ErrTokenMalformed, errBase64)
	}
	return nil
}

func (t *token) decodePayload(segment string) error {
	var buffer [usualPayload]byte
	decoded, ok := decodeSegment(buffer[:0], segment)
	if !ok {
		return newError(ErrTokenMalformed, errBase64)
	}
	t.payload = string(decoded)
	return nil
}

// decodeSegment decodes unpadded base64url (RFC 7515 §2) behind what is in buffer. Each value has one spelling only, or a
// token could be changed without changing what it says: nothing but the alphabet is let through, not even the line breaks
// that encoding/base64 skips when it is strict, and the bits of the last character that stand for nothing must be zero.
func decodeSegment(buffer []byte, segment string) (decoded []byte, ok bool) {
	n := len(buffer)
	size := base64.RawURLEncoding.DecodedLen(len(segment))
	decoded = slices.Grow(buffer, size+2)[:n+size+2] // eight bytes are written for six
	bad := uint32(0)
	for ; len(segment) >= 8; segment = segment[8:] {
		x := load8(segment[:8])
		high := sextets[0][byte(x)] | sextets[1][byte(x>>8)] | sextets[2][byte(x>>16)] | sextets[3][byte(x>>24)]
		low := sextets[0][byte(x>>32)] | sextets[1][byte(x>>40)] | sextets[2][byte(x>>48)] | sextets[3][byte(x>>56)]
		bad |= high | low
		binary.BigEndian.PutUint64(decoded[n:n+8], uint64(high)<<40|uint64(low)<<16)
		n += 6
	}
	if bad&badSextet != 0 {
		return nil, false
	}
	decoded, err := strictBase64.AppendDecode(decoded[:n], []byte(segment))
	return decoded, err == nil && !strings.ContainsAny(segment, "\r\n")
}

var strictBase64 = base64.RawURLEncoding.Strict()

const badSextet = 1 << 31

// sextets holds, for each of four neighbouring characters, the six bits that it stands for, in their place.
var sextets = func() (t [4][256]uint32) {
	for i := range t {
		for c := range t[i] {
			t[i][c] = badSextet
		}
		for bits, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
			t[i][c] = uint32(bits) << (18 - 6*i)
		}
	}
	return t
}()

// header holds what matters of the JOSE header.
type header struct {
	rawAlg, rawTyp, rawKID string // as JSON, empty if absent
	critical, nonce        bool

	kid string // decoded, when check has passed
}

// parseHeader reads and checks the header. Keys in it or addresses of keys (jwk, x5c, jku, x5u) are never looked at.
func parseHeader(segment string) (h header, err error) {
	var buffer [usualHeader]byte
	decoded, ok := decodeSegment(buffer[:0], segment)
	if !ok {
		return h, newError(ErrTokenMalformed, errBase64)
	}
	r := objectReader{scanner: scanner{src: string(decoded)}}
	for r.next() {
		h.set(&r)
	}
	if r.fault != nil {
		return h, newError(ErrTokenMalformed, r.fault)
	}
	return h, h.check()
}

func (h *header) set(r *objectReader) {
	switch r.name {
	case "alg":
		h.rawAlg = r.value
	case "typ":
		h.rawTyp = r.value
	case "kid":
		h.rawKID = r.value
	case "crit", "b64":
		h.critical = true
	case "nonce":
		h.nonce = true
	}
}

func (h *header) check() error {
	if alg, _ := stringValue(h.rawAlg); alg != algorithm { // RFC 8725 §3.1
		return newError(ErrAlgorithm, errAlgorithm)
	}
	if h.critical { // RFC 7515 §4.1.11; b64 without crit is against RFC 7797 §6
		return newError(ErrCritical, errCritical)
	}
	if typ, _ := stringValue(h.rawTyp); h.rawTyp != "" && !accessTokenType(typ) {
		return newError(ErrTokenType, errType)
	}
	h.kid, _ = stringValue(h.rawKID)
	if !validKID(h.kid) {
		return newError(ErrKeyID, errKeyID)
	}
	return nil
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
