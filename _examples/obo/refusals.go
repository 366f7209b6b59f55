package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/echo-identity/identity"
)

// The reasons of this API's own refusals.
const (
	upstreamForbidden   identity.Reason = "upstream_forbidden"
	upstreamUnavailable identity.Reason = "upstream_unavailable"
	upstreamFailed      identity.Reason = "upstream_failed"
	consentMissing      identity.Reason = "consent_missing"
)

// callFailed is the answer to the caller when the downstream API has refused. Its challenges are for this application and never passed
// on, but for the one about claims: a client cannot ask for a scope that this application needs.
func callFailed(resp *http.Response) error {
	if claims := identity.ClaimsChallenge(resp); claims != "" {
		return claimsChallenge(claims)
	}
	cause := fmt.Errorf("the downstream API answers %s", resp.Status)
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return because(&identity.Error{
			Status: http.StatusForbidden, Reason: upstreamForbidden,
			Description: "The user or this application may not do that in the API behind this one.",
		}, cause)
	case slices.Contains([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, resp.StatusCode):
		return because(unavailable(retryAfter(resp)), cause)
	case resp.StatusCode >= 400: // 401 too: the token that it does not like is ours, and the caller's is good
		return because(badGateway(), cause)
	}
	return nil
}

// exchangeFailed is the same for the token endpoint. It may ask for claims, where Conditional Access wants more of the user.
func exchangeFailed(err error) error {
	var answered msal.CallErr
	if !errors.As(err, &answered) || answered.Resp == nil {
		return because(unavailable(0), err) // it was not reached
	}
	var refusal struct {
		Claims claimsChallenge
		Codes  []int `json:"error_codes"`
	}
	if body, err := io.ReadAll(answered.Resp.Body); err == nil { // MSAL has read it, and left a copy
		_ = json.Unmarshal(body, &refusal) // what is no JSON says nothing
	}
	switch {
	case refusal.Claims != "":
		return refusal.Claims
	case slices.Contains(refusal.Codes, 65001):
		return because(&identity.Error{
			Status: http.StatusForbidden, Reason: consentMissing,
			Description: "Nobody has consented to this application's use of the API behind it.",
		}, err)
	case answered.Resp.StatusCode == http.StatusTooManyRequests || answered.Resp.StatusCode >= 500:
		return because(unavailable(retryAfter(answered.Resp)), err)
	}
	return because(badGateway(), err)
}

// because adds the cause of a refusal, for the log: the caller does not see it. MSAL's errors hold the answer of the token endpoint (an
// AADSTS code, a correlation ID) and no token.
func because(refusal *identity.Error, cause error) error { return fmt.Errorf("%w: %w", refusal, cause) }

// unavailable is an outage: never 401, or the client would throw away a good token.
func unavailable(wait time.Duration) *identity.Error {
	return &identity.Error{
		Status: http.StatusServiceUnavailable, Reason: upstreamUnavailable,
		Description: "The API behind this one cannot be reached.", RetryAfter: wait,
	}
}

func badGateway() *identity.Error {
	return &identity.Error{Status: http.StatusBadGateway, Reason: upstreamFailed, Description: "The API behind this one has failed."}
}

// retryAfter is the number of seconds of the header, up to five minutes.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 300)) * time.Second
}
