package mockidp

import "fmt"

// Directory is all that a server knows: what [WithDirectory] takes, what [ParseDirectory] reads from a file, and what
// [Server.Directory] gives back. It is plain data: a server copies it, later changes have no effect.
type Directory struct {
	Tenants []Tenant `json:"tenants,omitempty"`
	// PersonalAccounts are users with a personal Microsoft account. They sign in at common and consumers, in every cloud, to
	// applications that want them.
	PersonalAccounts []Account `json:"personalAccounts,omitempty"`
}

// Account is a user: somebody who can sign in to a tenant. ([User] is the object ID of one.)
type Account struct {
	// ID is the object ID, a GUID, unique in the tenant. Required.
	ID string `json:"id"`
	// Name is the display name. Empty means the login.
	Name string `json:"name,omitempty"`
	// Login is the sign-in name, "jo@contoso.example"; it compares without case. Required, unique in the tenant.
	Login string `json:"login"`
	// Password is asked for on the sign-in page and by the password grant. Empty means that the page signs the user in with
	// one click, and that the password grant refuses.
	Password string `json:"password,omitempty"`
	// Email is the value of the email claim. Empty means the login.
	Email string `json:"email,omitempty"`
	// Groups are the object IDs of groups. More than 200 do not fit into a token, which then says where to ask.
	Groups []string `json:"groups,omitempty"`
	// Roles are the app roles that are assigned to the user.
	Roles []RoleAssignment `json:"roles,omitempty"`
	// HomeTenant makes the user a guest: the GUID of the tenant that it comes from, or [PersonalAccounts]. Empty means a member.
	HomeTenant string `json:"homeTenant,omitempty"`
	// HomeID is the object ID in the home tenant, as client_info tells it. Empty means ID.
	HomeID string `json:"homeID,omitempty"`
	// DirectoryRoles are the template IDs of the directory roles that the user holds, such as [GlobalAdministrator]. Some of them may
	// consent for the whole tenant. Tokens carry them as wids where the application has that among its OptionalClaims, as
	// groupMembershipClaims of a registration asks for.
	DirectoryRoles []string `json:"directoryRoles,omitempty"`
	// Disabled accounts cannot sign in.
	Disabled bool `json:"disabled,omitempty"`
	// NeedsMFA refuses the password grant: such a user signs in on the page.
	NeedsMFA bool `json:"needsMFA,omitempty"`
	// Claims are further values: of optional claims in workforce and External ID tenants, where an application asks for them
	// by name, and of the attributes that every B2C token carries.
	Claims map[string]any `json:"claims,omitempty"`
}

// RoleAssignment gives a user an app role.
type RoleAssignment struct {
	Application string `json:"application"` // client ID of the application that defines the role
	Role        string `json:"role"`        // value of the role
}

// Application is an application registration: a client, an API, or both.
type Application struct {
	// ID is the client ID, a GUID, unique in the tenant. Required.
	ID string `json:"id"`
	// Name is what the pages show. Empty means ID.
	Name string `json:"name,omitempty"`
	// ServicePrincipal is the object ID of the application in a tenant, the sub and oid of its app-only tokens. Empty means one
	// that is derived from the client ID and the tenant, the same in every server.
	ServicePrincipal string `json:"servicePrincipal,omitempty"`

	// As a client.

	// Secrets are the client secrets. An application that has any, or certificates, or federated credentials, is confidential.
	Secrets []string `json:"secrets,omitempty"`
	// ExpiredSecrets were valid once, and are refused as such.
	ExpiredSecrets []string `json:"expiredSecrets,omitempty"`
	// Certificates verify client assertions, each in PEM.
	Certificates []string `json:"certificates,omitempty"`
	// FederatedCredentials verify client assertions of other issuers.
	FederatedCredentials []FederatedCredential `json:"federatedCredentials,omitempty"`
	// RedirectURIs are where answers may go.
	RedirectURIs RedirectURIs `json:"redirectURIs,omitzero"`
	// LogoutURIs are where a browser may go after signing out, besides the redirect URIs.
	LogoutURIs []string `json:"logoutURIs,omitempty"`
	// PublicClient allows the device code and password grants without a credential.
	PublicClient bool `json:"publicClient,omitempty"`
	// ImplicitIDTokens and ImplicitAccessTokens allow the authorize endpoint to answer with tokens.
	ImplicitIDTokens     bool `json:"implicitIDTokens,omitempty"`
	ImplicitAccessTokens bool `json:"implicitAccessTokens,omitempty"`
	// MultiTenant lets users of the other workforce tenants of the server use the application, and the application itself
	// work there. Consent given here counts there.
	MultiTenant bool `json:"multiTenant,omitempty"`
	// NeedsAdminConsent keeps a multi-tenant application out of every other tenant until an administrator there has consented: on the
	// admin consent page, or as an [EnterpriseApplication]. Consent given here then counts here alone.
	NeedsAdminConsent bool `json:"needsAdminConsent,omitempty"`
	// PersonalAccounts lets personal accounts use it.
	PersonalAccounts bool `json:"personalAccounts,omitempty"`
	// Permissions are what the application may ask of APIs.
	Permissions []Permission `json:"permissions,omitempty"`

	// As an API.

	// IdentifierURIs are the Application ID URIs. Empty means api:// and the client ID. The client ID itself always works.
	IdentifierURIs []string `json:"identifierURIs,omitempty"`
	// Scopes are the delegated permissions that it defines.
	Scopes []string `json:"scopes,omitempty"`
	// AppRoles are the roles that it defines.
	AppRoles []AppRole `json:"appRoles,omitempty"`
	// TokenVersion is the version of access tokens for it, whatever endpoint a client uses: 1 or 2. Zero means 1, as the
	// missing requestedAccessTokenVersion of a registration does. B2C has only one version and ignores it.
	TokenVersion int `json:"tokenVersion,omitempty"`
	// OptionalClaims are names of claims that its tokens carry when there is a value: idtyp, acct, email, upn, xms_cc, sid,
	// auth_time, login_hint, ctry, wids, …, and anything in [Account.Claims].
	OptionalClaims []string `json:"optionalClaims,omitempty"`
	// GroupClaims puts the groups of users into tokens.
	GroupClaims bool `json:"groupClaims,omitempty"`
	// TokenLifetime is how long access tokens for it live, in seconds. Zero means an hour.
	TokenLifetime int `json:"tokenLifetime,omitempty"`

	// Lenient switches checks off. The zero value is strict.
	Lenient Leniency `json:"lenient,omitzero"`
}

// RedirectURIs are redirect URIs by platform, which decides how a code may be redeemed. Scheme and host compare without case,
// the rest exactly; the port of http://localhost and http://127.0.0.1 does not matter.
type RedirectURIs struct {
	Web    []string `json:"web,omitempty"`    // by a server, with a credential
	SPA    []string `json:"spa,omitempty"`    // by a script in a browser: cross-origin, with PKCE and without a credential
	Native []string `json:"native,omitempty"` // by an installed application, without a credential
}

// FederatedCredential trusts the tokens of another issuer as client assertions. All three texts compare exactly.
type FederatedCredential struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	// Audience is empty for api://AzureADTokenExchange.
	Audience string `json:"audience,omitempty"`
	// Key is the issuer's RSA public key or certificate in PEM. Empty means that the issuer is a tenant of the same server:
	// nothing is ever fetched.
	Key string `json:"key,omitempty"`
}

// AppRole is a role that an API defines.
type AppRole struct {
	Value string `json:"value"`
	// AllowedMemberTypes says whom it can be given: "users", "applications". Empty means both.
	AllowedMemberTypes []string `json:"allowedMemberTypes,omitempty"`
}

// Permission is what a client may ask of one API.
type Permission struct {
	API    string   `json:"api"`              // client ID of the API
	Scopes []string `json:"scopes,omitempty"` // delegated permissions
	Roles  []string `json:"roles,omitempty"`  // application permissions, which are always granted
	// Consented means that an administrator has consented to Scopes for everybody. Otherwise each user is asked. B2C, where
	// nobody is asked, needs it.
	Consented bool `json:"consented,omitempty"`
}

// Leniency switches checks off for one application.
type Leniency struct {
	AnyRedirectURI        bool `json:"anyRedirectURI,omitempty"`        // redirect URIs need not be registered
	AnySecret             bool `json:"anySecret,omitempty"`             // any secret or assertion authenticates the client, and none is needed
	NoPKCE                bool `json:"noPKCE,omitempty"`                // code challenges are neither needed nor checked
	ReusableCodes         bool `json:"reusableCodes,omitempty"`         // codes can be redeemed again
	ReusableRefreshTokens bool `json:"reusableRefreshTokens,omitempty"` // refresh tokens stay valid when they are used, as Microsoft's do for a while
	UnknownScopes         bool `json:"unknownScopes,omitempty"`         // scopes need neither exist nor be consented to
	AnyOrigin             bool `json:"anyOrigin,omitempty"`             // the cross-origin rules of browsers are not enforced
}

var kindNames = map[Kind]string{Workforce: "workforce", B2C: "b2c", External: "external"}

// MarshalText names the kind as a directory file does: "workforce", "b2c", "external".
func (k Kind) MarshalText() ([]byte, error) {
	name, ok := kindNames[k]
	if !ok {
		return nil, fmt.Errorf("mockidp: unknown %v", k)
	}
	return []byte(name), nil
}

// UnmarshalText reads what MarshalText writes, and nothing else.
func (k *Kind) UnmarshalText(text []byte) error {
	for kind, name := range kindNames {
		if name == string(text) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("%q is none of workforce, b2c, external", text)
}
