package mockidp_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// The application of the tests: Contoso's, which other tenants get by their administrators' consent.
const (
	saas           = "dddddddd-4444-4444-8444-000000000010"
	saasSecret     = "secret-of-the-service"
	saasCallback   = "https://saas.example/consented"
	saasScope      = "api://" + saas + "/Orders.Read"
	fabrikamBase   = login + mockidp.Fabrikam
	fabrikamToken  = fabrikamBase + "/oauth2/v2.0/token"
	organizations  = login + "organizations"
	ada            = "ada@fabrikam.example" // administrator
	kim            = "kim@fabrikam.example" // not
	saasAPIDefault = "api://" + saas + "/.default"
)

func newSaaS(t testing.TB) *mockidp.Server {
	t.Helper()
	idp := mockidp.New()
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{
		ID: saas, Name: "Orders SaaS", MultiTenant: true, NeedsAdminConsent: true, Secrets: []string{saasSecret}, TokenVersion: 2,
		RedirectURIs: mockidp.RedirectURIs{Web: []string{saasCallback}}, Scopes: []string{"Orders.Read"},
		AppRoles: []mockidp.AppRole{{Value: "Jobs.Run.All"}}, OptionalClaims: []string{"wids", "idtyp"},
		Permissions: []mockidp.Permission{{API: saas, Roles: []string{"Jobs.Run.All"}}, {API: mockidp.API, Scopes: []string{"Orders.Read"}, Consented: true}},
	})
	return idp
}

// consentURL is the admin consent page of the application.
func consentURL(base string, pairs ...string) string {
	v := but(form("client_id", saas, "redirect_uri", saasCallback, "state", "s t", "scope", saasAPIDefault), pairs...)
	return base + "/v2.0/adminconsent?" + v.Encode()
}

// daemonOf asks for a token of the application itself.
func daemonOf(t testing.TB, idp *mockidp.Server, token string) reply {
	t.Helper()
	return send(t, idp.Client(), token, form("grant_type", "client_credentials", "client_id", saas, "client_secret", saasSecret, "scope", saasAPIDefault))
}

func saasAuthorize(pairs ...string) string {
	return authorizeURL(fabrikamBase, but(form("client_id", saas, "redirect_uri", saasCallback, "response_type", "code", "state", "s", "scope", "offline_access "+saasScope), pairs...))
}

func saasRedemption(code string) url.Values {
	return form("grant_type", "authorization_code", "client_id", saas, "client_secret", saasSecret, "code", code, "redirect_uri", saasCallback)
}

func missingPrincipal() refusal { return refusal{401, "invalid_client", 7000229} }

// A person on the pages: who is no administrator cannot, who is one can decline, and accept.
func TestAdminConsentPages(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	missingPrincipal().check(t, daemonOf(t, idp, fabrikamToken))

	p := newPerson(t, idp).open(consentURL(organizations)).sees(200, "Pick an account").post("loginfmt", kim)
	p.sees(200, "Need admin approval", "Orders SaaS", "fabrikam.onmicrosoft.com", kim)
	p.post("another", "1").sees(200, "Pick an account", ada).post("loginfmt", ada).sees(200, "Enter password")
	p.post("loginfmt", ada, "passwd", mockidp.Password).sees(200, "Permissions requested", "Jobs.Run.All", "Orders.Read", "of Orders API", "fabrikam.onmicrosoft.com", ada)
	p.post("consent", "cancel")
	u, v := p.sent()
	if u.Host+u.Path != "saas.example/consented" || v.Get("error") != "access_denied" || !strings.HasPrefix(v.Get("error_description"), "AADSTS65004: ") ||
		v.Get("admin_consent") != "True" || v.Get("state") != "s t" || v.Has("tenant") {
		t.Errorf("declined: got=%v", v)
	}
	missingPrincipal().check(t, daemonOf(t, idp, fabrikamToken))

	p.open(consentURL(organizations, "login_hint", ada)).sees(200, "Permissions requested").post("consent", "accept")
	_, v = p.sent()
	want := url.Values{"admin_consent": {"True"}, "tenant": {mockidp.Fabrikam}, "scope": {saasAPIDefault}, "state": {"s t"}}
	if !maps.EqualFunc(v, want, slices.Equal) {
		t.Errorf("accepted: got=%v, want=%v", v, want)
	}
	body := ok(t, daemonOf(t, idp, fabrikamToken))
	if claims := claimsOf(t, body["access_token"].(string)); claims["tid"] != mockidp.Fabrikam || claims["scp"] != nil {
		t.Errorf("got=%v", claims)
	} else if roles, _ := claims["roles"].([]any); len(roles) != 1 || roles[0] != "Jobs.Run.All" {
		t.Errorf("roles: got=%v", claims["roles"])
	}

	p.open(consentURL(fabrikamBase, "login_hint", ada)).sees(200, "Permissions requested") // it asks every time
	newPerson(t, idp).open(consentURL(organizations)).post("loginfmt", kim).post("cancel", "1").returned(saasCallback, "access_denied", "AADSTS90094: ")
}

// returned checks an error at the redirect URI.
func (p *person) returned(uri, kind, description string) {
	p.t.Helper()
	u, v := p.sent()
	if u.Scheme+"://"+u.Host+u.Path != uri || v.Get("error") != kind || !strings.HasPrefix(v.Get("error_description"), description) {
		p.t.Errorf("got=%v %v, want=%s %s", u, v, kind, description)
	}
}

// Somebody who posts the page's answer without having been shown the page is asked who they are all the same.
func TestAdminConsentCannotBePosted(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	p := newPerson(t, idp).open(consentURL(organizations)).post("loginfmt", kim, "consent", "accept").sees(200, "Need admin approval")
	p.post("consent", "accept").sees(200, "Need admin approval")
	missingPrincipal().check(t, daemonOf(t, idp, fabrikamToken))
}

func TestAdminConsentRefusals(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	for name, row := range map[string]struct {
		address string
		login   string
		error   string // at the redirect URI
		page    string // on a page instead
	}{
		"accepted":                {address: consentURL(fabrikamBase), login: ada},
		"accepted at home":        {address: consentURL(contosoBase), login: pat},
		"one scope of many":       {address: consentURL(fabrikamBase, "scope", "openid User.Read "+saasScope), login: ada},
		"v1, without scope":       {address: strings.Replace(consentURL(fabrikamBase, "scope", ""), "/v2.0", "", 1), login: ada},
		"not an administrator":    {address: consentURL(fabrikamBase), login: kim, error: "access_denied"},
		"no scope":                {address: consentURL(fabrikamBase, "scope", ""), login: ada, error: "invalid_request"},
		"a scope that is none":    {address: consentURL(fabrikamBase, "scope", saasScope+"x"), login: ada, error: "invalid_scope"},
		"an API that is none":     {address: consentURL(fabrikamBase, "scope", "api://nobody/.default"), login: ada, error: "invalid_resource"},
		"of another tenant":       {address: consentURL(contosoBase), login: ada, error: "invalid_grant"},
		"personal accounts":       {address: consentURL(login + "consumers"), login: "sam@outlook.example", page: "AADSTS700016"},
		"unknown tenant":          {address: consentURL(login + "nobody.example"), login: ada, page: "no such tenant"},
		"unknown client":          {address: consentURL(fabrikamBase, "client_id", saas[:35]+"f"), login: ada, page: "AADSTS700016"},
		"unregistered address":    {address: consentURL(fabrikamBase, "redirect_uri", "https://evil.example/"), login: ada, page: "AADSTS50011"},
		"no address":              {address: consentURL(fabrikamBase, "redirect_uri", ""), login: ada, page: "AADSTS900144"},
		"a parameter that is two": {address: consentURL(fabrikamBase) + "&client_id=" + saas, login: ada, page: "AADSTS9002313"},
	} {
		r, err := idp.Walk(row.address, row.login)
		switch {
		case row.page != "":
			if err == nil || !strings.Contains(err.Error(), row.page) {
				t.Errorf("%s: got=%+v %v, want=%s", name, r, err, row.page)
			}
		case err != nil || r.Values.Get("error") != row.error || r.Values.Get("state") != "s t" || r.Values.Get("admin_consent") != "True":
			t.Errorf("%s: got=%+v %v, want=%q", name, r, err, row.error)
		case (r.Values.Get("tenant") != "") != (row.error == ""):
			t.Errorf("%s: tenant: got=%v", name, r.Values)
		}
	}
	r, err := idp.Decline(consentURL(fabrikamBase), ada)
	if err != nil || r.Values.Get("error") != "access_denied" || r.Values.Get("admin_consent") != "True" || r.Values.Has("tenant") {
		t.Errorf("declined: got=%+v %v", r, err)
	}
	for _, base := range []string{"https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_susi", "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers} {
		if got := visit(t, idp.Client(), consentURL(base)); got.status != 404 {
			t.Errorf("%s: got=%d", base, got.status)
		}
	}
	if got := idp.Count(mockidp.AdminConsentEndpoint); got != 2 {
		t.Errorf("counted: got=%d", got)
	}
}

// Before an administrator has consented nobody of the tenant gets in, and nobody of it gets tokens for the API; afterwards everybody.
// Taking the application out of the tenant ends it, for refresh tokens too, and whatever users had consented to.
func TestNeedsAdminConsent(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	idp.AddApplication(mockidp.Fabrikam, mockidp.Workforce, mockidp.Application{ID: mockidp.NativeClient[:35] + "9", PublicClient: true, Secrets: []string{"s"},
		Permissions: []mockidp.Permission{{API: saas, Roles: []string{"Jobs.Run.All"}}}})
	other := func() reply {
		return send(t, idp.Client(), fabrikamToken, form("grant_type", "client_credentials", "client_id", mockidp.NativeClient[:35]+"9", "client_secret", "s", "scope", saasAPIDefault))
	}
	signIn := func(pairs ...string) url.Values {
		t.Helper()
		r, err := idp.Walk(saasAuthorize(pairs...), kim)
		if err != nil {
			t.Fatal(err)
		}
		return r.Values
	}
	headless := mockidp.SignIn{Client: saas, Login: kim, Scopes: []string{saasScope}}
	shut := func(when string) {
		t.Helper()
		if got := signIn(); got.Get("error") != "access_denied" || !strings.HasPrefix(got.Get("error_description"), "AADSTS90094: ") {
			t.Errorf("%s: got=%v", when, got)
		}
		if got := signIn("prompt", "none"); got.Get("error") != "consent_required" {
			t.Errorf("%s: got=%v", when, got)
		}
		if _, err := idp.Tenant(mockidp.Fabrikam).SignIn(headless); err == nil || !strings.Contains(err.Error(), "AADSTS65001") {
			t.Errorf("%s: got=%v", when, err)
		}
		newPerson(t, idp).open(saasAuthorize()).post("loginfmt", kim).sees(200, "Need admin approval").post("consent", "accept").sees(200, "Need admin approval")
		missingPrincipal().check(t, daemonOf(t, idp, fabrikamToken))
		refusal{400, "invalid_resource", 500011}.check(t, other())
	}
	shut("before")
	ok(t, daemonOf(t, idp, contosoToken)) // at home it needs nothing

	if _, err := idp.Walk(consentURL(fabrikamBase), ada); err != nil {
		t.Fatal(err)
	}
	body := ok(t, send(t, idp.Client(), fabrikamToken, saasRedemption(signIn().Get("code"))))
	claims := claimsOf(t, body["access_token"].(string))
	want(t, claims, map[string]any{"tid": mockidp.Fabrikam, "aud": saas, "azp": saas, "scp": "Orders.Read", "oid": mockidp.FabrikamUser})
	if got, _ := claims["wids"].([]any); len(got) != 1 || got[0] == mockidp.GlobalAdministrator {
		t.Errorf("wids of a member: got=%v", claims["wids"])
	}
	if _, err := idp.Tenant(mockidp.Fabrikam).SignIn(headless); err != nil {
		t.Error(err)
	}
	ok(t, other())
	refresh := form("grant_type", "refresh_token", "client_id", saas, "client_secret", saasSecret, "refresh_token", body["refresh_token"].(string))

	idp.RemoveEnterpriseApplication(strings.ToUpper(mockidp.Fabrikam), saas)
	shut("after")
	refusal{400, "invalid_grant", 65001}.check(t, send(t, idp.Client(), fabrikamToken, refresh))
}

// The administrator's token says so; named scopes are added to what was granted before; the home tenant's consent counts at home alone.
func TestAdminConsentGrants(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	grants := func() []mockidp.Permission {
		t.Helper()
		list := idp.Tenant(mockidp.Fabrikam).Tenant().EnterpriseApplications
		if len(list) != 1 || list[0].ID != saas {
			t.Fatalf("got=%v", list)
		}
		return list[0].Permissions
	}
	consent := func(scope string) {
		t.Helper()
		if r, err := idp.Walk(consentURL(fabrikamBase, "scope", scope), ada); err != nil || r.Values.Get("tenant") != mockidp.Fabrikam {
			t.Fatalf("got=%+v %v", r, err)
		}
	}
	ordersRead := "api://" + mockidp.API + "/Orders.Read"
	consent(saasScope)
	if got := grants(); len(got) != 1 || got[0].API != saas || len(got[0].Roles) != 0 || !slices.Equal(got[0].Scopes, []string{"Orders.Read"}) {
		t.Errorf("got=%+v", got)
	}
	r, err := idp.Walk(saasAuthorize("scope", ordersRead, "prompt", "none"), kim)
	if err != nil || r.Values.Get("error") != "consent_required" {
		t.Errorf("home's consent: got=%+v %v", r, err)
	}
	consent(ordersRead)
	if r, err = idp.Walk(saasAuthorize("scope", ordersRead, "prompt", "none"), kim); err != nil || r.Values.Get("code") == "" {
		t.Errorf("got=%+v %v", r, err)
	}
	consent(saasAPIDefault)
	if got := grants(); len(got) != 2 || !slices.Equal(got[0].Roles, []string{"Jobs.Run.All"}) {
		t.Errorf("got=%+v", got)
	}
	tokens, err := idp.Tenant(mockidp.Fabrikam).SignIn(mockidp.SignIn{Client: saas, Login: ada, Scopes: []string{saasScope}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := claimsOf(t, tokens.AccessToken)["wids"].([]any); len(got) != 2 || got[0] != mockidp.GlobalAdministrator {
		t.Errorf("wids: got=%v", got)
	}
}

// Which roles can consent; where organizations alone can.
func TestWhoMayConsent(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	for role, may := range map[string]bool{
		mockidp.GlobalAdministrator: true, mockidp.PrivilegedRoleAdministrator: true, mockidp.ApplicationAdministrator: true, mockidp.CloudApplicationAdministrator: true,
		"729827e3-9c14-49f7-bb1b-9608f156bbb8": false, // helpdesk
	} {
		idp.AddAccount(mockidp.Fabrikam, mockidp.Workforce, mockidp.Account{ID: mockidp.FabrikamUser, Login: kim, DirectoryRoles: []string{strings.ToUpper(role)}})
		if r, err := idp.Walk(consentURL(fabrikamBase), kim); err != nil || (r.Values.Get("tenant") == mockidp.Fabrikam) != may {
			t.Errorf("%s: got=%+v %v", role, r, err)
		}
	}
	atConsumers := consentURL(login+"consumers", "client_id", mockidp.WebClient, "redirect_uri", webCallback, "scope", "User.Read")
	r, err := idp.Walk(atConsumers, "sam@outlook.example")
	if err != nil || r.Values.Get("error") != "invalid_request" || !strings.HasPrefix(r.Values.Get("error_description"), "AADSTS50059: ") {
		t.Errorf("personal accounts: got=%+v %v", r, err)
	}
}

// What users had consented to goes with the application, and does not come back with it.
func TestRemovedConsentOfUsers(t *testing.T) {
	t.Parallel()
	idp := newSaaS(t)
	ordersRead := "api://" + mockidp.API + "/Orders.Read"
	install := func() { idp.AddEnterpriseApplication(mockidp.Fabrikam, mockidp.EnterpriseApplication{ID: saas}) }
	silent := func() string {
		t.Helper()
		r, err := idp.Walk(saasAuthorize("scope", ordersRead, "prompt", "none"), kim)
		if err != nil {
			t.Fatal(err)
		}
		return r.Values.Get("error")
	}
	install()
	if _, err := idp.Walk(saasAuthorize("scope", ordersRead), kim); err != nil {
		t.Fatal(err)
	}
	if got := silent(); got != "" {
		t.Errorf("consented: got=%q", got)
	}
	idp.RemoveEnterpriseApplication(mockidp.Fabrikam, saas)
	install()
	if got := silent(); got != "consent_required" {
		t.Errorf("afterwards: got=%q", got)
	}
}

// In the directory, as plain data.
func TestEnterpriseApplicationFaults(t *testing.T) {
	t.Parallel()
	_, err := mockidp.ParseDirectory([]byte(`{"tenants": [
		{"id": "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa",
		 "users": [{"id": "eeeeeeee-5555-4555-8555-eeeeeeeeeeee", "login": "jo", "directoryRoles": ["admin"]}],
		 "applications": [{"id": "cccccccc-3333-4333-8333-cccccccccccc", "needsAdminConsent": true}],
		 "enterpriseApplications": [{"id": "x"}, {"id": "cccccccc-3333-4333-8333-cccccccccccc"}, {"id": "CCCCCCCC-3333-4333-8333-cccccccccccc",
		  "permissions": [{"api": "cccccccc-3333-4333-8333-cccccccccccc", "scopes": ["Orders.Read"]}]}, {"id": "cccccccc-3333-4333-8333-cccccccccccd"}]},
		{"id": "c1a0c1a0-8888-4888-8888-c1a0c1a0c1a0", "kind": "external", "enterpriseApplications": [{"id": "cccccccc-3333-4333-8333-cccccccccccc"}]}]}`))
	for _, text := range []string{
		`tenants[0].users[0].directoryRoles[0]: "admin" is not a GUID`,
		`tenants[0].applications[0].needsAdminConsent: is for multi-tenant applications: it is about other tenants`,
		`tenants[0].enterpriseApplications[0].id: "x" is not a GUID`,
		`tenants[0].enterpriseApplications[2].id: application "cccccccc-3333-4333-8333-cccccccccccc" comes twice`,
		`tenants[0].enterpriseApplications[2].permissions[0].scopes[0]: "Orders.Read" is no scope of application cccccccc-3333-4333-8333-cccccccccccc`,
		`tenants[0].enterpriseApplications[3].id: there is no application "cccccccc-3333-4333-8333-cccccccccccd"`,
		`tenants[1].enterpriseApplications: is for workforce tenants`,
	} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got=%v, want %s in it", err, text)
		}
	}
	idp := newSaaS(t)
	idp.AddEnterpriseApplication(mockidp.Fabrikam, mockidp.EnterpriseApplication{ID: strings.ToUpper(saas)})
	idp.AddEnterpriseApplication(mockidp.Fabrikam, mockidp.EnterpriseApplication{ID: saas})
	if got := idp.Tenant(mockidp.Fabrikam).Tenant().EnterpriseApplications; len(got) != 1 || got[0].ID != saas {
		t.Errorf("got=%v", got)
	}
	ok(t, daemonOf(t, idp, fabrikamToken))
}
