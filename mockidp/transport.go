package mockidp

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// ServeHTTP answers by host and path. A fault that breaks the connection panics with [http.ErrAbortHandler], as net/http
// expects from a handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.answer(r).deliver(s, w, r)
}

// answer is the way of every request, in memory or over a socket: route, record, serve, spoil.
func (s *Server) answer(r *http.Request) answer {
	rt := s.route(r)
	if s.admin != nil && isAdmin(&rt, r) {
		return s.serveAdmin(&rt, r) // not recorded, and no fault locks the one out who could remove it
	}
	s.record(r, &rt)
	fault := s.faults.take(&rt)
	if rt.endpoint >= AuthorizeEndpoint && fault.replaces() {
		// Nobody gets the answer, so that nothing is done: a code is still good when the client tries again.
		return fault.apply(s.newExchange(&rt, r).json(object{}))
	}
	return fault.apply(s.serve(rt, r))
}

// transport is the client's side: in memory, or to the listener of a started server.
type transport struct {
	srv     *Server
	sockets *http.Transport // nil: in memory
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in, err := asReceived(r)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	if rt := t.srv.route(in); !rt.known {
		closeBody(r)
		t.srv.record(in, &rt)
		return nil, noSuchHost(r.URL)
	}
	if t.sockets != nil {
		return t.sockets.RoundTrip(r)
	}
	defer closeBody(r)
	if err := r.Context().Err(); err != nil {
		return nil, context.Cause(r.Context())
	}
	return t.srv.answer(in).respond(t.srv, r)
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (t *transport) CloseIdleConnections() {
	if t.sockets != nil {
		t.sockets.CloseIdleConnections()
	}
}

// asReceived is the request as a server sees it.
func asReceived(r *http.Request) (*http.Request, error) {
	switch {
	case r.URL == nil || r.URL.Host == "":
		return nil, errors.New("mockidp: request without a host")
	case r.URL.Scheme != "https" && r.URL.Scheme != "http":
		return nil, fmt.Errorf("mockidp: unsupported protocol scheme %q", r.URL.Scheme)
	}
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	in.RequestURI = r.URL.RequestURI()
	in.TLS = nil
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	return in, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// noSuchHost is what a resolver says.
func noSuchHost(u *url.URL) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: u.Hostname(), IsNotFound: true}}
}

// respond delivers the answer in memory.
func (a answer) respond(s *Server, r *http.Request) (*http.Response, error) {
	if err := a.hold(r.Context(), s); err != nil {
		return nil, err
	}
	if a.fault.Reset && !a.fault.Truncate {
		return nil, errReset
	}
	content, size := a.content()
	resp := &http.Response{
		Status:     fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header,
		ContentLength: size,
		Request:       r,
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		resp.ContentLength = 0
	} else {
		resp.Header.Set("Content-Length", fmt.Sprint(size))
	}
	if r.Method == http.MethodHead || resp.ContentLength == 0 {
		resp.Body = http.NoBody
		return resp, nil
	}
	body := &memoryBody{ctx: r.Context(), r: content}
	if a.fault.Truncate {
		body.r, body.end = io.LimitReader(content, size/2), a.cutOff(r.Context(), s)
	}
	if a.fault.Drip > 0 {
		body.r = &drip{srv: s, ctx: r.Context(), body: body.r, every: a.fault.Drip}
	}
	resp.Body = body
	// http.Transport unpacks what it asked for itself, unless the caller asked.
	if a.fault.Gzip && r.Header.Get("Accept-Encoding") == "" {
		resp.Body = &unpacked{Closer: body, packed: body}
		resp.Uncompressed, resp.ContentLength = true, -1
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
	}
	return resp, nil
}

// errReset is what a client reads from a connection that was reset.
var errReset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// cutOff is what comes after half the body: silence, a reset, or the end of the connection.
func (a answer) cutOff(ctx context.Context, s *Server) func() error {
	return func() error {
		if a.fault.Silence {
			if err := s.wait(ctx, nil); err != nil {
				return err
			}
		}
		if a.fault.Reset {
			return errReset
		}
		return io.ErrUnexpectedEOF
	}
}

// memoryBody is a response body that, as one from a socket, ends with the context of its request and when it is closed. As other
// bodies it is for one goroutine at a time.
type memoryBody struct {
	ctx    context.Context
	r      io.Reader
	end    func() error // instead of io.EOF, unless nil
	closed bool
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("mockidp: read on closed response body")
	}
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.r.Read(p)
	if err == io.EOF && b.end != nil {
		err = b.end()
	}
	return n, err
}

func (b *memoryBody) Close() error {
	b.closed = true
	return nil
}

// unpacked decompresses when first read.
type unpacked struct {
	io.Closer
	packed io.Reader
	gz     *gzip.Reader
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.gz == nil {
		gz, err := gzip.NewReader(u.packed)
		if err != nil {
			return 0, err
		}
		u.gz = gz
	}
	return u.gz.Read(p)
}
