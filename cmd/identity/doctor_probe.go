package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// probe is the transport of a doctor: it carries the engine's requests and watches them. It changes nothing about them.
type probe struct {
	next http.RoundTripper

	mu        sync.Mutex // guards what follows
	exchanges map[string]*exchange
}

// exchange is what was seen of the last request for an address.
type exchange struct {
	mu       sync.Mutex // guards what follows: parts of net/http report late
	address  string
	proxy    *url.URL
	resolved []string // addresses of the host, or of the proxy
	tls      *tls.ConnectionState
	stage    stage
	wrote    time.Time // the request
	answered time.Time // the first byte came
	status   int
	header   http.Header
	body     []byte
	err      error
}

// stage is how far a request came.
type stage int

const (
	begun stage = iota
	resolving
	connecting
	handshaking
	waiting // for an answer
	answering
)

func (p *probe) RoundTrip(r *http.Request) (*http.Response, error) {
	x := &exchange{address: r.URL.String()}
	x.proxy, _ = http.ProxyFromEnvironment(r) // a malformed one is the transport's error
	p.mu.Lock()
	p.exchanges[x.address] = x
	p.mu.Unlock()
	res, err := p.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), x.trace())))
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err = err; err != nil {
		return nil, err
	}
	x.stage, x.status, x.header = answering, res.StatusCode, res.Header.Clone()
	if res.TLS != nil {
		x.tls = res.TLS
	}
	res.Body = &watchedBody{res.Body, x}
	return res, nil
}

// trace follows a request.
func (x *exchange) trace() *httptrace.ClientTrace {
	note := func(f func()) {
		x.mu.Lock()
		defer x.mu.Unlock()
		f()
	}
	reach := func(s stage) { note(func() { x.stage = max(x.stage, s) }) }
	return &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { reach(resolving) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			note(func() {
				for _, a := range info.Addrs {
					x.resolved = append(x.resolved, a.String())
				}
			})
		},
		ConnectStart:         func(string, string) { reach(connecting) },
		TLSHandshakeStart:    func() { reach(handshaking) },
		GotConn:              func(httptrace.GotConnInfo) { reach(waiting) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { note(func() { x.wrote = time.Now() }) },
		GotFirstResponseByte: func() { note(func() { x.answered = time.Now() }) },
	}
}

// mostKept is what the engine reads of a document.
const mostKept = 1 << 20

// watchedBody keeps what is read from it.
type watchedBody struct {
	io.ReadCloser
	x *exchange
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	if len(b.x.body) < mostKept {
		b.x.body = append(b.x.body, p[:n]...)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.x.err = err
	}
	return n, err
}

// seen is what became of the requests for an address and where it was redirected to: the last of them.
func (p *probe) seen(address string) *exchange {
	for range 5 { // the engine follows three
		p.mu.Lock()
		x := p.exchanges[address]
		p.mu.Unlock()
		if x == nil {
			return nil
		}
		x.mu.Lock()
		location := ""
		if x.status >= 300 && x.status < 400 {
			location = x.header.Get("Location")
		}
		x.mu.Unlock()
		base, err := url.Parse(address)
		if err != nil || location == "" {
			return x
		}
		next, err := base.Parse(location)
		if err != nil {
			return x
		}
		p.mu.Lock()
		_, followed := p.exchanges[next.String()]
		p.mu.Unlock()
		if !followed {
			return x
		}
		address = next.String()
	}
	return nil
}

// clock is how far a server's clock is ahead of this machine's, negative if behind, and how wrong that can be. Date (RFC 9110 §6.6.1)
// counts whole seconds, and Age (RFC 9111 §5.1) says for how long a cache on the way has held the answer.
func (x *exchange) clock() (ahead, within time.Duration, known bool) {
	date, err := http.ParseTime(x.header.Get("Date"))
	if err != nil || x.wrote.IsZero() || x.answered.IsZero() {
		return 0, 0, false
	}
	age, err := strconv.ParseUint(x.header.Get("Age"), 10, 31)
	if err != nil {
		age = 0
	}
	took := x.answered.Sub(x.wrote)
	date = date.Add(time.Duration(age)*time.Second + time.Second/2)
	return date.Sub(x.wrote.Add(took / 2)), took/2 + time.Second/2, true
}

// proxyName says which proxy a request went through and where it was named; both are empty without one. Its password is left out.
func proxyName(proxy *url.URL, scheme string) (name, variable string) {
	if proxy == nil {
		return "", ""
	}
	variables := []string{"HTTPS_PROXY", "https_proxy"}
	if scheme == "http" {
		variables = []string{"HTTP_PROXY", "http_proxy"}
	}
	for _, variable = range variables {
		if os.Getenv(variable) != "" {
			break
		}
	}
	shown := *proxy
	shown.User = nil
	return shown.String(), variable
}
