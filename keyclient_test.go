package identity_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// jar is a cookie jar that must not be used.
type jar struct{ t testing.TB }

func (j jar) SetCookies(*url.URL, []*http.Cookie) { j.t.Error("a cookie was kept") }
func (j jar) Cookies(*url.URL) []*http.Cookie     { j.t.Error("a cookie was asked for"); return nil }

// What a client of the caller's leaves out of the check of its peer is logged at start-up, and nothing is where it leaves nothing out.
func TestUnverifiedClientIsLogged(t *testing.T) {
	t.Parallel()
	client := func(config *tls.Config) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	}
	for _, row := range []struct {
		name   string
		client *http.Client
		logged bool
	}{
		{"every certificate is taken", client(&tls.Config{InsecureSkipVerify: true}), true},
		{"certificates are verified", client(&tls.Config{}), false},
		{"a client without settings for TLS", client(nil), false},
		{"a client without a transport", new(http.Client), false},
		{"a transport of another kind", &http.Client{Transport: roundTripper(nil)}, false},
		{"no client", nil, false},
	} {
		var log bytes.Buffer
		cfg := identity.Config{ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: tenantA})}
		cfg.Keys.HTTPClient = row.client
		cfg.Observe.Logger = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := identity.New(cfg); err != nil {
			t.Fatal(err)
		}
		got := log.String()
		if warned := strings.Contains(got, "level=WARN") && strings.Contains(got, "InsecureSkipVerify"); warned != row.logged || !row.logged && got != "" {
			t.Errorf("%s: got=%q, want logged=%v", row.name, got, row.logged)
		}
	}
}

// C20: a client of the caller's carries every request, and keeps no say in redirects and cookies.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var carried atomic.Int64
	a := newKeyAPI(t, idp, func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = &http.Client{Jar: jar{t}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			carried.Add(1)
			if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" || r.Method != http.MethodGet {
				t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
			}
			return idp.Transport().RoundTrip(r)
		})}
	})
	idp.Inject(mockidp.Fault{Header: http.Header{"Set-Cookie": {"a=b"}}})
	a.get(a.token()).accepted(t)
	a.get(a.token(mockidp.KeyID("unknown"))).refused(t, identity.ErrKeyNotFound)
	if got := carried.Load(); got != 4 || idp.Count(mockidp.AnyEndpoint) != 4 {
		t.Fatalf("carried: got=%d of %d, want=4", got, idp.Count(mockidp.AnyEndpoint))
	}
}

// C21: what the caller changes in its client and configuration afterwards has no effect.
func TestClientIsCopied(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	client := idp.Client()
	cfg := identity.Config{ClientID: mockidp.API, Tenants: workforceA(), Keys: identity.KeyOptions{HTTPClient: client}}
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	broken := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("the changed client was used") })
	client.Transport = broken
	client.Timeout = 1
	client.Jar = jar{t}
	cfg.Keys.TTL, cfg.Keys.HTTPClient = 0, &http.Client{Transport: broken}
	if _, err := v.Verify(t.Context(), idp.Tenant(tenantA).Token()); err != nil {
		t.Fatal(err)
	}
	if w, err := identity.New(cfg); err != nil { // the neighbour: the changes do break a client
		t.Fatal(err)
	} else if _, err := w.Verify(t.Context(), idp.Tenant(tenantA).Token()); !errors.Is(err, identity.ErrKeysUnavailable) {
		t.Fatalf("got=%v, want=%v", err, identity.ErrKeysUnavailable)
	}
}

// C26: with the mock in memory nothing is resolved and nothing dialled. The neighbour, a started mock, shows that it would be seen.
func TestNoSocketInMemory(t *testing.T) {
	t.Parallel()
	for _, sockets := range []bool{false, true} {
		idp := mockidp.New()
		if sockets {
			idp = mockidp.Start(t)
		}
		a := newKeyAPI(t, idp, nil)
		var dialled atomic.Int64
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			DNSStart:     func(httptrace.DNSStartInfo) { dialled.Add(1) },
			ConnectStart: func(string, string) { dialled.Add(1) },
		})
		got := &answer{request: bearer(a.token())}
		a.e.ServeHTTP(httptest.NewRecorder(), got.request.WithContext(context.WithValue(ctx, answerKey{}, got)))
		if !got.reached {
			t.Fatalf("got=%v, want the handler reached", got.err)
		}
		if (dialled.Load() > 0) != sockets {
			t.Fatalf("sockets=%v: dialled %d times", sockets, dialled.Load())
		}
	}
}

// The same rules over real TLS connections: Microsoft's host names, certificates and all.
func TestRealConnections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault mockidp.Fault
		ok    bool
	}{
		{"good", mockidp.Fault{}, true},
		{"gzip", mockidp.Fault{Gzip: true}, true},
		{"reset", mockidp.Fault{Reset: true}, false},
		{"cut off", mockidp.Fault{Endpoint: mockidp.JWKS, Truncate: true}, false},
		{"oversize", mockidp.Fault{PadTo: 1<<20 + 1}, false},
		{"gzip bomb", mockidp.Fault{Endpoint: mockidp.JWKS, Gzip: true, PadTo: 4 << 20}, false},
		{"redirect to http", mockidp.Fault{Redirect: "http://login.microsoftonline.com/"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newKeyAPI(t, mockidp.Start(t), nil)
			remove := a.idp.Inject(tt.fault)
			got := a.get(a.token())
			if tt.ok {
				got.accepted(t)
				return
			}
			got.refused(t, identity.ErrKeysUnavailable)
			remove()
			b := newKeyAPI(t, a.idp, nil)
			b.get(b.token()).accepted(t)
		})
	}
}

// A client that does not know the authority of a certificate gets no keys: no option of ours would change that.
func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	tenants := func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Cloud: identity.Cloud(idp.URL)})
	}
	token := idp.Tenant(tenantA).Token(mockidp.IssuedBy(idp.URL))
	trusting := newKeyAPI(t, idp, tenants)
	trusting.get(token).accepted(t)
	asked := idp.Count(mockidp.AnyEndpoint)
	standard := newKeyAPI(t, idp, func(cfg *identity.Config) {
		tenants(cfg)
		cfg.Keys.HTTPClient = nil
	})
	standard.get(token).refused(t, identity.ErrKeysUnavailable)
	if !strings.Contains(standard.log.String(), "certificate") {
		t.Fatalf("log: got=%s, want the certificate as the cause", standard.log)
	}
	if got := idp.Count(mockidp.AnyEndpoint); got != asked {
		t.Fatalf("requests without trust: got=%d, want=0", got-asked)
	}
}

// NewKeyClient takes another certificate authority; two of them share nothing.
func TestNewKeyClient(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	roots := x509.NewCertPool()
	roots.AddCert(idp.CACertificate())
	trusting, standard := identity.NewKeyClient(), identity.NewKeyClient()
	trusting.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	for client, want := range map[*http.Client]error{trusting: nil, standard: identity.ErrKeysUnavailable} {
		v, err := identity.New(identity.Config{
			ClientID: mockidp.API,
			Tenants:  identity.NewRegistry(identity.Tenant{ID: tenantA, Cloud: identity.Cloud(idp.URL)}),
			Keys:     identity.KeyOptions{HTTPClient: client},
			Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), idp.Tenant(tenantA).Token(mockidp.IssuedBy(idp.URL))); !errors.Is(err, want) {
			t.Fatalf("got=%v, want=%v", err, want)
		}
		client.CloseIdleConnections()
	}
}

// The default client, the name service and the proxy environment belong to the process, so they are tested in one of their own:
// the test binary runs itself. There every name resolves to 127.0.0.1, without a name server.
func TestDefaultClient(t *testing.T) {
	if os.Getenv("IDENTITY_TEST_CHILD") != "" {
		asDefaultClient(t)
		return
	}
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Value // what came in last
	asked.Store("")
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		w.WriteHeader(http.StatusBadGateway)
	})}}
	server.Start()
	defer server.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	tests := []struct {
		name  string
		cloud string
		proxy string
		own   bool   // a client of the caller's, made by NewKeyClient
		asked string // what must arrive at the listener
		cause string // what the log must say
	}{
		{"a name that resolves to loopback", "https://login.contoso.example:" + port, "", false, "", "resolves to a private address"},
		{"Microsoft's own host, poisoned", "", "", false, "", "resolves to a private address"},
		{"Microsoft's own host, poisoned, own client", "", "", true, "", "resolves to a private address"},
		{"a configured loopback address", "http://127.0.0.1:" + port, "", false, "GET 127.0.0.1:" + port, "502"},
		{"localhost", "http://localhost:" + port, "", false, "GET localhost:" + port, "502"},
		{"localhost, own client", "http://localhost:" + port, "", true, "GET localhost:" + port, "502"},
		{"through the operator's proxy", "", "http://proxy.example:" + port, false, "CONNECT login.microsoftonline.com:443", "Bad Gateway"},
		{"through the operator's proxy, own client", "", "http://proxy.example:" + port, true, "CONNECT login.microsoftonline.com:443", "Bad Gateway"},
	}
	issuer := mockidp.New().Tenant(tenantA)
	for _, tt := range tests {
		asked.Store("")
		token := issuer.Token()
		if tt.cloud != "" {
			token = issuer.Token(mockidp.IssuedBy(tt.cloud))
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDefaultClient$", "-test.v", "-test.paniconexit0")
		cmd.Env = append(os.Environ(), "IDENTITY_TEST_CHILD="+token, "IDENTITY_TEST_CLOUD="+tt.cloud, fmt.Sprint("IDENTITY_TEST_OWN=", tt.own), "HTTPS_PROXY="+tt.proxy, "HTTP_PROXY=", "NO_PROXY=",
			"https_proxy=", "http_proxy=", "no_proxy=")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.cause) {
			t.Fatalf("%s: got=%v\n%s\nwant cause %q", tt.name, err, out, tt.cause)
		}
		if got := asked.Load(); got != tt.asked {
			t.Fatalf("%s: the listener was asked %q, want=%q", tt.name, got, tt.asked)
		}
	}
}

// asDefaultClient verifies a token with the default client and prints the log. It has the process to itself.
func asDefaultClient(t *testing.T) {
	loopback := nameServer(func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	net.DefaultResolver = loopback.resolver()
	a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = nil
		if os.Getenv("IDENTITY_TEST_OWN") == "true" {
			cfg.Keys.HTTPClient = identity.NewKeyClient()
		}
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Cloud: identity.Cloud(os.Getenv("IDENTITY_TEST_CLOUD"))})
	})
	a.get(os.Getenv("IDENTITY_TEST_CHILD")).refused(t, identity.ErrKeysUnavailable)
	fmt.Println(a.log)
}

// C27: options out of range are refused by name; zero means the default.
func TestKeyOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		keys  identity.KeyOptions
		field string // of the fault; empty: accepted
	}{
		{"zero", identity.KeyOptions{}, ""},
		{"TTL negative", identity.KeyOptions{TTL: -1}, "TTL"},
		{"TTL below a minute", identity.KeyOptions{TTL: time.Minute - 1}, "TTL"},
		{"TTL a minute", identity.KeyOptions{TTL: time.Minute}, ""},
		{"TTL over a day", identity.KeyOptions{TTL: 48 * 60 * time.Minute}, ""}, // MaxStale follows
		{"MaxStale negative", identity.KeyOptions{MaxStale: -1}, "MaxStale"},
		{"MaxStale below the TTL", identity.KeyOptions{MaxStale: 60*time.Minute - 1}, "MaxStale"},
		{"MaxStale below an own TTL", identity.KeyOptions{TTL: 2 * time.Minute, MaxStale: time.Minute}, "MaxStale"},
		{"MaxStale equal to the TTL", identity.KeyOptions{TTL: 2 * time.Minute, MaxStale: 2 * time.Minute}, ""},
		{"Cooldown negative", identity.KeyOptions{Cooldown: -1}, "Cooldown"},
		{"Cooldown below a second", identity.KeyOptions{Cooldown: time.Second - 1}, "Cooldown"},
		{"Cooldown a second", identity.KeyOptions{Cooldown: time.Second}, ""},
		{"Timeout negative", identity.KeyOptions{Timeout: -1}, "Timeout"},
		{"Timeout over a minute", identity.KeyOptions{Timeout: time.Minute + 1}, "Timeout"},
		{"Timeout a minute", identity.KeyOptions{Timeout: time.Minute}, ""},
		{"MaxSets negative", identity.KeyOptions{MaxSets: -1}, "MaxSets"},
		{"MaxSets one", identity.KeyOptions{MaxSets: 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: workforceA(), Keys: tt.keys})
			switch {
			case tt.field == "" && err != nil:
				t.Fatalf("got=%v, want no fault", err)
			case tt.field != "" && (err == nil || !strings.Contains(err.Error(), "Config.Keys."+tt.field+": ")):
				t.Fatalf("got=%v, want a fault of %s", err, tt.field)
			case tt.field != "" && strings.Count(err.Error(), "Config.Keys.") != 1:
				t.Fatalf("got=%v, want one fault", err)
			}
		})
	}
	_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: workforceA(),
		Keys: identity.KeyOptions{TTL: -1, MaxStale: -1, Cooldown: -1, Timeout: -1, MaxSets: -1}})
	if err == nil || strings.Count(err.Error(), "Config.Keys.") != 5 {
		t.Fatalf("got=%v, want five faults at once", err)
	}
}
