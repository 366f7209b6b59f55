package mockidp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// M4: each fault is the error that a client has for it, hits one host only, and is over when it is removed.
func TestHandshakeFaults(t *testing.T) {
	t.Parallel()
	const host, other = "login.microsoftonline.com", "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_susi" + discoveryPath
	invalid := func(reason x509.InvalidReason) func(error) bool {
		return func(err error) bool {
			e, ok := errors.AsType[x509.CertificateInvalidError](err)
			return ok && e.Reason == reason
		}
	}
	for name, row := range map[string]struct {
		fault mockidp.HandshakeFault
		want  func(error) bool
	}{
		"expired":    {mockidp.HandshakeFault{Expired: true}, invalid(x509.Expired)},
		"other host": {mockidp.HandshakeFault{OtherHost: true}, is[x509.HostnameError]},
		"untrusted":  {mockidp.HandshakeFault{Untrusted: true}, is[x509.UnknownAuthorityError]},
		"TLS 1.0": {mockidp.HandshakeFault{MaxVersion: tls.VersionTLS10}, func(err error) bool {
			e, ok := errors.AsType[*net.OpError](err)
			return ok && e.Op == "remote error"
		}},
		"reset":   {mockidp.HandshakeFault{Reset: true}, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		"silence": {mockidp.HandshakeFault{Silence: true}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := mockidp.Start(t)
			row.fault.Host = "Login.MicrosoftOnline.com"
			remove := idp.InjectHandshake(row.fault)
			c := idp.Client()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if row.fault.Silence {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
			}
			if _, _, err := get(ctx, c, commonV2); err == nil || !row.want(err) {
				t.Errorf("got=%v", err)
			}
			if n := idp.Count(mockidp.AnyEndpoint); n != 0 {
				t.Errorf("got=%d requests, want=0", n)
			}
			if status, _ := fetch(t, c, other); status != 200 {
				t.Errorf("another host: got=%d, want=200", status)
			}
			remove()
			remove()
			if status, _ := fetch(t, c, commonV2); status != 200 {
				t.Errorf("%s, once removed: got=%d, want=200", host, status)
			}
		})
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// The first fault that matches a connection hits it. A connection that stands is not affected; an old version of TLS serves those who
// still speak it.
func TestHandshakeFaultScope(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	c := idp.Client()
	fetch(t, c, commonV2)
	defer idp.InjectHandshake(mockidp.HandshakeFault{Reset: true, Times: 2})()
	fetch(t, c, commonV2)
	for i, wanted := range []bool{false, false, true} {
		c.CloseIdleConnections()
		if _, _, err := get(t.Context(), c, commonV2); (err == nil) != wanted {
			t.Errorf("connection %d: got=%v, want an answer=%v", i, err, wanted)
		}
	}
	defer idp.InjectHandshake(mockidp.HandshakeFault{MaxVersion: tls.VersionTLS11})()
	old := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: idp.CA(), MinVersion: tls.VersionTLS10}, DisableKeepAlives: true}
	if resp, _, err := get(t.Context(), &http.Client{Transport: old}, idp.URL+"/common"+discoveryPath); err != nil || resp.TLS.Version != tls.VersionTLS11 {
		t.Errorf("an old client: got=%v, want an answer over TLS 1.1", err)
	}
}

// A client that is kept waiting in a handshake does not keep the server from ending.
func TestShutdownInAHandshake(t *testing.T) {
	t.Parallel()
	idp, err := mockidp.Listen(mockidp.Listening{})
	if err != nil {
		t.Fatal(err)
	}
	idp.InjectHandshake(mockidp.HandshakeFault{Silence: true})
	raw, err := net.Dial("tcp", strings.TrimPrefix(idp.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	hello := &firstWrite{Conn: raw, done: make(chan struct{})}
	failed := make(chan error, 1)
	go func() { failed <- tls.Client(hello, &tls.Config{ServerName: "login.microsoftonline.com"}).Handshake() }()
	<-hello.done
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := idp.Shutdown(ctx); err != nil {
		t.Errorf("got=%v, want an orderly end", err)
	}
	if <-failed == nil {
		t.Error("got=nil, want the client's connection broken")
	}
}

// firstWrite tells when something was sent.
type firstWrite struct {
	net.Conn
	once sync.Once
	done chan struct{}
}

func (w *firstWrite) Write(p []byte) (int, error) {
	defer w.once.Do(func() { close(w.done) })
	return w.Conn.Write(p)
}

func TestHandshakeFaultInMemory(t *testing.T) {
	t.Parallel()
	panics(t, "without connections", func() { mockidp.New().InjectHandshake(mockidp.HandshakeFault{Reset: true}) })
}

// Half the body, and then a reset or nothing more.
func TestFaultsAmidTheBody(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		read := func(fault mockidp.Fault) (int, error) {
			defer idp.Inject(fault)()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, commonV2, nil)
			resp, err := idp.Client().Do(req)
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			n, err := io.ReadFull(resp.Body, make([]byte, resp.ContentLength/2))
			if err != nil {
				return n, err
			}
			if fault.Silence {
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			more, err := resp.Body.Read(make([]byte, 1))
			return n + more, err
		}
		_, body := fetch(t, idp.Client(), commonV2)
		if n, err := read(mockidp.Fault{Truncate: true, Silence: true}); n != len(body)/2 || !errors.Is(err, context.Canceled) {
			t.Errorf("silence: got=%d of %d bytes and %v, want half and %v", n, len(body), err, context.Canceled)
		}
		// Over a socket the reset may overtake what was sent before it.
		if _, err := read(mockidp.Fault{Truncate: true, Reset: true}); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset: got=%v, want=%v", err, syscall.ECONNRESET)
		}
	})
}
