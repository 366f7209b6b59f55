package identity

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// C15: the addresses that the default client may connect to, whatever name led there.
func TestPublicAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address string
		public  bool
	}{
		{"20.190.128.1:443", true},
		{"[2603:1006:2000::1]:443", true},
		{"[::ffff:20.190.128.1]:443", true},
		{"172.15.255.255:443", true}, {"172.16.0.1:443", false}, {"172.31.255.255:443", false}, {"172.32.0.0:443", true},
		{"10.0.0.1:443", false},
		{"192.168.1.1:443", false},
		{"127.0.0.1:443", false}, {"127.1.2.3:443", false},
		{"[::1]:443", false}, {"[::ffff:127.0.0.1]:443", false}, {"[::ffff:10.0.0.1]:443", false},
		{"169.254.169.254:80", false}, {"[::ffff:169.254.169.254]:80", false},
		{"[fe80::1]:443", false}, {"[fe80::1%eth0]:443", false},
		{"[fd00:ec2::254]:80", false},
		{"0.1.2.3:443", false}, {"192.0.0.8:443", false}, {"192.0.1.1:443", true}, {"198.17.255.255:443", true}, {"198.18.0.1:443", false},
		{"240.0.0.1:443", false}, {"[64:ff9b::a00:1]:443", false}, {"[2002:a00:1::]:443", false}, {"[2001:4860::1]:443", true},
		{"100.63.255.255:443", true}, {"100.64.0.1:443", false}, {"100.127.255.255:443", false}, {"100.128.0.0:443", true},
		{"0.0.0.0:443", false}, {"[::]:443", false},
		{"224.0.0.1:443", false}, {"[ff02::1]:443", false},
		{"255.255.255.255:443", false},
		{"login.microsoftonline.com:443", false}, {"", false}, // not what a dialler passes on
	}
	for _, tt := range tests {
		if err := publicAddress("tcp", tt.address, nil); (err == nil) != tt.public {
			t.Errorf("%s: got=%v, want public=%v", tt.address, err, tt.public)
		}
	}
}

// A proxy is recognized by the address that net/http dials for it.
func TestProxyAddress(t *testing.T) {
	t.Parallel()
	for proxy, want := range map[string]string{
		"http://proxy.example":           "proxy.example:80",
		"http://user:word@proxy.example": "proxy.example:80",
		"http://proxy.example:3128":      "proxy.example:3128",
		"https://proxy.example":          "proxy.example:443",
		"socks5://proxy.example":         "proxy.example:1080",
		"socks5h://proxy.example":        "proxy.example:1080",
		"http://[fd00::1]:3128":          "[fd00::1]:3128",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := proxyAddress(r.URL); got != want {
			t.Errorf("%s: got=%s, want=%s", proxy, got, want)
		}
	}
}

// C20: without a client of the caller's the process-wide one is not used either, and nothing is shared with it.
func TestOwnTransport(t *testing.T) {
	t.Parallel()
	f := newKeyFetcher(nil, time.Second)
	if f.client == http.DefaultClient || f.client.Transport == nil || f.client.Transport == http.DefaultTransport {
		t.Fatalf("got=%+v, want a client and a transport of our own", f.client)
	}
	if other := newKeyFetcher(nil, time.Second); other.client.Transport == f.client.Transport {
		t.Fatal("two fetchers share a transport")
	}
	transport := f.client.Transport.(*http.Transport)
	if transport.TLSClientConfig != nil && transport.TLSClientConfig.InsecureSkipVerify {
		t.Fatal("certificates are not checked")
	}
	if transport.Proxy == nil || transport.DialContext == nil {
		t.Fatal("want the proxy environment and the dial check")
	}
}

// The spread of the TTL is ±10 %, so that replicas do not all ask at once.
func TestJitter(t *testing.T) {
	t.Parallel()
	r := newKeyResolver(KeyOptions{}, slog.Default(), nil)
	low, high := 2.0, 0.0
	for range 10_000 {
		f := r.jitter()
		low, high = min(low, f), max(high, f)
	}
	if low < 0.9 || low > 0.91 || high > 1.1 || high < 1.09 {
		t.Fatalf("got=%v to %v, want=0.9 to 1.1", low, high)
	}
}

// A jump of the wall clock changes nothing: every time that is kept has a monotonic reading, by which package time compares, and
// go-cache, which has none, is not told any. Outside of a bubble, where there is no such reading.
func TestTimesAreMonotonic(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	v, err := New(Config{ClientID: mockidp.API, Tenants: NewRegistry(Tenant{ID: mockidp.Contoso}), Keys: KeyOptions{HTTPClient: idp.Client()},
		Observe: Observe{Logger: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	monotonic := func(what string, at time.Time) {
		t.Helper()
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%s: got=%v, want a monotonic reading", what, at)
		}
	}
	token := idp.Tenant(mockidp.Contoso)
	if _, err := v.Verify(context.Background(), token.Token()); err != nil {
		t.Fatal(err)
	}
	r := v.keys
	monotonic("start", r.start)
	items := r.sets.Items()
	if len(items) != 1 {
		t.Fatalf("got=%d key sets, want=1", len(items))
	}
	for name, item := range items {
		if item.Expiration != 0 {
			t.Errorf("%s: go-cache was given an expiration", name)
		}
		h := item.Object.(*keyHandle)
		set := h.set.Load()
		monotonic("fetched", set.fetched)
		monotonic("expires", set.expires)
		monotonic("notBefore after a success", h.notBefore)
		idp.Inject(mockidp.Fault{Status: 503, Header: http.Header{"Retry-After": {"60"}}})
		if _, err := v.Verify(context.Background(), token.Token(mockidp.KeyID("unknown"))); err == nil {
			t.Fatal("got=nil, want an error")
		}
		monotonic("nextForced", h.nextForced)
		monotonic("notBefore after a failure", h.notBefore)
		monotonic("silence", h.silence)
	}
}
