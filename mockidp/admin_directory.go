package mockidp

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

var directoryCalls = []adminEndpoint{
	{"GET", "directory", "everything, in the shape of a directory file", nil, (*adminCall).getDirectory},
	{"PUT", "directory", "replaces everything", nil, (*adminCall).putDirectory},
	{"GET", "tenants/{tenant}", "one tenant", ofKind, (*adminCall).getTenant},
	{"POST", "tenants", "adds a tenant, or replaces it", nil, (*adminCall).postTenant},
	{"DELETE", "tenants/{tenant}", "removes a tenant", ofKind, (*adminCall).deleteTenant},
	{"POST", "tenants/{tenant}/users", "adds a user, or replaces it", ofKind, (*adminCall).postUser},
	{"DELETE", "tenants/{tenant}/users/{user}", "removes a user", ofKind, (*adminCall).deleteUser},
	{"POST", "tenants/{tenant}/applications", "adds an application, or replaces it", ofKind, (*adminCall).postApplication},
	{"DELETE", "tenants/{tenant}/applications/{client}", "removes an application", ofKind, (*adminCall).deleteApplication},
	{"POST", "tenants/{tenant}/enterprise-applications", "records an administrator's consent", ofKind, (*adminCall).postEnterprise},
	{"DELETE", "tenants/{tenant}/enterprise-applications/{client}", "takes an application out of a tenant", ofKind, (*adminCall).deleteEnterprise},
	{"POST", "personal-accounts", "adds a personal account, or replaces it", nil, (*adminCall).postPersonal},
	{"DELETE", "personal-accounts/{user}", "removes a personal account", nil, (*adminCall).deletePersonal},
}

// ofKind tells tenants of one ID apart.
var ofKind = []string{"kind"}

func (c *adminCall) getDirectory() (any, error) { return c.srv.Directory(), nil }

// putDirectory takes a directory file. Keys, sessions and faults stay.
func (c *adminCall) putDirectory() (any, error) {
	text, err := c.body()
	if err != nil {
		return nil, err
	}
	d, p := readDirectory(text)
	if err := badRequest(p); err != nil {
		return nil, err
	}
	replace := WithDirectory(d)
	c.srv.mu.Lock()
	replace(c.srv)
	c.srv.mu.Unlock()
	return c.getDirectory()
}

func (c *adminCall) getTenant() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	return t.Tenant(), nil
}

// postTenant takes a tenant as a directory file has it. One of the same ID and kind is replaced, users and applications included.
func (c *adminCall) postTenant() (any, error) {
	var t Tenant
	unread, err := c.decode(&t)
	if err != nil {
		return nil, err
	}
	t = t.clone()
	return t, c.srv.amend(tenantID{t.Kind, t.ID}, unread, func(old *Tenant) (part string) {
		*old = t
		return ""
	})
}

func (c *adminCall) deleteTenant() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	c.srv.RemoveTenant(t.ID(), t.Kind())
	return nil, nil
}

// postUser takes a user as a directory file has it.
func (c *adminCall) postUser() (any, error) {
	var a Account
	t, unread, err := c.tenantAnd(&a)
	if err != nil {
		return nil, err
	}
	a = a.clone()
	return a, c.srv.amend(t.key(), unread, func(t *Tenant) (part string) {
		t.Users = append(slices.DeleteFunc(t.Users, func(other Account) bool { return other.ID == a.ID }), a)
		return fmt.Sprintf(".users[%d]", len(t.Users)-1)
	})
}

// deleteUser finds the user by object ID or login.
func (c *adminCall) deleteUser() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	gone := false
	c.srv.edit(t.ID(), t.Kind(), func(t *Tenant) { t.Users, gone = withoutAccount(t.Users, c.args["user"]) })
	if !gone {
		return nil, refused(http.StatusNotFound, "{user}", "tenant %s has no user %q", t.ID(), c.args["user"])
	}
	return nil, nil
}

func withoutAccount(accounts []Account, name string) (rest []Account, found bool) {
	rest = slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool { return strings.EqualFold(a.ID, name) || strings.EqualFold(a.Login, name) })
	return rest, len(rest) < len(accounts)
}

// postApplication takes an application as a directory file has it.
func (c *adminCall) postApplication() (any, error) {
	var a Application
	t, unread, err := c.tenantAnd(&a)
	if err != nil {
		return nil, err
	}
	a = a.clone()
	return a, c.srv.amend(t.key(), unread, func(t *Tenant) (part string) {
		t.Applications = append(slices.DeleteFunc(t.Applications, func(other Application) bool { return other.ID == a.ID }), a)
		return fmt.Sprintf(".applications[%d]", len(t.Applications)-1)
	})
}

func (c *adminCall) deleteApplication() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	gone := false
	c.srv.edit(t.ID(), t.Kind(), func(t *Tenant) {
		before := len(t.Applications)
		t.Applications = slices.DeleteFunc(t.Applications, func(a Application) bool { return strings.EqualFold(a.ID, c.args["client"]) })
		gone = len(t.Applications) < before
	})
	if !gone {
		return nil, refused(http.StatusNotFound, "{client}", "tenant %s has no application %q", t.ID(), c.args["client"])
	}
	return nil, nil
}

// tenantAnd is the tenant of the path, and the body.
func (c *adminCall) tenantAnd(into any) (t *TenantHandle, unread problems, err error) {
	if t, err = c.tenant(); err != nil {
		return nil, nil, err
	}
	unread, err = c.decode(into)
	return t, unread, err
}

// key is what the directory knows the tenant by.
func (t *TenantHandle) key() tenantID { return tenantID{t.t.Kind, t.t.ID} }

// amend changes a tenant, or makes one, unless something is wrong with the part that change names. The paths of the faults begin at
// that part, which is what the caller sent; unread are those that were found when it was read.
func (s *Server) amend(id tenantID, unread problems, change func(*Tenant) (part string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t Tenant
	if old := s.directory.tenants[id]; old != nil {
		t = old.Tenant.clone()
	}
	part := change(&t)
	d := s.directory.description()
	d.Tenants = slices.DeleteFunc(d.Tenants, func(other Tenant) bool { return other.ID == t.ID && other.Kind == t.Kind })
	d.Tenants = append(d.Tenants, t) // the last of two that conflict is the one to blame
	found := d.problems().under(fmt.Sprintf(".tenants[%d]%s", len(d.Tenants)-1, part))
	if err := badRequest(append(unread, beyond(unread, found)...)); err != nil {
		return err
	}
	s.directory.add(t)
	return nil
}

// under are the faults of a part, with paths that begin there.
func (p problems) under(path string) problems {
	var part problems
	for _, one := range p {
		if rest, ok := strings.CutPrefix(one.path, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			part = append(part, problem{rest, one.text})
		}
	}
	return part
}

// postEnterprise takes an enterprise application as a directory file has it.
func (c *adminCall) postEnterprise() (any, error) {
	var e EnterpriseApplication
	t, unread, err := c.tenantAnd(&e)
	if err != nil {
		return nil, err
	}
	e = e.clone()
	return e, c.srv.amend(t.key(), unread, func(t *Tenant) (part string) {
		t.putEnterpriseApplication(e)
		return fmt.Sprintf(".enterpriseApplications[%d]", slices.IndexFunc(t.EnterpriseApplications, func(other EnterpriseApplication) bool { return other.ID == e.ID }))
	})
}

func (c *adminCall) deleteEnterprise() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(c.args["client"])
	if !slices.ContainsFunc(t.Tenant().EnterpriseApplications, func(e EnterpriseApplication) bool { return e.ID == id }) {
		return nil, refused(http.StatusNotFound, "{client}", "tenant %s has no enterprise application %q", t.ID(), c.args["client"])
	}
	c.srv.RemoveEnterpriseApplication(t.ID(), id)
	return nil, nil
}

func (c *adminCall) postPersonal() (any, error) {
	var a Account
	unread, err := c.decode(&a)
	if err != nil {
		return nil, err
	}
	a = a.clone()
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.directory.description()
	d.PersonalAccounts = append(slices.DeleteFunc(d.PersonalAccounts, func(other Account) bool { return other.ID == a.ID }), a)
	found := d.problems().under(fmt.Sprintf(".personalAccounts[%d]", len(d.PersonalAccounts)-1))
	if err := badRequest(append(unread, beyond(unread, found)...)); err != nil {
		return nil, err
	}
	s.directory.personal = d.PersonalAccounts
	return a, nil
}

func (c *adminCall) deletePersonal() (any, error) {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, found := withoutAccount(s.directory.personal, c.args["user"])
	if !found {
		return nil, refused(http.StatusNotFound, "{user}", "there is no personal account %q", c.args["user"])
	}
	s.directory.personal = rest
	return nil, nil
}
