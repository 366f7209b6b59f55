package mockidp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// listening is a server that ends with the test.
func listening(t *testing.T, how mockidp.Listening, opts ...mockidp.Option) *mockidp.Server {
	t.Helper()
	idp, err := mockidp.Listen(how, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := idp.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return idp
}

// trusting is a client that knows the server by its certificate alone.
func trusting(t *testing.T, idp *mockidp.Server) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: idp.CA()}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func portOf(t *testing.T, idp *mockidp.Server) string {
	t.Helper()
	u, err := url.Parse(idp.URL)
	if err != nil {
		t.Fatal(err)
	}
	return ":" + u.Port()
}

func TestListen(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "127.0.0.1:0", "localhost:0"} {
		idp := listening(t, mockidp.Listening{Address: address})
		c := trusting(t, idp)
		for _, origin := range []string{idp.URL, "https://localhost" + portOf(t, idp)} {
			want(t, document(t, c, origin+"/"+mockidp.Contoso+discoveryPath), map[string]any{"issuer": origin + "/" + mockidp.Contoso + "/v2.0"})
		}
		document(t, idp.Client(), commonV2)
	}
}

func TestListenIPv6(t *testing.T) {
	t.Parallel()
	idp, err := mockidp.Listen(mockidp.Listening{Address: "[::1]:0"})
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	defer idp.Shutdown(context.Background())
	document(t, trusting(t, idp), idp.URL+"/common"+discoveryPath)
}

func TestListenPlain(t *testing.T) {
	t.Parallel()
	idp := listening(t, mockidp.Listening{Plain: true})
	if !strings.HasPrefix(idp.URL, "http://127.0.0.1:") || idp.CA() != nil {
		t.Errorf("got=%s", idp.URL)
	}
	c := trusting(t, idp)
	want(t, document(t, c, idp.URL+"/"+mockidp.Contoso+discoveryPath), map[string]any{"issuer": idp.URL + "/" + mockidp.Contoso + "/v2.0"})
	document(t, idp.Client(), commonV2) // in memory
}

func TestListenWithCertificate(t *testing.T) {
	t.Parallel()
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS()
	defer other.Close()
	idp := listening(t, mockidp.Listening{Certificate: &other.TLS.Certificates[0]})
	if idp.CA() != nil || idp.CACertificate() != nil {
		t.Error("there is an authority")
	}
	roots := x509.NewCertPool()
	roots.AddCert(other.Certificate())
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	document(t, c, idp.URL+"/common"+discoveryPath)
	document(t, idp.Client(), commonV2)
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":8443", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "mock.example:0", "127.0.0.1.example:0"} {
		if idp, err := mockidp.Listen(mockidp.Listening{Address: address}); !errors.Is(err, mockidp.ErrNotLoopback) {
			t.Errorf("%s: got=%v %v, want a refusal", address, idp, err)
		}
	}
	for _, address := range []string{"127.0.0.1", "127.0.0.1:port"} {
		if _, err := mockidp.Listen(mockidp.Listening{Address: address}); err == nil {
			t.Errorf("%s: want an error", address)
		}
	}
	taken := listening(t, mockidp.Listening{})
	if _, err := mockidp.Listen(mockidp.Listening{Address: "127.0.0.1" + portOf(t, taken)}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got=%v, want=address in use", err)
	}
}

// With InsecureAllowRemote any name will do, but not for what gives everything away.
func TestListenRemote(t *testing.T) {
	t.Parallel()
	idp := listening(t, mockidp.Listening{Address: ":0", InsecureAllowRemote: true}, mockidp.WithAdmin())
	if !strings.HasPrefix(idp.URL, "https://127.0.0.1:") {
		t.Errorf("got=%s", idp.URL)
	}
	c := trusting(t, idp)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(idp.URL, "https://"))
	}
	origin := "https://mock.example" + portOf(t, idp)
	want(t, document(t, c, origin+"/"+mockidp.Contoso+discoveryPath), map[string]any{"issuer": origin + "/" + mockidp.Contoso + "/v2.0"})
	for path, status := range map[string]int{"/": 404, "/token-page": 404, "/.mockidp/": 403, "/healthz": 200} {
		if r := visit(t, c, origin+path); r.status != status {
			t.Errorf("%s: got=%d, want=%d", path, r.status, status)
		}
		if r := visit(t, c, idp.URL+path); r.status != 200 {
			t.Errorf("%s on loopback: got=%d, want=200", path, r.status)
		}
	}
	local := listening(t, mockidp.Listening{}, mockidp.WithAdmin())
	r, _ := http.NewRequest("GET", local.URL+"/"+mockidp.Contoso+discoveryPath, nil)
	r.Host = "mock.example"
	if got := do(t, trusting(t, local), r); got.status != 404 {
		t.Errorf("without InsecureAllowRemote: got=%d, want=404", got.status)
	}
}

// The option is logged when it is on, at the start, and nothing is when it is off. Not parallel: it looks at the default log.
func TestListenRemoteIsLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	listening(t, mockidp.Listening{})
	if log.Len() != 0 {
		t.Errorf("on loopback: got=%q, want nothing", log.String())
	}
	idp := listening(t, mockidp.Listening{Address: "127.0.0.1:0", InsecureAllowRemote: true})
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "InsecureAllowRemote") ||
		!strings.Contains(got, "address="+strings.TrimPrefix(idp.URL, "https://")+"\n") {
		t.Errorf("got=%q, want one warning that names the option and the address", got)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	idp := listening(t, mockidp.Listening{})
	idp.Inject(mockidp.Fault{Reset: true})
	if r := visit(t, trusting(t, idp), idp.URL+mockidp.HealthPath); r.status != 200 || r.json["status"] != "ok" {
		t.Errorf("got=%d %s", r.status, r.text)
	}
	if n := idp.Count(mockidp.AnyEndpoint); n != 0 {
		t.Errorf("got=%d requests recorded, want=0", n)
	}
}

// The log says what was refused, and nothing that is secret.
func TestListenLog(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []mockidp.Answered
	idp := listening(t, mockidp.Listening{Log: func(a mockidp.Answered) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, a)
	}})
	c := trusting(t, idp)
	base := idp.URL + "/" + mockidp.Contoso
	for _, row := range []struct {
		name   string
		do     func()
		method string
		status int
		error  string
	}{
		{"a document", func() { visit(t, c, base+discoveryPath) }, "GET", 200, ""},
		{"a token", func() { send(t, c, base+"/oauth2/v2.0/token", daemonForm()) }, "POST", 200, ""},
		{"no token", func() { send(t, c, base+"/oauth2/v2.0/token", but(daemonForm(), "client_secret", "no")) }, "POST", 401, "invalid_client AADSTS7000215"},
		{"a page with an error", func() { visit(t, c, authorizeURL(base, webRequest("redirect_uri", "https://attacker.example/"))) }, "GET", 400, "AADSTS50011"},
		{"an error in a query", func() { visit(t, c, authorizeURL(base, webRequest("prompt", "none"))) }, "GET", 302, "login_required AADSTS50058"},
		{"an error in a fragment", func() { visit(t, c, authorizeURL(base, spaRequest("prompt", "none"))) }, "GET", 302, "login_required AADSTS50058"},
		{"nothing there", func() { visit(t, c, idp.URL+"/nothing") }, "GET", 404, ""},
		{"a broken connection", func() {
			defer idp.Inject(mockidp.Fault{Truncate: true})()
			resp, err := c.Get(base + discoveryPath)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Error("want an error")
			}
		}, "GET", 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			mu.Lock()
			got = nil
			mu.Unlock()
			row.do()
			var a mockidp.Answered
			wait(t, "the log", func() bool { // it comes after the answer
				mu.Lock()
				defer mu.Unlock()
				if len(got) == 1 {
					a = got[0]
				}
				return len(got) == 1
			})
			if a.Method != row.method || a.Status != row.status || a.Error != row.error || "https://"+a.Host != idp.URL || strings.Contains(a.Path, "?") || a.Took <= 0 {
				t.Errorf("got=%+v, want=%s %d %q", a, row.method, row.status, row.error)
			}
		})
	}
}

func daemonForm() url.Values {
	return form("grant_type", "client_credentials", "client_id", mockidp.Daemon, "client_secret", mockidp.DaemonSecret, "scope", "api://"+mockidp.API+"/.default")
}

// wait gives others time, without a fixed amount of it.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: waited in vain", what)
		}
	}
}

// A request in progress is answered; a connection without one is closed, and so is the door.
func TestShutdown(t *testing.T) {
	t.Parallel()
	idp, err := mockidp.Listen(mockidp.Listening{})
	if err != nil {
		t.Fatal(err)
	}
	c := trusting(t, idp)
	idle, err := net.Dial("tcp", strings.TrimPrefix(idp.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.Inject(mockidp.Fault{Times: 1, Edit: func(body []byte) []byte {
		close(arrived)
		<-release
		return body
	}})
	answered := make(chan error)
	go func() {
		resp, err := c.Get(idp.URL + "/common" + discoveryPath)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		answered <- err
	}()
	<-arrived
	ended := make(chan error)
	go func() { ended <- idp.Shutdown(context.Background()) }()
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("the idle connection is still open")
	}
	select {
	case err := <-ended:
		t.Fatalf("ended before the answer: %v", err)
	default:
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the answer: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := c.Get(idp.URL + mockidp.HealthPath); err == nil {
		t.Error("still listening")
	}
	if err := idp.Shutdown(context.Background()); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := mockidp.New().Shutdown(context.Background()); err != nil {
		t.Errorf("in memory: %v", err)
	}
}

// A request that does not end is cut off with the context.
func TestShutdownGivesUp(t *testing.T) {
	t.Parallel()
	idp, err := mockidp.Listen(mockidp.Listening{})
	if err != nil {
		t.Fatal(err)
	}
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.Inject(mockidp.Fault{Edit: func(body []byte) []byte {
		close(arrived)
		<-release
		return body
	}})
	answered := make(chan error)
	go func() {
		_, err := trusting(t, idp).Get(idp.URL + "/common" + discoveryPath)
		answered <- err
	}()
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := idp.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got=%v, want=canceled", err)
	}
	if err := <-answered; err == nil {
		t.Error("answered")
	}
	close(release)
}

// Start fails the test when it cannot listen; that a socket is refused cannot be provoked, but options are the caller's.
func TestStartPanicsLikeNew(t *testing.T) {
	t.Parallel()
	panics(t, "a tenant that cannot be", func() { mockidp.Start(t, mockidp.WithTenants(mockidp.Tenant{ID: "x"})) })
	panics(t, "the same", func() { mockidp.Listen(mockidp.Listening{}, mockidp.WithTenants(mockidp.Tenant{ID: "x"})) })
}
