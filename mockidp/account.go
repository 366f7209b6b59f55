package mockidp

import (
	"crypto/sha256"
	"strings"
)

// account is a user as a tenant knows it, which may be as a guest.
type account struct {
	*Account
	tenant *tenant // whose tokens the user gets; a stand-in for personal accounts
}

// accountKey remembers an account without keeping it alive: it is looked up again whenever it is used.
type accountKey struct {
	kind   Kind
	cloud  Cloud
	tenant string
	user   string
}

func (a account) key() accountKey {
	return accountKey{a.tenant.Kind, a.tenant.cloud.cloud, a.tenant.ID, a.ID}
}

func (a account) personal() bool { return a.tenant.ID == PersonalAccounts }

func (a account) displayName() string {
	if a.Name == "" {
		return a.Login
	}
	return a.Name
}

func (a account) email() string {
	if a.Email == "" {
		return a.Login
	}
	return a.Email
}

// home is the user's object ID and tenant where the user is a member.
func (a account) home() (id, tenant string) {
	id, tenant = a.ID, a.tenant.ID
	if a.HomeTenant != "" {
		tenant = a.HomeTenant
		if a.HomeID != "" {
			id = a.HomeID
		}
	}
	return id, tenant
}

// subject is the pairwise sub of the user for an application.
func (a account) subject(app string) string {
	sum := sha256.Sum256([]byte("sub|" + a.tenant.ID + "|" + a.ID + "|" + app))
	return base64url(sum[:])
}

// clientInfo tells MSAL clients the home of the account. B2C has one account per policy.
func (a account) clientInfo(policy string) string {
	id, tenant := a.home()
	if a.tenant.Kind == B2C {
		id += "-" + strings.ToLower(policy)
	}
	return base64url([]byte(object{{"uid", id}, {"utid", tenant}}.text()))
}

// loginHint is the opaque text of the login_hint claim.
func (a account) loginHint() string { return "O." + base64url([]byte(a.Login)) }

// personalTenant stands in for the tenant of personal accounts in a cloud.
func personalTenant(c *cloudFacts) *tenant {
	return &tenant{Tenant: Tenant{ID: PersonalAccounts, Kind: Workforce, Cloud: c.cloud}, cloud: c}
}

// accountsAt lists who may sign in at an address: the users of the tenant; at common, organizations and consumers the members
// of all tenants, the personal accounts, or both.
func (s *Server) accountsAt(rt *route, app *application) []account {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if rt.tenant != nil {
		return membersOf(rt.tenant, true)
	}
	var all []account
	if rt.pathTenant == "common" || rt.pathTenant == "organizations" {
		for _, t := range s.workforce(rt.cloud) {
			if app == nil || app.MultiTenant || app.home == t {
				all = append(all, membersOf(t, false)...)
			}
		}
	}
	if rt.pathTenant != "organizations" && (app == nil || app.PersonalAccounts) {
		t := personalTenant(rt.cloud)
		for i := range s.directory.personal {
			all = append(all, account{&s.directory.personal[i], t})
		}
	}
	return all
}

func membersOf(t *tenant, guests bool) []account {
	var all []account
	for i := range t.Users {
		if guests || t.Users[i].HomeTenant == "" {
			all = append(all, account{&t.Users[i], t})
		}
	}
	return all
}

// accountByLogin finds who signs in under a name.
func (s *Server) accountByLogin(rt *route, app *application, login string) (account, bool) {
	if rt.tenant != nil {
		a := rt.tenant.accounts[strings.ToLower(login)]
		return account{a, rt.tenant}, a != nil
	}
	for _, a := range s.accountsAt(rt, app) {
		if strings.EqualFold(a.Login, login) {
			return a, true
		}
	}
	return account{}, false
}

// accountByKey finds the account again, if it is still there.
func (s *Server) accountByKey(k accountKey) (account, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k.tenant == PersonalAccounts {
		for i := range s.directory.personal {
			if s.directory.personal[i].ID == k.user {
				return account{&s.directory.personal[i], personalTenant(k.cloud.facts())}, true
			}
		}
		return account{}, false
	}
	if t := s.directory.tenants[tenantID{k.kind, k.tenant}]; t != nil {
		for i := range t.Users {
			if t.Users[i].ID == k.user {
				return account{&t.Users[i], t}, true
			}
		}
	}
	return account{}, false
}

// accountIn is who a signed-in account is at an address: itself where it may sign in, or the guest that it is there.
func (s *Server) accountIn(rt *route, k accountKey) (account, bool) {
	a, ok := s.accountByKey(k)
	if !ok {
		return account{}, false
	}
	if rt.tenant == nil {
		wanted := map[string]bool{"organizations": !a.personal(), "common": true}[rt.pathTenant] || a.personal() && rt.pathTenant != "organizations"
		return a, wanted && a.HomeTenant == "" && a.tenant.Kind == Workforce && a.tenant.cloud.cloud == rt.cloud.cloud
	}
	if a.tenant.ID == rt.tenant.ID && a.tenant.Kind == rt.tenant.Kind {
		return a, true
	}
	if a.tenant.Kind != Workforce { // the guests of a directory with the same ID are others
		return account{}, false
	}
	id, home := a.home()
	for i := range rt.tenant.Users {
		u := &rt.tenant.Users[i]
		if guestID, guestHome := (account{u, rt.tenant}).home(); u.HomeTenant != "" && guestHome == home && guestID == id {
			return account{u, rt.tenant}, true
		}
	}
	return account{}, false
}
