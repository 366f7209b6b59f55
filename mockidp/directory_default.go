package mockidp

import "fmt"

// Further clients and users of the default directory. [Client] is its single-page application.
const (
	WebClient    = "dddddddd-4444-4444-8444-000000000001" // a web application with the secret WebSecret
	NativeClient = "dddddddd-4444-4444-8444-000000000002" // an installed application: http://localhost, device code, password
	Daemon       = "dddddddd-4444-4444-8444-000000000003" // a daemon with the secret DaemonSecret and the role Jobs.Run.All
	MiddleTier   = "dddddddd-4444-4444-8444-000000000004" // an API with the secret MiddleTierSecret that calls API on behalf of users

	WebSecret        = "web-secret-of-the-mock"
	DaemonSecret     = "daemon-secret-of-the-mock"
	MiddleTierSecret = "middle-tier-secret-of-the-mock"

	PasswordUser    = "eeeeeeee-5555-4555-8555-000000000001" // pat@contoso.example, whose password is Password
	ManyGroupsUser  = "eeeeeeee-5555-4555-8555-000000000002" // max@contoso.example, in more groups than fit into a token
	FabrikamUser    = "eeeeeeee-5555-4555-8555-000000000003" // kim@fabrikam.example, whose guest account in Contoso is GuestUser
	PersonalUser    = "00000000-0000-0000-66f3-3332eca7ea81" // sam@outlook.example, a personal account
	Password        = "Mock-Passw0rd"
	ordersAPIRole   = "Jobs.Run.All"
	ordersUserRole  = "Orders.Approver"
	ordersMainScope = "access_as_user"
)

// DefaultDirectory is the directory of a server that is made without WithTenants and WithDirectory: a new copy with each call, to
// start one's own from.
//
// Every tenant has an API ([API], "Orders API") and a client of every kind. Those of Contoso are used by Fabrikam, too. Pat is the
// administrator of Contoso, Ada that of Fabrikam.
func DefaultDirectory() Directory {
	return Directory{Tenants: defaultTenants(), PersonalAccounts: []Account{
		{ID: PersonalUser, Name: "Sam Roe", Login: "sam@outlook.example"},
	}}
}

func defaultTenants() []Tenant {
	return []Tenant{
		{ID: Contoso, Domain: "contoso", Users: contosoUsers(), Applications: defaultApplications(Workforce)},
		{ID: Fabrikam, Domain: "fabrikam", Users: []Account{
			{ID: FabrikamUser, Name: "Kim Guest", Login: "kim@fabrikam.example"},
			{ID: "eeeeeeee-5555-4555-8555-000000000004", Name: "Ada Fabri", Login: "ada@fabrikam.example", Password: Password, DirectoryRoles: []string{GlobalAdministrator}},
		}},
		{ID: Shop, Kind: B2C, Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}, Users: customers(), Applications: defaultApplications(B2C)},
		{ID: Customers, Kind: External, Domain: "contosocx", Users: customers(), Applications: defaultApplications(External)},
	}
}

func contosoUsers() []Account {
	return []Account{
		{ID: User, Name: "Jo Doe", Login: "jo@contoso.example", Roles: []RoleAssignment{{API, ordersUserRole}}},
		{ID: PasswordUser, Name: "Pat Poe", Login: "pat@contoso.example", Password: Password, DirectoryRoles: []string{GlobalAdministrator}},
		{ID: ManyGroupsUser, Name: "Max Many", Login: "max@contoso.example", Groups: manyGroups(250)},
		{ID: GuestUser, Name: "Kim Guest", Login: "kim@fabrikam.example", HomeTenant: Fabrikam, HomeID: FabrikamUser},
		{ID: "99999999-9999-4999-8999-000000000001", Name: "Sam Roe", Login: "sam@outlook.example", HomeTenant: PersonalAccounts, HomeID: PersonalUser},
	}
}

func customers() []Account {
	return []Account{
		{ID: User, Name: "Jo Doe", Login: "jo@contoso.example", Claims: map[string]any{"given_name": "Jo", "family_name": "Doe"}},
		{ID: PasswordUser, Name: "Pat Poe", Login: "pat@contoso.example", Password: Password},
	}
}

func manyGroups(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("66666666-7777-4777-8777-%012d", i+1)
	}
	return groups
}

// defaultApplications are the same in every tenant that has them, but for what its kind does not know.
func defaultApplications(kind Kind) []Application {
	workforce := kind == Workforce
	mayCall := []Permission{{API: API, Scopes: []string{ordersMainScope, "Orders.Read"}, Consented: true}}
	apps := []Application{
		{
			ID: API, Name: "Orders API", TokenVersion: 2, Scopes: []string{ordersMainScope, "Orders.Read", "Jobs.Run"},
			AppRoles:       []AppRole{{ordersAPIRole, []string{"applications"}}, {ordersUserRole, []string{"users"}}},
			OptionalClaims: []string{"idtyp", "acct", "xms_cc", "acrs"}, GroupClaims: true,
		},
		{
			ID: Client, Name: "Orders SPA", PublicClient: true, Permissions: mayCall,
			RedirectURIs: RedirectURIs{SPA: []string{"http://localhost:3000", "http://localhost:3000/redirect", "http://localhost:3000/redirect.html",
				"http://localhost:3000/blank.html", "https://localhost:3000", "https://localhost:3000/redirect.html", "https://spa.contoso.example/"}},
		},
		{
			ID: WebClient, Name: "Orders Web", Secrets: []string{WebSecret}, Permissions: mayCall, ImplicitIDTokens: true,
			RedirectURIs: RedirectURIs{Web: []string{"http://localhost:8080/callback", "http://localhost/callback", "https://localhost:8080/callback",
				"https://web.contoso.example/callback"}},
			LogoutURIs: []string{"http://localhost:8080/", "https://web.contoso.example/"},
		},
		{
			ID: NativeClient, Name: "Orders CLI", PublicClient: true, Permissions: mayCall,
			RedirectURIs: RedirectURIs{Native: []string{"http://localhost", "http://127.0.0.1", "https://login.microsoftonline.com/common/oauth2/nativeclient",
				"msal" + NativeClient + "://auth"}},
		},
		{
			ID: Daemon, Name: "Orders Daemon", Secrets: []string{DaemonSecret}, ServicePrincipal: ServicePrincipal,
			Permissions: []Permission{{API: API, Roles: []string{ordersAPIRole}}},
		},
		{
			ID: MiddleTier, Name: "Orders Gateway", TokenVersion: 2, Secrets: []string{MiddleTierSecret}, Scopes: []string{ordersMainScope}, Permissions: mayCall,
		},
	}
	for i := range apps {
		a := &apps[i]
		a.MultiTenant, a.PersonalAccounts = workforce, workforce
		if a.ID == Client || a.ID == WebClient || a.ID == NativeClient {
			a.Permissions = append(a.Permissions, Permission{API: MiddleTier, Scopes: []string{ordersMainScope}, Consented: true})
		}
	}
	return apps
}
