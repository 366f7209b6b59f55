package behaviour

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
)

// Wanted is the answer that belongs to a sentinel. Challenge is how it begins; empty means none may be there.
type Wanted struct {
	Status    int
	Code      string
	Challenge string
}

// Bare is the challenge of those who brought no token, and how every other begins but one that names the resource metadata: that one has
// no realm.
const Bare = `Bearer realm=""`

// The kinds of answers.
var (
	BadRequest   = Wanted{400, "invalid_request", Bare + `, error="invalid_request", error_description="`}
	BadToken     = Wanted{401, "invalid_token", Bare + `, error="invalid_token", error_description="`}
	NeedsMore    = Wanted{403, "insufficient_scope", Bare + `, error="insufficient_scope", error_description="`}
	Forbidden    = Wanted{403, "", ""}
	Unavailable  = Wanted{503, "", ""}
	OwnFault     = Wanted{500, "", ""}
	NoCredential = Wanted{401, "", Bare}
)

// Answers is the contract between sentinels and answers, written down a second time: the package's own table must not be
// what its tests compare with.
var Answers = map[error]Wanted{
	identity.ErrTokenMissing: NoCredential, identity.ErrNotAuthenticated: NoCredential,
	identity.ErrRequestInvalid: BadRequest, identity.ErrTokenTooLarge: BadRequest,
	identity.ErrTokenMalformed: BadToken, identity.ErrTokenEncrypted: BadToken, identity.ErrAlgorithm: BadToken,
	identity.ErrTokenType: BadToken, identity.ErrCritical: BadToken, identity.ErrKeyID: BadToken, identity.ErrClaims: BadToken,
	identity.ErrIssuer: BadToken, identity.ErrUnknownTenant: BadToken, identity.ErrTenantMismatch: BadToken,
	identity.ErrVersion: BadToken, identity.ErrAudience: BadToken, identity.ErrOtherResource: BadToken, identity.ErrIDToken: BadToken,
	identity.ErrExpired: BadToken, identity.ErrNotYetValid: BadToken, identity.ErrIssuedInFuture: BadToken, identity.ErrTime: BadToken,
	identity.ErrPolicy: BadToken, identity.ErrKeyNotFound: BadToken, identity.ErrKeyUnusable: BadToken, identity.ErrKeyIssuer: BadToken,
	identity.ErrSignature: BadToken, identity.ErrBound: BadToken, identity.ErrNoPermissions: BadToken,
	identity.ErrClient: Forbidden, identity.ErrGuest: Forbidden, identity.ErrAppOnly: Forbidden, identity.ErrGroup: Forbidden,
	identity.ErrGroupOverage: Forbidden, identity.ErrAuthContext: Forbidden, identity.ErrRule: Forbidden,
	identity.ErrScope: NeedsMore, identity.ErrRole: NeedsMore, identity.ErrScopeOrRole: NeedsMore,
	identity.ErrKeysUnavailable: Unavailable, identity.ErrTenantsUnavailable: Unavailable, identity.ErrTenantInvalid: Unavailable,
	identity.ErrGroupsUnavailable: Unavailable, identity.ErrInternal: OwnFault,
}

// answer is what came of one request.
type answer struct {
	status    int
	header    http.Header
	body      string
	err       error               // what the application answers, where the framework tells
	reached   bool                // whether the handler ran
	principal *identity.Principal // what it found
	failed    *identity.Principal // what the error handler found
	request   *http.Request
}

// accepted requires that the request reached its handler with a principal.
func (got *answer) accepted(t testing.TB) *identity.Principal {
	t.Helper()
	if got.status != http.StatusOK || !got.reached || got.err != nil {
		t.Fatalf("got=%d reached=%v err=%v %s, want=200", got.status, got.reached, got.err, got.body)
	}
	if got.principal == nil {
		t.Fatal("the handler found no principal")
	}
	return got.principal
}

// anonymous requires that the request reached its handler without a principal.
func (got *answer) anonymous(t testing.TB) {
	t.Helper()
	if got.status != http.StatusOK || !got.reached || got.principal != nil || got.err != nil {
		t.Fatalf("got=%d reached=%v principal=%v err=%v, want=200 and no principal", got.status, got.reached, got.principal, got.err)
	}
}

// refused requires the refusal of a sentinel: status, error code, challenge, body, and that nothing of the token came back. Where
// the framework tells the error, it is an *identity.Error of the sentinel.
func (got *answer) refused(t testing.TB, sentinel error) {
	t.Helper()
	want, ok := Answers[sentinel]
	if !ok {
		t.Fatalf("the kit knows no answer for %v", sentinel)
	}
	if got.reached {
		t.Fatal("the handler ran")
	}
	if got.err != nil {
		e, ok := errors.AsType[*identity.Error](got.err)
		if !ok || !e.Is(sentinel) { // the answer itself, not what caused it
			t.Fatalf("got=%T %v, want an *identity.Error that is %v", got.err, got.err, sentinel)
		}
		if e.Status != want.Status || e.Code != want.Code {
			t.Fatalf("got=%d %q in the error, want=%d %q", e.Status, e.Code, want.Status, want.Code)
		}
	}
	got.matches(t, want)
}

// Begins reports whether a challenge begins as wanted.
func Begins(challenge, wanted string) bool {
	if strings.Contains(challenge, `, resource_metadata="`) || strings.HasPrefix(challenge, `Bearer resource_metadata="`) {
		wanted = "Bearer " + strings.TrimPrefix(strings.TrimPrefix(wanted, Bare), ", ")
	}
	return strings.HasPrefix(challenge, wanted)
}

// matches requires an answer in full: status, challenge and body.
func (got *answer) matches(t testing.TB, want Wanted) {
	t.Helper()
	if got.status != want.Status {
		t.Fatalf("status: got=%d %v, want=%d", got.status, got.err, want.Status)
	}
	challenge := got.header.Values("WWW-Authenticate")
	switch {
	case want.Challenge == "" && len(challenge) > 0:
		t.Fatalf("challenge: got=%q, want none", challenge)
	case want.Challenge != "" && (len(challenge) != 1 || !Begins(challenge[0], want.Challenge)):
		t.Fatalf("challenge: got=%q, want=%q", challenge, want.Challenge)
	}
	if retry := got.header.Get("Retry-After"); retry != "" && want.Status != http.StatusServiceUnavailable {
		t.Fatalf("got Retry-After: %s", retry)
	}
	got.inJSON(t, want.Code)
	got.leaksNothing(t)
}

// inJSON requires a body with the code and one sentence, or none for HEAD.
func (got *answer) inJSON(t testing.TB, code string) {
	t.Helper()
	if got.request.Method == http.MethodHead {
		if got.body != "" {
			t.Fatalf("got=%s, want no body for HEAD", got.body)
		}
		return
	}
	var body struct {
		Code    string `json:"error"`
		Message string `json:"message"`
	}
	d := json.NewDecoder(strings.NewReader(got.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.Code != code || body.Message == "" || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("got=%s %s %v, want JSON with error=%q and a message", got.header.Get("Content-Type"), got.body, err, code)
	}
}

// leaksNothing requires that no part of the token stands in the response.
func (got *answer) leaksNothing(t testing.TB) {
	t.Helper()
	response := got.body + fmt.Sprint(got.header)
	for _, name := range []string{"Authorization", "Cookie", "Sec-Websocket-Protocol"} {
		for _, value := range got.request.Header[name] {
			for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(" .,=;", r) }) {
				if len(part) >= 16 && strings.Contains(response, part) {
					t.Fatalf("the response holds a part of the token: %s", response)
				}
			}
		}
	}
}

// challenge is the challenge of the answer, taken apart.
func (got *answer) challenge(t testing.TB) map[string]string {
	t.Helper()
	attributes, err := ParseChallenge(got.header.Get("WWW-Authenticate"))
	if err != nil {
		t.Fatal(err)
	}
	return attributes
}

// ParseChallenge reads a Bearer challenge by RFC 9110 §11.6.1 and RFC 6750 §3, and shares nothing with what writes it: the
// scheme, then name="value" pairs between commas. The values of RFC 6750 hold neither quotes nor backslashes, so there is no
// escape to read.
func ParseChallenge(s string) (map[string]string, error) {
	const scheme = "Bearer "
	if !strings.HasPrefix(s, scheme) {
		return nil, fmt.Errorf("%q: not a Bearer challenge", s)
	}
	s = s[len(scheme):]
	attributes := make(map[string]string)
	for {
		n := 0
		for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] == '_') {
			n++
		}
		name := s[:n]
		if name == "" || !strings.HasPrefix(s[n:], `="`) {
			return nil, fmt.Errorf("%q: no attribute", s)
		}
		s = s[n+2:]
		n = 0
		for n < len(s) && s[n] != '"' {
			if c := s[n]; c < 0x20 || c > 0x7e || c == '\\' {
				return nil, fmt.Errorf("%q: byte %#x in %s", s, c, name)
			}
			n++
		}
		if n == len(s) {
			return nil, fmt.Errorf("%q: no end of %s", s, name)
		}
		if _, twice := attributes[name]; twice {
			return nil, fmt.Errorf("%s stands twice", name)
		}
		attributes[name] = s[:n]
		if s = s[n+1:]; s == "" {
			return attributes, nil
		}
		if !strings.HasPrefix(s, ", ") {
			return nil, fmt.Errorf("%q: no comma", s)
		}
		s = s[2:]
	}
}
