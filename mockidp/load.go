package mockidp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ParseDirectory reads a directory file: JSON in the shape of [Directory], strictly. A member that does not exist, or twice, and
// a value of another type are faults. The error names all faults at once, each on a line with its path, as in
//
//	mockidp: tenants[1].applications[0].redirectURIs.spa[2]: "http://shop.example/" is http, which only loopback may be
//
// For a text that is not JSON the path is a line and a column.
func ParseDirectory(text []byte) (Directory, error) {
	d, p := readDirectory(text)
	if len(p) == 0 {
		return d, nil
	}
	errs := make([]error, len(p))
	for i, text := range p.texts() {
		errs[i] = errors.New("mockidp: " + text)
	}
	return Directory{}, errors.Join(errs...)
}

func readDirectory(text []byte) (d Directory, p problems) {
	if at, err := syntaxError(text); err != nil {
		p.add(at, "%v", err)
		return d, p
	}
	decodeStrict(text, &d, &p)
	return d, append(p, beyond(p, d.problems())...)
}

// beyond leaves out the faults of members that could not be read in the first place.
func beyond(unread, more problems) problems {
	return slices.DeleteFunc(more, func(m problem) bool {
		return slices.ContainsFunc(unread, func(u problem) bool {
			rest, ok := strings.CutPrefix(m.path, u.path)
			return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		})
	})
}

// syntaxError finds where a text stops being JSON.
func syntaxError(text []byte) (at string, err error) {
	position := func(offset int) string {
		before := text[:min(offset, len(text))]
		return fmt.Sprintf("line %d, column %d", 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n'))
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return position(i), errors.New("is not UTF-8")
		}
		i += size
	}
	var any json.RawMessage
	if err := json.Unmarshal(text, &any); err != nil {
		offset := len(text)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			offset = int(syntax.Offset) - 1
		}
		return position(max(offset, 0)), err
	}
	return "", nil
}

// problems finds every fault of a directory.
func (d Directory) problems() problems {
	var p problems
	seen := make(map[tenantID]bool)
	index := newDirectory(nil)
	for i := range d.Tenants {
		path := fmt.Sprintf(".tenants[%d]", i)
		t := d.Tenants[i].clone()
		id := tenantID{t.Kind, t.ID}
		if seen[id] && t.ID != "" {
			p.add(path+".id", "%v tenant %q comes twice", t.Kind, t.ID)
		}
		seen[id] = true
		t.check(&p, path)
		if !t.hasPlace() {
			continue
		}
		checked := &tenant{Tenant: t, cloud: t.Cloud.facts()}
		before := len(p)
		index.conflicts(checked, &p, path)
		if len(p) == before {
			index.put(checked)
		}
	}
	d.checkPersonal(&p)
	d.checkReferences(&p)
	return p
}

// hasPlace tells whether it can be said where the tenant is, whatever else is wrong with it.
func (t *Tenant) hasPlace() bool {
	_, ok := parseOrigin(string(t.Cloud))
	return (ok || t.Cloud == Public) && t.Kind >= Workforce && t.Kind <= External
}

func (d Directory) checkPersonal(p *problems) {
	ids, logins := make(map[string]bool), make(map[string]bool)
	for i, a := range d.accounts() {
		at := fmt.Sprintf(".personalAccounts[%d]", i)
		a.check(p, at, ids, logins)
		if a.HomeTenant != "" {
			p.add(at+".homeTenant", "a personal account is nobody's guest here; list the guest in the tenant")
		}
	}
}

// accounts are copies of the personal accounts.
func (d Directory) accounts() []Account {
	all := slices.Clone(d.PersonalAccounts)
	for i := range all {
		all[i] = all[i].clone()
	}
	return all
}

// checkReferences finds permissions and roles that nobody defines.
func (d Directory) checkReferences(p *problems) {
	for i := range d.Tenants {
		t, path := d.Tenants[i].clone(), fmt.Sprintf(".tenants[%d]", i)
		for j, u := range t.Users {
			for k, r := range u.Roles {
				d.checkRole(p, &t, fmt.Sprintf("%s.users[%d].roles[%d]", path, j, k), r)
			}
		}
		for j, a := range t.Applications {
			for k, permission := range a.Permissions {
				d.checkPermission(p, &t, fmt.Sprintf("%s.applications[%d].permissions[%d]", path, j, k), permission)
			}
		}
		for j, e := range t.EnterpriseApplications {
			at := fmt.Sprintf("%s.enterpriseApplications[%d]", path, j)
			if isGUID(e.ID) && d.definition(&t, e.ID) == nil {
				p.add(at+".id", "there is no application %q", e.ID)
			}
			for k, permission := range e.Permissions {
				d.checkPermission(p, &t, fmt.Sprintf("%s.permissions[%d]", at, k), permission)
			}
		}
	}
}

// definition finds the application that an ID means in a tenant: its own, or a multi-tenant one.
func (d Directory) definition(t *Tenant, id string) *Application {
	for i := range t.Applications {
		if t.Applications[i].ID == id {
			return &t.Applications[i]
		}
	}
	for _, other := range d.Tenants {
		for i := range other.Applications {
			if a := &other.Applications[i]; t.Kind == Workforce && a.MultiTenant && strings.EqualFold(a.ID, id) {
				return a
			}
		}
	}
	return nil
}

func (d Directory) checkRole(p *problems, t *Tenant, path string, r RoleAssignment) {
	if !isGUID(r.Application) {
		return // said already
	}
	api := d.definition(t, r.Application)
	switch {
	case api == nil:
		p.add(path+".application", "there is no application %q", r.Application)
	case !api.definesRole(r.Role, "users"):
		p.add(path+".role", "%q is no role for users of application %s", r.Role, api.ID)
	}
}

func (d Directory) checkPermission(p *problems, t *Tenant, path string, permission Permission) {
	if permission.API == graphID || !isGUID(permission.API) {
		return // Graph has every scope
	}
	api := d.definition(t, permission.API)
	if api == nil {
		p.add(path+".api", "there is no application %q", permission.API)
		return
	}
	for i, s := range permission.Scopes {
		if !slices.Contains(api.Scopes, s) {
			p.add(fmt.Sprintf("%s.scopes[%d]", path, i), "%q is no scope of application %s", s, api.ID)
		}
	}
	for i, r := range permission.Roles {
		if !api.definesRole(r, "applications") {
			p.add(fmt.Sprintf("%s.roles[%d]", path, i), "%q is no role for applications of application %s", r, api.ID)
		}
	}
}

// definesRole tells whether the API has a role for users or applications.
func (a *Application) definesRole(value, who string) bool {
	return slices.ContainsFunc(a.AppRoles, func(r AppRole) bool {
		return r.Value == value && (len(r.AllowedMemberTypes) == 0 || slices.Contains(r.AllowedMemberTypes, who))
	})
}
