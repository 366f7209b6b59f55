package mockidp

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxForm bounds the body of a request. The largest that anybody sends is an on-behalf-of request, with two tokens in it.
const maxForm = 256 << 10

// exchange is one request to an endpoint of the protocol, and what its answer is made with.
type exchange struct {
	srv         *Server
	rt          *route
	r           *http.Request
	query, form url.Values // form is the body's, without the query
	correlation string
	problem     *refusal // the request cannot be read
}

// serveProtocol answers everything that is not a document.
func (s *Server) serveProtocol(rt *route, r *http.Request) answer {
	if r.Method == http.MethodOptions {
		a := preflightAnswer()
		a.header.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
			a.header["Access-Control-Allow-Headers"] = asked // "*" does not stand for Authorization
		}
		return a
	}
	x := s.newExchange(rt, r)
	if t := rt.tenant; t != nil && t.Kind == B2C {
		if _, ok := t.policy(rt.policy); !ok || rt.v1 {
			return plainAnswer(http.StatusNotFound, "The resource you are looking for has been removed, had its name changed, or is temporarily unavailable.\n")
		}
	}
	switch rt.endpoint {
	case TokenEndpoint:
		return x.token()
	case DeviceCodeEndpoint:
		return x.deviceCode()
	case AuthorizeEndpoint:
		return x.authorize()
	case AdminConsentEndpoint:
		return x.adminConsent()
	case LogoutEndpoint:
		return x.logout()
	case PageEndpoint:
		return x.pagePosted()
	case UserInfoEndpoint:
		return x.userInfo()
	case InstanceDiscovery:
		return x.instanceDiscovery()
	}
	return x.userRealm()
}

// newExchange reads the parameters. What is wrong with them is for the endpoint to say.
func (s *Server) newExchange(rt *route, r *http.Request) *exchange {
	x := &exchange{srv: s, rt: rt, r: r, form: url.Values{}}
	var err error
	if x.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		x.problem = malformedRequest("The query cannot be decoded.")
	}
	if r.Method == http.MethodPost && r.Body != nil && isForm(r.Header.Get("Content-Type")) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
		if err == nil && len(body) <= maxForm {
			x.form, err = url.ParseQuery(string(body))
		}
		if err != nil || len(body) > maxForm {
			x.problem = malformedRequest("The body cannot be decoded.")
		}
	}
	x.correlation = newGUID()
	for _, id := range []string{r.Header.Get("client-request-id"), x.form.Get("client-request-id"), x.query.Get("client-request-id")} {
		if id = strings.ToLower(id); isGUID(id) {
			x.correlation = id
			break
		}
	}
	return x
}

func isForm(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/x-www-form-urlencoded"
}

func (x *exchange) b2c() bool { return x.rt.tenant != nil && x.rt.tenant.Kind == B2C }

// served tells whether the address names a tenant, or any of them.
func (x *exchange) served() bool { return x.rt.tenant != nil || x.rt.shared }

// readable refuses what no endpoint can work with: bad encodings, and parameters that are there twice (RFC 6749 §3.2).
func (x *exchange) readable(params url.Values) *refusal {
	if x.problem != nil {
		return x.problem
	}
	for name, values := range params {
		if len(values) > 1 && slices.Contains(onceOnly, name) {
			return malformedRequest("The parameter '" + name + "' is duplicated.")
		}
	}
	size := 0
	for _, name := range keptParameters {
		if value := params.Get(name); value != "" {
			size += len(value)
			params[name][0] = strings.Clone(value) // not the body that it is a part of
		}
	}
	if size > maxKeptParameters {
		return refuse("invalid_request", 90015, "Requested query string is too long.")
	}
	return nil
}

// keptParameters are what flows, codes, devices and refresh tokens remember: together no more than maxKeptParameters.
var keptParameters = []string{"scope", "resource", "claims", "redirect_uri", "state", "nonce", "prompt", "login_hint", "domain_hint", "sid", "code_challenge", "code_challenge_method"}

const maxKeptParameters = 16 << 10

// onceOnly are the parameters that mean something here. Others are ignored, however many they are.
var onceOnly = []string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "code", "code_verifier", "redirect_uri", "refresh_token", "scope",
	"resource", "assertion", "requested_token_use", "device_code", "username", "password", "claims", "client_info", "response_type", "response_mode", "state",
	"nonce", "prompt", "login_hint", "domain_hint", "code_challenge", "code_challenge_method", "user_code", "post_logout_redirect_uri",
}

// json is the answer of an endpoint for programs.
func (x *exchange) json(body object) answer {
	a := documentAnswer(body)
	a.header.Set("Cache-Control", "no-store")
	a.header.Set("Pragma", "no-cache")
	a.header.Del("Access-Control-Allow-Origin")
	x.allowOrigin(a)
	if strings.EqualFold(x.r.Header.Get("return-client-request-id"), "true") {
		a.header.Set("client-request-id", x.correlation)
	}
	return a
}

// allowOrigin lets scripts read the answer. Errors are for every origin, or browsers would hide them; the token endpoint takes it
// back where only registered origins may read.
func (x *exchange) allowOrigin(a answer) {
	if origin := x.r.Header.Get("Origin"); origin != "" {
		a.header.Set("Access-Control-Allow-Origin", origin)
		a.header.Set("Access-Control-Expose-Headers", "client-request-id")
		a.header.Add("Vary", "Origin")
	}
}

// redirectTo sends the browser on.
func redirectTo(location string) answer {
	return answer{status: http.StatusFound, header: http.Header{
		"Location":        {location},
		"Cache-Control":   {"no-store"},
		"Referrer-Policy": {"no-referrer"},
	}}
}

// address is a path of this server in the form in which the tenant was asked for.
func (rt *route) address(path string) string {
	switch {
	case rt.policyForm == policyWithTFP:
		return "/tfp/" + rt.pathTenant + "/" + rt.policy + path
	case rt.policy != "" && rt.policyForm == policyInQuery:
		return "/" + rt.pathTenant + path + "?p=" + url.QueryEscape(rt.policy)
	case rt.policy != "":
		return "/" + rt.pathTenant + "/" + rt.policy + path
	}
	return "/" + rt.pathTenant + path
}
