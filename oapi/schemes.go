package oapi

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/echo-identity/identity"
)

// Description says how clients get tokens for an API. The zero value is refused.
type Description struct {
	// Authority is where to sign in, as MSAL has it: https://login.microsoftonline.com/organizations for the users of any tenant, or
	// that of one tenant, see [Authority]. https, or http on loopback. Required.
	Authority string
	// AppIDURI is the API's, such as api://cccccccc-3333-4333-8333-cccccccccccc: what clients put before a scope. Required.
	AppIDURI string
	// Scopes are the delegated permissions that the API publishes, by short name, with a sentence for people.
	Scopes map[string]string
	// Name is that of the scheme for users. Zero means "entra".
	Name string
	// Application is the name of the scheme for applications in their own name. Zero means that the document gets none.
	Application string
}

// AddSchemes writes security schemes into a document, in place of those of the same names: one for users, the authorization code flow
// with PKCE (RFC 7636), and one for applications, the client credentials flow, whose one scope is {AppIDURI}/.default (Microsoft's
// term: the app roles that were granted). It changes no requirement.
//
// OpenAPI has no word for PKCE. The extension x-usePkce, which some viewers read, says SHA-256; Swagger UI has a setting of its own,
// usePkceWithAuthorizationCodeGrant.
func AddSchemes(document *openapi3.T, d Description) error {
	authority, err := url.Parse(d.Authority)
	if err != nil || authority.Host == "" || !secure(authority) || strings.Trim(authority.Path, "/") == "" || authority.RawQuery != "" || authority.Fragment != "" || authority.User != nil {
		return fmt.Errorf("oapi: Description.Authority: %q is not an authority such as https://login.microsoftonline.com/organizations", d.Authority)
	}
	if uri, err := url.Parse(d.AppIDURI); err != nil || uri.Scheme == "" {
		return fmt.Errorf("oapi: Description.AppIDURI: %q is not an address such as api://{client ID}", d.AppIDURI)
	}
	if document == nil {
		return errors.New("oapi: a document is required")
	}
	name := d.Name
	if name == "" {
		name = "entra"
	}
	if name == d.Application {
		return errors.New("oapi: Description.Application: is the name of the other scheme")
	}
	scopes := make(map[string]string, len(d.Scopes))
	for _, scope := range slices.Sorted(maps.Keys(d.Scopes)) {
		if scope == "" || strings.ContainsAny(scope, " \t\r\n") || strings.Contains(scope, "://") {
			return fmt.Errorf("oapi: Description.Scopes: %q is not the short name of a scope", scope)
		}
		scopes[d.scope(scope)] = d.Scopes[scope]
	}
	if document.Components == nil {
		document.Components = &openapi3.Components{}
	}
	if document.Components.SecuritySchemes == nil {
		document.Components.SecuritySchemes = make(openapi3.SecuritySchemes)
	}
	schemes := document.Components.SecuritySchemes
	schemes[name] = oauth2("Signs a user in. The client must use PKCE.", &openapi3.OAuthFlows{AuthorizationCode: &openapi3.OAuthFlow{
		AuthorizationURL: d.endpoint("authorize"), TokenURL: d.endpoint("token"), RefreshURL: d.endpoint("token"), Scopes: scopes,
		Extensions: map[string]any{"x-usePkce": "SHA-256"},
	}})
	if d.Application != "" {
		schemes[d.Application] = oauth2("For an application in its own name, with the app roles that were granted to it.", &openapi3.OAuthFlows{
			ClientCredentials: &openapi3.OAuthFlow{
				TokenURL: d.endpoint("token"), Scopes: map[string]string{d.scope(".default"): "The app roles that were granted"},
			},
		})
	}
	return nil
}

func oauth2(text string, flows *openapi3.OAuthFlows) *openapi3.SecuritySchemeRef {
	return &openapi3.SecuritySchemeRef{Value: &openapi3.SecurityScheme{Type: "oauth2", Description: text, Flows: flows}}
}

func (d *Description) scope(name string) string {
	return strings.TrimSuffix(d.AppIDURI, "/") + "/" + name
}

func (d *Description) endpoint(name string) string {
	return strings.TrimSuffix(d.Authority, "/") + "/oauth2/v2.0/" + name
}

// secure reports whether passwords may be typed at an address: https, or http on loopback, where a mock is.
func secure(u *url.URL) bool {
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

// Authority is where users of one tenant sign in, for [Description]: https://login.microsoftonline.com/{ID}. B2C has one for each
// policy; other tenants have none.
func Authority(t identity.Tenant, policy string) (string, error) {
	if t.B2C == nil && policy != "" || t.B2C != nil && policy == "" {
		return "", errors.New("oapi: Authority: a policy belongs to a B2C tenant, and to no other")
	}
	switch {
	case t.B2C != nil:
		directory := t.ID
		if strings.Contains(t.B2C.Domain, ".") {
			directory = t.B2C.Domain
		}
		return origin(t, t.B2C.Hosts, ".b2clogin.com", t.B2C.Domain) + "/" + directory + "/" + policy, nil
	case t.External != nil:
		return origin(t, t.External.Hosts, ".ciamlogin.com", t.ID) + "/" + t.ID, nil
	}
	return origin(t, nil, "", "") + "/" + t.ID, nil
}

// origin is where a directory signs in: its first host, or the one that Microsoft gives it, or its cloud's.
func origin(t identity.Tenant, hosts []string, suffix, domain string) string {
	switch {
	case len(hosts) > 0 && strings.Contains(hosts[0], "://"):
		return hosts[0]
	case len(hosts) > 0:
		return "https://" + hosts[0]
	case t.Cloud == identity.Public && suffix != "":
		name, _, _ := strings.Cut(domain, ".")
		return "https://" + name + suffix
	case t.Cloud == identity.Public:
		return "https://login.microsoftonline.com"
	}
	return strings.TrimSuffix(string(t.Cloud), "/")
}
