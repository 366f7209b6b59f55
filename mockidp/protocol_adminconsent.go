package mockidp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// adminConsent is the page on which an administrator consents for the whole tenant (Microsoft: "Admin consent on the Microsoft
// identity platform"). The v2.0 one takes scopes; the older one asks for everything in the registration.
func (x *exchange) adminConsent() answer {
	params, ok := x.parameters()
	if !ok {
		return x.wrongMethod("GET, POST")
	}
	if t := x.rt.tenant; t != nil && t.Kind != Workforce {
		return plainAnswer(http.StatusNotFound, "The resource you are looking for has been removed, had its name changed, or is temporarily unavailable.\n")
	}
	if !x.served() {
		return x.errorPage(unknownTenant(x.rt.pathTenant), nil)
	}
	req, r := x.adminRequest(params)
	switch {
	case r != nil && !req.mayRedirect:
		return x.errorPage(r, req.app)
	case r != nil:
		return x.denied(req, r)
	}
	return x.begin(req)
}

// adminRequest checks the parameters.
func (x *exchange) adminRequest(params url.Values) (*authRequest, *refusal) {
	req, r := x.returnAddress(params)
	req.mode, req.forTenant = "query", true
	if r != nil {
		return req, r
	}
	if personalOnly(x.rt) {
		return req, noTenant()
	}
	req.loginHint, req.domainHint = hinted(params.Get("login_hint")), params.Get("domain_hint")
	if x.rt.v1 {
		req.scope = req.app.ID + "/.default"
	} else {
		req.scope = strings.Join(strings.Fields(params.Get("scope")), " ")
	}
	if req.scope == "" {
		return req, missingParameter("scope")
	}
	_, r = x.askedForTenant(req, x.likelyTenant(req.app))
	return req, r
}

// askedForTenant are the permissions of a request: the named scopes, or with /.default, of whatever API, everything in the
// registration, app roles included.
func (x *exchange) askedForTenant(req *authRequest, t *tenant) ([]Permission, *refusal) {
	all, named := EnterpriseApplication{}, EnterpriseApplication{}
	whole := false
	for _, word := range strings.Fields(req.scope) {
		if slices.Contains(oidcScopes, strings.ToLower(word)) {
			continue
		}
		resource, name, qualified := cutScope(word)
		if !qualified {
			resource, name = "https://"+t.cloud.graph, word
		}
		api := x.srv.api(req.app, t, resource)
		if api == nil {
			return nil, unknownResource(resource, t)
		}
		if name == ".default" {
			whole = true
			continue
		}
		if !api.isGraph() && !slices.Contains(api.Scopes, name) {
			return nil, refuse("invalid_scope", 650053, "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.",
				req.app.displayName(), name, api.ID)
		}
		named.widen([]Permission{{API: api.ID, Scopes: []string{name}}})
	}
	if !whole {
		return named.Permissions, nil
	}
	for _, p := range req.app.Permissions {
		if p.API != graphID && x.srv.api(req.app, t, p.API) == nil {
			return nil, refuse("invalid_client", 650052, "The app is trying to access a service '%s' that your organization '%s' lacks a service principal for. Contact your IT "+
				"Admin to review the configuration of your service subscriptions or consent to the application in order to create the required service principal.", p.API, t.ID)
		}
		all.widen(clonePermissions([]Permission{{API: p.API, Scopes: p.Scopes, Roles: p.Roles}}))
	}
	all.widen(named.Permissions)
	return all.Permissions, nil
}

// proceedAsAdmin asks, however often the answer was yes before.
func (x *exchange) proceedAsAdmin(f *flow, app *application, user account) answer {
	permissions, r := x.askedForTenant(f.request, user.tenant)
	switch {
	case r != nil:
		return x.denied(f.request, r)
	case !user.mayConsent():
		return x.showAdminNeeded(f, app, user)
	}
	_, fields := x.remember(f)
	p := adminConsentPage{pageForm: pageForm{x.rt.address("/login"), fields}, pagePlace: x.place(app), Login: user.Login}
	p.Tenant = user.tenant.upnDomain() // the address may say organizations
	for _, permission := range permissions {
		api := permission.API
		if a := x.srv.api(app, user.tenant, permission.API); a != nil {
			api = a.displayName()
		}
		for _, name := range permission.Scopes {
			p.Permissions = append(p.Permissions, pagePermission{Name: name, API: api, Text: "On behalf of whoever is signed in."})
		}
		for _, name := range permission.Roles {
			p.Permissions = append(p.Permissions, pagePermission{Name: name, API: api, Text: "By itself, with nobody signed in."})
		}
	}
	return x.withCookie(pageAnswer(http.StatusOK, p), f.browser)
}

// consentAsAdmin records the consent and answers the application. The page is no proof of being an administrator.
func (x *exchange) consentAsAdmin(f *flow, app *application, user account) answer {
	resp, r := x.grantForTenant(f.request, app, user)
	switch {
	case r != nil && r.number == adminNeeded().number:
		return x.showAdminNeeded(f, app, user)
	case r != nil:
		return x.denied(f.request, r)
	}
	return x.withCookie(resp.answer(), f.browser)
}

func (x *exchange) grantForTenant(req *authRequest, app *application, user account) (*authorizeResponse, *refusal) {
	if !user.mayConsent() {
		return nil, adminNeeded()
	}
	permissions, r := x.askedForTenant(req, user.tenant)
	if r != nil {
		return nil, r
	}
	x.srv.edit(user.tenant.ID, Workforce, func(t *Tenant) {
		e := EnterpriseApplication{ID: app.ID}
		for _, before := range t.EnterpriseApplications {
			if before.ID == app.ID {
				e = before
			}
		}
		e.widen(permissions)
		t.putEnterpriseApplication(e)
	})
	resp := &authorizeResponse{redirectURI: req.redirectURI, mode: req.mode}
	resp.add("admin_consent", "True")
	resp.add("tenant", user.tenant.ID)
	if !x.rt.v1 {
		resp.add("scope", req.scope)
	}
	resp.add("state", req.state)
	return resp, nil
}

// walkAsAdmin does without the page.
func (x *exchange) walkAsAdmin(req *authRequest, login string, accepts bool) (*authorizeResponse, *refusal) {
	user, ok := x.srv.accountByLogin(x.rt, req.app, login)
	switch {
	case !ok:
		return nil, unknownUser(x.tenantName())
	case user.Disabled:
		return nil, disabledUser()
	case !user.mayConsent():
		return nil, adminNeeded()
	case !accepts:
		return nil, declined()
	}
	return x.grantForTenant(req, req.app, user)
}

// adminNeeded is told to the application when somebody who may not consent goes back to it.
func adminNeeded() *refusal {
	return refuse("access_denied", 90094, "Administrator consent is required.").
		advise("Let an administrator of the tenant consent: a user with one of the directoryRoles that may.")
}

// showAdminNeeded leaves the user the choice of coming back as somebody else.
func (x *exchange) showAdminNeeded(f *flow, app *application, user account) answer {
	f.barred = true
	_, fields := x.remember(f)
	p := adminNeededPage{pageForm: pageForm{x.rt.address("/login"), fields}, pagePlace: x.place(app), Login: user.Login}
	p.Tenant = user.tenant.upnDomain()
	return x.withCookie(pageAnswer(http.StatusOK, p), f.browser)
}
