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

	// A larger segment, decoded, costs a buffer of its own.
	usualPayload   = 2048
	usualHeader    = 256
	usualSignature = 512
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

// token is a JWS in compact form (RFC 7515 §7.1), taken apart. Nothing about it is trusted yet.
type token struct {
	raw        string // as received
	signed     string // what the signature covers: raw up to the second dot
	signature  []byte // in the parser's memory; nil in a token that was kept
	kid        string
	graphNonce bool   // the header has a nonce: only tokens for Microsoft Graph do
	payload    string // the decoded claims, valid JSON; the claims' strings are parts of it where they can be
	claims     claims
}

// tokenParser is memory that taking tokens apart needs again and again: a token that is refused must not cost more of it than
// needs be.
type tokenParser struct {
	token     token
	header    [usualHeader + overrun]byte
	payload   [usualPayload + overrun]byte
	signature [usualSignature + overrun]byte
}

// parse takes a token apart, the cheapest checks first. It knows nothing of tenants, keys or time. Headers in known need not be
// read again. The token is good until the parser is reset, which it must be before the next; see keep.
func (p *tokenParser) parse(raw string, known *headerCache) (*token, error) {
	if len(raw) > maxToken {
		return nil, newError(ErrTokenTooLarge, errTooLarge)
	}
	parts, err := splitToken(raw)
	if err != nil {
		return nil, err
	}
	header, ok := known.find(parts.header)
	if !ok {
		if header, err = p.parseHeader(parts.header); err != nil {
			return nil, err
		}
	}
	t := &p.token
	t.raw, t.signed = raw, raw[:len(raw)-len(parts.signature)-1]
	t.kid, t.graphNonce = header.kid, header.nonce
	if t.signature, err = p.decodeSignature(parts.signature); err != nil {
		return nil, err
	}
	payload, ok := decodeSegment(p.payload[:0], parts.payload)
	if !ok {
		return nil, newError(ErrTokenMalformed, errBase64)
	}
	t.payload = string(payload)
	if err := t.claims.parse(t.payload); err != nil {
		return nil, err
	}
	return t, nil
}

// reset makes the parser ready for the next token. It lets go of whatever the last one holds.
func (p *tokenParser) reset() { p.token = token{} }

// keep is a copy that does not need the parser.
func (t *token) keep() *token {
	own := *t
	own.signature = nil
	return &own
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

// signatureOf is the signature of a token, one that has been verified before too.
func (p *tokenParser) signatureOf(t *token) []byte {
	if t.signature != nil {
		return t.signature
	}
	signature, _ := decodeSegment(p.signature[:0], t.raw[len(t.signed)+1:])
	return signature
}

func (p *tokenParser) decodeSignature(segment string) ([]byte, error) {
	if segment == "" {
		return nil, newError(ErrTokenMalformed, errSegments)
	}
	if base64.RawURLEncoding.DecodedLen(len(segment)) > maxSignature {
		return nil, newError(ErrTokenMalformed, errSignature)
	}
	signature, ok := decodeSegment(p.signature[:0], segment)
	if !ok {
		return nil, newError(ErrTokenMalformed, errBase64)
	}
	return signature, nil
}

// overrun is how many bytes decodeSegment writes beyond what it decodes, at most: eight bytes are written for six.
const overrun = 2

// decodeSegment decodes unpadded base64url (RFC 7515 §2) behind what is in buffer. Each value has one spelling only, or a
// token could be changed without changing what it says: nothing but the alphabet is let through, not even the line breaks
// that encoding/base64 skips when it is strict, and the bits of the last character that stand for nothing must be zero.
func decodeSegment(buffer []byte, segment string) (decoded []byte, ok bool) {
	size := base64.RawURLEncoding.DecodedLen(len(segment))
	decoded = slices.Grow(buffer, size+overrun)[:len(buffer)+size]
	bad := uint32(0)
	s, d, t := segment, decoded[len(buffer):len(decoded)+overrun], &sextets
	for len(s) >= 8 && len(d) >= 8 {
		high := t[0][s[0]] | t[1][s[1]] | t[2][s[2]] | t[3][s[3]]
		low := t[0][s[4]] | t[1][s[5]] | t[2][s[6]] | t[3][s[7]]
		bad |= high | low
		binary.BigEndian.PutUint64(d, uint64(high)<<40|uint64(low)<<16)
		s, d = s[8:], d[6:]
	}
	// What is left is as if zeros followed, which stand for the bits that must be zero.
	rest := uint64(0)
	for i := range len(s) {
		sextet := t[3][s[i]]
		bad |= sextet
		rest |= uint64(sextet) << (58 - 6*i)
	}
	bits := 6 * len(s)
	if bad&badSextet != 0 || bits%8 == 6 || rest<<(bits&^7) != 0 {
		return nil, false
	}
	for i := range bits / 8 {
		d[i] = byte(rest >> (56 - 8*i))
	}
	return decoded, true
}

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
