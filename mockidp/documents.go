package mockidp

import (
	"fmt"
	"net/http"
	"strings"
)

// serve finds the answer to a request, before any fault changes it.
func (s *Server) serve(rt route, r *http.Request) answer {
	switch {
	case !rt.known:
		return plainAnswer(http.StatusNotFound, fmt.Sprintf("mockidp: no tenant or cloud has the host %q\n", rt.host))
	case rt.isTokenPage(r.URL.Path):
		return s.serveTokenPage(rt, r)
	case rt.endpoint >= AuthorizeEndpoint:
		return s.serveProtocol(&rt, r)
	case rt.endpoint == OtherEndpoint:
		return plainAnswer(http.StatusNotFound, "mockidp: nothing is served here\n")
	case r.Method == http.MethodOptions:
		return preflightAnswer()
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		a := plainAnswer(http.StatusMethodNotAllowed, "mockidp: documents are read with GET\n")
		a.header.Set("Allow", "GET, HEAD, OPTIONS")
		return a
	case !rt.shared && rt.tenant == nil:
		return s.unknownTenant(rt)
	case rt.tenant != nil && rt.tenant.Kind == B2C:
		return s.serveB2C(rt)
	case rt.appID != "" && (rt.shared || !isGUID(rt.appID)):
		return plainAnswer(http.StatusBadRequest, "mockidp: appid needs a tenant and has to be a GUID\n")
	case rt.endpoint == JWKS:
		return documentAnswer(s.keysOf(rt).document(rt.v1, rt.keyIssuer()))
	case rt.v1:
		return documentAnswer(rt.v1Document())
	}
	return documentAnswer(rt.v2Document())
}

func (s *Server) serveB2C(rt route) answer {
	policy, ok := rt.tenant.policy(rt.policy)
	if !ok || rt.v1 {
		return plainAnswer(http.StatusNotFound, "The resource you are looking for has been removed, had its name changed, or is temporarily unavailable.\n")
	}
	if rt.endpoint == JWKS {
		handle := &TenantHandle{srv: s, t: rt.tenant}
		return documentAnswer(handle.PolicyKeys(policy).document(false, ""))
	}
	return documentAnswer(rt.b2cDocument())
}

// keysOf is the set behind a jwks_uri that is not B2C's.
func (s *Server) keysOf(rt route) *KeySet {
	if rt.shared {
		return s.CloudKeys(rt.cloud.cloud)
	}
	handle := &TenantHandle{srv: s, t: rt.tenant}
	if rt.appID != "" && s.mayHaveKeys(rt.tenant, rt.appID) {
		return handle.AppKeys(rt.appID)
	}
	return handle.Keys()
}

// maxStrangeSets bounds the key sets of applications that are not registered: tokens made by hand need no registration, but each
// set costs a key, and whoever asks makes up the ID.
const maxStrangeSets = 16

// mayHaveKeys tells whether an application has keys of its own. One that comes too late has its tenant's.
func (s *Server) mayHaveKeys(t *tenant, app string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	strange := 0
	for id := range s.sets {
		if id.app == app && id.kind == t.Kind && id.tenant == t.ID {
			return true
		}
		if id.app != "" {
			strange++
		}
	}
	return strange < maxStrangeSets || t.apps[app] != nil
}

// base is the origin that the documents put into issuers and addresses: the canonical one of a cloud, the client's own elsewhere.
func (rt *route) base() string {
	if rt.cloud != nil && !rt.loopback && rt.cloud.known() {
		return rt.cloud.origin
	}
	return rt.origin
}

// issuerBase is where v2 issuers are. External ID issues from its GUID host, whatever name it was asked under, but on custom
// domains and where everything is on one origin.
func (rt *route) issuerBase() string {
	if t := rt.owner; t != nil && t.Kind == External && !t.customHost(rt.host) {
		return t.origin()
	}
	return rt.base()
}

// customHost tells whether the host is one of Hosts, by its name with or without a port.
func (t *tenant) customHost(host string) bool {
	bare, _, _ := strings.Cut(host, ":")
	for _, h := range t.Hosts {
		if h == host || h == bare {
			return true
		}
	}
	return false
}

// segment is what stands for the tenant in the addresses of a document.
func (rt *route) segment() string {
	if rt.shared {
		return rt.pathTenant
	}
	return rt.tenant.ID
}

// issuerSegment is what stands for the tenant in the issuer: the literal placeholder where any tenant may sign in.
func (rt *route) issuerSegment() string {
	switch {
	case !rt.shared:
		return rt.tenant.ID
	case rt.pathTenant == "consumers" || rt.pathTenant == PersonalAccounts:
		return PersonalAccounts
	}
	return "{tenantid}"
}

// keyIssuer is the issuer that a v2 set writes into its keys. Those of a cloud may sign for every tenant; those of one tenant, or
// of one of its applications, for that tenant alone.
func (rt *route) keyIssuer() string {
	if rt.shared || rt.tenant.Kind == Workforce && rt.appID == "" {
		return rt.issuerBase() + "/{tenantid}/v2.0"
	}
	return rt.issuerBase() + "/" + rt.tenant.ID + "/v2.0"
}

func (rt *route) facts() *cloudFacts {
	switch {
	case rt.tenant != nil:
		return rt.tenant.cloud
	case rt.owner != nil:
		return rt.owner.cloud
	}
	return rt.cloud
}

// userInfo is on the host of Microsoft Graph, but where everything is on one origin.
func (rt *route) userInfo() string {
	if c := rt.facts(); c.known() && !rt.loopback {
		return "https://" + c.graph + userInfoPath
	}
	return rt.base() + userInfoPath
}

func (rt *route) region() any {
	if rt.shared {
		return nil
	}
	return rt.facts().region
}

// appQuery repeats ?appid= on the jwks_uri.
func (rt *route) appQuery() string {
	if rt.appID == "" {
		return ""
	}
	return "?appid=" + rt.appID
}

var (
	responseModes = []string{"query", "fragment", "form_post"}
	pairwise      = []string{"pairwise"}
	onlyRS256     = []string{"RS256"}
)

// v2Document is the discovery document of workforce and External ID tenants.
func (rt *route) v2Document() object {
	c, base := rt.facts(), rt.base()+"/"+rt.segment()
	o := object{
		{"token_endpoint", base + "/oauth2/v2.0/token"},
		{"token_endpoint_auth_methods_supported", []string{"client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth"}},
		{"jwks_uri", base + "/discovery/v2.0/keys" + rt.appQuery()},
		{"response_modes_supported", responseModes},
		{"subject_types_supported", pairwise},
		{"id_token_signing_alg_values_supported", onlyRS256},
		{"response_types_supported", []string{"code", "id_token", "code id_token", "id_token token"}},
		{"scopes_supported", []string{"openid", "profile", "email", "offline_access"}},
		{"issuer", rt.issuerBase() + "/" + rt.issuerSegment() + "/v2.0"},
		{"request_uri_parameter_supported", false},
		{"userinfo_endpoint", rt.userInfo()},
		{"authorization_endpoint", base + "/oauth2/v2.0/authorize"},
		{"device_authorization_endpoint", base + "/oauth2/v2.0/devicecode"},
		{"http_logout_supported", true},
		{"frontchannel_logout_supported", true},
		{"end_session_endpoint", base + "/oauth2/v2.0/logout"},
		{"claims_supported", []string{"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name",
			"msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash",
			"c_hash", "email"}},
		{"kerberos_endpoint", base + "/kerberos"},
	}
	if c.mtls != "" {
		o.set("mtls_endpoint_aliases", object{{"token_endpoint", "https://" + c.mtls + "/" + rt.segment() + "/oauth2/v2.0/token"}})
	}
	return append(o, object{
		{"tls_client_certificate_bound_access_tokens", true},
		{"tenant_region_scope", rt.region()},
		{"cloud_instance_name", c.instance},
		{"cloud_graph_host_name", c.legacyGraph},
		{"msgraph_host", c.graph},
		{"rbac_url", c.rbac},
	}...)
}

// v1Document is the discovery document of v1 tokens. Its issuer is on the STS host, which is never asked for anything.
func (rt *route) v1Document() object {
	c, base := rt.facts(), rt.base()+"/"+rt.segment()
	return object{
		{"token_endpoint", base + "/oauth2/token"},
		{"token_endpoint_auth_methods_supported", []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}},
		{"jwks_uri", base + "/discovery/keys" + rt.appQuery()},
		{"response_modes_supported", responseModes},
		{"subject_types_supported", pairwise},
		{"id_token_signing_alg_values_supported", onlyRS256},
		{"response_types_supported", []string{"code", "id_token", "code id_token", "token id_token", "token"}},
		{"scopes_supported", []string{"openid"}},
		{"issuer", c.sts + "/" + rt.issuerSegment() + "/"},
		{"microsoft_multi_refresh_token", true},
		{"authorization_endpoint", base + "/oauth2/authorize"},
		{"device_authorization_endpoint", base + "/oauth2/devicecode"},
		{"http_logout_supported", true},
		{"frontchannel_logout_supported", true},
		{"end_session_endpoint", base + "/oauth2/logout"},
		{"claims_supported", []string{"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name",
			"msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "email", "given_name", "family_name", "nickname"}},
		{"check_session_iframe", base + "/oauth2/checksession"},
		{"userinfo_endpoint", base + "/openid/userinfo"},
		{"kerberos_endpoint", base + "/kerberos"},
		{"tenant_region_scope", rt.region()},
		{"cloud_instance_name", c.instance},
		{"cloud_graph_host_name", c.legacyGraph},
		{"msgraph_host", c.graph},
		{"rbac_url", c.rbac},
	}
}

// b2cDocument is the discovery document of a policy. Addresses repeat the form, and the name of the tenant, that was asked for.
func (rt *route) b2cDocument() object {
	address := func(path string) string {
		switch rt.policyForm {
		case policyWithTFP:
			return rt.base() + "/tfp/" + rt.pathTenant + "/" + rt.policy + path
		case policyInQuery:
			return rt.base() + "/" + rt.pathTenant + path + "?p=" + rt.policy
		}
		return rt.base() + "/" + rt.pathTenant + "/" + rt.policy + path
	}
	return object{
		{"issuer", rt.tenant.issuerAt(rt.issuerBase())},
		{"authorization_endpoint", address("/oauth2/v2.0/authorize")},
		{"token_endpoint", address("/oauth2/v2.0/token")},
		{"end_session_endpoint", address("/oauth2/v2.0/logout")},
		{"jwks_uri", address("/discovery/v2.0/keys")},
		{"response_modes_supported", responseModes},
		{"response_types_supported", []string{"code", "code id_token", "code token", "code id_token token", "id_token", "id_token token", "token", "token id_token"}},
		{"scopes_supported", []string{"openid"}},
		{"subject_types_supported", pairwise},
		{"id_token_signing_alg_values_supported", onlyRS256},
		{"token_endpoint_auth_methods_supported", []string{"client_secret_post", "client_secret_basic"}},
		{"claims_supported", []string{"oid", "newUser", "idp", "name", "emails", "tfp", "sub", "iss", "iat", "exp", "aud", "acr", "nonce", "auth_time"}},
	}
}

// unknownTenant is how Entra answers for a tenant that does not exist.
func (s *Server) unknownTenant(rt route) answer {
	now, trace, correlation := s.now().UTC(), newGUID(), newGUID()
	description := fmt.Sprintf("AADSTS90002: Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct "+
		"cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant. "+
		"Trace ID: %s Correlation ID: %s Timestamp: %s", rt.pathTenant, trace, correlation, now.Format("2006-01-02 15:04:05Z"))
	a := documentAnswer(object{
		{"error", "invalid_tenant"},
		{"error_description", description},
		{"error_codes", []int{90002}},
		{"timestamp", now.Format("2006-01-02 15:04:05Z")},
		{"trace_id", trace},
		{"correlation_id", correlation},
		{"error_uri", rt.base() + "/error?code=90002"},
	})
	a.status = http.StatusBadRequest
	a.header.Set("Cache-Control", "no-store")
	return a
}

func newGUID() string {
	b := randomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
