package identity

import (
	"net/http"

	"github.com/golang-jwt/jwt/v5"
)

// Reason names the cause of a refusal. The list is closed: a metric may use it as a label.
type Reason string

// sentinel is one row of the closed list: a reason and the answer that belongs to it.
type sentinel struct {
	reason Reason
	status int
	code   string
	text   string  // the one sentence clients see
	same   []error // golang-jwt's words for the same cause

	challenge string // what an Error that says nothing more makes of them
	body      errorBody
}

func newSentinel(reason Reason, status int, code, text string, same ...error) error {
	s := &sentinel{reason: reason, status: status, code: code, text: text, same: same}
	e := Error{Status: status, Code: code, Description: text}
	s.challenge, s.body = e.newChallenge(), e.newBody()
	sentinels = append(sentinels, s)
	return s
}

// sentinels are all of them, in the order below. Nothing is added once the program has begun.
var sentinels []*sentinel

// Reasons is the closed list: every [Reason] that a refusal of this package can have. REASONS.md explains each.
func Reasons() []Reason {
	list := make([]Reason, len(sentinels))
	for i, s := range sentinels {
		list[i] = s.reason
	}
	return list
}

// Error is the reason; the sentence for clients is not for logs.
func (s *sentinel) Error() string { return "identity: " + string(s.reason) }

func (s *sentinel) is(target error) bool {
	for _, same := range s.same {
		if same == target {
			return true
		}
	}
	return false
}

func reasonOf(sentinelError error) Reason { return sentinelError.(*sentinel).reason }

func invalidRequest(reason Reason, text string) error {
	return newSentinel(reason, http.StatusBadRequest, CodeInvalidRequest, text)
}

func invalidToken(reason Reason, text string, same ...error) error {
	return newSentinel(reason, http.StatusUnauthorized, CodeInvalidToken, text, same...)
}

func forbidden(reason Reason, code, text string) error {
	return newSentinel(reason, http.StatusForbidden, code, text)
}

func unavailable(reason Reason, text string) error {
	return newSentinel(reason, http.StatusServiceUnavailable, "", text)
}

// The request carries no usable token.
var (
	// ErrTokenMissing: no bearer token in any configured place. 401 without an error code (RFC 6750 §3.1).
	ErrTokenMissing = newSentinel("token_missing", http.StatusUnauthorized, "", "An access token is required.")
	// ErrRequestInvalid: two tokens, an empty one, or junk after it (RFC 6750 §2). 400.
	ErrRequestInvalid = invalidRequest("request_invalid", "The request must carry exactly one well-formed bearer token.")
	// ErrTokenTooLarge: the token is longer than 64 KiB. 400.
	ErrTokenTooLarge = invalidRequest("token_too_large", "The access token is too large.")
	// ErrNotAuthenticated: a guard ran on a request that no authentication went before. 401, and a fault of the set-up.
	ErrNotAuthenticated = newSentinel("not_authenticated", http.StatusUnauthorized, "", "An access token is required.")
)

// The token cannot be read, or is of a kind that is not accepted. All 401 invalid_token.
var (
	// ErrTokenMalformed: not a JWS in compact form, JSON that two parsers could read differently, or more of it than the limits in
	// the README.
	ErrTokenMalformed = invalidToken("token_malformed", "The access token is malformed.", jwt.ErrTokenMalformed)
	// ErrTokenEncrypted: five segments, a JWE. Token encryption has to be switched off in the API's registration.
	ErrTokenEncrypted = invalidToken("token_encrypted", "Encrypted access tokens are not supported.", jwt.ErrTokenMalformed)
	// ErrAlgorithm: the algorithm is not RS256 (RFC 8725 §3.1).
	ErrAlgorithm = invalidToken("algorithm_not_allowed", "The signature algorithm of the access token is not allowed.", jwt.ErrTokenSignatureInvalid)
	// ErrTokenType: typ names something else than an access token (RFC 8725 §3.11, RFC 9068 §4).
	ErrTokenType = invalidToken("token_type_not_allowed", "The token is not of a type that is accepted here.", jwt.ErrTokenUnverifiable)
	// ErrCritical: a critical header extension (RFC 7515 §4.1.11); none is understood here.
	ErrCritical = invalidToken("critical_header", "The access token requires an extension that is not supported.", jwt.ErrTokenUnverifiable)
	// ErrKeyID: kid is missing, is not a string, or is too long.
	ErrKeyID = invalidToken("kid_invalid", "The access token does not name its signing key.", jwt.ErrTokenUnverifiable)
	// ErrClaims: a claim has the wrong type, or two claims contradict each other.
	ErrClaims = invalidToken("claims_malformed", "The claims of the access token are malformed.", jwt.ErrTokenInvalidClaims)
)

// The token was issued by, for or at something else. All 401 invalid_token. The three about issuer and tenant look the
// same to clients: why a tenant is not trusted is nobody's business. Whether it is trusted does show: no signature is needed to be
// refused later than at the issuer, and every later check has a sentence of its own, so that a stranger can probe which tenants
// are registered. A list of tenants is not a secret that this package keeps.
var (
	// ErrIssuer: iss is not of a documented form, or is not the one that the tenant issues with.
	ErrIssuer = invalidToken("issuer_not_trusted", "The issuer of the access token is not trusted.", jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidClaims)
	// ErrUnknownTenant: the tenant is not registered. A [TenantSource] returns it for a tenant that it does not know.
	ErrUnknownTenant = invalidToken("tenant_unknown", "The issuer of the access token is not trusted.", jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidClaims)
	// ErrTenantMismatch: tid is missing, or names another tenant than iss.
	ErrTenantMismatch = invalidToken("tenant_mismatch", "The issuer of the access token is not trusted.", jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidClaims)
	// ErrVersion: a v1 token where only v2 is accepted, the reverse, or ver and iss that disagree.
	ErrVersion = invalidToken("version_not_allowed", "The version of the access token is not accepted.", jwt.ErrTokenInvalidClaims)
	// ErrAudience: the token is for another API.
	ErrAudience = invalidToken("audience_mismatch", "The access token is not for this API.", jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidClaims)
	// ErrOtherResource: the token is for Microsoft Graph. Nobody but Graph can validate those.
	ErrOtherResource = invalidToken("token_for_other_resource", "The access token is not for this API.", jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidClaims)
	// ErrIDToken: an ID token, which tells a client who signed in; it grants nothing at an API.
	ErrIDToken = invalidToken("id_token", "An access token is required; this is an ID token.", jwt.ErrTokenInvalidClaims)
	// ErrExpired: exp has passed.
	ErrExpired = invalidToken("token_expired", "The access token has expired.", jwt.ErrTokenExpired, jwt.ErrTokenInvalidClaims)
	// ErrNotYetValid: nbf lies ahead.
	ErrNotYetValid = invalidToken("token_not_yet_valid", "The access token is not valid yet.", jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidClaims)
	// ErrIssuedInFuture: iat lies ahead.
	ErrIssuedInFuture = invalidToken("token_issued_in_future", "The access token was issued in the future.", jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidClaims)
	// ErrTime: exp is missing, a time is not a number of seconds up to the year 9999, or nbf is after exp.
	ErrTime = invalidToken("time_invalid", "The lifetime of the access token is malformed.", jwt.ErrTokenInvalidClaims)
	// ErrPolicy: the B2C policy (tfp, acr) is missing, contradictory, or not one of the tenant's.
	ErrPolicy = invalidToken("policy_not_allowed", "The policy of the access token is not accepted.", jwt.ErrTokenInvalidClaims)
)

// The signature does not hold, or the token is not one that a bearer may use. All 401 invalid_token.
var (
	// ErrKeyNotFound: the tenant's key set has no key of this kid, also after a refresh.
	ErrKeyNotFound = invalidToken("key_not_found", "The signing key of the access token is not known.", jwt.ErrTokenUnverifiable)
	// ErrKeyUnusable: the key of this kid is not one to verify access tokens with.
	ErrKeyUnusable = invalidToken("key_unusable", "The signing key of the access token is not accepted.", jwt.ErrTokenUnverifiable)
	// ErrKeyIssuer: the key may not sign for this issuer, a personal-account key under an organisation's token for one.
	ErrKeyIssuer = invalidToken("key_issuer_mismatch", "The signing key of the access token is not accepted.", jwt.ErrTokenUnverifiable)
	// ErrSignature: the signature does not verify.
	ErrSignature = invalidToken("signature_invalid", "The signature of the access token is invalid.", jwt.ErrTokenSignatureInvalid)
	// ErrBound: the token is bound to a key (cnf, RFC 7800); a bearer check cannot honour that.
	ErrBound = invalidToken("token_bound", "Proof-of-possession tokens are not supported.", jwt.ErrTokenInvalidClaims)
	// ErrNoPermissions: neither scp nor roles; see [Tenant.AllowNoPermissions].
	ErrNoPermissions = invalidToken("no_permissions", "The access token carries no permissions.", jwt.ErrTokenInvalidClaims)
)

// The caller is known and may not do this. All 403, but for ErrAuthContext towards a client that can step up.
var (
	// ErrClient: the calling application is not in [Tenant.Clients].
	ErrClient = forbidden("client_not_allowed", "", "The calling application is not allowed.")
	// ErrGuest: a guest of a tenant with [Tenant.DenyGuests].
	ErrGuest = forbidden("guest_denied", "", "Guest users are not allowed.")
	// ErrScope: a scope is missing. The challenge lists what is needed.
	ErrScope = forbidden("scope_missing", CodeInsufficientScope, "The access token lacks a required scope.")
	// ErrRole: an app role is missing. The challenge names none, because a client would ask for it as a scope.
	ErrRole = forbidden("role_missing", CodeInsufficientScope, "The caller lacks a required role.")
	// ErrScopeOrRole: neither a scope nor an application permission fits. The challenge lists the scopes.
	ErrScopeOrRole = forbidden("scope_or_role_missing", CodeInsufficientScope, "The access token lacks a required permission.")
	// ErrAppOnly: the route is for applications without a user.
	ErrAppOnly = forbidden("app_only_required", "", "Only applications may call this.")
	// ErrGroup: the caller is in none of the groups.
	ErrGroup = forbidden("group_missing", "", "The caller is not in a required group.")
	// ErrGroupOverage: the token has no room for the caller's groups, and no resolver is configured.
	ErrGroupOverage = forbidden("group_overage", "", "The groups of the caller cannot be determined.")
	// ErrAuthContext: the authentication context is missing. 401 with a claims challenge where the client declares cp1.
	ErrAuthContext = forbidden("auth_context_missing", "", "A stronger authentication is required.")
	// ErrRule: a [Rule] refused with an error of its own.
	ErrRule = forbidden("rule_refused", "", "The request is not allowed.")
)

// Not the caller's fault. A 401 here would make clients throw good tokens away.
var (
	// ErrKeysUnavailable: no usable keys, and the key server cannot be asked. 503 with Retry-After.
	ErrKeysUnavailable = unavailable("keys_unavailable", "The access token cannot be checked at the moment.")
	// ErrTenantsUnavailable: the [TenantSource] failed. 503.
	ErrTenantsUnavailable = unavailable("tenants_unavailable", "The access token cannot be checked at the moment.")
	// ErrTenantInvalid: the [TenantSource] answered with a tenant that cannot be used. 503.
	ErrTenantInvalid = unavailable("tenant_invalid", "The access token cannot be checked at the moment.")
	// ErrGroupsUnavailable: the resolver of groups failed. 503.
	ErrGroupsUnavailable = unavailable("groups_unavailable", "The groups of the caller cannot be determined at the moment.")
	// ErrInternal: a hook of the application failed. 500 without a challenge.
	ErrInternal = newSentinel("internal", http.StatusInternalServerError, "", "Internal Server Error")
)
