package mockidp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decodedToken is what can be read of a text that ought to be a token. Reading is lenient where that helps people: what an API must
// refuse is shown as well, with a note.
type decodedToken struct {
	raw       string
	segments  []string
	signature []byte // nil when it is not strict base64url

	header, claims []decodedMember
	Notes          []string // what stands out, sentences
}

// Header and Claims are what is shown of the two parts.
func (d *decodedToken) Header() []decodedMember { return shown(d.header) }
func (d *decodedToken) Claims() []decodedMember { return shown(d.claims) }

func shown(members []decodedMember) []decodedMember {
	return members[:min(len(members), maxShownMembers)]
}

// decodedMember is a header parameter or claim.
type decodedMember struct {
	Name    string // as it is
	Value   string // JSON, cut off when it is very long
	Meaning string // a sentence
	raw     json.RawMessage
}

// ShownName is the name for people.
func (m decodedMember) ShownName() string { return visible(m.Name) }

// What is shown is bounded: how much of one value, and how many members.
const (
	maxShownValue   = 1_500
	maxShownMembers = 500
	maxNotes        = 40
)

// lineBreaks come from terminals that wrap long lines. No token is sent with one.
var lineBreaks = strings.NewReplacer("\r", "", "\n", "")

// tokenText finds the token in what was pasted: alone, as the value of an Authorization field, or in the answer of a token
// endpoint.
func tokenText(pasted string) string {
	text := strings.TrimSpace(lineBreaks.Replace(pasted))
	for _, prefix := range []string{"authorization:", "bearer "} {
		if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			text = strings.TrimSpace(text[len(prefix):])
		}
	}
	var response struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &response) == nil {
		if response.AccessToken != "" {
			return response.AccessToken
		}
		if response.IDToken != "" {
			return response.IDToken
		}
	}
	return text
}

// decodeToken reads a token, and explains it as of now.
func decodeToken(raw string, now time.Time) decodedToken {
	d := decodedToken{raw: raw, segments: strings.Split(raw, ".")}
	switch n := len(d.segments); {
	case n == 5:
		d.note("It has five parts: it is encrypted for the API (JWE), and only the API's key opens it.")
	case n != 3:
		d.note("A signed token has three parts with dots between them. This text has %d.", n)
	}
	d.header = d.members("header", 0, now, explainHeader)
	if len(d.segments) != 5 {
		d.claims = d.members("claims set", 1, now, explainClaim)
	}
	if len(d.segments) == 3 {
		var err error
		if d.signature, err = base64.RawURLEncoding.Strict().DecodeString(d.segments[2]); err != nil {
			d.note("The signature is not base64url as RFC 7515 wants it.")
		}
		d.noteHeader()
		d.noteClaims(now)
	}
	return d
}

func (d *decodedToken) note(format string, args ...any) {
	if len(d.Notes) < maxNotes {
		d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
	}
}

// members decodes one part.
func (d *decodedToken) members(part string, segment int, now time.Time, explain func(string, json.RawMessage, time.Time) string) []decodedMember {
	if segment >= len(d.segments) {
		return nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(d.segments[segment])
	if err != nil {
		if text, err = looseBase64(d.segments[segment]); err != nil {
			d.note("The %s cannot be decoded: not base64url.", part)
			return nil
		}
		d.note("The %s is not base64url as RFC 7515 wants it: no padding, no blanks, one spelling.", part)
	}
	members, err := orderedMembers(text)
	if err != nil {
		d.note("The %s is not a JSON object: %v.", part, err)
	}
	if len(members) > maxShownMembers {
		d.note("The %s has %d members; the first %d are shown.", part, len(members), maxShownMembers)
	}
	if !utf8.Valid(text) {
		d.note("The %s is not valid UTF-8.", part)
	}
	seen := make(map[string]string)
	for i := range members {
		m := &members[i]
		folded := strings.ToLower(strings.ReplaceAll(m.Name, "ſ", "s"))
		switch other, ok := seen[folded]; {
		case ok && other == m.Name:
			d.note("The name %q is there twice. Two parsers may read two different tokens.", m.Name)
		case ok:
			d.note("The names %q and %q differ only in case. Two parsers may read two different tokens.", other, m.Name)
		}
		seen[folded] = m.Name
		if i < maxShownMembers {
			m.Meaning = explain(m.Name, m.raw, now)
		}
	}
	return members
}

// looseBase64 reads every spelling that some decoder accepts.
func looseBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("+", "-", "/", "_", "=", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(s)
	return base64.RawURLEncoding.DecodeString(s)
}

// orderedMembers reads a JSON object and keeps the order of its members, and those that are there twice. What was read before an
// error is returned with it.
func orderedMembers(text []byte) ([]decodedMember, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil {
		return nil, plainError(err)
	} else if t != json.Delim('{') {
		return nil, errors.New("it is another kind of value")
	}
	var members []decodedMember
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return members, plainError(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return members, plainError(err)
		}
		members = append(members, decodedMember{Name: fmt.Sprint(name), Value: shownJSON(value), raw: value})
	}
	if _, err := d.Token(); err != nil {
		return members, plainError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return members, errors.New("something follows it")
	}
	return members, nil
}

func plainError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}

// shownJSON is a value on as few lines as its author wrote, cut off when it is too long to read.
func shownJSON(value json.RawMessage) string {
	text := strings.ToValidUTF8(string(value), "\ufffd")
	if len(text) <= maxShownValue {
		return visible(text)
	}
	return fmt.Sprintf("%s … (%d bytes in all)", visible(strings.ToValidUTF8(text[:maxShownValue], "")), len(value))
}

// visible writes characters that show nothing, or that turn the direction of others, as JSON escapes them: what a token says must
// not look like something else.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsGraphic(r), r == '\n', r == '\t':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// text is the value of a claim that is a string, or "". Of a name that is there twice it is the last, as most parsers have it.
func (d *decodedToken) text(name string) string {
	return memberText(d.claims, name)
}

func (d *decodedToken) has(name string) bool {
	for _, m := range d.claims {
		if m.Name == name {
			return true
		}
	}
	return false
}

// time is the value of a claim that is a time.
func (d *decodedToken) time(name string) (time.Time, bool) {
	for i := len(d.claims) - 1; i >= 0; i-- {
		if d.claims[i].Name == name {
			return numericDate(d.claims[i].raw)
		}
	}
	return time.Time{}, false
}

func memberText(members []decodedMember, name string) string {
	for i := len(members) - 1; i >= 0; i-- {
		if members[i].Name == name {
			var s string
			json.Unmarshal(members[i].raw, &s) // anything but a string reads as none
			return s
		}
	}
	return ""
}

// numericDate reads seconds since 1970 up to the year 9999.
func numericDate(value json.RawMessage) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(value, &seconds) != nil || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// isIDToken tells by what every access token has, and no ID token: a calling application or a scope.
func (d *decodedToken) isIDToken() bool {
	return !d.has("azp") && !d.has("appid") && !d.has("scp")
}

// noteHeader says what an API would trip over in the header.
func (d *decodedToken) noteHeader() {
	for _, m := range d.header {
		switch {
		case m.Name == "crit":
			d.note("The header has critical extensions (crit), of which Microsoft uses none: an API must refuse it.")
		case m.Name == "typ" && !strings.EqualFold(memberText(d.header, "typ"), "JWT"):
			d.note("The type is %s, and not JWT as in all of Microsoft's tokens.", m.Value)
		}
	}
	if alg := memberText(d.header, "alg"); alg != "RS256" && len(d.header) > 0 {
		d.note("The algorithm is not RS256, which is the only one that Microsoft signs with.")
	}
}

// noteClaims says what an API would trip over in the claims.
func (d *decodedToken) noteClaims(now time.Time) {
	if len(d.claims) == 0 {
		return
	}
	if exp, ok := d.time("exp"); !ok {
		d.note("It has no usable expiry: an API must refuse it.")
	} else if !now.Before(exp) {
		d.note("It has expired, by this server's clock.")
	}
	for _, name := range []string{"nbf", "iat"} {
		if at, ok := d.time(name); ok && at.After(now) {
			d.note("%s is in the future, by this server's clock.", name)
		}
	}
	if d.has("cnf") {
		d.note("It is bound to a key of the client (cnf). An API that takes bearer tokens must refuse it.")
	}
	if !d.has("scp") && !d.has("roles") && !d.isIDToken() {
		d.note("It has neither scp nor roles: it gives no permission.")
	}
}
