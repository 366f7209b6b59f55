package identity

import (
	"io"
	"net/http"
)

// Handler is the middleware for net/http. [Config.Skipper] and [Config.ErrorHandler] are Echo's and have no effect here.
// The principal of a request is [FromContext] of its context.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v.resource != nil && v.resource.asked(r) {
			v.resource.ServeHTTP(w, r)
			return
		}
		ctx, err := v.Admit(r)
		if err != nil {
			e, _ := asError(err) // Admit returns no other
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
