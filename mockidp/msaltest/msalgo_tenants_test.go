package msaltest

import (
	"net/url"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/echo-identity/identity/mockidp"
)

// A multi-tenant application at the addresses that are for everybody.
func TestGoCommon(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		authority, login string
		tenant, user     string
	}{
		{"common", jo, mockidp.Contoso, mockidp.User},
		{"common", kim, mockidp.Fabrikam, mockidp.FabrikamUser},
		{"organizations", kim, mockidp.Fabrikam, mockidp.FabrikamUser},
		{"common", sam, mockidp.PersonalAccounts, mockidp.PersonalUser},
		{"consumers", sam, mockidp.PersonalAccounts, mockidp.PersonalUser},
	} {
		t.Run(row.authority+" "+row.login, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.publicClient(t, row.authority)
			p := w.newPerson(t, row.login, "")
			got, err := c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
			worked(t, "AcquireTokenInteractive", err)
			equal(t, "home account", got.Account.HomeAccountID, row.user+"."+row.tenant)
			who := w.call(t, "/orders", got.AccessToken)
			equal(t, "tenant", who.Tenant, row.tenant)
			equal(t, "user", who.User, row.user)
			fresh, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, public.WithSilentAccount(got.Account))
			worked(t, "AcquireTokenSilent", err)
			equal(t, "tenant", w.call(t, "/orders", fresh.AccessToken).Tenant, row.tenant)
		})
	}
}

// The refresh token of a user's home gets tokens of a tenant that the user is a guest of.
func TestGoGuest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.publicClient(t, "organizations")
	p := w.newPerson(t, kim, "")
	home, err := c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
	worked(t, "AcquireTokenInteractive", err)
	equal(t, "guest at home", w.call(t, "/me", home.AccessToken).Guest, false)
	guest, err := c.AcquireTokenSilent(t.Context(), []string{ordersScope}, public.WithSilentAccount(home.Account), public.WithTenantID(mockidp.Contoso))
	worked(t, "AcquireTokenSilent in another tenant", err)
	who := w.call(t, "/orders", guest.AccessToken)
	equal(t, "tenant", who.Tenant, mockidp.Contoso)
	equal(t, "user", who.User, mockidp.GuestUser)
	equal(t, "guest", who.Guest, true)
	equal(t, "home account", guest.Account.HomeAccountID, home.Account.HomeAccountID)

	// Jo is nobody in Fabrikam.
	p = w.newPerson(t, jo, "")
	home, err = c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
	worked(t, "AcquireTokenInteractive", err)
	_, err = c.AcquireTokenSilent(t.Context(), []string{ordersScope}, public.WithSilentAccount(home.Account), public.WithTenantID(mockidp.Fabrikam))
	refused(t, "a tenant that does not know the user", err, "AADSTS50020")
}

// Two policies of one B2C tenant: two accounts, although it is one user.
func TestGoB2C(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	homes := make(map[string]bool)
	for _, policy := range []string{"B2C_1_susi", "B2C_1A_custom"} {
		c := w.publicClient(t, "contosob2c.onmicrosoft.com/"+policy)
		p := w.newPerson(t, jo, "")
		got, err := c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
		worked(t, "AcquireTokenInteractive", err)
		who := w.call(t, "/orders", got.AccessToken)
		equal(t, "tenant", who.Tenant, mockidp.Shop)
		equal(t, "policy", who.Policy, policy)
		homes[got.Account.HomeAccountID] = true
		for range 2 {
			fresh, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, public.WithSilentAccount(got.Account))
			worked(t, "AcquireTokenSilent", err)
			equal(t, "policy", w.call(t, "/orders", fresh.AccessToken).Policy, policy)
		}
	}
	equal(t, "accounts", len(homes), 2)
	if !homes[mockidp.User+"-b2c_1_susi."+mockidp.Shop] {
		t.Fatalf("accounts: got=%v", homes)
	}
}

// B2C knows the code and client credentials grants of web applications and daemons.
func TestGoB2CConfidential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const redirect = "http://localhost:8080/callback"
	web := w.confidentialClient(t, "contosob2c.onmicrosoft.com/b2c_1_susi", mockidp.WebClient, secret(t, mockidp.WebSecret))
	address, err := web.AuthCodeURL(t.Context(), mockidp.WebClient, redirect, []string{ordersScope})
	worked(t, "AuthCodeURL", err)
	p := w.newPerson(t, pat, mockidp.Password)
	to, err := p.open(t.Context(), address)
	worked(t, "sign-in", err)
	got, err := web.AcquireTokenByAuthCode(t.Context(), to.Query().Get("code"), redirect, []string{ordersScope})
	worked(t, "AcquireTokenByAuthCode", err)
	equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.PasswordUser)
	_, err = web.AcquireTokenByAuthCode(t.Context(), to.Query().Get("code"), redirect, []string{ordersScope})
	refused(t, "the same code again", err, "AADB2C90080")

	daemon := w.confidentialClient(t, "contosob2c.onmicrosoft.com/b2c_1_susi", mockidp.Daemon, secret(t, mockidp.DaemonSecret))
	app, err := daemon.AcquireTokenByCredential(t.Context(), []string{ordersAll})
	worked(t, "AcquireTokenByCredential", err)
	equal(t, "application", w.call(t, "/me", app.AccessToken).Client, mockidp.Daemon)
}

// External ID, by tenant ID and by domain.
func TestGoExternalID(t *testing.T) {
	t.Parallel()
	for _, authority := range []string{mockidp.Customers, "contosocx.onmicrosoft.com"} {
		t.Run(authority, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.publicClient(t, authority)
			p := w.newPerson(t, pat, mockidp.Password)
			got, err := c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
			worked(t, "AcquireTokenInteractive", err)
			who := w.call(t, "/orders", got.AccessToken)
			equal(t, "tenant", who.Tenant, mockidp.Customers)
			equal(t, "user", who.User, mockidp.PasswordUser)
			fresh, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, public.WithSilentAccount(got.Account))
			worked(t, "AcquireTokenSilent", err)
			w.call(t, "/orders", fresh.AccessToken)

			daemon := w.confidentialClient(t, authority, mockidp.Daemon, secret(t, mockidp.DaemonSecret))
			app, err := daemon.AcquireTokenByCredential(t.Context(), []string{ordersAll})
			worked(t, "AcquireTokenByCredential", err)
			equal(t, "application only", w.call(t, "/jobs", app.AccessToken).AppOnly, true)
		})
	}
}

// Microsoft's own host names: neither client nor API has a setting but the HTTP client. With instance discovery, which MSAL does
// for the hosts of Entra ID.
func TestGoProductionHosts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, authority, issuer string
		discovers               bool // asks for the instance first
	}{
		{"Entra ID", "https://login.microsoftonline.com/" + mockidp.Contoso, "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0", true},
		{"Entra ID, an alias", "https://login.microsoft.com/contoso.onmicrosoft.com", "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0", true},
		{"B2C", "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/b2c_1_susi", "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/", false},
		// MSAL Go knows no External ID. It compares the host of the issuer with the authority, so that only the host with the tenant
		// ID will do.
		{"External ID", "https://" + mockidp.Customers + ".ciamlogin.com/contosocx.onmicrosoft.com",
			"https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.api = productionAPI(t, w)
			const redirect = "http://localhost:8080/callback"
			web, err := confidential.New(row.authority, mockidp.WebClient, secret(t, mockidp.WebSecret),
				confidential.WithHTTPClient(w.Client()), confidential.WithInstanceDiscovery(row.discovers))
			worked(t, "confidential.New", err)
			address, err := web.AuthCodeURL(t.Context(), mockidp.WebClient, redirect, []string{ordersScope})
			worked(t, "AuthCodeURL", err)
			to, err := w.newPerson(t, pat, mockidp.Password).open(t.Context(), address)
			worked(t, "sign-in", err)
			got, err := web.AcquireTokenByAuthCode(t.Context(), to.Query().Get("code"), redirect, []string{ordersScope})
			worked(t, "AcquireTokenByAuthCode", err)
			equal(t, "iss", claimsOf(t, got.AccessToken)["iss"], any(row.issuer))
			equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.PasswordUser)
			silent, err := web.AcquireTokenSilent(t.Context(), []string{ordersScope}, confidential.WithSilentAccount(got.Account))
			worked(t, "AcquireTokenSilent", err)
			equal(t, "token of the cache", silent.AccessToken, got.AccessToken)
			for _, r := range w.Requests() {
				if u, _ := url.Parse("https://" + r.Host); u == nil || u.Hostname() == "localhost" {
					t.Fatalf("a request to %s%s, which is not a production host", r.Host, r.Path)
				}
			}
		})
	}
}
