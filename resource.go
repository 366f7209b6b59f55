package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Resource describes this API for clients that find out where to sign in: the protected resource metadata of RFC 9728. The
// middleware serves the document at its well-known path and names its address in every challenge, those of guards too. The
// zero value is off.
type Resource struct {
	// URL is the resource identifier, such as https://api.example/v1. It comes from here and never from the request, whose
	// Host header anybody can set. Required for the rest to have an effect; https, or http on loopback.
	URL string
	// AuthorizationServers lists issuers to sign in at, such as https://login.microsoftonline.com/{tenant ID}/v2.0: https, or
	// http on loopback, without query and fragment (RFC 8414 §2). It trusts nobody: Config.Tenants does that. Optional.
	AuthorizationServers []string
	// Scopes lists the scopes to tell clients of, as they must ask for them: api://{client ID}/Orders.Read. It enforces nothing. The
	// challenge of a guard that requires Orders.Read names it as it is listed here: to Microsoft the short name alone is a scope of
	// Microsoft Graph.
	Scopes []string
	// Name is shown to people. Optional.
	Name string
	// Documentation is the address of a page for developers. Optional.
	Documentation string
}

const wellKnownResource = "/.well-known/oauth-protected-resource"

// resource is a checked Resource with its document.
type resource struct {
	Resource
	metadata string   // address of the document
	pattern  string   // path of that address, escaped
	paths    []string // unescaped, as in a request's URL
	document []byte
}

// newResource checks a Resource. methods are the ways to send a token that this API takes (RFC 6750 §2).
func newResource(r Resource, methods []string) (*resource, error) {
	if r.URL == "" {
		if r.Name != "" || r.Documentation != "" || len(r.Scopes) > 0 || len(r.AuthorizationServers) > 0 {
			return nil, errors.New("URL: is required")
		}
		return nil, nil
	}
	u, err := identifier("resource", r.URL)
	if err != nil {
		return nil, fmt.Errorf("URL: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.Scopes, r.AuthorizationServers = slices.Clone(r.Scopes), slices.Clone(r.AuthorizationServers)
	// RFC 9728 §3.1: the well-known path goes between host and path.
	own := &resource{Resource: r, pattern: wellKnownResource + strings.TrimSuffix(u.EscapedPath(), "/")}
	own.metadata = u.Scheme + "://" + u.Host + own.pattern
	own.paths = []string{wellKnownResource + strings.TrimSuffix(u.Path, "/")}
	if strings.HasSuffix(u.Path, "/") && u.Path != "/" {
		// Only the slash behind the host has to go; clients that build the address themselves may keep the one behind a path.
		own.paths = append(own.paths, wellKnownResource+u.Path)
	}
	own.document, err = json.Marshal(struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers,omitempty"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"` // RFC 9728 §2: [] says that there is none
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
	}{r.URL, r.AuthorizationServers, r.Scopes, methods, r.Name, r.Documentation})
	return own, err
}

// check finds what is wrong with the fields that the document only passes on.
func (r Resource) check() error {
	var faults []error
	fault := func(field string, err error) { faults = append(faults, fmt.Errorf("%s: %w", field, err)) }
	for i, server := range r.AuthorizationServers {
		if _, err := identifier("issuer", server); err != nil {
			fault(fmt.Sprintf("AuthorizationServers[%d]", i), err)
		}
	}
	for i, scope := range r.Scopes {
		if !scopeToken(scope) {
			fault(fmt.Sprintf("Scopes[%d]", i), fmt.Errorf("%q is not one scope (RFC 6749 §3.3)", scope))
		}
	}
	if u, err := url.Parse(r.Documentation); r.Documentation != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		fault("Documentation", fmt.Errorf("%q is not the address of a page", r.Documentation))
	}
	return errors.Join(faults...)
}

// identifier reads the identifier of a resource (RFC 9728 §1.2) or of an authorization server (RFC 8414 §2).
func identifier(what, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.Contains(s, "#") || u.User != nil || u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("%q is not the identifier of a %s: https, a host, and a path", s, what)
	}
	if _, err := parseOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, err
	}
	return u, nil
}

// scopeToken reports whether s is a scope of RFC 6749 §3.3: printable ASCII but the blank, the quote and the backslash.
func scopeToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// requestable names scopes, which rules require as tokens hold them, the way that clients must ask for them. A scope that is not
// listed, or under two addresses, stays as it is.
func (r *resource) requestable(scopes []string) []string {
	if len(r.Scopes) == 0 || len(scopes) == 0 {
		return scopes
	}
	named := slices.Clone(scopes) // a rule's Error is every request's
	for i, scope := range scopes {
		listed := func(full string) bool { return strings.HasSuffix(full, "/"+scope) }
		if at := slices.IndexFunc(r.Scopes, listed); at >= 0 && !slices.ContainsFunc(r.Scopes[at+1:], listed) {
			named[i] = r.Scopes[at]
		}
	}
	return named
}

// ResourceMetadata returns the document of [Config.Resource] as a handler, and the path that it belongs at, for applications
// whose middleware does not see that path: one that guards a group, a route, or a part of a mux.
//
//	mux.Handle(verifier.ResourceMetadata())
//
// Without Config.Resource the handler answers 404.
func (v *Verifier) ResourceMetadata() (path string, handler http.Handler) {
	if v.resource == nil {
		return wellKnownResource, http.NotFoundHandler()
	}
	return v.resource.pattern, v.resource
}

// ServeResourceMetadata answers a request for the document of [Config.Resource], and reports whether it was one. An adapter asks it
// before it asks for a token, as [Verifier.Handler] does.
func (v *Verifier) ServeResourceMetadata(w http.ResponseWriter, r *http.Request) bool {
	if v.resource == nil || !v.resource.asked(r) {
		return false
	}
	v.resource.ServeHTTP(w, r)
	return true
}

// asked reports whether a request is for the document.
func (r *resource) asked(req *http.Request) bool {
	if !slices.Contains(r.paths, req.URL.Path) {
		return false
	}
	return req.Method == http.MethodGet || req.Method == http.MethodHead || preflight(req)
}

// preflight reports whether a browser asks if it may send a request of another origin: the Fetch standard, CORS preflight.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// ServeHTTP serves the document (RFC 9728 §3.2), to scripts of other origins too, with whatever headers they send: it is public.
func (r *resource) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch {
	case preflight(req):
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
	case req.Method == http.MethodGet, req.Method == http.MethodHead:
		h.Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		if req.Method == http.MethodGet {
			w.Write(r.document)
		}
	default:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	}
}
