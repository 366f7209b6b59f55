package mockidp

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Listening says how a server made by [Listen] is reached. The zero value is TLS on a free port of the loopback interface.
type Listening struct {
	// Address is the host and port, "127.0.0.1:8443"; port 0 means a free one. Empty means 127.0.0.1:0. It must be on the loopback
	// interface unless InsecureAllowRemote is set.
	Address string
	// InsecureAllowRemote accepts any address. Everything is then served under whatever name the server is reached by, but for the token
	// page and the admin API, which stay on loopback. Anybody who reaches the server can sign in as anybody; a warning to
	// [slog.Default] says so at the start.
	InsecureAllowRemote bool
	// Plain serves HTTP without TLS. No MSAL client works with that.
	Plain bool
	// Certificate is served instead of one that the server makes. [Server.CA] is then nil. Optional.
	Certificate *tls.Certificate
	// Log is told of every request when it has been answered. It is called from many goroutines. Optional.
	Log func(Answered)
}

// Answered is a request with what became of it, for [Listening.Log]. It holds nothing secret: no query, no body.
type Answered struct {
	Method string
	Host   string
	Path   string
	Status int
	Error  string // error and number of a refusal, "invalid_grant AADSTS50126", or empty
	Took   time.Duration
}

// HealthPath is where a listening server answers 200, whatever host is asked and whatever faults there are. It is not recorded.
const HealthPath = "/healthz"

// ErrNotLoopback is why [Listen] refuses an address that other machines can reach.
var ErrNotLoopback = errors.New("the address is not on the loopback interface: whoever reaches this server can sign in as anybody")

// Listen is [Start] outside of tests: it makes a server that listens until [Server.Shutdown]. The error says why it cannot listen; it
// panics on options like [New].
//
// Without TLS, or with a certificate of the caller's, requests of [Server.Client] stay in memory.
func Listen(how Listening, opts ...Option) (*Server, error) {
	address, err := how.address()
	if err != nil {
		return nil, err
	}
	s := New(opts...)
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("mockidp: %w", err)
	}
	if s.remote = how.InsecureAllowRemote; s.remote {
		slog.Warn("mockidp: InsecureAllowRemote is on: whoever reaches this server can sign in as anybody", "address", socket.Addr().String())
	}
	s.closing = make(chan struct{})
	local := localAddress(socket.Addr())
	s.URL = "https://" + local
	switch {
	case how.Plain:
		s.URL = "http://" + local
	case how.Certificate != nil:
		socket = tls.NewListener(socket, &tls.Config{Certificates: []tls.Certificate{*how.Certificate}, MinVersion: tls.VersionTLS12})
	default:
		s.authority = newAuthority()
		s.transport.sockets = s.authority.clientOf(local)
		socket = tls.NewListener(socket, s.authority.serverConfig())
	}
	s.listener = serve(s, socket, how.Log)
	return s, nil
}

// address refuses what is not on loopback. A name is not looked up: that would ask somebody else's server.
func (how Listening) address() (string, error) {
	if how.Address == "" {
		return "127.0.0.1:0", nil
	}
	host, port, err := net.SplitHostPort(how.Address)
	if err != nil {
		return "", fmt.Errorf("mockidp: %w", err)
	}
	if !how.InsecureAllowRemote && !isLoopback(host) {
		return "", fmt.Errorf("mockidp: %q: %w", how.Address, ErrNotLoopback)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// localAddress is where this machine reaches a socket.
func localAddress(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return a.String()
}

// listener is the part of a server that owns a socket.
type listener struct {
	srv  *Server
	web  *http.Server
	log  func(Answered)
	done chan struct{} // closed when the socket is
	end  sync.Once

	mu      sync.Mutex // guards what follows
	fresh   map[net.Conn]struct{}
	stopped bool
}

func serve(s *Server, socket net.Listener, log func(Answered)) *listener {
	l := &listener{srv: s, log: log, done: make(chan struct{}), fresh: make(map[net.Conn]struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // a fault can break a connection, which must then be one request's
	l.web = &http.Server{
		Handler:           l,
		Protocols:         protocols,
		ReadHeaderTimeout: time.Minute,
		MaxHeaderBytes:    64 << 10, // the recorder keeps them
		ErrorLog:          quiet,    // broken connections are what tests want
		ConnState:         l.watch,
	}
	go func() {
		defer close(l.done)
		l.web.Serve(socket) // ends with Shutdown
	}()
	return l
}

var quiet = log.New(io.Discard, "", 0)

// ServeHTTP implements [http.Handler].
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == HealthPath {
		healthAnswer().deliver(l.srv, w, r)
		return
	}
	began := time.Now()
	a := l.srv.answer(r)
	if l.log != nil {
		defer func() {
			l.log(Answered{Method: r.Method, Host: r.Host, Path: r.URL.Path, Status: a.status, Error: a.refusalText(), Took: time.Since(began)})
		}()
	}
	a.deliver(l.srv, w, r)
}

func healthAnswer() answer {
	a := documentAnswer(object{{"status", "ok"}})
	a.header.Set("Cache-Control", "no-store")
	return a
}

// refusalNumber is what Microsoft's descriptions of errors begin with.
var refusalNumber = regexp.MustCompile(`\b(AADSTS|AADB2C)\d+\b`)

// refusalText is the error that an answer tells a client or a person of, for logs: in JSON, in an address, on a page.
func (a answer) refusalText() string {
	var body struct {
		Error       any    `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(a.body, &body) == nil {
		text, _ := body.Error.(string)
		return strings.TrimSpace(text + " " + refusalNumber.FindString(body.Description))
	}
	if u, err := url.Parse(a.header.Get("Location")); err == nil && a.status == http.StatusFound {
		values := u.Query()
		if fragment, err := url.ParseQuery(u.EscapedFragment()); err == nil && fragment.Has("error") {
			values = fragment
		}
		return strings.TrimSpace(values.Get("error") + " " + refusalNumber.FindString(values.Get("error_description")))
	}
	if a.status >= 400 {
		return string(refusalNumber.Find(a.body))
	}
	return ""
}

// watch remembers connections that nothing was ever sent on. Browsers open some ahead, and an orderly stop would wait for them.
func (l *listener) watch(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(l.fresh, c)
	case l.stopped:
		c.Close()
	default:
		l.fresh[c] = struct{}{}
	}
}

// Shutdown ends a server made by [Listen]: no more connections, the requests in progress are answered, and those that a fault
// keeps waiting are cut off. When ctx ends before that, everything is cut off and its error is returned. For a server made by [New] it
// does nothing; one made by [Start] ends by itself.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	l := s.listener
	l.end.Do(func() { close(s.closing) })
	s.transport.CloseIdleConnections()
	l.mu.Lock()
	l.stopped = true
	for c := range l.fresh {
		c.Close()
	}
	l.mu.Unlock()
	err := l.web.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("mockidp: requests were cut off: %w", err), l.web.Close())
	}
	<-l.done
	return err
}
