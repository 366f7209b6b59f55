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
	maxKID       = 256
	maxSignature = 1024 // decoded, that of an RSA key of 8192 bits

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
		kid:        header.keyID,
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

// header holds what matters of the JOSE header, each member as JSON, empty if it is absent.
type header struct {
	alg, typ, kid   string
	critical, nonce bool

	keyID string
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
		h.alg = r.value
	case "typ":
		h.typ = r.value
	case "kid":
		h.kid = r.value
	case "crit", "b64":
		h.critical = true
	case "nonce":
		h.nonce = true
	}
}

func (h *header) check() error {
	if alg, _ := stringValue(h.alg); alg != "RS256" { // RFC 8725 §3.1
		return newError(ErrAlgorithm, errAlgorithm)
	}
	if h.critical { // RFC 7515 §4.1.11; b64 without crit is against RFC 7797 §6
		return newError(ErrCritical, errCritical)
	}
	if typ, _ := stringValue(h.typ); h.typ != "" && !accessTokenType(typ) {
		return newError(ErrTokenType, errType)
	}
	h.keyID, _ = stringValue(h.kid)
	if !validKeyID(h.keyID) {
		return newError(ErrKeyID, errKeyID)
	}
	return nil
}

// accessTokenType tells by typ whether a token can be an access token (RFC 8725 §3.11, RFC 9068 §4). Microsoft says JWT.
// None of these has a letter that something beyond ASCII folds to.
func accessTokenType(typ string) bool {
	return typ == "JWT" || strings.EqualFold(typ, "JWT") || strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt")
}

func validKeyID(kid string) bool {
	for i := range len(kid) {
		if kid[i] <= ' ' || kid[i] > '~' {
			return false
		}
	}
	return kid != "" && len(kid) <= maxKID
}

// claims holds the claims that decide (RFC 7519 §4). A claim that is absent has its zero value. Those whose fault a later step
// has to answer for, in its place in the order of checks, come here without one: see parse.
type claims struct {
	issuer, subject, version string // iss, sub, ver: empty also when not a string
	tenantID, objectID       string // tid, oid
	azp, appID               string
	idType, idp              string // idtyp, idp
	tfp, acr                 string

	hasTenantID, hasTFP, hasACR bool // also true for a value that is not a string, which reads as empty

	audience     stringList // aud: empty also when it is neither a string nor an array of strings
	scope        string     // scp
	hasScope     bool
	roles        stringList // a single string is one role, blanks and all
	hasRoles     bool
	groups       stringList
	authContexts stringList // acrs
	capabilities stringList // xms_cc

	expires, notBefore, issuedAt numericDate // exp, nbf, iat

	hasGroups       bool // hasgroups is true
	groupsElsewhere bool // _claim_names has a member "groups"
	account         accountKind
	bound           bool // cnf is there, whatever its value
}

// accountKind is the acct claim.
type accountKind uint8

const (
	accountUnknown accountKind = iota // no such claim
	accountMember
	accountGuest
)

// parse reads the claims. Wrong types are refused here, except where a later step has its own answer: iss, ver, aud, tid,
// tfp, acr, and the times.
func (c *claims) parse(payload string) error {
	r := objectReader{scanner: scanner{src: payload}}
	var fault error
	for r.next() {
		if !c.set(r.name, r.value) && fault == nil {
			fault = wrongType(r.name)
		}
	}
	if r.fault != nil { // decides before any claim does
		return newError(ErrTokenMalformed, r.fault)
	}
	if fault == nil && r.saw("azp") && r.saw("appid") && c.azp != c.appID {
		fault = errCallers
	}
	if fault != nil {
		return newError(ErrClaims, fault)
	}
	return nil
}

// wrongType is the name of the claim at fault.
type wrongType string

func (w wrongType) Error() string { return "claim " + string(w) + " has the wrong type" }

// set stores one claim. It is false if the claim has the wrong type, and that is for parse to say.
func (c *claims) set(name, value string) (ok bool) {
	ok = true
	switch name {
	case "iss":
		c.issuer, _ = stringValue(value)
	case "ver":
		c.version, _ = stringValue(value)
	case "aud":
		c.audience, _ = listValue(value)
	case "tid":
		c.tenantID, _ = stringValue(value)
		c.hasTenantID = true
	case "tfp":
		c.tfp, _ = stringValue(value)
		c.hasTFP = true
	case "acr":
		c.acr, _ = stringValue(value)
		c.hasACR = true
	case "exp":
		c.expires = dateValue(value)
	case "nbf":
		c.notBefore = dateValue(value)
	case "iat":
		c.issuedAt = dateValue(value)
	case "sub":
		c.subject, ok = stringValue(value)
	case "oid":
		c.objectID, ok = stringValue(value)
	case "azp":
		c.azp, ok = stringValue(value)
	case "appid":
		c.appID, ok = stringValue(value)
	case "idtyp":
		c.idType, ok = stringValue(value)
	case "idp":
		c.idp, ok = stringValue(value)
	case "scp":
		c.scope, ok = stringValue(value)
		c.hasScope = true
	case "roles":
		c.roles, ok = listValue(value)
		c.hasRoles = true
	case "groups":
		c.groups, ok = listValue(value)
	case "acrs":
		c.authContexts, ok = listValue(value)
	case "xms_cc":
		c.capabilities, ok = listValue(value)
	case "hasgroups":
		c.hasGroups, ok = boolValue(value)
	case "_claim_names":
		_, c.groupsElsewhere = lookupClaim(value, "groups")
		ok = value[0] == '{'
	case "acct":
		c.account, ok = accountValue(value)
	case "cnf":
		c.bound = true
	}
	return ok
}

// knownNames are the names that we decide by, of header and claims alike: a name of the one means nothing in the other,
// and is guarded there too.
var knownNames = [...]string{
	"alg", "kid", "typ", "crit", "b64",
	"iss", "sub", "aud", "exp", "nbf", "iat", "ver", "tid", "oid", "azp", "appid", "scp", "roles", "groups", "hasgroups",
	"_claim_names", "idtyp", "tfp", "acr", "acrs", "xms_cc", "idp", "acct", "cnf",
}

// knownSlots finds a known name without trying them all: each has a slot of its own, which holds its place in
// knownNames, counted from one.
var knownSlots = func() (slots [64]uint8) {
	for i, name := range knownNames {
		slot := &slots[mix(name)]
		if *slot != 0 {
			panic("identity: " + name + " and " + knownNames[*slot-1] + " share a slot")
		}
		*slot = uint8(i + 1)
	}
	return slots
}()

// knownName is the bit of a name that we decide by, zero for other names.
func knownName(name string) (bit uint64) {
	if i := knownSlots[mix(name)]; i != 0 && knownNames[i-1] == name {
		return 1 << i
	}
	return 0
}

// lookupClaim finds the raw JSON of a member of an object that was validated before.
func lookupClaim(payload, name string) (raw string, ok bool) {
	r := objectReader{scanner: scanner{src: payload}}
	for r.member() {
		if r.name == name {
			return r.value, true
		}
	}
	return "", false
}

// stringValue decodes a JSON string. Anything else is none.
func stringValue(raw string) (s string, ok bool) {
	if raw == "" || raw[0] != '"' {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	if strings.IndexByte(raw, '\\') >= 0 {
		return unescape(raw), true
	}
	return raw, true
}

// boolValue decodes a boolean, or the same as a string, which hasgroups can be.
func boolValue(raw string) (b, ok bool) {
	if s, isString := stringValue(raw); isString {
		return s == "true", true
	}
	return raw == "true", raw == "true" || raw == "false"
}

// accountValue decodes acct: 0 is a member, 1 a guest, as a number or in a string. Whatever else that says counts as a
// guest, who may do less.
func accountValue(raw string) (kind accountKind, ok bool) {
	s, isString := stringValue(raw)
	if !isString {
		s = raw
	}
	if s == "0" {
		return accountMember, true
	}
	return accountGuest, isString || isNumber(raw)
}

func isNumber(raw string) bool { return raw[0] == '-' || raw[0]-'0' <= 9 }

// stringList is a claim that is one string or an array of them. One string needs no allocation. An empty string alone
// counts as none: it names nothing.
type stringList struct {
	one  string   // while many is nil
	many []string // two or more
}

// listValue decodes a string or an array of strings. Anything else is none.
func listValue(raw string) (list stringList, ok bool) {
	if raw[0] != '[' {
		list.one, ok = stringValue(raw)
		return list, ok
	}
	n := 0
	if !eachString(raw, func(s string) { list.one = s; n++ }) {
		return stringList{}, false
	}
	if n > 1 {
		list = stringList{many: make([]string, 0, n)}
		eachString(raw, func(s string) { list.many = append(list.many, s) })
	}
	return list, true
}

// eachString walks over an array that was validated before. It is false if there is something else than strings in it.
func eachString(array string, visit func(string)) bool {
	a := scanner{src: array}
	i, more := a.open(0, '[', ']')
	for more {
		end, _ := a.quoted(i)
		if end < 0 {
			return false
		}
		s, _ := stringValue(array[i:end])
		visit(s)
		i, more = a.comma(end, ']')
	}
	return true
}

func (l stringList) empty() bool { return l.one == "" && l.many == nil }

func (l stringList) contains(s string) bool {
	if l.many == nil {
		return s != "" && l.one == s
	}
	return slices.Contains(l.many, s)
}

// strings is a new slice of them, nil for none.
func (l stringList) strings() []string {
	if l.many == nil && l.one != "" {
		return []string{l.one}
	}
	return slices.Clone(l.many)
}

// numericDate is a time in seconds since 1970 (RFC 7519 §2).
type numericDate struct {
	unix    int64 // 0 to maxDate
	set     bool  // the claim is there
	invalid bool  // and is no such time
}

const maxDate = 253402300799 // the last second of the year 9999

// dateValue decodes a time and cuts its fraction off. The arithmetic is exact: no float64 rounds a time into the range.
// Nothing with a minus sign is a time, zero neither.
func dateValue(raw string) numericDate {
	invalid := numericDate{set: true, invalid: true}
	if raw[0]-'0' > 9 {
		return invalid
	}
	whole, fraction, exponent := splitNumber(raw)
	seconds := int64(0)
	for i := range len(whole) + exponent { // the digits left of the point, once the exponent has moved it
		digit := byte('0')
		switch {
		case i < len(whole):
			digit = whole[i]
		case i < len(whole)+len(fraction):
			digit = fraction[i-len(whole)]
		case seconds == 0:
			return numericDate{set: true}
		}
		if seconds = seconds*10 + int64(digit-'0'); seconds > maxDate {
			return invalid
		}
	}
	return numericDate{unix: seconds, set: true}
}

// splitNumber takes a JSON number apart. The exponent stops at the size of a token, beyond which it makes no difference.
func splitNumber(raw string) (whole, fraction string, exponent int) {
	whole = raw
	e := strings.IndexByte(raw, 'e')
	if e < 0 {
		e = strings.IndexByte(raw, 'E')
	}
	if e >= 0 {
		whole = raw[:e]
		digits := strings.TrimLeft(raw[e+1:], "+-")
		for i := range len(digits) {
			exponent = min(exponent*10+int(digits[i]-'0'), maxToken)
		}
		if raw[e+1] == '-' {
			exponent = -exponent
		}
	}
	whole, fraction, _ = strings.Cut(whole, ".")
	return whole, fraction, exponent
}
