package mockidp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// instanceDiscovery tells clients which hosts are Microsoft's. It knows versions 1.0 and 1.1.
func (x *exchange) instanceDiscovery() answer {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return x.wrongMethod("GET")
	}
	if x.problem != nil {
		return x.refused(x.problem)
	}
	version, authorize, issuer := x.query.Get("api-version"), x.query.Get("authorization_endpoint"), x.query.Get("issuer")
	switch {
	case version != "1.0" && version != "1.1":
		return x.refused(refuse("invalid_request", 500501, "The 'api-version' query parameter is missing or its value is not supported."))
	case (authorize == "") == (issuer == ""):
		return x.refused(refuse("invalid_request", 500502, "Exactly one of the query parameters 'authorization_endpoint' and 'issuer' is required."))
	}
	u, err := url.Parse(authorize + issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return x.refused(refuse("invalid_instance", 50050, "The authority URL is malformed."))
	}
	host := strings.ToLower(u.Host)
	known := x.instances(host)
	if known == nil {
		return x.refused(refuse("invalid_instance", 50049, "Unknown or invalid instance."))
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	document := "https://" + host + "/" + segments[0] + "/.well-known/openid-configuration"
	if strings.HasSuffix(strings.ToLower(u.Path), "/oauth2/v2.0/authorize") {
		document = "https://" + host + "/" + segments[0] + "/v2.0/.well-known/openid-configuration"
	}
	o := object{{"tenant_discovery_endpoint", document}}
	if version == "1.1" {
		o.set("api-version", "1.1")
		o.set("metadata", known)
	}
	return x.json(o)
}

// instances lists the alias sets, and the host itself where everything is on one origin; nil for a host that is nobody's.
func (x *exchange) instances(host string) []object {
	entry := func(network, cache string, aliases []string) object {
		return object{{"preferred_network", network}, {"preferred_cache", cache}, {"aliases", aliases}}
	}
	var all []object
	found := cloudByHost(host) != nil
	for _, c := range []*cloudFacts{publicCloud, China.facts(), USGovernment.facts()} {
		aliases := slices.DeleteFunc(slices.Clone(c.hosts), func(h string) bool { return h == "sts.chinacloudapi.cn" })
		cache := aliases[0]
		if c == publicCloud {
			cache = "login.windows.net"
		}
		all = append(all, entry(aliases[0], cache, aliases))
	}
	if !found && host == x.rt.host {
		found, all = true, append(all, entry(host, host, []string{host}))
	}
	if !found {
		return nil
	}
	return all
}

// userRealm tells clients, before they send a password, that nobody is federated here.
func (x *exchange) userRealm() answer {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return x.wrongMethod("GET")
	}
	login := x.r.URL.Path[len(userRealmPath):]
	_, domain, _ := strings.Cut(login, "@")
	if domain == "" || !x.srv.knowsDomain(x.rt, domain) {
		return x.json(object{{"ver", "1.0"}, {"account_type", "Unknown"}, {"cloud_instance_name", x.rt.cloud.instance},
			{"cloud_audience_urn", "urn:federation:MicrosoftOnline"}})
	}
	return x.json(object{{"ver", "1.0"}, {"account_type", "Managed"}, {"domain_name", domain}, {"cloud_instance_name", x.rt.cloud.instance},
		{"cloud_audience_urn", "urn:federation:MicrosoftOnline"}})
}

// knowsDomain: a tenant has the domain, or a user with such a login.
func (s *Server) knowsDomain(rt *route, domain string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.workforce(rt.cloud) {
		if strings.EqualFold(t.domain(), domain) {
			return true
		}
		for _, u := range t.Users {
			if at := strings.LastIndexByte(u.Login, '@'); at >= 0 && strings.EqualFold(u.Login[at+1:], domain) {
				return true
			}
		}
	}
	return false
}

// userInfo is OpenID Connect's, which is part of Microsoft Graph: it takes tokens for Graph.
func (x *exchange) userInfo() answer {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodPost && x.r.Method != http.MethodHead {
		return x.wrongMethod("GET, POST")
	}
	scheme, raw, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		raw = x.form.Get("access_token")
	}
	user, client, message := x.userOfToken(strings.TrimSpace(raw))
	if message != "" {
		a := x.json(object{{"error", object{{"code", "InvalidAuthenticationToken"}, {"message", message},
			{"innerError", object{{"date", x.srv.now().UTC().Format("2006-01-02T15:04:05")}, {"request-id", newGUID()}, {"client-request-id", x.correlation}}}}}})
		a.status = http.StatusUnauthorized
		a.header.Set("Www-Authenticate", `Bearer realm="", authorization_uri="`+x.rt.base()+`/common/oauth2/authorize", error="invalid_token"`)
		return a
	}
	given, family, _ := strings.Cut(user.displayName(), " ")
	return x.json(object{
		{"sub", user.subject(client)}, {"name", user.displayName()}, {"family_name", family}, {"given_name", given},
		{"picture", "https://" + x.facts().graph + "/v1.0/me/photo/$value"}, {"email", user.email()},
	})
}

// userOfToken finds who a token for Graph is about, and which client got it. The message is empty when it is good.
func (x *exchange) userOfToken(raw string) (user account, client, message string) {
	if raw == "" {
		return account{}, "", "Access token is empty."
	}
	claims, kind, err := x.srv.verifyOwn(x.facts(), raw)
	if err != nil {
		return account{}, "", "Access token validation failure. Invalid signature."
	}
	text := func(name string) string { s, _ := claims[name].(string); return s }
	audience := strings.TrimSuffix(text("aud"), "/")
	if audience != graphID && audience != "https://"+x.facts().graph {
		return account{}, "", "Access token validation failure. Invalid audience."
	}
	if expires, _ := claims["exp"].(float64); x.srv.now().Unix() >= int64(expires) {
		return account{}, "", "Access token has expired or is not yet valid."
	}
	if a, ok := x.srv.accountByKey(accountKey{kind, x.facts().cloud, text("tid"), text("oid")}); ok {
		return a, text("appid") + text("azp"), ""
	}
	return account{}, "", "The user of the access token does not exist."
}
