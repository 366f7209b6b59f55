package mockidp

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxRequests and maxRecorded, in bytes, bound what a server remembers.
const (
	maxRequests = 10_000
	maxRecorded = 64 << 20
)

// Request is a request that the server got, or that its transport refused to carry to an unknown host.
type Request struct {
	Method   string
	Scheme   string
	Host     string // as the client wrote it, in lower case
	Path     string
	RawQuery string
	Endpoint Endpoint
	Tenant   string // the tenant's GUID; for common and the like, and for an unknown tenant, the path segment
	Policy   string // in lower case
	AppID    string // of ?appid=, in lower case
	Time     time.Time
	Header   http.Header // must not be modified
}

// recorder counts requests when they arrive, before any fault.
type recorder struct {
	mu       sync.Mutex // guards what follows
	requests []Request  // oldest first
	bytes    int
	counts   map[Endpoint]int
}

func (rec *recorder) add(r Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.counts == nil {
		rec.counts = make(map[Endpoint]int)
	}
	rec.counts[r.Endpoint]++
	rec.requests, rec.bytes = append(rec.requests, r), rec.bytes+r.size()
	for len(rec.requests) > maxRequests || rec.bytes > maxRecorded {
		rec.bytes -= rec.requests[0].size()
		rec.requests[0] = Request{} // appending moves the rest some day, and frees it
		rec.requests = rec.requests[1:]
	}
}

// size is about how much memory the request takes.
func (r *Request) size() int {
	n := 300 + len(r.Host) + len(r.Path) + len(r.RawQuery)
	for name, values := range r.Header {
		n += 40 + len(name)
		for _, v := range values {
			n += 16 + len(v)
		}
	}
	return n
}

// Requests are the latest 10,000 requests, oldest first; fewer where they take more than 64 MiB.
func (s *Server) Requests() []Request {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	return slices.Clone(s.recorder.requests)
}

// Count is the number of requests for e since the start or the last reset, however many they were; [AnyEndpoint] counts all.
func (s *Server) Count(e Endpoint) int {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	if e != AnyEndpoint {
		return s.recorder.counts[e]
	}
	total := 0
	for _, n := range s.recorder.counts {
		total += n
	}
	return total
}

// CountIf counts those of [Server.Requests] that match.
func (s *Server) CountIf(match func(Request) bool) int {
	n := 0
	for _, r := range s.Requests() {
		if match(r) {
			n++
		}
	}
	return n
}

// ResetCounts forgets all requests.
func (s *Server) ResetCounts() {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.recorder.requests, s.recorder.bytes, s.recorder.counts = nil, 0, nil
}

// record notes an arriving request.
func (s *Server) record(r *http.Request, rt *route) {
	entry := Request{
		Method: r.Method, Scheme: "https", Host: rt.host, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Endpoint: rt.endpoint,
		Tenant: rt.pathTenant, Policy: rt.policy, AppID: rt.appID, Time: s.now(), Header: r.Header.Clone(),
	}
	if r.TLS == nil {
		entry.Scheme = "http"
	}
	if rt.tenant != nil {
		entry.Tenant = rt.tenant.ID
	}
	s.recorder.add(entry)
}
