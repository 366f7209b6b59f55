// Package devpage is a page for developers on a running API: the last refusals, each with its report, as [identity.Verifier.Explain]
// makes it. It is off until somebody mounts it, and then answers this machine alone:
//
//	page := devpage.New(devpage.Options{})
//	page.Watch(&cfg.Observe) // before identity.New or identity.Middleware
//	go http.ListenAndServe("localhost:6061", page)
//
// It is an [http.Handler] without paths of its own, so it can stand on the API's listener too, outside its authentication:
//
//	e.GET("/debug/refusals", echo.WrapHandler(page))
//
// There mind the proxies on this machine: one that names localhost as the host, and says nothing of itself, looks like a browser here.
// Behind such a one the page needs a listener of its own.
//
// The page shows what a client must not see: tenants, policies, keys, and who calls. It shows no signature, nobody's name and no part of
// a token but the claims that decide. Nothing is written to disk, and the newest refusals push the oldest out.
package devpage

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/echo-identity/identity"
)

// Options are those of a [Page]. The zero value is the safe one.
type Options struct {
	// Last is how many refusals are kept. Zero means 50; at most 1,000.
	Last int
	// InsecureAllowRemote answers requests from anywhere, by any host name, also through a proxy. Whoever reaches the page then reads
	// who calls this API, and why they are refused. [New] logs a warning.
	InsecureAllowRemote bool
	// Logger gets that warning. Nil means [slog.Default].
	Logger *slog.Logger
}

const (
	standardLast = 50
	maxLast      = 1000
	// explainedPerSecond bounds what a flood of refusals costs: each report is a verification of its own.
	explainedPerSecond = 20
)

// Page collects refusals and shows them. Safe for concurrent use.
type Page struct {
	last   int
	remote bool

	mu       sync.Mutex
	refusals []Refusal // oldest first
	total    int       // refusals since the start
	began    time.Time // of the current second
	taken    int       // in it
}

// Refusal is one entry of the page.
type Refusal struct {
	// RequestID and TraceID are those of the log line, empty if not known.
	RequestID string          `json:"request_id,omitempty"`
	TraceID   string          `json:"trace_id,omitempty"`
	Report    identity.Report `json:"report"`
}

// New makes a page that watches nothing yet.
func New(o Options) *Page {
	p := &Page{last: min(o.Last, maxLast), remote: o.InsecureAllowRemote}
	if p.last <= 0 {
		p.last = standardLast
	}
	if p.remote {
		logger := o.Logger
		if logger == nil {
			logger = slog.Default()
		}
		logger.Warn("identity/devpage: InsecureAllowRemote: whoever reaches this API can read its refusals")
	}
	return p
}

// Watch has the page collect the refusals of a configuration, besides whatever observes them already. Call it before the configuration
// is used; several configurations can share a page.
func (p *Page) Watch(o *identity.Observe) {
	before := o.Trace.Refused
	o.Trace.Refused = func(ctx context.Context, info identity.RefuseInfo) {
		if before != nil {
			before(ctx, info)
		}
		if p.admit(time.Now()) {
			p.add(Refusal{RequestID: info.RequestID, TraceID: info.TraceID, Report: info.Explain(ctx)})
		}
	}
}

// admit counts a refusal, and reports whether it may be explained.
func (p *Page) admit(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	if now.Sub(p.began) >= time.Second {
		p.began, p.taken = now, 0
	}
	p.taken++
	return p.taken <= explainedPerSecond
}

func (p *Page) add(r Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refusals) >= p.last {
		p.refusals = append(p.refusals[:0], p.refusals[1:]...)
	}
	p.refusals = append(p.refusals, r)
}

// snapshot returns what is held, newest first.
func (p *Page) snapshot() (refusals []Refusal, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.refusals) - 1; i >= 0; i-- {
		refusals = append(refusals, p.refusals[i])
	}
	return refusals, p.total
}

// ServeHTTP shows the page, or with ?format=json what is on it as JSON.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", policy)
	if !p.remote && !fromHere(r) {
		http.Error(w, "This page is for the machine that it runs on: open it there, as localhost, and not through a proxy.", http.StatusForbidden)
		return
	}
	if len(r.Header.Values("Origin")) > 0 { // a script's, of another origin: the API's CORS middleware may allow it to read answers
		http.Error(w, "This page is not for scripts of other pages.", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD.", http.StatusMethodNotAllowed)
		return
	}
	refusals, total := p.snapshot()
	if r.URL.Query().Get("format") == "json" {
		h.Set("Content-Type", "application/json")
		if refusals == nil {
			refusals = []Refusal{}
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.Encode(struct {
			Total    int       `json:"total"`
			Refusals []Refusal `json:"refusals"`
		}{total, refusals})
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	render(w, refusals, total)
}

// passedOn reports whether a proxy stands between. Most tell so in a header. nginx, unless it is told otherwise, says nothing of itself
// and names this machine as the host; but it closes its connections, which browsers keep.
func passedOn(r *http.Request) bool {
	for name := range r.Header {
		switch {
		case name == "Forwarded", name == "Via", name == "X-Real-Ip", strings.HasPrefix(name, "X-Forwarded-"):
			return true
		}
	}
	return r.Close
}

// fromHere reports whether a request comes from this machine, and is meant for it: both ends of the connection are loopback addresses, no
// proxy has passed it on, and the host is named as this machine alone is named. The last is against DNS rebinding, where a page of
// somebody else's gets its own name to point here.
func fromHere(r *http.Request) bool {
	if passedOn(r) {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && loopback(local.String()) && loopback(r.RemoteAddr) && ownName(r.Host)
}

func loopback(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// ownName reports whether a Host header names this machine, with or without a port.
func ownName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
