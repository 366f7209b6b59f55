package mockidp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// M1: production host names over real TLS.
func TestStart(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	if !strings.HasPrefix(idp.URL, "https://127.0.0.1:") {
		t.Fatalf("got=%q", idp.URL)
	}
	port := idp.URL[strings.LastIndexByte(idp.URL, ':'):]
	for _, origin := range []string{"https://login.microsoftonline.com", "https://login.microsoftonline.com" + port, idp.URL, "https://localhost" + port} {
		resp, body, err := get(t.Context(), idp.Client(), origin+"/common"+discoveryPath)
		if err != nil || resp.StatusCode != 200 || resp.TLS == nil {
			t.Errorf("%s: got=%v %s", origin, err, body)
			continue
		}
		if u := resp.Request.URL; resp.TLS.PeerCertificates[0].VerifyHostname(u.Hostname()) != nil {
			t.Errorf("%s: the certificate is not for the host", origin)
		}
	}
	for _, id := range []string{mockidp.Contoso, mockidp.Shop, mockidp.Customers} {
		mustVerify(t, idp.Client(), idp.Tenant(id).DiscoveryURL(), idp.Tenant(id).Token())
	}

	// Any client that trusts the authority gets there by address, with issuers on it.
	plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: idp.CA()}, DisableKeepAlives: true}}
	contoso := idp.Tenant(mockidp.Contoso)
	_, claims := mustVerify(t, plain, idp.URL+"/"+mockidp.Contoso+discoveryPath, contoso.Token(mockidp.IssuedBy(idp.URL)))
	want(t, document(t, plain, idp.URL+"/"+mockidp.Contoso+discoveryPath), map[string]any{"issuer": claims["iss"]})
	if !idp.CACertificate().IsCA {
		t.Error("the authority is none")
	}

	// A tenant that lives on this very origin.
	const id = "12121212-1111-4111-8111-121212121212"
	idp.AddTenant(mockidp.Tenant{ID: id, Domain: "local", Cloud: mockidp.Cloud(idp.URL)})
	mustVerify(t, plain, idp.URL+"/common"+discoveryPath, idp.Tenant(id).Token())
	if got, wanted := idp.Tenant(id).Issuer(), idp.URL+"/"+id+"/v2.0"; got != wanted {
		t.Errorf("got=%s, want=%s", got, wanted)
	}

	if s := mockidp.New(); s.CA() != nil || s.CACertificate() != nil || s.URL != "" {
		t.Error("a server in memory has neither authority nor address")
	}
	idp.Client().CloseIdleConnections()
	mockidp.New().Client().CloseIdleConnections()
}

// M7: a client that is not the mock's does not trust it.
func TestStrangersDoNotTrust(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	_, _, err := get(t.Context(), c, idp.URL+"/common"+discoveryPath)
	if e := (*tls.CertificateVerificationError)(nil); !errors.As(err, &e) {
		t.Errorf("got=%v, want a certificate error", err)
	}
	if idp.Count(mockidp.AnyEndpoint) != 0 {
		t.Error("a request arrived")
	}
}

func TestUnknownHost(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		for _, url := range []string{"https://attacker.example/common" + discoveryPath, "http://169.254.169.254/metadata", "https://login.microsoftonline.com:9/x",
			"https://a.b.login.microsoft.com/x"} {
			idp.ResetCounts()
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
			_, err := idp.Client().Do(req)
			dns := (*net.DNSError)(nil)
			op := (*net.OpError)(nil)
			if !errors.As(err, &dns) || !errors.As(err, &op) || !dns.IsNotFound || dns.Name != req.URL.Hostname() || op.Op != "dial" {
				t.Errorf("%s: got=%v, want a failure to dial", url, err)
			}
			if got := idp.Requests(); len(got) != 1 || got[0].Endpoint != mockidp.OtherEndpoint || got[0].Host != req.URL.Host || got[0].Scheme != req.URL.Scheme {
				t.Errorf("%s: recorded %+v", url, got)
			}
		}
		for _, url := range []string{"ftp://login.microsoftonline.com/", "https:///x"} {
			req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := idp.Transport().RoundTrip(req); err == nil {
				t.Errorf("%s: want an error", url)
			}
		}
	})
}

// fakeTB is what Start needs of a test.
type fakeTB struct {
	cleanups []func()
	failed   string
}

func (*fakeTB) Helper()                          {}
func (f *fakeTB) Cleanup(c func())               { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Fatalf(format string, _ ...any) { f.failed = format }
func (f *fakeTB) end()                           { f.cleanups[0]() }

var _ mockidp.TB = (*fakeTB)(nil)

// Not parallel: it counts goroutines.
func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	tb := &fakeTB{}
	idp := mockidp.Start(tb)
	memory := mockidp.New()
	for _, s := range []*mockidp.Server{idp, memory} {
		if _, _, err := get(t.Context(), s.Client(), commonV2); err != nil {
			t.Fatal(err)
		}
	}
	// A request that waits for ever ends with the server, and soon.
	arrived := make(chan struct{})
	idp.Inject(mockidp.Fault{Silence: true, Edit: func(b []byte) []byte {
		close(arrived)
		return b
	}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, _, err := get(context.Background(), idp.Client(), commonV2); err == nil {
			t.Error("silence: want an error")
		}
	})
	<-arrived
	tb.end()
	wg.Wait()
	if tb.failed != "" {
		t.Errorf("failed: %s", tb.failed)
	}
	// Connections end a moment after their handlers.
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("got=%d goroutines, want=%d\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
