package identity

import (
	"io"
	"net/http"
)

// Handler is the middleware for net/http: what is refused gets the same answer as with Echo, in JSON. [Config.Skipper],
// [Config.ErrorHandler] and [Config.ContextKey] are Echo's and have no effect here; wrap only what needs authentication, and leave
// the answers to preflight requests to what stands in front. The principal of a request is [FromContext] of its context.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v.ServeResourceMetadata(w, r) {
			return
		}
		ctx, err := v.admit(origin{r, w.Header()})
		if err != nil {
			e, _ := asError(err) // admit returns no other
			e.write(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// write answers a request with the refusal.
func (e *Error) write(w http.ResponseWriter, r *http.Request) {
	e.setHeader(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.StatusCode())
	if r.Method != http.MethodHead {
		io.WriteString(w, string(e.body()))
	}
}
