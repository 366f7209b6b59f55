package mockidp

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// directory is the tenants of a server, indexed: a test may register a hundred thousand. The server's lock guards it.
type directory struct {
	tenants  map[tenantID]*tenant
	domains  map[domainID]*tenant
	owners   map[string]*tenant     // by host, of B2C and External ID
	privates map[string]*cloudFacts // private deployments by host; they outlive their tenants

	populated map[tenantID]*tenant // those with users or applications: what common looks through
	personal  []Account
	added     int
}

// tenantID: one GUID may be a workforce tenant and a B2C tenant at once.
type tenantID struct {
	kind Kind
	id   string
}

type domainID struct {
	kind   Kind
	cloud  Cloud
	domain string
}

func newDirectory(tenants []Tenant) directory {
	d := directory{
		tenants:   make(map[tenantID]*tenant),
		domains:   make(map[domainID]*tenant),
		owners:    make(map[string]*tenant),
		privates:  make(map[string]*cloudFacts),
		populated: make(map[tenantID]*tenant),
	}
	for _, t := range tenants {
		d.add(t)
	}
	return d
}

// add adds or replaces a tenant. It panics when the tenant cannot be, or claims a name of another one.
func (d *directory) add(description Tenant) {
	t := description.checked()
	var p problems
	d.conflicts(t, &p, "")
	if len(p) > 0 {
		panic(fmt.Sprintf("mockidp: tenant %q: %s", t.ID, strings.Join(p.texts(), "; ")))
	}
	d.put(t)
}

// conflicts finds the names that the tenant shares with another one, or with a cloud.
func (d *directory) conflicts(t *tenant, p *problems, path string) {
	for _, host := range t.ownHosts() {
		at := path + ".domain"
		if i := slices.Index(t.Hosts, host); i >= 0 {
			at = fmt.Sprintf("%s.hosts[%d]", path, i)
		}
		if other := d.owners[host]; other != nil && (other.ID != t.ID || other.Kind != t.Kind) {
			p.add(at, "host %q belongs to tenant %s", host, other.ID)
		}
		if cloudByHost(host) != nil {
			p.add(at, "host %q belongs to a cloud", host)
		}
	}
	if other := d.domains[domainID{t.Kind, t.cloud.cloud, t.domain()}]; other != nil && other.ID != t.ID {
		p.add(path+".domain", "%q belongs to tenant %s", t.domain(), other.ID)
	}
}

func (d *directory) put(t *tenant) {
	id := tenantID{t.Kind, t.ID}
	d.added++
	t.added = d.added
	if old := d.tenants[id]; old != nil {
		t.added = old.added
	}
	d.remove(id)
	d.tenants[id] = t
	if domain := t.domain(); domain != "" {
		d.domains[domainID{t.Kind, t.cloud.cloud, domain}] = t
	}
	for _, host := range t.ownHosts() {
		d.owners[host] = t
	}
	if !t.cloud.known() {
		d.privates[hostOf(t.cloud.origin)] = t.cloud
	}
	if len(t.Users)+len(t.Applications) > 0 {
		d.populated[id] = t
	}
}

// ordered are the tenants of a map, in the order in which they were added.
func ordered(tenants map[tenantID]*tenant) []*tenant {
	return slices.SortedFunc(maps.Values(tenants), func(a, b *tenant) int { return cmp.Compare(a.added, b.added) })
}

func (d *directory) remove(id tenantID) {
	t := d.tenants[id]
	if t == nil {
		return
	}
	delete(d.tenants, id)
	delete(d.populated, id)
	delete(d.domains, domainID{t.Kind, t.cloud.cloud, t.domain()})
	for _, host := range t.ownHosts() {
		delete(d.owners, host)
	}
}

// ownHosts are the hosts that serve this tenant alone; a cloud and a private deployment serve several.
func (t *tenant) ownHosts() []string {
	switch {
	case t.Kind == Workforce:
		return nil
	case !t.cloud.known():
		return t.Hosts
	}
	return t.hosts()
}

// byDomain finds the tenant of an initial domain. Where several clouds are served at once the one that the host stands for wins.
func (d *directory) byDomain(rt *route, kind Kind) *tenant {
	if rt.owner != nil {
		return d.domains[domainID{kind, rt.owner.cloud.cloud, rt.pathTenant}]
	}
	if t := d.domains[domainID{kind, rt.cloud.cloud, rt.pathTenant}]; t != nil || !rt.loopback {
		return t
	}
	for _, c := range clouds {
		if t := d.domains[domainID{kind, c.cloud, rt.pathTenant}]; t != nil {
			return t
		}
	}
	return nil
}

// AddTenant adds a tenant, or replaces the one of the same ID and kind, whose keys stay. It panics like [New]. Handles made before
// keep the tenant as it was.
func (s *Server) AddTenant(t Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory.add(t)
}

// AddAccount adds a user to a tenant, or replaces the one of the same ID. It panics like [New], and when there is no such tenant.
func (s *Server) AddAccount(tenantID string, kind Kind, a Account) {
	s.edit(tenantID, kind, func(t *Tenant) {
		a = a.clone()
		t.Users = append(slices.DeleteFunc(t.Users, func(other Account) bool { return other.ID == a.ID }), a)
	})
}

// AddApplication registers an application in a tenant, or replaces the one of the same ID. It panics like [New], and when there
// is no such tenant.
func (s *Server) AddApplication(tenantID string, kind Kind, a Application) {
	s.edit(tenantID, kind, func(t *Tenant) {
		a = a.clone()
		i := slices.IndexFunc(t.Applications, func(other Application) bool { return other.ID == a.ID })
		if i < 0 {
			t.Applications = append(t.Applications, a)
		} else {
			t.Applications[i] = a
		}
	})
}

// edit puts a changed copy in the place of a tenant.
func (s *Server) edit(id string, kind Kind, change func(*Tenant)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.directory.tenants[tenantID{kind, strings.ToLower(id)}]
	if t == nil {
		panic(fmt.Sprintf("mockidp: no %v tenant %q", kind, id))
	}
	changed := t.Tenant.clone()
	change(&changed)
	s.directory.add(changed)
}

// Directory is a copy of what the server knows now.
func (s *Server) Directory() Directory {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.directory.description()
}

// description is a copy of the plain data.
func (d *directory) description() Directory {
	var plain Directory
	for _, t := range ordered(d.tenants) {
		plain.Tenants = append(plain.Tenants, t.Tenant.clone())
	}
	for _, a := range d.personal {
		plain.PersonalAccounts = append(plain.PersonalAccounts, a.clone())
	}
	return plain
}

// RemoveTenant removes a tenant: its documents are answered as Microsoft does for a tenant that does not exist. It does nothing
// when there is none.
func (s *Server) RemoveTenant(id string, kind Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory.remove(tenantID{kind, strings.ToLower(id)})
}
