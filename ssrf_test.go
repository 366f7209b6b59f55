package identity_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const (
	onDiscovery   = mockidp.Discovery
	onKeys        = mockidp.JWKS
	discoveryPath = "/v2.0/.well-known/openid-configuration"
)

// internet is what the default client's transport finds beyond this machine: a name server of the test's, and behind every address
// that passes the check of the dialler, the mock. Nothing else is connected to.
type internet struct {
	idp   *mockidp.Server
	names nameServer

	mu     sync.Mutex // guards what follows
	asked  []string   // names, once each
	dialed []string   // addresses that passed
}

var errPublic = errors.New("the address is public")

func newInternet(t testing.TB, idp *mockidp.Server, names nameServer) (*internet, *http.Client) {
	n := &internet{idp: idp, names: names}
	transport := identity.KeyTransport(&net.Dialer{Resolver: nameServer(n.ask).resolver(), Control: n.control})
	transport.TLSClientConfig = &tls.Config{RootCAs: idp.CA()}
	ours := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		before := len(n.passed())
		conn, err := ours(ctx, network, address)
		if len(n.passed()) > before {
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(idp.URL, "https://"))
		}
		return conn, err
	}
	t.Cleanup(transport.CloseIdleConnections)
	return n, &http.Client{Transport: transport}
}

func (n *internet) ask(name string) []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.asked, name) {
		n.asked = append(n.asked, name)
	}
	return n.names(name)
}

// control is the check, with an end to every connection that it lets through.
func (n *internet) control(network, address string, c syscall.RawConn) error {
	if err := identity.PublicAddress(network, address, c); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed = append(n.dialed, address)
	return errPublic
}

// passed are the addresses that passed the check, in order.
func (n *internet) passed() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.dialed)
}

// on is a verifier whose tenant A is at an authority.
func on(t testing.TB, idp *mockidp.Server, client *http.Client, authority string) *keyAPI {
	t.Helper()
	return newKeyAPI(t, idp, func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = client
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Cloud: identity.Cloud(authority)})
	})
}

// private must be in the log where an address is refused.
const private = "resolves to a private address"

// C15: a configured name that resolves to an address that is not public is not connected to, whatever the address looks like.
func TestNamesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		addresses []string
		passes    int // of them
	}{
		{"public", []string{"20.190.128.1"}, 1},
		{"public, IPv6", []string{"2603:1006:2000::1"}, 1},
		{"loopback", []string{"127.0.0.1"}, 0},
		{"loopback, elsewhere", []string{"127.8.8.8"}, 0},
		{"loopback, IPv6", []string{"::1"}, 0},
		{"private 10", []string{"10.1.2.3"}, 0},
		{"private 172", []string{"172.16.0.1"}, 0},
		{"private 192", []string{"192.168.0.1"}, 0},
		{"unique local", []string{"fd00:ec2::254"}, 0},
		{"metadata service", []string{"169.254.169.254"}, 0},
		{"link-local, IPv6", []string{"fe80::1"}, 0},
		{"carriers' NAT", []string{"100.100.100.200"}, 0},
		{"IPv4-mapped loopback", []string{"::ffff:127.0.0.1"}, 0},
		{"IPv4-mapped metadata service", []string{"::ffff:169.254.169.254"}, 0},
		{"IPv4-compatible loopback", []string{"::7f00:1"}, 0},
		{"NAT64 of loopback", []string{"64:ff9b::7f00:1"}, 0},
		{"NAT64 of a network's own", []string{"64:ff9b:1::a00:1"}, 0},
		{"6to4 of loopback", []string{"2002:7f00:1::"}, 0},
		{"Teredo", []string{"2001:0:7f00:1::"}, 0},
		{"site-local", []string{"fec0::1"}, 0},
		{"unspecified", []string{"0.0.0.0"}, 0},
		{"unspecified, IPv6", []string{"::"}, 0},
		{"this network", []string{"0.0.0.1"}, 0},
		{"multicast", []string{"224.0.0.1"}, 0},
		{"multicast, IPv6", []string{"ff02::1"}, 0},
		{"broadcast", []string{"255.255.255.255"}, 0},
		{"all that is private", []string{"10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1"}, 0},
		{"private and public", []string{"10.0.0.1", "20.190.128.1"}, 1},
		{"public and private", []string{"20.190.128.1", "10.0.0.1"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const authority = "https://login.contoso.example"
			idp := mockidp.Start(t, mockidp.WithTenants(mockidp.Tenant{ID: tenantA, Domain: "contoso", Cloud: authority}))
			n, client := newInternet(t, idp, func(name string) (addresses []netip.Addr) {
				if name == "login.contoso.example" {
					for _, address := range tt.addresses {
						addresses = append(addresses, netip.MustParseAddr(address))
					}
				}
				return addresses
			})
			a := on(t, idp, client, authority)
			got := a.get(a.token())
			if passed := n.passed(); len(passed) != tt.passes {
				t.Fatalf("passed: got=%v, want %d of %v", passed, tt.passes, tt.addresses)
			}
			if tt.passes > 0 {
				got.accepted(t)
				return
			}
			got.refused(t, identity.ErrKeysUnavailable)
			if log := a.log.String(); !strings.Contains(log, private) {
				t.Fatalf("log: got=%s, want %q", log, private)
			}
		})
	}
}

// DNS rebinding: the address counts that is dialled. What a name resolved to before is worth nothing, and the keys that it had stay.
func TestRebinding(t *testing.T) {
	t.Parallel()
	const authority = "https://login.contoso.example"
	idp := mockidp.Start(t, mockidp.WithTenants(mockidp.Tenant{ID: tenantA, Domain: "contoso", Cloud: authority}))
	at := netip.MustParseAddr("20.190.128.1")
	n, client := newInternet(t, idp, func(string) []netip.Addr { return []netip.Addr{at} })
	a := on(t, idp, client, authority)
	advance := identity.ControlClock(a.verifier)
	rebind := func(address string) {
		client.CloseIdleConnections()
		n.mu.Lock()
		defer n.mu.Unlock()
		at = netip.MustParseAddr(address)
	}
	a.get(a.good()).accepted(t)
	for i, address := range []string{"127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"} {
		rebind(address)
		advance(time.Minute)
		a.get(a.unknown(0)).refused(t, identity.ErrKeysUnavailable)
		a.get(a.good()).accepted(t)
		if got := strings.Count(a.log.String(), private); got < i+1 {
			t.Fatalf("%s: got=%d refusals to connect, want=%d", address, got, i+1)
		}
	}
	rebind("20.190.128.2")
	advance(time.Minute)
	a.get(a.unknown(0)).refused(t, identity.ErrKeyNotFound)
	if passed := n.passed(); slices.ContainsFunc(passed, func(s string) bool { return !strings.HasPrefix(s, "20.190.128.") }) {
		t.Fatalf("passed: got=%v, want public addresses only", passed)
	}
}

// Loopback and private addresses are for those who configured them: an authority there by address, or by the name localhost, is asked.
// A name that leads there is not, in whatever spelling. Some resolvers take numbers for addresses, and some for no name at all.
func TestConfiguredAuthorityOnLoopback(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	port := idp.URL[strings.LastIndexByte(idp.URL, ':'):]
	tests := []struct {
		host  string
		cause string // why it is not asked; empty: it is
	}{
		{"localhost", ""},
		{"127.0.0.1", ""},
		{"2130706433", "lookup 2130706433: no such host"},
		{"017700000001", "lookup 017700000001: no such host"},
		{"0177.0.0.1", "lookup 0177.0.0.1: no such host"},
		{"127.1", "lookup 127.1: no such host"},
		{"127.0.0.01", "lookup 127.0.0.01: no such host"},
		{"0x7f000001", private},
		{"0x7f.0.0.1", private},
		{"localhost.localdomain", private},
		{"app.localhost", private},
		{"ip6-localhost", private},
		{"login.contoso.example", private},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			t.Parallel()
			_, client := newInternet(t, idp, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
			authority := "https://" + tt.host + port
			a := on(t, idp, client, authority)
			got := a.get(a.token(mockidp.IssuedBy(authority)))
			if tt.cause == "" {
				got.accepted(t)
				return
			}
			got.refused(t, identity.ErrKeysUnavailable)
			if log := a.log.String(); !strings.Contains(log, tt.cause) {
				t.Fatalf("log: got=%s, want %q", log, tt.cause)
			}
		})
	}
}

// The same with the resolver of the system, which may read a number as an address: 127.0.0.1 in one, in octal, with a part left out.
// No resolver asks a name server for these.
func TestNumbersForTheSystemsResolver(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	port := idp.URL[strings.LastIndexByte(idp.URL, ':'):]
	for _, host := range []string{"2130706433", "017700000001", "0177.0.0.1", "127.1", "127.0.0.01"} {
		transport := identity.KeyTransport(&net.Dialer{Control: identity.PublicAddress})
		transport.TLSClientConfig = &tls.Config{RootCAs: idp.CA()}
		authority := "https://" + host + port
		a := on(t, idp, &http.Client{Transport: transport}, authority)
		a.get(a.token(mockidp.IssuedBy(authority))).refused(t, identity.ErrKeysUnavailable)
		if log := a.log.String(); !strings.Contains(log, private) && !strings.Contains(log, "no such host") {
			t.Fatalf("log: got=%s, want %q", log, private)
		}
	}
}

// C15, C16: an address in a discovery document, or in a redirect, leads nowhere but to the host that was configured, however it is
// spelled. No other name is even looked up.
func TestSpellingsOfAnAddress(t *testing.T) {
	t.Parallel()
	const host = "login.contoso.example"
	spellings := []struct {
		origin string
		ok     bool
	}{
		{"https://" + host, true},
		{"https://127.0.0.1", false},
		{"http://127.0.0.1", false},
		{"https://2130706433", false},
		{"https://0x7f000001", false},
		{"https://017700000001", false},
		{"https://0177.0.0.1", false},
		{"https://127.1", false},
		{"http://169.254.169.254", false},
		{"http://2852039166", false}, // 169.254.169.254
		{"http://0xa9fea9fe", false},
		{"http://[::ffff:169.254.169.254]", false},
		{"http://[::ffff:a9fe:a9fe]", false},
		{"http://[64:ff9b::a9fe:a9fe]", false},
		{"http://[fd00:ec2::254]", false},
		{"https://[fe80::1]", false},
		{"https://[fe80::1%25eth0]", false},
		{"https://[::]", false},
		{"https://0", false},
		{"https://0.0.0.0", false},
		{"https://localhost", false},
		{"https://metadata.google.internal", false},
		{"https://user:word@" + host, false},
		{"https://@" + host, false},
		{"https://" + host + ".", false},
		{"https://" + host + ":8443", false},
		{"https://" + host + ":0443", false},
		{"https://" + host + ":", false},
		{"https://" + host + ":443@127.0.0.1", false},
		{"https://" + host + "@127.0.0.1", false},
		{"https://" + host + "%40127.0.0.1", false},
		{"https://" + host + "%2f@127.0.0.1", false},
		{"https://" + host + `\\@127.0.0.1`, false}, // in JSON, and in the header, two of them
		{"https://127.0.0.1#@" + host, false},
		{"https://127.0.0.1?@" + host, false},
		{"https://" + host + "%00.example", false},
		{"https://" + host + ".127.0.0.1.nip.io", false},
		{"https://login。contoso。example", false},
		{"https://ⓛogin.contoso.example", false},
		{"https://login.contoso.example\u0000", false},
		{"http://" + host, false},
		{"ftp://" + host, false},
		{"file://" + host, false},
		{"gopher://" + host, false},
		{"unix://" + host, false},
		{"//127.0.0.1", false},
	}
	for _, s := range spellings {
		for what, fault := range map[string]mockidp.Fault{
			"jwks_uri":              edited(`"jwks_uri":"https://`+host, `"jwks_uri":"`+s.origin),
			"redirect of discovery": {Endpoint: onDiscovery, Times: 1, Redirect: s.origin + "/common" + discoveryPath},
			"redirect of keys":      {Endpoint: onKeys, Times: 1, Redirect: s.origin + "/common/discovery/v2.0/keys"},
		} {
			t.Run(s.origin+" "+what, func(t *testing.T) {
				t.Parallel()
				idp := mockidp.Start(t, mockidp.WithTenants(mockidp.Tenant{ID: tenantA, Domain: "contoso", Cloud: "https://" + host}))
				n, client := newInternet(t, idp, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("20.190.128.1")} })
				a := on(t, idp, client, "https://"+host)
				idp.Inject(fault)
				if got := a.get(a.token()); s.ok {
					got.accepted(t)
				} else {
					got.refused(t, identity.ErrKeysUnavailable)
				}
				n.mu.Lock()
				defer n.mu.Unlock()
				if len(n.asked) != 1 || n.asked[0] != host || slices.ContainsFunc(n.dialed, func(s string) bool { return s != "20.190.128.1:443" }) {
					t.Fatalf("looked up %v and dialled %v, want only %s", n.asked, n.dialed, host)
				}
			})
		}
	}
}
