package mockidp

import (
	"encoding/json"
	"maps"
	"slices"
)

// claimsRequest is what the claims parameter asks for, as far as it matters here.
type claimsRequest struct {
	acrs, capabilities []string // of access tokens
	idToken            []string // names of claims of ID tokens
	idACRs             []string
}

// parseClaims reads the claims parameter (OpenID Connect Core 1.0 §5.5). Unknown members are ignored.
func parseClaims(text string) (claimsRequest, *refusal) {
	var c claimsRequest
	if text == "" {
		return c, nil
	}
	var request struct {
		AccessToken map[string]json.RawMessage `json:"access_token"`
		IDToken     map[string]json.RawMessage `json:"id_token"`
	}
	if json.Unmarshal([]byte(text), &request) != nil {
		return c, malformedRequest("The 'claims' parameter is not a JSON object of the expected form.")
	}
	c.acrs, c.capabilities = claimValues(request.AccessToken["acrs"]), claimValues(request.AccessToken["xms_cc"])
	c.idACRs = claimValues(request.IDToken["acrs"])
	c.idToken = slices.Sorted(maps.Keys(request.IDToken))
	c.idToken = c.idToken[:min(len(c.idToken), maxClaims)]
	return c, nil
}

// claimValues are value and values of one requested claim. What has another form asks for nothing.
func claimValues(raw json.RawMessage) []string {
	var wanted struct{ Value, Values json.RawMessage }
	if raw == nil || json.Unmarshal(raw, &wanted) != nil {
		return nil
	}
	var one string
	var many []string
	if wanted.Value != nil && json.Unmarshal(wanted.Value, &one) == nil && one != "" {
		many = append(many, one)
	}
	var more []string
	if wanted.Values != nil && json.Unmarshal(wanted.Values, &more) == nil {
		many = append(many, more...)
	}
	return many[:min(len(many), maxClaims)]
}

// maxClaims bounds the values, which go into every token, and the names, however often a refresh token is exchanged for the next.
const maxClaims = 20

// and adds what a later request asks for.
func (c claimsRequest) and(later claimsRequest) claimsRequest {
	return claimsRequest{
		acrs:         latest(c.acrs, later.acrs),
		capabilities: latest(c.capabilities, later.capabilities),
		idToken:      latest(c.idToken, later.idToken),
		idACRs:       latest(c.idACRs, later.idACRs),
	}
}

// latest are the values of both, of which the earliest go when they are too many.
func latest(a, b []string) []string {
	all := union(a, b)
	return all[max(0, len(all)-maxClaims):]
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}
