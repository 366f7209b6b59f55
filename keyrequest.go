package identity

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// keyRequest says which key set a token needs, on whose authority.
type keyRequest struct {
	// name is what the key set is held under. It has the tenant's ID in it where the set is not shared: two tenants may state
	// the same domain, and the failures of the wrong one must not be those of the right one.
	name     string
	metadata string // address of the discovery document, the end of name
	origin   string // of that address
	// template is the exact issuer that the document must state; empty means one that tenant issues with.
	template string
	tenant   *Tenant
}

const discoveryPath = "/.well-known/openid-configuration"

// commonMetadata is where all workforce tenants of the public cloud find their keys.
const commonMetadata = publicOrigin + "/common/v2.0" + discoveryPath

// keyRequestOf chooses the key set of a token: by the tenant that is trusted with its issuer, and in B2C by the policy.
// appID is this API's application ID, for tenants that have keys of their own for it.
func keyRequestOf(t *Tenant, iss Issuer, policy, appID string) keyRequest {
	switch t.kind() {
	case b2c:
		return ownKeys(t, iss.origin, "/"+t.B2C.directory(t.ID)+"/"+strings.ToLower(policy)+"/v2.0"+discoveryPath)
	case external:
		if t.AppKeys {
			return ownKeys(t, iss.origin, "/"+t.ID+"/v2.0"+discoveryPath+"?appid="+appID)
		}
		return ownKeys(t, iss.origin, "/"+t.ID+"/v2.0"+discoveryPath)
	}
	origin := t.Cloud.origin()
	if t.AppKeys {
		return ownKeys(t, origin, "/"+t.ID+"/v2.0"+discoveryPath+"?appid="+appID)
	}
	// One set for all tenants of a cloud: the v2.0 document, because only that one says whom a key may sign for.
	metadata := commonMetadata
	if t.Cloud != Public {
		metadata = origin + "/common/v2.0" + discoveryPath
	}
	return keyRequest{name: metadata, metadata: metadata, origin: origin, template: templateOf(t.Cloud), tenant: t}
}

// ownKeys is the request for a key set that belongs to one tenant.
func ownKeys(t *Tenant, origin, path string) keyRequest {
	name := t.ID + " " + origin + path
	return keyRequest{name: name, metadata: name[len(t.ID)+1:], origin: origin, tenant: t}
}

// keySet is how the set is known outside.
func (r keyRequest) keySet() KeySet {
	if r.shared() {
		return KeySet{Metadata: r.metadata}
	}
	return KeySet{Metadata: r.metadata, TenantID: r.tenant.ID}
}

// shared reports whether the key set is that of all tenants of a cloud.
func (r keyRequest) shared() bool { return r.template != "" }

// templateOf is the issuer that the common v2.0 document of a cloud states.
func templateOf(c Cloud) string {
	if c == Public {
		return publicOrigin + "/" + tenantIDToken + "/v2.0" // a constant: no work on the path of a request
	}
	return c.origin() + "/" + tenantIDToken + "/v2.0"
}

// legacy is the v1.0 key set that stands beside r for v1.0 tokens of workforce tenants.
func (r keyRequest) legacy(iss Issuer) (keyRequest, bool) {
	if iss.Form != FormV1 || !r.shared() {
		return keyRequest{}, false
	}
	metadata := r.origin + "/common" + discoveryPath
	return keyRequest{
		name:     metadata,
		metadata: metadata,
		origin:   r.origin,
		template: iss.origin + "/" + tenantIDToken + "/",
		tenant:   r.tenant,
	}, true
}

// accepts checks the issuer of a discovery document (OpenID Connect Discovery §4.3).
func (r keyRequest) accepts(issuer string) bool {
	if r.shared() {
		return issuer == r.template
	}
	iss, err := ParseIssuer(issuer)
	return err == nil && r.tenant.issues(iss)
}

// allows reports whether keys may come from an origin: that of the document, or another one of this tenant.
func (r keyRequest) allows(origin string) bool {
	if origin == r.origin {
		return true
	}
	switch r.tenant.kind() {
	case b2c:
		return slices.Contains(r.tenant.B2C.origins, origin)
	case external:
		x := r.tenant.External
		return slices.Contains(x.origins, origin) || x.Domain != "" && origin == "https://"+directoryName(x.Domain)+".ciamlogin.com"
	}
	return false
}

// checkKeyAddress refuses a jwks_uri that would have us ask a host nobody configured.
func (r keyRequest) checkKeyAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return errors.New("jwks_uri is not an address")
	}
	origin, err := parseOrigin(u.Scheme + "://" + u.Host)
	if err != nil || !r.allows(origin) {
		return errors.New("jwks_uri is neither on the discovery host nor on another host of the tenant")
	}
	return nil
}
