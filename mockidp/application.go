package mockidp

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// graphID is the client ID of Microsoft Graph, which every directory has.
const graphID = "00000003-0000-0000-c000-000000000000"

// application is a checked Application. It is immutable.
type application struct {
	Application
	home         *tenant // where it is registered; nil for Graph
	certificates []*x509.Certificate
}

// index makes the look-up tables of a tenant that was checked.
func (t *tenant) index() {
	t.accounts = make(map[string]*Account, len(t.Users))
	for i := range t.Users {
		t.accounts[strings.ToLower(t.Users[i].Login)] = &t.Users[i]
	}
	t.apps, t.apis = make(map[string]*application, len(t.Applications)), make(map[string]*application)
	for i := range t.Applications {
		a := &application{Application: t.Applications[i], home: t}
		for _, text := range a.Certificates {
			if c, err := parseCertificate(text); err == nil {
				a.certificates = append(a.certificates, c)
			}
		}
		t.apps[a.ID], t.apis[a.ID] = a, a
		for _, uri := range a.identifiers() {
			t.apis[strings.ToLower(uri)] = a
		}
	}
}

// identifiers are the Application ID URIs, without a final slash: clients write them with one or without.
func (a *application) identifiers() []string {
	if len(a.IdentifierURIs) == 0 {
		uris := []string{"api://" + a.ID}
		if domain := a.home.domain(); domain != "" {
			uris = append(uris, "https://"+domain+"/"+a.ID) // B2C's default
		}
		return uris
	}
	uris := slices.Clone(a.IdentifierURIs)
	for i := range uris {
		uris[i] = strings.TrimSuffix(uris[i], "/")
	}
	return uris
}

// displayName is what pages call it.
func (a *application) displayName() string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

// confidential applications have something to authenticate with.
func (a *application) confidential() bool {
	return len(a.Secrets)+len(a.ExpiredSecrets)+len(a.Certificates)+len(a.FederatedCredentials) > 0
}

// principal is the object ID of the application in a tenant.
func (a *application) principal(t *tenant) string {
	if a.ServicePrincipal != "" {
		return a.ServicePrincipal
	}
	return derivedGUID("service principal", a.ID, t.ID)
}

// permission is what the application may ask of an API.
func (a *application) permission(api string) (Permission, bool) {
	for _, p := range a.Permissions {
		if p.API == api {
			return p, true
		}
	}
	return Permission{}, false
}

// isGraph: Graph has no registration, has every scope, and its tokens are like no others.
func (a *application) isGraph() bool { return a.ID == graphID }

func graphOf(c *cloudFacts) *application {
	return &application{Application: Application{ID: graphID, Name: "Microsoft Graph", IdentifierURIs: []string{"https://" + c.graph}, TokenVersion: 1}}
}

// client finds the application of a client ID: registered in the tenant, or in another one for everybody. At common and its
// like it is looked for everywhere in the cloud.
func (s *Server) client(rt *route, id string) *application {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id = strings.ToLower(id)
	if rt.tenant != nil {
		if a := rt.tenant.apps[id]; a != nil || rt.tenant.Kind != Workforce {
			return a
		}
	}
	var found *application
	for _, t := range s.workforce(rt.facts()) {
		if a := t.apps[id]; a != nil && (a.MultiTenant || rt.shared && found == nil) {
			if found = a; a.MultiTenant {
				break
			}
		}
	}
	return found
}

// workforce lists the populated workforce tenants of a cloud; s.mu is held.
func (s *Server) workforce(c *cloudFacts) []*tenant {
	return slices.DeleteFunc(ordered(s.directory.populated), func(t *tenant) bool { return t.Kind != Workforce || t.cloud.cloud != c.cloud })
}

// api finds the application that a resource means to a client in a tenant. One that waits for an administrator's consent there is
// none, but for itself, who may ask for the consent.
func (s *Server) api(client *application, t *tenant, resource string) *application {
	a := s.apiAnywhere(t, resource)
	if a != nil && a.ID != client.ID && !s.installed(a, t) {
		return nil
	}
	return a
}

// apiAnywhere finds the application that a resource means to a tenant, by client ID or Application ID URI, with or without a final slash.
func (s *Server) apiAnywhere(t *tenant, resource string) *application {
	resource = strings.ToLower(strings.TrimSuffix(resource, "/"))
	if t.Kind != B2C && (resource == graphID || resource == "https://"+t.cloud.graph || resource == "00000002-0000-0000-c000-000000000000") {
		return graphOf(t.cloud)
	}
	if a := t.apis[resource]; a != nil || t.Kind != Workforce {
		return a
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, other := range s.workforce(t.cloud) {
		if a := other.apis[resource]; a != nil && (a.MultiTenant && t.ID != PersonalAccounts || a.PersonalAccounts && t.ID == PersonalAccounts) {
			return a
		}
	}
	return nil
}

// derivedGUID is the same for the same words, in every server.
func derivedGUID(words ...string) string {
	b := sha256.Sum256([]byte(strings.Join(words, "|")))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
