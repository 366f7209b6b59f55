package mockidp

import (
	"net/http"
	"slices"
	"strings"
)

// logout ends the session of a browser and goes back to any registered address. Neither an ID token nor a client has to be named:
// MSAL names none.
func (x *exchange) logout() answer {
	params, ok := x.parameters()
	if !ok {
		return x.wrongMethod("GET, POST")
	}
	if !x.served() {
		return x.errorPage(unknownTenant(x.rt.pathTenant), nil)
	}
	if r := x.readable(params); r != nil {
		return x.errorPage(r, nil)
	}
	hint := hinted(params.Get("logout_hint"))
	logins := x.endSession(hint)
	to := params.Get("post_logout_redirect_uri")
	if to == "" || !x.mayReturnTo(to) {
		return pageAnswer(http.StatusOK, signedOutPage{pagePlace: x.place(nil), Logins: logins})
	}
	resp := &authorizeResponse{redirectURI: to, mode: "query"}
	resp.add("state", params.Get("state"))
	if len(resp.values) == 0 {
		return redirectTo(to)
	}
	return redirectTo(resp.location())
}

// endSession signs out the account of the hint, or everybody who may sign in at this address.
func (x *exchange) endSession(hint string) (logins []string) {
	accounts, signed := x.session(nil)
	var ended []signedIn
	for i, a := range accounts {
		if hint == "" || strings.EqualFold(a.Login, hint) {
			logins, ended = append(logins, a.Login), append(ended, signed[i])
		}
	}
	s := &x.srv.sessions
	s.do(func() {
		b, ok := s.browsers.live(x.cookie(), x.srv.now())
		if !ok {
			return
		}
		kept := slices.DeleteFunc(slices.Clone(b.accounts), func(a signedIn) bool { return slices.Contains(ended, a) })
		s.browsers.put(x.cookie(), &browser{accounts: kept}, x.srv.now().Add(sessionLife))
	})
	return logins
}

// mayReturnTo: any application of the tenant may have registered the address.
func (x *exchange) mayReturnTo(uri string) bool {
	for _, app := range x.srv.applicationsAt(x.rt) {
		if slices.ContainsFunc(app.LogoutURIs, func(registered string) bool { return sameURI(registered, uri) || sameLoopback(registered, uri) }) {
			return true
		}
		if _, ok := app.redirect(uri); ok && checkRedirectURI(uri, true) == nil {
			return true
		}
	}
	return false
}

// applicationsAt are the applications that somebody can have been signed in to at an address.
func (s *Server) applicationsAt(rt *route) []*application {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var apps []*application
	add := func(t *tenant) {
		for i := range t.Applications {
			if a := t.apps[t.Applications[i].ID]; t == rt.tenant || a.MultiTenant || rt.shared && a.PersonalAccounts {
				apps = append(apps, a)
			}
		}
	}
	if rt.tenant != nil && rt.tenant.Kind != Workforce {
		add(rt.tenant)
		return apps
	}
	for _, t := range s.workforce(rt.facts()) {
		add(t)
	}
	return apps
}
