package identity

import (
	"errors"
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
		p, err := v.Authenticate(r)
		switch {
		case err == nil:
			r = r.WithContext(NewContext(r.Context(), p))
		case v.optional && errors.Is(err, ErrTokenMissing):
		default:
			e, _ := asError(err) // Authenticate returns no other
			e.write(w, r)
			return
		}
		next.ServeHTTP(w, r)
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
