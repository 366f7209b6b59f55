package mockidp

import (
	"slices"
	"strings"
)

// Template IDs of directory roles. Those who hold one of the first four may consent for a whole tenant; every member has the last.
const (
	GlobalAdministrator           = "62e90394-69f5-4237-9190-012177145e10"
	PrivilegedRoleAdministrator   = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	ApplicationAdministrator      = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	CloudApplicationAdministrator = "158c047a-c907-4556-b7ef-446551a6b5f7"
	memberRole                    = "b79fbf4d-3ef9-4689-8143-76b194e85509"
)

// consentRoles: of the two for applications, real tenants keep back the app roles of Microsoft Graph, which the mock does not model.
var consentRoles = []string{GlobalAdministrator, PrivilegedRoleAdministrator, ApplicationAdministrator, CloudApplicationAdministrator}

// EnterpriseApplication is an application in a tenant that is not its home, by an administrator's consent: what Microsoft calls its
// service principal there, and everything that was granted to it.
type EnterpriseApplication struct {
	// ID is the client ID of the application. Required.
	ID string `json:"id"`
	// Permissions are what it was granted, for everybody in the tenant. Consented is not needed here.
	Permissions []Permission `json:"permissions,omitempty"`
}

// AddEnterpriseApplication records an administrator's consent in a workforce tenant, or replaces the one to the same application. It
// panics like [New], and when there is no such tenant.
func (s *Server) AddEnterpriseApplication(tenantID string, e EnterpriseApplication) {
	s.edit(tenantID, Workforce, func(t *Tenant) { t.putEnterpriseApplication(e.clone()) })
}

func (t *Tenant) putEnterpriseApplication(e EnterpriseApplication) {
	i := slices.IndexFunc(t.EnterpriseApplications, func(other EnterpriseApplication) bool { return other.ID == e.ID })
	if i < 0 {
		t.EnterpriseApplications = append(t.EnterpriseApplications, e)
	} else {
		t.EnterpriseApplications[i] = e
	}
}

// RemoveEnterpriseApplication takes an application out of a workforce tenant, with everything that its administrators and users have
// consented to: what a customer does who leaves. Refresh tokens are refused from then on; access tokens live until they expire, as
// Microsoft's do. It panics when there is no such tenant, and does nothing when there is no such application.
func (s *Server) RemoveEnterpriseApplication(tenantID, clientID string) {
	tenantID, clientID = strings.ToLower(tenantID), strings.ToLower(clientID)
	s.edit(tenantID, Workforce, func(t *Tenant) {
		t.EnterpriseApplications = slices.DeleteFunc(t.EnterpriseApplications, func(e EnterpriseApplication) bool { return e.ID == clientID })
	})
	s.sessions.do(func() {
		for key := range s.sessions.consents.entries {
			if words := strings.Split(key, " "); words[0] == Workforce.String() && words[1] == tenantID && words[3] == clientID {
				s.sessions.consents.remove(key)
			}
		}
	})
}

// installed tells whether an application works in a tenant.
func (s *Server) installed(app *application, t *tenant) bool {
	if !app.NeedsAdminConsent || app.home.ID == t.ID && app.home.Kind == t.Kind {
		return true
	}
	_, ok := s.enterpriseApplication(app, t)
	return ok
}

// enterpriseApplication is what the tenant has now, whatever it had when the request began.
func (s *Server) enterpriseApplication(app *application, t *tenant) (EnterpriseApplication, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if now := s.directory.tenants[tenantID{t.Kind, t.ID}]; now != nil {
		for _, e := range now.EnterpriseApplications {
			if e.ID == app.ID {
				return e, true
			}
		}
	}
	return EnterpriseApplication{}, false
}

// consentedByAdmin is what an application was granted of an API for everybody in a tenant: by the registration, and by consent there.
func (s *Server) consentedByAdmin(t *tenant, app *application, api string) Permission {
	var granted Permission
	if registered, _ := app.permission(api); !app.NeedsAdminConsent || app.home.ID == t.ID {
		granted.Roles = registered.Roles
		if registered.Consented {
			granted.Scopes = registered.Scopes
		}
	}
	e, _ := s.enterpriseApplication(app, t)
	for _, p := range e.Permissions {
		if p.API == api {
			granted.Scopes, granted.Roles = union(granted.Scopes, p.Scopes), union(granted.Roles, p.Roles)
		}
	}
	return granted
}

// mayConsent tells whether the user may consent for the whole tenant.
func (a account) mayConsent() bool {
	return slices.ContainsFunc(a.DirectoryRoles, func(role string) bool { return slices.Contains(consentRoles, role) })
}

// wids are the directory roles as tokens have them.
func (a account) wids() []string {
	roles := slices.Clone(a.DirectoryRoles)
	if a.HomeTenant == "" {
		roles = union(roles, []string{memberRole})
	}
	return roles
}

// widen adds permissions to those that were granted before.
func (e *EnterpriseApplication) widen(more []Permission) {
	for _, p := range more {
		i := slices.IndexFunc(e.Permissions, func(other Permission) bool { return other.API == p.API })
		if i < 0 {
			e.Permissions = append(e.Permissions, p)
			continue
		}
		e.Permissions[i].Scopes = union(e.Permissions[i].Scopes, p.Scopes)
		e.Permissions[i].Roles = union(e.Permissions[i].Roles, p.Roles)
	}
}
