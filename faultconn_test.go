package identity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// One policy's key server never comes to an end. The requests that need it wait, and nobody else's do: neither another policy's on the
// same host, nor another tenant's, whether their keys are known or not. All that with a time-out that nobody could sit out.
func TestTroubleOfOnePolicy(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mockidp.Fault{
		"silence instead of discovery": {Endpoint: onDiscovery, Silence: true},
		"silence instead of the keys":  {Endpoint: onKeys, Silence: true},
		"silence amid the keys":        {Endpoint: onKeys, Silence: true, Truncate: true},
		"a byte a second":              {Drip: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaultAPI(t)
			f.patience(time.Minute)
			fault.Policy = "B2C_1_susi"
			f.idp.Inject(fault)
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			shop := f.idp.Tenant(mockidp.Shop)
			const waiting = 50
			answers := make(chan *answer, waiting)
			for range waiting {
				request := bearer(shop.Token()).WithContext(ctx)
				go func() { answers <- f.do(request) }()
			}
			for range 3 { // the first of each is cold
				f.get(shop.Token(mockidp.Policy("B2C_1A_custom"))).accepted(t)
				f.get(f.good()).accepted(t)
				f.get(f.idp.Tenant(mockidp.Customers).Token()).accepted(t)
			}
			f.get(f.unknown(0)).refused(t, identity.ErrKeyNotFound) // a forced refresh
			select {
			case got := <-answers:
				t.Fatalf("the others were not answered while the policy's requests wait: got=%d %v", got.status, got.err)
			default:
			}
			giveUp() // C22
			for range waiting {
				(<-answers).refused(t, identity.ErrKeysUnavailable)
			}
			if n := f.idp.CountIf(func(r mockidp.Request) bool { return r.Policy == "b2c_1_susi" }); n > 2 {
				t.Fatalf("requests for the policy: got=%d, want one fetch's", n)
			}
		})
	}
}

// A connection that the network has lost, and does not say so, costs one attempt: the next one makes a new connection. The server
// offers HTTP/2, over which the default client would go on with the lost one.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	server := httptest.NewUnstartedServer(idp)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	relay := newRelay(t, server.Listener.Addr().String())
	authorities := x509.NewCertPool()
	authorities.AddCert(server.Certificate())
	transport := identity.KeyTransport(new(net.Dialer))
	transport.TLSClientConfig = &tls.Config{RootCAs: authorities, ServerName: "example.com"} // as httptest's certificate says
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, relay.listener.Addr().String())
	}
	defer transport.CloseIdleConnections()
	a := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Keys.HTTPClient = &http.Client{Transport: transport} })
	advance := identity.ControlClock(a.verifier)
	a.get(a.good()).accepted(t)

	relay.lose()
	identity.SetTimeout(a.verifier, shortTimeout)
	a.get(a.unknown(0)).refused(t, identity.ErrKeysUnavailable)
	identity.SetTimeout(a.verifier, fetchTimeout)
	fresh := a.idp.Tenant(tenantA).Keys().Rotate()
	advance(30 * time.Second)
	a.get(a.good(mockidp.SignedBy(fresh))).accepted(t)
}

// relay passes bytes on in both directions.
type relay struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns []net.Conn
	lost  map[net.Conn]bool
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: target, lost: make(map[net.Conn]bool)}
	r.work.Go(r.accept)
	t.Cleanup(func() {
		listener.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			c.Close()
		}
		r.mu.Unlock()
		r.work.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			near.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, near, far)
		r.mu.Unlock()
		r.work.Go(func() { r.pass(near, far) })
		r.work.Go(func() { r.pass(far, near) })
	}
}

// pass ends with either connection. What comes from a lost one it swallows.
func (r *relay) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		r.mu.Lock()
		lost := r.lost[from]
		r.mu.Unlock()
		if lost {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// lose loses all connections that there are, without a word to either side.
func (r *relay) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		r.lost[c] = true
	}
}
