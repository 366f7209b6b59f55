package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
)

// StepUp is the answer to a caller whose user has to satisfy claims first: claims is the JSON of a claims challenge, such as one of an API
// behind this one ([ClaimsChallenge]) or of a token endpoint that answered interaction_required. As with [AuthContext], a client that
// declares cp1 (xms_cc) is told what to ask for, and signs its user in again; others get 403.
func (p *Principal) StepUp(claims string) *Error {
	e := newError(ErrAuthContext, errors.New("claims are asked for"))
	if p.claimsCapable() {
		e.Status, e.Code, e.Claims = http.StatusUnauthorized, CodeInsufficientClaims, claims
	}
	return e
}

var (
	claimsError     = regexp.MustCompile(`(?i)[ ,]error="?insufficient_claims"?(,|\s|$)`)
	claimsAttribute = regexp.MustCompile(`(?i)[ ,]claims="?([A-Za-z0-9+/_-]+)=*"?`)
)

// ClaimsChallenge finds Microsoft's claims challenge in the answer of an API: a 401 with the error insufficient_claims and claims in Base64,
// of either alphabet, padded or not. It returns the claims, a JSON object, to be passed on with [Principal.StepUp] or as the claims
// parameter of a token request; or "" if the answer has no such challenge.
func ClaimsChallenge(resp *http.Response) string {
	if resp.StatusCode != http.StatusUnauthorized {
		return ""
	}
	for _, challenge := range resp.Header.Values("WWW-Authenticate") {
		found := claimsAttribute.FindStringSubmatch(challenge)
		if found == nil || !claimsError.MatchString(challenge) {
			continue
		}
		claims, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(found[1]))
		var object map[string]json.RawMessage
		if err == nil && json.Unmarshal(claims, &object) == nil && object != nil {
			return string(claims)
		}
	}
	return ""
}
