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
// middleware serves the document at its well-known path and names its address in every challenge. The zero value is off.
type Resource struct {
	// URL is the resource identifier, such as https://api.example/v1. It comes from here and never from the request, whose
	// Host header anybody can set. Required for the rest to have an effect; https, or http on loopback.
	URL string
	// AuthorizationServers lists issuers to sign in at, such as https://login.microsoftonline.com/{tenant ID}/v2.0. Optional.
	AuthorizationServers []string
	// Scopes lists the scopes to tell clients of, as they must ask for them: api://{client ID}/Orders.Read. It enforces nothing.
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
	metadata string // address of the document
	path     string // of that address, unescaped as in a request's URL
	document []byte
}

func newResource(r Resource) (*resource, error) {
	if r.URL == "" {
		if r.Name != "" || r.Documentation != "" || len(r.Scopes) > 0 || len(r.AuthorizationServers) > 0 {
			return nil, errors.New("URL: is required")
		}
		return nil, nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("URL: %q is not a resource identifier: https, a host, and a path", r.URL)
	}
	if _, err := parseOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, fmt.Errorf("URL: %w", err)
	}
	r.Scopes, r.AuthorizationServers = slices.Clone(r.Scopes), slices.Clone(r.AuthorizationServers)
	// RFC 9728 §3: the well-known path goes between host and path.
	metadata := u.Scheme + "://" + u.Host + wellKnownResource + strings.TrimSuffix(u.EscapedPath(), "/")
	path := wellKnownResource + strings.TrimSuffix(u.Path, "/")
	document, err := json.Marshal(struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers,omitempty"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
	}{r.URL, r.AuthorizationServers, r.Scopes, []string{"header"}, r.Name, r.Documentation})
	if err != nil {
		return nil, err
	}
	return &resource{Resource: r, metadata: metadata, path: path, document: document}, nil
}

// asked reports whether a request is for the document.
func (r *resource) asked(req *http.Request) bool {
	return req.URL.Path == r.path && (req.Method == http.MethodGet || req.Method == http.MethodHead)
}

// ServeHTTP serves the document (RFC 9728 §3.2), to scripts of other origins too: it is public.
func (r *resource) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(http.StatusOK)
	if req.Method != http.MethodHead {
		w.Write(r.document)
	}
}
