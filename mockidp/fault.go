package mockidp

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Endpoint is a kind of document, or another thing that requests are for. The zero value, [AnyEndpoint], is a filter that lets all of
// them through.
type Endpoint int

// The endpoints.
const (
	AnyEndpoint   Endpoint = iota
	Discovery              // an OpenID configuration
	JWKS                   // a key set
	OtherEndpoint          // anything else: a path that nothing is served at, a host that nobody has
)

// The endpoints of the protocol, from AuthorizeEndpoint on.
const (
	AuthorizeEndpoint    Endpoint = iota + 10
	TokenEndpoint                 // every grant
	DeviceCodeEndpoint            // where a device gets its codes
	LogoutEndpoint                // where a session ends
	UserInfoEndpoint              // of OpenID Connect; on the host of Microsoft Graph, too
	InstanceDiscovery             // which hosts belong to a cloud
	UserRealm                     // asked for by clients before they send a password
	PageEndpoint                  // where pages post to, and the page that asks for a device's code
	AdminConsentEndpoint          // where an administrator consents for a whole tenant
)

var endpointNames = map[Endpoint]string{
	AnyEndpoint: "AnyEndpoint", Discovery: "Discovery", JWKS: "JWKS", OtherEndpoint: "OtherEndpoint",
	AuthorizeEndpoint: "AuthorizeEndpoint", TokenEndpoint: "TokenEndpoint", DeviceCodeEndpoint: "DeviceCodeEndpoint", LogoutEndpoint: "LogoutEndpoint",
	UserInfoEndpoint: "UserInfoEndpoint", InstanceDiscovery: "InstanceDiscovery", UserRealm: "UserRealm", PageEndpoint: "PageEndpoint",
	AdminConsentEndpoint: "AdminConsentEndpoint",
}

// String names the endpoint, for messages.
func (e Endpoint) String() string {
	if name, ok := endpointNames[e]; ok {
		return name
	}
	return fmt.Sprintf("Endpoint(%d)", int(e))
}

// Fault is something that goes wrong with an answer. The first group of fields says with which one; empty fields match every
// request. The second group says what happens; everything in it can be combined. The zero value hits every request and changes
// nothing.
type Fault struct {
	// Endpoint is the document. Zero means any.
	Endpoint Endpoint
	// Tenant is a tenant's GUID, or what stands for it in the path: a domain, "common". Case does not matter.
	Tenant string
	// Policy is a B2C policy. Case does not matter.
	Policy string
	// Host is the host that the request names, with the port when it has one.
	Host string
	// Times is how many requests are hit. Zero means all, until the fault is removed.
	Times int

	// Delay is waited before the answer. The wait ends with the request.
	Delay time.Duration
	// Status replaces the status code. From 400 on, without Body and Edit, the answer is a short JSON error instead of the document.
	Status int
	// Header is set on the answer. A header without values is removed.
	Header http.Header
	// Body, unless nil, replaces the answer.
	Body []byte
	// Edit changes the answer, or Body. It must not keep its argument, and be safe for concurrent use.
	Edit func(body []byte) []byte
	// Redirect is a Location; the status is 302 unless set.
	Redirect string
	// PadTo is a size that the answer is blown up to with JSON whitespace, in front: it is still valid, and too large.
	PadTo int64
	// Gzip compresses the answer, whether or not the client asked for it. With PadTo that is a bomb.
	Gzip bool
	// Drip sends one byte at a time, each after this long.
	Drip time.Duration
	// Truncate ends the connection after half the body. Content-Length announces the whole.
	Truncate bool
	// Reset resets the connection instead of answering; with Truncate, after half the body.
	Reset bool
	// Silence never answers, and with Truncate says nothing more after half the body. It ends when the client gives up, or with
	// the server.
	Silence bool
}

// faults are the faults of a server, oldest first.
type faults struct {
	mu     sync.Mutex // guards what follows
	active []*activeFault
	count  int // how many there ever were, which numbers them
}

type activeFault struct {
	Fault
	number int
	left   int // how many times more; meaningless when Times is zero
}

// Inject makes requests fail. One fault hits a request: of several that match, the one injected first, until it is used up or
// removed. remove may be called more than once. A request that has begun is not affected by removal.
func (s *Server) Inject(f Fault) (remove func()) {
	f.Header, f.Body = f.Header.Clone(), slices.Clone(f.Body)
	number := s.faults.add(&activeFault{Fault: f, left: f.Times})
	return func() { s.faults.remove(number) }
}

func (f *faults) add(a *activeFault) (number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	a.number = f.count
	f.active = append(f.active, a)
	return a.number
}

// remove tells whether the fault was still there.
func (f *faults) remove(number int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.active)
	f.active = slices.DeleteFunc(f.active, func(a *activeFault) bool { return a.number == number })
	return len(f.active) < before
}

// take finds the fault that hits a request and counts it.
func (f *faults) take(rt *route) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.active {
		if !a.matches(rt) {
			continue
		}
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				f.active = slices.Delete(f.active, i, i+1)
			}
		}
		return a.Fault
	}
	return Fault{}
}

func (f *Fault) matches(rt *route) bool {
	return (f.Endpoint == AnyEndpoint || f.Endpoint == rt.endpoint) &&
		(f.Tenant == "" || strings.EqualFold(f.Tenant, rt.pathTenant) || rt.tenant != nil && strings.EqualFold(f.Tenant, rt.tenant.ID)) &&
		(f.Policy == "" || strings.EqualFold(f.Policy, rt.policy)) &&
		(f.Host == "" || strings.EqualFold(f.Host, rt.host))
}

// replaces tells whether nothing is left of the answer.
func (f Fault) replaces() bool {
	return f.Edit == nil && (f.Body != nil || f.Status >= 400 || f.Redirect != "" || f.Reset || f.Silence)
}

// apply changes what the fault changes in the answer itself; the delivery does the rest.
func (f Fault) apply(a answer) answer {
	a.fault = f
	switch {
	case f.Body != nil:
		a.body = f.Body
	case f.Status >= 400 && f.Edit == nil:
		a.body = []byte(object{{"error", "temporarily_unavailable"}, {"error_description", http.StatusText(f.Status)}}.text())
	}
	if f.Edit != nil {
		a.body = f.Edit(slices.Clone(a.body))
	}
	if f.Redirect != "" {
		a.status = http.StatusFound
		a.header.Set("Location", f.Redirect)
	}
	if f.Status != 0 {
		a.status = f.Status
	}
	if f.Gzip {
		a.header.Set("Content-Encoding", "gzip")
	}
	for name, values := range f.Header {
		if len(values) == 0 {
			a.header.Del(name)
		} else {
			a.header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return a
}
