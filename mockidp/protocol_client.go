package mockidp

import (
	"net/url"
	"slices"
	"strings"
)

// caller is the client of a token request, and what it has shown.
type caller struct {
	*application
	proof string // "0" nothing, "1" a secret, "2" an assertion, as in azpacr
}

// assertionType is RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// credentials are what a request says about its client.
type credentials struct {
	id, secret, assertion string
}

// credentials reads the body, and the header that only relying parties of OpenID Connect use.
func (x *exchange) credentials() (credentials, *refusal) {
	c := credentials{id: x.form.Get("client_id"), secret: x.form.Get("client_secret"), assertion: x.form.Get("client_assertion")}
	if user, password, ok := x.r.BasicAuth(); ok {
		// RFC 6749 §2.3.1: both are form-encoded first.
		id, err1 := url.QueryUnescape(user)
		secret, err2 := url.QueryUnescape(password)
		switch {
		case err1 != nil || err2 != nil:
			return c, malformedRequest("The credentials in the Authorization header cannot be decoded.")
		case c.id != "" && !strings.EqualFold(c.id, id), c.secret != "" && c.secret != secret:
			return c, malformedRequest("The Authorization header and the body name different clients or secrets.")
		}
		c.id, c.secret = id, secret
	}
	if c.assertion != "" && x.form.Get("client_assertion_type") != assertionType {
		return c, refuse("invalid_request", 70002, "The 'client_assertion_type' must be '%s'.", assertionType).inB2C(90083, "The request is missing required parameter: client_assertion_type.")
	}
	if c.id == "" && c.assertion != "" {
		c.id = assertionSubject(c.assertion) // RFC 7521 §4.2: the assertion says who it is
	}
	return c, nil
}

// findClient is the client of a request, before it has shown anything.
func (x *exchange) findClient(id string) (*application, *refusal) {
	switch {
	case id == "":
		return nil, missingParameter("client_id").inB2C(90008, "The request does not contain a client id parameter.")
	case !isGUID(strings.ToLower(id)):
		return nil, malformedClient(id)
	}
	app := x.srv.client(x.rt, id)
	if app == nil {
		return nil, unknownClient(id, x.tenantName())
	}
	wrongPlace := x.rt.shared && !app.MultiTenant && !(app.PersonalAccounts && x.rt.pathTenant != "organizations")
	if wrongPlace && x.rt.endpoint == DeviceCodeEndpoint {
		return nil, noTenant()
	}
	if wrongPlace {
		return nil, refuse("invalid_request", 50194, "Application '%s'(%s) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported "+
			"for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.", app.ID, app.displayName())
	}
	if personalOnly(x.rt) && !app.PersonalAccounts {
		return nil, unknownClient(id, "consumers").advise("Set personalAccounts on the application.")
	}
	return app, nil
}

func personalOnly(rt *route) bool {
	return rt.shared && (rt.pathTenant == "consumers" || rt.pathTenant == PersonalAccounts)
}

func (x *exchange) tenantName() string {
	if x.rt.tenant != nil {
		return x.rt.tenant.upnDomain()
	}
	return x.rt.pathTenant
}

// caller finds the client and checks whatever it shows. Whether it had to show something is for the grant to say.
func (x *exchange) caller() (*caller, *refusal) {
	c, r := x.credentials()
	if r != nil {
		return nil, r
	}
	app, r := x.findClient(c.id)
	if r != nil {
		return nil, r
	}
	switch {
	case c.assertion != "":
		if !app.Lenient.AnySecret {
			r = x.checkAssertion(app, c.assertion)
		}
		return &caller{app, "2"}, r
	case c.secret != "":
		return &caller{app, "1"}, checkSecret(app, c.secret)
	}
	return &caller{app, "0"}, nil
}

func checkSecret(app *application, secret string) *refusal {
	switch {
	case app.Lenient.AnySecret || slices.Contains(app.Secrets, secret):
		return nil
	case slices.Contains(app.ExpiredSecrets, secret):
		return refuse("invalid_client", 7000222, "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: "+
			"https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", app.ID).
			inB2C(90081, "The specified client_secret does not match the expected value for this client.")
	case !app.confidential():
		return refuse("invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.").
			inB2C(90081, "The specified client_secret does not match the expected value for this client.")
	}
	return refuse("invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret "+
		"ID, for a secret added to app '%s'.", app.ID).inB2C(90081, "The specified client_secret does not match the expected value for this client.")
}

// mustProve refuses a client that has shown nothing.
func (c *caller) mustProve() *refusal {
	if c.proof != "0" || c.Lenient.AnySecret {
		return nil
	}
	return refuse("invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.").
		inB2C(90079, "Clients must send a client_secret when redeeming a confidential grant.")
}

// mustProveFor applies the rule of the platform that a code or refresh token was issued to.
func (c *caller) mustProveFor(p platform) *refusal {
	if p == webPlatform {
		return c.mustProve()
	}
	return nil
}

// mayBePublic is for the grants without a redirect URI.
func (c *caller) mayBePublic() *refusal {
	if c.PublicClient {
		return nil
	}
	return c.mustProve()
}

// crossOrigin enforces that scripts in browsers redeem what was issued to single-page applications, and nothing else does.
func (x *exchange) crossOrigin(app *application, p platform) *refusal {
	origin := x.r.Header.Get("Origin")
	switch {
	case app.Lenient.AnyOrigin || x.b2c():
		return nil
	case origin == "" && p == spaPlatform:
		return refuse("invalid_request", 9002327, "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.").
			advise("Send an Origin header.")
	case origin != "" && p != spaPlatform:
		return refuse("invalid_request", 9002326, "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '%s'.", origin)
	}
	return nil
}

// readableBy leaves the header for scripts only where the origin belongs to a registered single-page application.
func (x *exchange) readableBy(app *application, a answer) answer {
	origin := x.r.Header.Get("Origin")
	if origin == "" || app.Lenient.AnyOrigin || app.Lenient.AnyRedirectURI {
		return a
	}
	for _, uri := range app.RedirectURIs.SPA {
		u, err := url.Parse(uri)
		if o, err2 := url.Parse(origin); err == nil && err2 == nil && (sameURI(u.Scheme+"://"+u.Host, origin) || sameLoopback(u.Scheme+"://"+u.Host, o.Scheme+"://"+o.Host)) {
			return a
		}
	}
	a.header.Del("Access-Control-Allow-Origin")
	return a
}
