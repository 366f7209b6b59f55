package mockidp

import (
	"maps"
	"slices"
	"strings"
)

// clone copies a tenant in the spelling that the server works with: identifiers and hosts in lower case.
func (t Tenant) clone() Tenant {
	t.ID, t.Domain = strings.ToLower(t.ID), strings.ToLower(t.Domain)
	t.Hosts, t.Policies = lowered(t.Hosts), slices.Clone(t.Policies)
	t.Users, t.Applications = slices.Clone(t.Users), slices.Clone(t.Applications)
	for i := range t.Users {
		t.Users[i] = t.Users[i].clone()
	}
	for i := range t.Applications {
		t.Applications[i] = t.Applications[i].clone()
	}
	t.EnterpriseApplications = slices.Clone(t.EnterpriseApplications)
	for i := range t.EnterpriseApplications {
		t.EnterpriseApplications[i] = t.EnterpriseApplications[i].clone()
	}
	return t
}

func (e EnterpriseApplication) clone() EnterpriseApplication {
	e.ID, e.Permissions = strings.ToLower(e.ID), clonePermissions(e.Permissions)
	return e
}

func clonePermissions(list []Permission) []Permission {
	list = slices.Clone(list)
	for i, p := range list {
		list[i].API = strings.ToLower(p.API)
		list[i].Scopes, list[i].Roles = slices.Clone(p.Scopes), slices.Clone(p.Roles)
	}
	return list
}

func (a Account) clone() Account {
	a.ID, a.HomeID, a.HomeTenant = strings.ToLower(a.ID), strings.ToLower(a.HomeID), strings.ToLower(a.HomeTenant)
	a.Groups, a.Roles, a.Claims = slices.Clone(a.Groups), slices.Clone(a.Roles), maps.Clone(a.Claims)
	a.DirectoryRoles = lowered(a.DirectoryRoles)
	for i := range a.Roles {
		a.Roles[i].Application = strings.ToLower(a.Roles[i].Application)
	}
	return a
}

func (a Application) clone() Application {
	a.ID, a.ServicePrincipal = strings.ToLower(a.ID), strings.ToLower(a.ServicePrincipal)
	for _, list := range []*[]string{&a.Secrets, &a.ExpiredSecrets, &a.Certificates, &a.RedirectURIs.Web, &a.RedirectURIs.SPA, &a.RedirectURIs.Native,
		&a.LogoutURIs, &a.IdentifierURIs, &a.Scopes, &a.OptionalClaims} {
		*list = slices.Clone(*list)
	}
	a.FederatedCredentials, a.Permissions, a.AppRoles = slices.Clone(a.FederatedCredentials), clonePermissions(a.Permissions), slices.Clone(a.AppRoles)
	for i, r := range a.AppRoles {
		a.AppRoles[i].AllowedMemberTypes = slices.Clone(r.AllowedMemberTypes)
	}
	return a
}

func lowered(list []string) []string {
	list = slices.Clone(list)
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
	return list
}
