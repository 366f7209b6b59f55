package identity

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
)

// origin is the request that a verification or a refusal is for, as far as it is known. It is looked at only for a refusal that
// somebody hears of.
type origin struct {
	request *http.Request
	// response holds the headers of the answer so far: Echo's RequestID middleware puts its ID there.
	response http.Header
}

type requestKey struct{}

// originOf finds the request that a context was made for by [Verifier.Admit] or the middleware.
func originOf(ctx context.Context) origin {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return origin{request: r}
}

// maxRequestID is in characters: a UUID, a ULID or a trace ID with room to spare, and nothing to fill a log with.
const maxRequestID = 64

// requestID is the ID that a middleware has given to the request (X-Request-Id of the answer), or that came with it. The client can have
// chosen the latter, so that one which is not short and plain is none.
func (o origin) requestID() string {
	const name = "X-Request-Id"
	id := o.response.Get(name)
	if id == "" && o.request != nil {
		id = o.request.Header.Get(name)
	}
	if len(id) > maxRequestID || strings.Trim(id, requestIDCharacters) != "" {
		return ""
	}
	return strings.Clone(id)
}

// requestIDCharacters are those of the usual IDs. There is no @, so that no mail address is one.
const requestIDCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+="

// traceID is that of the header traceparent (W3C Trace Context §3.2.2.3).
func (o origin) traceID() string {
	const (
		idLength = 32
		whole    = len("00-") + idLength + len("-") + 16 + len("-00")
	)
	if o.request == nil {
		return ""
	}
	header := o.request.Header.Get("Traceparent")
	if len(header) < whole || len(header) > whole && (header[:2] == "00" || header[whole] != '-') || header[:2] == "ff" {
		return ""
	}
	version, rest, _ := strings.Cut(header[:whole], "-")
	id, rest, _ := strings.Cut(rest, "-")
	parent, flags, _ := strings.Cut(rest, "-")
	if !hex(version, 2) || !hex(id, idLength) || !hex(parent, 16) || !hex(flags, 2) || strings.Trim(id, "0") == "" || strings.Trim(parent, "0") == "" {
		return ""
	}
	return strings.Clone(id)
}

// hex reports whether s is so many lower-case hexadecimal digits.
func hex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

// attrs are the IDs by which a log line finds its request.
func (o origin) attrs() (attrs []slog.Attr) {
	if id := o.requestID(); id != "" {
		attrs = append(attrs, slog.String("request_id", id))
	}
	if id := o.traceID(); id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	return attrs
}
