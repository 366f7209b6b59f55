package mockidp

import (
	"slices"
	"strings"
)

// oidcScopes belong to no API.
var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// asked is a scope parameter, understood: OpenID Connect's own scopes and those of at most one API.
type asked struct {
	scope    string   // the parameter
	oidc     []string // as requested, in lower case
	api      *application
	resource string   // the API as the client wrote it
	names    []string // short names
	spelled  []string // as requested, in full: what the answer has to repeat
	all      bool     // /.default
}

func (a *asked) has(oidc string) bool { return slices.Contains(a.oidc, oidc) }

// understand reads a scope parameter for a tenant and a client. Where several is set more resources than one are allowed, of which
// the first counts: that is for the authorize endpoint, where consent to the others may be asked for in passing.
func (x *exchange) understand(t *tenant, app *application, scope string, several bool) (*asked, *refusal) {
	a := &asked{scope: scope}
	for _, word := range strings.Fields(scope) {
		if lower := strings.ToLower(word); slices.Contains(oidcScopes, lower) {
			a.oidc = append(a.oidc, lower)
			continue
		}
		resource, name, qualified := cutScope(word)
		if t.Kind == B2C && strings.EqualFold(word, app.ID) {
			resource, name, qualified = app.ID, "", true // B2C: a token for the application itself
		}
		if !qualified {
			if t.Kind == B2C {
				return nil, badScope(scope).inB2C(90117, "The scope '%s' provided in request is not supported.", word)
			}
			resource, name = "https://"+t.cloud.graph, word
		}
		if r := x.addScope(a, app, t, resource, name, word, several); r != nil {
			return nil, r
		}
	}
	if a.all && len(a.names) > 0 {
		return nil, badScope(scope).inB2C(90117, "The scope '%s' provided in request is not supported.", scope)
	}
	return a, nil
}

// addScope adds one scope of an API.
func (x *exchange) addScope(a *asked, app *application, t *tenant, resource, name, word string, several bool) *refusal {
	api := x.srv.api(app, t, resource)
	switch {
	case api == nil:
		return unknownResource(resource, t)
	case a.api != nil && a.api.ID != api.ID && several:
		return nil
	case a.api != nil && a.api.ID != api.ID:
		return refuse("invalid_request", 28000, "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope %s is not valid.", a.scope).
			inB2C(90146, "The scope '%s' provided in request specifies more than one resource for an access token, which is not supported.", word)
	case a.api == nil:
		a.api, a.resource = api, resource
	}
	a.spelled = append(a.spelled, word)
	if name == ".default" {
		a.all = true
	} else if name != "" {
		a.names = append(a.names, name)
	}
	return nil
}

// cutScope takes "resource/name" apart. Of a final ".default" exactly one slash is cut, so that a resource may end in one.
func cutScope(word string) (resource, name string, ok bool) {
	i := strings.LastIndexByte(word, '/')
	if i <= 0 || i == len(word)-1 {
		return "", "", false
	}
	return word[:i], word[i+1:], true
}

func badScope(scope string) *refusal {
	return refuse("invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. "+
		"The scope %s is not valid.", scope)
}

func unknownResource(resource string, t *tenant) *refusal {
	return refuse("invalid_resource", 500011, "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been "+
		"installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong "+
		"tenant.", resource, t.upnDomain()).inB2C(90117, "The scope '%s' provided in request is not supported.", resource).
		advise("Register an application with this Application ID URI in the tenant's directory on this server.")
}

// resourceOnly is what the resource parameter of a v1 endpoint means: everything the client may have.
func (x *exchange) resourceOnly(app *application, t *tenant, resource string) (*asked, *refusal) {
	if resource == "" {
		resource = "https://" + t.cloud.graph
	}
	api := x.srv.api(app, t, resource)
	if api == nil {
		return nil, unknownResource(resource, t)
	}
	return &asked{oidc: []string{"openid", "profile", "email", "offline_access"}, api: api, resource: resource, all: true}, nil
}

// grantedScopes are the short names that a user's token gets: those asked for, which have to exist, or with /.default those of the
// client's registration. missing are the ones that nobody has consented to.
func (x *exchange) grantedScopes(user account, app *application, a *asked) (granted, missing []string, r *refusal) {
	if a.api == nil {
		return nil, nil, nil
	}
	granted = a.names
	permission, listed := app.permission(a.api.ID)
	consented := x.srv.consentedByAdmin(user.tenant, app, a.api.ID)
	own := a.api.ID == app.ID
	switch {
	case app.Lenient.UnknownScopes && !a.all:
		return granted, nil, nil
	case a.all && own:
		granted = a.api.Scopes
	case a.all && listed:
		granted = permission.Scopes
	case a.all && a.api.isGraph():
		granted = []string{"User.Read"}
	case a.all && !app.Lenient.UnknownScopes:
		return nil, nil, refuse("invalid_resource", 650057, "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in "+
			"the client's application registration. Client app ID: %s(%s). Resource value from request: %s. Resource app ID: %s.", app.ID, app.displayName(), a.resource, a.api.ID).
			notPermitted().advise("List the API in the permissions of the client.")
	}
	if !x.srv.installed(app, user.tenant) {
		return granted, granted, nil
	}
	if own || a.api.isGraph() || app.Lenient.UnknownScopes {
		return granted, nil, nil
	}
	for _, name := range granted {
		if !slices.Contains(a.api.Scopes, name) {
			return nil, nil, refuse("invalid_scope", 650053, "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.",
				app.displayName(), name, a.api.ID).inB2C(90117, "The scope '%s' provided in request is not supported.", name)
		}
		if !slices.Contains(consented.Scopes, name) && !x.srv.consentedByUser(user, app, a.api, name) {
			missing = append(missing, name)
		}
	}
	return granted, missing, nil
}

func consentKey(user account, app, api *application, name string) string {
	return strings.Join([]string{user.tenant.Kind.String(), user.tenant.ID, user.ID, app.ID, api.ID, name}, " ")
}

func (s *Server) consentedByUser(user account, app, api *application, name string) (ok bool) {
	s.sessions.do(func() { _, ok, _ = s.sessions.consents.get(consentKey(user, app, api, name), s.now()) })
	return ok
}

// consent remembers what a user agreed to.
func (s *Server) consent(user account, app, api *application, names []string) {
	s.sessions.do(func() {
		for _, name := range names {
			s.sessions.consents.put(consentKey(user, app, api, name), struct{}{}, s.now())
		}
	})
}

// echo is the scope member of an answer. Clients fail when one of the scopes that they asked for is missing from it, in their
// spelling; what /.default stands for is added.
func (a *asked) echo(granted []string) string {
	words := union(a.oidc, a.spelled)
	if a.all {
		for _, name := range granted {
			words = union(words, []string{a.resource + "/" + name})
		}
	}
	return strings.Join(words, " ")
}
