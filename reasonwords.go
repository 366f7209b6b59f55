package identity

// reasonWord is what people are told of a reason: in a [Report], where the check itself has nothing better to say, and in REASONS.md.
type reasonWord struct {
	meaning string // one sentence for somebody who has never read an RFC
	advice  string
	rule    string // where the rule comes from
}

// Pages of Microsoft, by title.
const (
	microsoftAccessTokens = "Microsoft identity platform, \"Access tokens\""
	microsoftValidation   = "Microsoft identity platform, \"Claims validation\""
	microsoftRollover     = "Microsoft identity platform, \"Signing key rollover\""
)

// reasonWords has an entry for each reason. A test holds it against the list of sentinels.
var reasonWords = map[Reason]reasonWord{
	reasonOf(ErrTokenMissing): {
		"The request carries no token.",
		"Send the access token in the header Authorization: Bearer {token}. A cookie, a query or another place counts only if Config.TokenLookup names it.",
		"RFC 6750 §2.1",
	},
	reasonOf(ErrRequestInvalid): {
		"The request carries more than one token, an empty one, or something else besides it.",
		"Send one Authorization header with the word Bearer, one blank and the token, and no access_token anywhere else.",
		"RFC 6750 §2 and §3.1",
	},
	reasonOf(ErrTokenTooLarge): {
		"The token is too long to be read.",
		"No token of Microsoft's is longer than 64 KiB. Look at what the client sends, and at how many groups and roles the token holds.",
		"RFC 6750 §3.1; a limit of this package",
	},
	reasonOf(ErrNotAuthenticated): {
		"A route asks for permissions, but nothing before it has looked at a token.",
		"Put identity.Middleware before the guard, on the same group or before it. With Config.Optional, a guard refuses requests without a token.",
		"a fault of the set-up",
	},
	reasonOf(ErrTokenMalformed): {
		"This is not a token that can be read: it was cut off, changed on its way, or never was one.",
		"Send the access token as the client received it: three parts with dots between them.",
		"RFC 7515 §7.1, RFC 7519 §7.2, RFC 8725 §3.7",
	},
	reasonOf(ErrTokenEncrypted): {
		"The token is encrypted, and this API has no key to open it with.",
		"Switch token encryption off in the API's registration: remove its key credentials whose usage is Encrypt, and tokenEncryptionKeyId.",
		"RFC 7516 §7.1",
	},
	reasonOf(ErrAlgorithm): {
		"The token is not signed in the one way that Microsoft signs, RS256.",
		"Microsoft issues no such token. Find out where it comes from.",
		"RFC 8725 §3.1",
	},
	reasonOf(ErrTokenType): {
		"The token says of itself that it is something else than an access token.",
		"Send the access token, not another token of the same sign-in.",
		"RFC 8725 §3.11, RFC 9068 §4",
	},
	reasonOf(ErrCritical): {
		"The token demands an extension that nobody here understands.",
		"Microsoft issues no such token. Find out where it comes from.",
		"RFC 7515 §4.1.11",
	},
	reasonOf(ErrKeyID): {
		"The token does not say which key has signed it.",
		"Microsoft issues no such token. Find out where it comes from.",
		"RFC 7515 §4.1.4",
	},
	reasonOf(ErrClaims): {
		"A claim of the token has the wrong type, or two claims contradict each other.",
		"Microsoft issues no such token. Look at what makes or changes it: a test, a custom policy, a claims-mapping policy.",
		"RFC 7519 §4",
	},
	reasonOf(ErrIssuer): {
		"The token was issued by somebody who is not trusted here.",
		"Sign in at the authority of a registered tenant. If the tenant is yours, look at its Cloud and its hosts.",
		"RFC 8725 §3.8",
	},
	reasonOf(ErrUnknownTenant): {
		"The token comes from a tenant that is not registered here.",
		"Register the tenant, or sign in at one that is.",
		"RFC 8725 §3.8; " + microsoftValidation,
	},
	reasonOf(ErrTenantMismatch): {
		"The token contradicts itself: its issuer and its tid name two tenants, or tid is missing.",
		"Microsoft issues no such token. Find out where it comes from.",
		microsoftValidation,
	},
	reasonOf(ErrVersion): {
		"The token is of a version (1.0 or 2.0) that is not accepted, or contradicts itself about it.",
		"The API's registration decides by requestedAccessTokenVersion, no matter where the client signs in: 2 means v2.0; 1 or null means v1.0. Tenant.Version says which of them is accepted; zero means both.",
		microsoftAccessTokens,
	},
	reasonOf(ErrAudience): {
		"The token is for another API.",
		"Have the client ask for a scope of this API. Further names of this API belong into Config.Audiences.",
		"RFC 7519 §4.1.3, RFC 8725 §3.9",
	},
	reasonOf(ErrOtherResource): {
		"The token is for Microsoft Graph, and nobody but Graph can check it.",
		"Have the client ask for a scope of this API, and for a second token to call Graph with.",
		microsoftAccessTokens,
	},
	reasonOf(ErrIDToken): {
		"This is an ID token: it tells a client who has signed in, and opens no API.",
		"Send the access token of the same sign-in, asked for with a scope of this API. In MSAL that is accessToken, not idToken.",
		"RFC 9068 §5, " + microsoftAccessTokens,
	},
	reasonOf(ErrExpired): {
		"The token has expired.",
		"Get a new one. A client should ask its library (MSAL: acquireTokenSilent) before each call, and keep no token itself.",
		"RFC 7519 §4.1.4",
	},
	reasonOf(ErrNotYetValid): {
		"The token is not valid yet.",
		"Look at this machine's clock first: it is probably behind.",
		"RFC 7519 §4.1.5",
	},
	reasonOf(ErrIssuedInFuture): {
		"The token says that it will be issued in the future.",
		"Look at this machine's clock first: it is probably behind.",
		"RFC 7519 §4.1.6",
	},
	reasonOf(ErrTime): {
		"The token does not say how long it is valid, or not in a way that makes sense.",
		"Microsoft issues no such token. Find out where it comes from.",
		"RFC 7519 §2, §4.1.4 to §4.1.6",
	},
	reasonOf(ErrPolicy): {
		"The token comes from a B2C policy (user flow) that is not accepted here.",
		"Add the policy to B2C.Policies of the tenant, or sign in with one that is listed.",
		"Azure AD B2C, \"Overview of tokens\": tfp, acr",
	},
	reasonOf(ErrKeyNotFound): {
		"The token is signed with a key that Microsoft does not publish for this tenant.",
		"Find out where the token comes from: another cloud, a mock, a test. After a rotation of keys the new one is found within Keys.Cooldown.",
		"RFC 7515 §4.1.4; " + microsoftRollover,
	},
	reasonOf(ErrKeyUnusable): {
		"The token is signed with a key that is published, but not one to check access tokens with.",
		"Look at the key set: the log line \"keys fetched, some skipped\" tells of it.",
		"RFC 7517 §4",
	},
	reasonOf(ErrKeyIssuer): {
		"The token is signed with a key that may not sign for its issuer, such as one for personal accounts under an organisation's token.",
		"Microsoft issues no such token. Find out where it comes from.",
		"Microsoft identity platform, \"Validate the signing key issuer\"",
	},
	reasonOf(ErrSignature): {
		"The signature does not fit: the token was changed, or somebody else has signed it.",
		"Send the token exactly as the client received it. If that is so, it is a forgery.",
		"RFC 7515 §5.2, RFC 7518 §3.3",
	},
	reasonOf(ErrBound): {
		"The token is bound to a key of the client (proof of possession), which cannot be checked here.",
		"Have the client ask for a bearer token.",
		"RFC 7800 §3",
	},
	reasonOf(ErrNoPermissions): {
		"The token grants nothing: it has neither scopes nor roles.",
		"Have the client ask for a scope of this API; assign an app role to an application that calls in its own name. Tenant.AllowNoPermissions accepts such tokens.",
		microsoftValidation,
	},
	reasonOf(ErrClient): {
		"The application that calls is not one of those that may.",
		"Add its application ID to Tenant.Clients.",
		microsoftValidation,
	},
	reasonOf(ErrGuest): {
		"The user is a guest of the tenant, and guests are not allowed.",
		"Tenant.DenyGuests says so.",
		microsoftValidation,
	},
	reasonOf(ErrScope): {
		"The client was not granted a scope that this route needs.",
		"Have the client ask for the scope: the challenge names it. The user or an administrator has to consent.",
		"RFC 6750 §3.1",
	},
	reasonOf(ErrRole): {
		"The caller does not have an app role that this route needs.",
		"Assign the role, in the enterprise application of this API. It is in the next token.",
		microsoftValidation,
	},
	reasonOf(ErrScopeOrRole): {
		"The token has neither a scope nor an application permission that this route accepts.",
		"A client on behalf of a user needs a scope; an application in its own name needs an app role. A role that a user was assigned does not count here.",
		"RFC 6750 §3.1",
	},
	reasonOf(ErrAppOnly): {
		"The route is for applications in their own name, and this token is a user's.",
		"Use the client credentials grant. If it is one, have the API's registration add the optional claim idtyp.",
		microsoftValidation,
	},
	reasonOf(ErrGroup): {
		"The caller is in none of the groups that this route is for.",
		"Add the user to the group, by its object ID, and have the API's registration emit groups.",
		microsoftValidation,
	},
	reasonOf(ErrGroupOverage): {
		"The user is in too many groups for a token, and the route has nobody to ask about them.",
		"Give InGroup a resolver that asks Microsoft Graph, or emit only groups that are assigned to the application.",
		"Microsoft identity platform, \"Groups overage claim\"",
	},
	reasonOf(ErrAuthContext): {
		"The route needs a stronger sign-in than the user has done.",
		"A client that declares cp1 gets a claims challenge and asks again; others have to declare it.",
		"Microsoft identity platform, \"Claims challenges\"",
	},
	reasonOf(ErrRule): {
		"A rule of this application has refused the request.",
		"The log has the rule's own error.",
		"a rule of this application",
	},
	reasonOf(ErrKeysUnavailable): {
		"The token could not be checked: the keys to check it with could not be fetched.",
		"It is not the token's fault. Look at the log line \"keys could not be fetched\", and at the network between here and the login host.",
		"OpenID Connect Discovery §4",
	},
	reasonOf(ErrTenantsUnavailable): {
		"The token could not be checked: nobody could say whether its tenant is registered.",
		"It is not the token's fault. The tenant source of this application has failed; the log has its error.",
		"a fault of this application",
	},
	reasonOf(ErrTenantInvalid): {
		"The token could not be checked: its tenant is registered with faults.",
		"It is not the token's fault. The log names what is wrong with the tenant.",
		"a fault of this application",
	},
	reasonOf(ErrGroupsUnavailable): {
		"The groups of the user could not be found out.",
		"It is not the token's fault. The resolver of groups has failed; the log has its error.",
		"a fault of this application",
	},
	reasonOf(ErrInternal): {
		"Code of this application has failed.",
		"It is not the token's fault. The log has the panic and its stack.",
		"a fault of this application",
	},
}
