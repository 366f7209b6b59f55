package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error codes of RFC 6750 §3.1, and insufficient_claims of Microsoft's claims challenge.
const (
	CodeInvalidRequest     = "invalid_request"
	CodeInvalidToken       = "invalid_token"
	CodeInsufficientScope  = "insufficient_scope"
	CodeInsufficientClaims = "insufficient_claims"
)

// Error is a refusal. It keeps three things apart: what the client sees (Status, Code, Description and the challenge
// that [Error.Header] builds), what a program decides by (Reason, or [errors.Is] with one of the sentinels), and what the
// log says (the text of Error and its cause, which never reach a response).
//
// A [Rule] may return an *Error of its own to choose the answer. A Status that is none of 400 to 599,
// zero among them, means 403: nothing that refuses may look like success.
type Error struct {
	// Status is the HTTP status of the answer.
	Status int
	// Code is the error attribute of the challenge (RFC 6750 §3.1). Empty means the challenge has none.
	Code string
	// Reason names the cause. It is one of a closed list, each with a sentinel, fit for a metric label.
	Reason Reason
	// Description is a sentence that is safe to show to clients: it holds nothing of the token or the cause.
	Description string
	// Scopes goes into the scope attribute of the challenge: what a client should ask for. It never holds a role.
	Scopes []string
	// RetryAfter asks the client to wait, in whole seconds, rounded up. Zero means no such header.
	RetryAfter time.Duration
	// Claims is a claims challenge: the JSON that a client passes on as the claims parameter of its next token request.
	Claims string

	rule     *sentinel
	cause    error
	metadata string // address of the protected resource metadata (RFC 9728 §5.1)
	refused  bool   // completed and logged by refuse
	original *Error // what refuse has copied to make this one
}

// newError makes the Error of a sentinel. The cause is for the log; it must not hold any claim value but iss, tid and kid.
func newError(sentinelError error, cause error) *Error {
	s := sentinelError.(*sentinel)
	return &Error{Status: s.status, Code: s.code, Reason: s.reason, Description: s.text, rule: s, cause: cause}
}

var errNilError = errors.New("a nil *Error")

// AsError finds the Error in err, or makes the one that belongs to a sentinel in it. ok is false if there is neither: the error is
// none of this package's.
func AsError(err error) (e *Error, ok bool) { return asError(err) }

// asError is AsError. What it makes is an internal fault where err holds a nil *Error.
func asError(err error) (e *Error, ok bool) {
	if e, ok = errors.AsType[*Error](err); ok {
		if e == nil { // in an interface that is not nil
			e = newError(ErrInternal, errNilError)
		}
		return e, true
	}
	if s, ok := errors.AsType[*sentinel](err); ok {
		return newError(s, err), true
	}
	return nil, false
}

// Error is the text for the log: the reason and its cause.
func (e *Error) Error() string {
	text := "identity: " + string(e.Reason)
	if e.Reason == "" {
		text = "identity: refused"
	}
	if e.cause != nil {
		text += ": " + textOf(e.cause)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the sentinel of e's Reason, the sentinel of golang-jwt that means the same, or the *Error that was
// copied to make this one, such as one that a [Rule] returned.
func (e *Error) Is(target error) bool {
	if own, ok := target.(*Error); ok {
		return e.original != nil && (own == e.original || e.original.Is(own))
	}
	if s, ok := target.(*sentinel); ok {
		return s.reason == e.Reason
	}
	return e.rule != nil && e.rule.is(target)
}

// StatusCode is the HTTP status of the answer: Status, or 403 when that is no error's.
func (e *Error) StatusCode() int {
	if e.Status < 400 || e.Status > 599 { // net/http panics at some of these
		return http.StatusForbidden
	}
	return e.Status
}

// Header returns the headers of the answer: WWW-Authenticate and Retry-After, where they apply.
func (e *Error) Header() http.Header {
	h := make(http.Header, 2)
	e.setHeader(h)
	return h
}

// Body is the body of the answer, in JSON: the code, and the description or the status in words. It holds nothing of the cause.
func (e *Error) Body() []byte { return []byte(e.body()) }

func (e *Error) setHeader(h http.Header) {
	if challenge := e.challenge(); challenge != "" {
		h["Www-Authenticate"] = []string{challenge}
	}
	if e.RetryAfter > 0 {
		seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
		h["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	}
}

// plain reports whether clients see just what the sentinel says. Those answers were made when the program began.
func (e *Error) plain() bool {
	s := e.rule
	return s != nil && e.Status == s.status && e.Code == s.code && e.Description == s.text &&
		len(e.Scopes) == 0 && e.Claims == "" && e.metadata == ""
}

// challenge is the value of WWW-Authenticate (RFC 6750 §3), empty for answers that have none: an outage, an internal
// fault, and a 403 that no other token of the same client would mend.
func (e *Error) challenge() string {
	if e.plain() {
		return e.rule.challenge
	}
	return e.newChallenge()
}

func (e *Error) newChallenge() string {
	if e.Code == "" && e.StatusCode() != http.StatusUnauthorized {
		return ""
	}
	var b strings.Builder
	b.Grow(256)
	b.WriteString(scheme)
	if e.metadata == "" {
		b.WriteString(` realm=""`) // as Microsoft's own services send it
	} // Else there is no need of one (RFC 6750 §3), and a client that looks for the metadata, that of the MCP SDK for Go, cannot read it empty.
	attribute(&b, "error", e.Code)
	if e.Code != "" {
		attribute(&b, "error_description", e.Description)
	}
	attribute(&b, "scope", strings.Join(e.Scopes, " "))
	if e.Claims != "" {
		attribute(&b, "claims", base64.StdEncoding.EncodeToString([]byte(e.Claims)))
	}
	attribute(&b, "resource_metadata", e.metadata)
	return b.String()
}

const scheme = "Bearer"

// attribute appends one quoted attribute of a challenge. Bytes outside the set of RFC 6750 §3 (printable ASCII but the
// quote and the backslash) are dropped: nothing that we send holds any, and a header must not be split.
func attribute(b *strings.Builder, name, value string) {
	if value == "" {
		return
	}
	if b.Len() > len(scheme) {
		b.WriteByte(',')
	}
	b.WriteByte(' ')
	b.WriteString(name)
	b.WriteString(`="`)
	for i := range len(value) {
		if c := value[i]; c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

// errorBody is the response body of a refusal, in JSON. It implements [json.Marshaler] because Echo adds the text of an internal
// error to a body that is a plain string when e.Debug is on.
type errorBody string

// MarshalJSON is the body.
func (b errorBody) MarshalJSON() ([]byte, error) { return []byte(b), nil }

func (e *Error) body() errorBody {
	if e.plain() {
		return e.rule.body
	}
	return e.newBody()
}

func (e *Error) newBody() errorBody {
	text := e.Description
	if text == "" {
		text = http.StatusText(e.StatusCode())
	}
	document, err := json.Marshal(struct {
		Code        string `json:"error,omitempty"`
		Description string `json:"message"`
	}{e.Code, text})
	if err != nil {
		return "{}" // not reached: two strings
	}
	return errorBody(document)
}
