package mockidp

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// route is what a request asks for: routing goes from the host to the tenant to the path, here and nowhere else.
type route struct {
	known    bool   // the host is one of ours
	origin   string // scheme and host as the client wrote them
	host     string
	loopback bool        // everything is served, by path
	graph    bool        // the host is Microsoft Graph's, of which only userinfo exists
	cloud    *cloudFacts // of a workforce host, and of a loopback one
	owner    *tenant     // whose host it is; nil where several tenants share it

	endpoint Endpoint
	v1       bool

	pathTenant string // as written, in lower case: GUID, domain, common…
	tenant     *tenant
	shared     bool // common, organizations, consumers

	policy     string // in lower case
	policyForm policyForm
	appID      string
}

// maxOrigin is "https://", the longest name in DNS, and a port.
const maxOrigin = 8 + 253 + 6

// policyForm is how an address names a B2C policy.
type policyForm int

const (
	policyInPath  policyForm = iota // /{tenant}/{policy}/…
	policyWithTFP                   // /tfp/{tenant}/{policy}/…
	policyInQuery                   // /{tenant}/…?p={policy}
)

func (s *Server) route(r *http.Request) route {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rt := s.routeHost(r)
	s.routePath(&rt, r.URL)
	return rt
}

// routeHost finds out whose host it is.
func (s *Server) routeHost(r *http.Request) route {
	rt := route{known: true, host: strings.ToLower(r.Host)}
	scheme := "https"
	if r.TLS == nil {
		scheme = "http"
	}
	rt.origin = scheme + "://" + rt.host
	if origin, ok := parseOrigin(rt.origin); !ok || origin != rt.origin || len(origin) > maxOrigin { // net/http lets "localhost:x" through
		rt.known = false
		return rt
	}
	// Microsoft's hosts and custom domains may carry the default port, or the one that a started server listens on.
	bare, port := rt.host, ""
	if h, p, err := net.SplitHostPort(rt.host); err == nil {
		bare, port = h, p
	}
	names := []string{rt.host}
	if port != "" && (port == "443" || s.URL != "" && strings.HasSuffix(s.URL, ":"+port)) {
		names = append(names, bare)
	}
	for _, name := range names {
		if rt.cloud = cloudByHost(name); rt.cloud != nil {
			return rt
		}
		if rt.cloud = cloudByGraph(name); rt.cloud != nil {
			rt.graph = true
			return rt
		}
		if rt.owner = s.directory.owners[name]; rt.owner != nil {
			return rt
		}
		if rt.cloud = s.directory.privates[name]; rt.cloud != nil {
			rt.loopback = isLoopback(bare)
			return rt
		}
	}
	if isLoopback(bare) || s.remote {
		rt.loopback, rt.cloud = true, publicCloud
		return rt
	}
	rt.known = false
	return rt
}

// kept is a copy for later requests. It holds on to nothing that a stranger chose the length of.
func (rt *route) kept() route {
	k := *rt
	k.origin, k.host, k.pathTenant = strings.Clone(rt.origin), strings.Clone(rt.host), strings.Clone(rt.pathTenant)
	k.policy, k.appID = "", ""
	if rt.tenant != nil && rt.tenant.Kind == B2C {
		k.policy = strings.Clone(rt.policy)
	}
	return k
}

// local tells whether the host is a name of the machine itself, which the pages of others cannot have.
func (rt *route) local() bool {
	if host, _, err := net.SplitHostPort(rt.host); err == nil {
		return isLoopback(host)
	}
	return isLoopback(rt.host)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// tenantPaths end the addresses that begin with a tenant; the longer ones come first.
var tenantPaths = []struct {
	suffix   string
	endpoint Endpoint
	v1       bool
}{
	{"/v2.0/.well-known/openid-configuration", Discovery, false},
	{"/.well-known/openid-configuration", Discovery, true},
	{"/discovery/v2.0/keys", JWKS, false},
	{"/discovery/keys", JWKS, true},
	{"/oauth2/v2.0/authorize", AuthorizeEndpoint, false},
	{"/oauth2/authorize", AuthorizeEndpoint, true},
	{"/oauth2/v2.0/token", TokenEndpoint, false},
	{"/oauth2/token", TokenEndpoint, true},
	{"/oauth2/v2.0/devicecode", DeviceCodeEndpoint, false},
	{"/oauth2/devicecode", DeviceCodeEndpoint, true},
	{"/oauth2/v2.0/logout", LogoutEndpoint, false},
	{"/oauth2/logout", LogoutEndpoint, true},
	{"/openid/userinfo", UserInfoEndpoint, true},
	{"/v2.0/adminconsent", AdminConsentEndpoint, false},
	{"/adminconsent", AdminConsentEndpoint, true},
	{"/login", PageEndpoint, false},
}

// fixedPaths are whole addresses. A user realm has the login at its end.
const (
	instancePath   = "/common/discovery/instance"
	userRealmPath  = "/common/userrealm/"
	userInfoPath   = "/oidc/userinfo"
	deviceFormPath = "/devicelogin"
)

// routeFixed finds the endpoints without a tenant. Hosts of one tenant do not know clouds or their users.
func routeFixed(rt *route, path string) bool {
	switch {
	case !rt.known || rt.graph && path != userInfoPath:
	case path == userInfoPath:
		rt.endpoint = UserInfoEndpoint
	case path == deviceFormPath:
		rt.endpoint = PageEndpoint
	case rt.owner != nil:
	case path == instancePath:
		rt.endpoint, rt.pathTenant = InstanceDiscovery, "common"
	case strings.HasPrefix(path, userRealmPath) && len(path) > len(userRealmPath):
		rt.endpoint, rt.pathTenant = UserRealm, "common"
	}
	return rt.graph || rt.endpoint != OtherEndpoint
}

// routePath reads tenant, policy and document from the address. Paths compare without case, as the service does.
func (s *Server) routePath(rt *route, u *url.URL) {
	path := strings.ToLower(u.Path)
	rt.endpoint = OtherEndpoint
	if routeFixed(rt, path) {
		return
	}
	for _, d := range tenantPaths {
		if rest, ok := strings.CutSuffix(path, d.suffix); ok {
			path, rt.endpoint, rt.v1 = rest, d.endpoint, d.v1
			break
		}
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if segments[0] == "tfp" && len(segments) > 1 {
		segments, rt.policyForm = segments[1:], policyWithTFP
	}
	rt.pathTenant = segments[0]
	switch query := u.Query(); {
	case len(segments) == 2:
		rt.policy = segments[1]
	case query.Has("p") && rt.policyForm == policyInPath:
		rt.policy, rt.policyForm = strings.ToLower(query.Get("p")), policyInQuery
	}
	rt.appID = strings.ToLower(u.Query().Get("appid"))
	if rt.endpoint == OtherEndpoint {
		return
	}
	if !rt.known || len(segments) > 2 || rt.policy == "" && rt.policyForm == policyWithTFP {
		rt.endpoint = OtherEndpoint
		return
	}
	s.routeTenant(rt)
}

// routeTenant finds the tenant among those that the host serves.
func (s *Server) routeTenant(rt *route) {
	if rt.cloud != nil && rt.policy == "" {
		switch rt.pathTenant {
		case "common", "organizations", "consumers", PersonalAccounts:
			rt.shared = true
			return
		}
	}
	for _, kind := range rt.kinds() {
		t := s.directory.tenants[tenantID{kind, rt.pathTenant}]
		if t == nil {
			t = s.directory.byDomain(rt, kind)
		}
		if t != nil && rt.serves(t) {
			rt.tenant = t
			return
		}
	}
}

// kinds are the kinds of tenants that the address can mean, in order: only B2C has policies.
func (rt *route) kinds() []Kind {
	switch {
	case rt.owner != nil:
		return []Kind{rt.owner.Kind}
	case rt.policy != "":
		return []Kind{B2C}
	case rt.loopback || !rt.cloud.known():
		return []Kind{Workforce, External}
	}
	return []Kind{Workforce}
}

// serves tells whether the host serves the tenant.
func (rt *route) serves(t *tenant) bool {
	switch {
	case rt.owner != nil:
		return t == rt.owner
	case rt.loopback:
		return true
	}
	return t.cloud.cloud == rt.cloud.cloud && (t.Kind == Workforce || !t.cloud.known())
}
