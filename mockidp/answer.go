package mockidp

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// answer is a response before it is delivered, over a socket or in memory.
type answer struct {
	status int
	header http.Header
	body   []byte
	fault  Fault // what goes wrong on the way; zero: nothing
}

func documentAnswer(document object) answer {
	return answer{
		status: http.StatusOK,
		header: http.Header{
			"Content-Type":                {"application/json; charset=utf-8"},
			"Cache-Control":               {"max-age=86400, private"},
			"Access-Control-Allow-Origin": {"*"},
			"X-Content-Type-Options":      {"nosniff"},
		},
		body: []byte(document.text()),
	}
}

func plainAnswer(status int, text string) answer {
	return answer{status: status, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(text)}
}

func preflightAnswer() answer {
	return answer{status: http.StatusNoContent, header: http.Header{
		"Access-Control-Allow-Origin":  {"*"},
		"Access-Control-Allow-Methods": {"GET, OPTIONS"},
		"Access-Control-Allow-Headers": {"*"},
	}}
}

// content is the body as it goes over the wire, and its length. Padding comes first, so that a decoder that stops at the end of the
// value has read past it, and is made while it is read, so that a gigabyte costs nothing.
func (a answer) content() (io.Reader, int64) {
	var r io.Reader = bytes.NewReader(a.body)
	size := int64(len(a.body))
	if more := a.fault.PadTo - size; more > 0 {
		r, size = io.MultiReader(io.LimitReader(blanks{}, more), r), a.fault.PadTo
	}
	if a.fault.Gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		io.Copy(w, r) // neither side can fail
		w.Close()
		r, size = &packed, int64(packed.Len())
	}
	return r, size
}

// blanks is an endless supply of JSON whitespace.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// hold keeps the answer back for as long as the fault says. It returns early, with an error, when the client gives up or the
// server ends.
func (a answer) hold(ctx context.Context, s *Server) error {
	if a.fault.Silence && !a.fault.Truncate {
		return s.wait(ctx, nil)
	}
	return s.pause(ctx, a.fault.Delay)
}

// pause waits with a timer, so that it takes no real time in a testing/synctest bubble.
func (s *Server) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	return s.wait(ctx, timer.C)
}

func (s *Server) wait(ctx context.Context, over <-chan time.Time) error {
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closing:
		return http.ErrServerClosed
	}
}

// deliver writes the answer to a connection. It ends with a panic of http.ErrAbortHandler where the connection has to break.
func (a answer) deliver(s *Server, w http.ResponseWriter, r *http.Request) {
	if a.hold(r.Context(), s) != nil {
		panic(http.ErrAbortHandler)
	}
	if a.fault.Reset && !a.fault.Truncate {
		resetConnection(w)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	body, size := a.content()
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead {
		return
	}
	if a.fault.Truncate {
		body = io.LimitReader(body, size/2)
	}
	flush := http.NewResponseController(w).Flush
	if a.fault.Drip > 0 {
		body = &drip{srv: s, ctx: r.Context(), body: body, every: a.fault.Drip}
		w = flushing{w, flush}
	}
	if _, err := io.Copy(struct{ io.Writer }{w}, body); err != nil || a.fault.Truncate {
		flush()
		if a.fault.Silence {
			s.wait(r.Context(), nil)
		}
		if a.fault.Reset {
			resetConnection(w)
		}
		panic(http.ErrAbortHandler)
	}
}

// flushing sends every write at once.
type flushing struct {
	http.ResponseWriter
	flush func() error
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	f.flush()
	return n, err
}

// resetConnection makes the client see a reset instead of an orderly end, where the connection can be had.
func resetConnection(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		raw := conn
		if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
			raw = t.NetConn()
		}
		if tcp, ok := raw.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		raw.Close()
	}
	panic(http.ErrAbortHandler)
}

// drip hands out one byte at a time.
type drip struct {
	srv   *Server
	ctx   context.Context // of the one request that the body answers
	body  io.Reader
	every time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := d.srv.pause(d.ctx, d.every); err != nil {
		return 0, err
	}
	return d.body.Read(p[:1])
}
