package mockidp

import (
	"fmt"
	"strings"
)

// directory is the tenants of a server, indexed: a test may register a hundred thousand. The server's lock guards it.
type directory struct {
	tenants  map[tenantID]*tenant
	domains  map[domainID]*tenant
	owners   map[string]*tenant     // by host, of B2C and External ID
	privates map[string]*cloudFacts // private deployments by host; they outlive their tenants
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
		tenants:  make(map[tenantID]*tenant),
		domains:  make(map[domainID]*tenant),
		owners:   make(map[string]*tenant),
		privates: make(map[string]*cloudFacts),
	}
	for _, t := range tenants {
		d.add(t)
	}
	return d
}

// add adds or changes a tenant. It panics when the tenant cannot be, or claims a name of another one.
func (d *directory) add(description Tenant) {
	t := description.checked()
	for _, host := range t.ownHosts() {
		if other := d.owners[host]; other != nil && (other.ID != t.ID || other.Kind != t.Kind) {
			panic(fmt.Sprintf("mockidp: tenant %q: host %q belongs to tenant %s", t.ID, host, other.ID))
		}
		if cloudByHost(host) != nil {
			panic(fmt.Sprintf("mockidp: tenant %q: host %q belongs to a cloud", t.ID, host))
		}
	}
	name := domainID{t.Kind, t.cloud.cloud, t.domain()}
	if other := d.domains[name]; other != nil && other.ID != t.ID {
		panic(fmt.Sprintf("mockidp: tenant %q: domain %q belongs to tenant %s", t.ID, t.domain(), other.ID))
	}
	d.remove(tenantID{t.Kind, t.ID})
	d.tenants[tenantID{t.Kind, t.ID}] = t
	if name.domain != "" {
		d.domains[name] = t
	}
	for _, host := range t.ownHosts() {
		d.owners[host] = t
	}
	if !t.cloud.known() {
		d.privates[hostOf(t.cloud.origin)] = t.cloud
	}
}

func (d *directory) remove(id tenantID) {
	t := d.tenants[id]
	if t == nil {
		return
	}
	delete(d.tenants, id)
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

// AddTenant adds a tenant, or changes the one of the same ID and kind, whose keys stay. It panics like [New]. Handles made before
// keep the tenant as it was.
func (s *Server) AddTenant(t Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory.add(t)
}

// RemoveTenant removes a tenant: its documents are answered as Microsoft does for a tenant that does not exist. It does nothing
// when there is none.
func (s *Server) RemoveTenant(id string, kind Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory.remove(tenantID{kind, strings.ToLower(id)})
}
