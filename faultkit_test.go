package identity_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// The hosts of the fault suite: what happens to the victim's must not be noticed on the neighbour's.
const (
	victimHost    = "login.microsoftonline.com"
	neighbourHost = "contosob2c.b2clogin.com"
)

// network is one of real sockets between the default client's transport and a started mock, which every name leads to.
type network struct {
	idp       *mockidp.Server
	transport *http.Transport

	mu        sync.Mutex        // guards what follows
	elsewhere map[string]string // by host: the address that is dialled instead of the mock's
	dialled   map[string]int    // by host
}

func newNetwork(t testing.TB, idp *mockidp.Server) *network {
	n := &network{idp: idp, transport: identity.KeyTransport(new(net.Dialer)), elsewhere: make(map[string]string), dialled: make(map[string]int)}
	n.transport.TLSClientConfig = &tls.Config{RootCAs: idp.CA()}
	n.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, n.dial(host))
	}
	t.Cleanup(n.transport.CloseIdleConnections)
	return n
}

// dial notes that a host is dialled, and says where that is.
func (n *network) dial(host string) (address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialled[host]++
	if address, ok := n.elsewhere[host]; ok {
		return address
	}
	return strings.TrimPrefix(n.idp.URL, "https://")
}

// lead leads a host to another address from now on.
func (n *network) lead(host, address string) (restore func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.elsewhere[host] = address
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.elsewhere, host)
	}
}

// faultAPI is a keyAPI over a network, with a clock that can be advanced. It trusts the victim, tenant A, and the neighbour, a B2C tenant.
type faultAPI struct {
	*keyAPI
	network *network
	advance func(time.Duration)
	timeout time.Duration
	ended   chan identity.FetchInfo // the victim's fetches
}

func newFaultAPI(t testing.TB) *faultAPI {
	t.Helper()
	n := newNetwork(t, mockidp.Start(t))
	f := &faultAPI{network: n, timeout: fetchTimeout, ended: make(chan identity.FetchInfo, 100)}
	f.keyAPI = newKeyAPI(t, n.idp, func(cfg *identity.Config) {
		cfg.Tenants = allKinds()
		cfg.Keys.HTTPClient = &http.Client{Transport: n.transport}
		cfg.Observe.Trace.KeysFetched = func(_ context.Context, info identity.FetchInfo) {
			if strings.HasPrefix(info.Metadata, "https://"+victimHost+"/") {
				f.ended <- info
			}
		}
	})
	f.advance = identity.ControlClock(f.verifier)
	return f
}

// begin lets a fault begin, on new connections. The neighbour does not notice, though its keys are not known yet.
func (f *faultAPI) begin(t testing.TB, fault fault) (lift func()) {
	t.Helper()
	remove := fault.begin(f.network)
	f.network.transport.CloseIdleConnections()
	f.neighbour(t)
	if fault.slow {
		f.patience(shortTimeout)
	}
	return func() {
		remove()
		f.patience(fetchTimeout)
	}
}

// shortTimeout bounds a fetch that is known to fail by its time-out.
const shortTimeout = 300 * time.Millisecond

func (f *faultAPI) patience(timeout time.Duration) {
	f.timeout = timeout
	identity.SetTimeout(f.verifier, timeout)
}

func (f *faultAPI) neighbour(t testing.TB) {
	t.Helper()
	f.get(f.idp.Tenant(mockidp.Shop).Token(mockidp.ExpiresIn(decade))).accepted(t)
}

const decade = 10 * 365 * 24 * time.Hour

// atOnceInTime sends requests side by side. None may wait for longer than a fetch may take, and one second.
func (f *faultAPI) atOnceInTime(t testing.TB, tokens ...string) []*answer {
	t.Helper()
	began := time.Now()
	answers := f.atOnce(len(tokens), func(i int) string { return tokens[i] })
	if took := time.Since(began); took > f.timeout+time.Second {
		t.Fatalf("took: got=%v, want at most %v and a second", took, f.timeout)
	}
	return answers
}

// ends waits for the end of a fetch of the victim's and says what came of it.
func (f *faultAPI) ends(t testing.TB) identity.FetchInfo {
	t.Helper()
	select {
	case info := <-f.ended:
		return info
	case <-time.After(time.Minute):
		t.Fatal("no fetch ends")
		panic("unreachable")
	}
}

// fails waits for the end of a fetch that must fail, for a reason.
func (f *faultAPI) fails(t testing.TB, cause string) {
	t.Helper()
	if info := f.ends(t); info.Err == nil || !strings.Contains(info.Err.Error(), cause) {
		t.Fatalf("fetch: got=%v, want an error with %q", info.Err, cause)
	}
}

// succeeds waits for the end of a fetch that must not fail.
func (f *faultAPI) succeeds(t testing.TB) {
	t.Helper()
	if info := f.ends(t); info.Err != nil {
		t.Fatalf("fetch: got=%v, want no error", info.Err)
	}
}

// bounded requires a number of fetches of the victim's since the start, beside the neighbour's one; that each asked a few times at most;
// and that no other host was dialled.
func (f *faultAPI) bounded(t testing.TB, fetches int) {
	t.Helper()
	if got := int(f.verifier.Stats().Fetches) - 1; got != fetches {
		t.Fatalf("fetches: got=%d, want=%d", got, fetches)
	}
	const each = 4 // three redirects, or a second try on a new connection
	for _, endpoint := range []mockidp.Endpoint{mockidp.Discovery, mockidp.JWKS} {
		asked := f.idp.CountIf(func(r mockidp.Request) bool { return r.Host == victimHost && r.Endpoint == endpoint })
		if asked > each*fetches {
			t.Fatalf("%v: got=%d requests in %d fetches", endpoint, asked, fetches)
		}
	}
	f.network.mu.Lock()
	defer f.network.mu.Unlock()
	for host, n := range f.network.dialled {
		if host != victimHost && host != neighbourHost || n > 2*each*(fetches+1) {
			t.Fatalf("dialled %s %d times in %d fetches", host, n, fetches)
		}
	}
}
