package mockidp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the mock. It is an [http.Handler]; what a request reaches depends on its host and path alone, so that one server
// stands in for all of Microsoft's hosts. Make it with [New], [Start] or [Listen]. It is safe for concurrent use.
type Server struct {
	// URL is the origin of a server that listens, "https://127.0.0.1:port"; it is empty for one made by New. It must not be modified.
	// Everything is reached there, by path, and issuers in its documents are on it.
	URL string

	now       func() time.Time
	transport *transport
	authority *authority    // nil unless the server listens with a certificate of its own
	closing   chan struct{} // closed when a server that listens ends; nil otherwise
	listener  *listener     // nil unless the server listens
	remote    bool          // any host that is nobody else's is this server
	admin     *admin        // nil: there is no admin API

	materials atomic.Int64 // how much of the pool is taken
	stranger  func() *Key
	ecKey     func() *ecdsa.PrivateKey

	mu        sync.RWMutex // guards directory and sets
	directory directory
	sets      map[keySetID]*KeySet

	sessions     sessions
	pollInterval time.Duration // zero: the usual one

	faults   faults
	recorder recorder
	issued   issuedTokens
}

// Option changes a server under construction.
type Option func(*Server)

// WithTenants replaces the default directory: [Contoso], [Fabrikam], [Shop] and [Customers].
func WithTenants(tenants ...Tenant) Option {
	return func(s *Server) {
		s.directory = newDirectory(tenants)
	}
}

// WithDirectory replaces the default directory, [DefaultDirectory]. Unlike WithTenants it checks that all permissions and roles
// that are given exist.
func WithDirectory(d Directory) Option {
	if p := d.problems(); len(p) > 0 {
		panic("mockidp: " + strings.Join(p.texts(), "\nmockidp: "))
	}
	tenants, personal := make([]Tenant, len(d.Tenants)), d.accounts()
	for i, t := range d.Tenants {
		tenants[i] = t.clone()
	}
	return func(s *Server) {
		s.directory = newDirectory(tenants)
		s.directory.personal = personal
	}
}

// WithClock sets the clock that tokens and records take their times from. Without it, that is [time.Now], which is the fake clock
// inside a testing/synctest bubble. It must be safe for concurrent use. Delays of faults do not use it.
func WithClock(now func() time.Time) Option {
	return func(s *Server) { s.now = now }
}

// New makes a server that lives in memory: it opens no socket and starts no goroutine, and nothing has to be closed. It panics
// on a tenant that cannot be. For tests only.
func New(opts ...Option) *Server {
	s := &Server{
		now:  time.Now,
		sets: make(map[keySetID]*KeySet),
	}
	for _, o := range opts {
		o(s)
	}
	if s.directory.tenants == nil {
		s.directory = newDirectory(defaultTenants())
		s.directory.personal = DefaultDirectory().accounts()
	}
	if s.admin != nil {
		s.now = s.admin.clock.over(s.now)
	}
	s.transport = &transport{srv: s}
	s.stranger = sync.OnceValue(func() *Key { return newCertifiedKey(s.nextMaterial(), "stranger", s.now()) })
	s.ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(fmt.Sprintf("mockidp: EC key: %v", err))
		}
		return key
	})
	return s
}

// Tenant is the handle of a tenant. It panics when the server has none of this ID, or several of different kinds: then use
// [Server.TenantOf].
func (s *Server) Tenant(id string) *TenantHandle {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found *tenant
	for kind := Workforce; kind <= External; kind++ {
		if t := s.directory.tenants[tenantID{kind, strings.ToLower(id)}]; t != nil {
			if found != nil {
				panic(fmt.Sprintf("mockidp: tenant %q is of several kinds, use TenantOf", id))
			}
			found = t
		}
	}
	if found == nil {
		panic(fmt.Sprintf("mockidp: no tenant %q", id))
	}
	return &TenantHandle{srv: s, t: found}
}

// TenantOf is the handle of a tenant of one kind. It panics when the server has none.
func (s *Server) TenantOf(kind Kind, id string) *TenantHandle {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.directory.tenants[tenantID{kind, strings.ToLower(id)}]
	if t == nil {
		panic(fmt.Sprintf("mockidp: no %v tenant %q", kind, id))
	}
	return &TenantHandle{srv: s, t: t}
}

// CloudKeys is the one key set of all workforce tenants of a cloud.
func (s *Server) CloudKeys(c Cloud) *KeySet {
	return s.keySet(keySetID{cloud: c.facts().cloud})
}

func (s *Server) keySet(id keySetID) *KeySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.sets[id]
	if set == nil {
		set = &KeySet{srv: s, id: id}
		s.sets[id] = set
	}
	return set
}

// nextMaterial takes the next key from the pool.
func (s *Server) nextMaterial() *rsa.PrivateKey {
	return material(int(s.materials.Add(1) - 1))
}

// Transport carries requests to the server, whatever Microsoft host or custom domain they name. Any other host fails as a host
// that cannot be resolved, and the attempt is recorded.
//
// For a server made by New the requests stay in memory: they are answered in the calling goroutine and end with their context.
// For a started one they go over real TLS connections, with a certificate valid for the host that the request names.
func (s *Server) Transport() http.RoundTripper { return s.transport }

// Client is a client on [Server.Transport], a new one with each call.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.transport} }

// CA is the authority of the certificates that a server makes when it listens; nil where it makes none.
func (s *Server) CA() *x509.CertPool {
	if s.authority == nil {
		return nil
	}
	return s.authority.pool()
}

// CACertificate is the authority's certificate, for clients that read it from a file; nil where CA is. It must not be modified.
func (s *Server) CACertificate() *x509.Certificate {
	if s.authority == nil {
		return nil
	}
	return s.authority.certificate
}
