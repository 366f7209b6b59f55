package identity

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// keyRequest says which key set a token needs, on whose authority.
type keyRequest struct {
	metadata string // address of the discovery document; the name of the key set
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
		return keyRequest{
			metadata: iss.origin + "/" + t.B2C.directory(t.ID) + "/" + strings.ToLower(policy) + "/v2.0" + discoveryPath,
			origin:   iss.origin,
			tenant:   t,
		}
	case external:
		metadata := iss.origin + "/" + t.ID + "/v2.0" + discoveryPath
		if t.AppKeys {
			metadata += "?appid=" + appID
		}
		return keyRequest{metadata: metadata, origin: iss.origin, tenant: t}
	}
	origin := t.Cloud.origin()
	if t.AppKeys {
		return keyRequest{metadata: origin + "/" + t.ID + "/v2.0" + discoveryPath + "?appid=" + appID, origin: origin, tenant: t}
	}
	// One set for all tenants of a cloud: the v2.0 document, because only that one says whom a key may sign for.
	metadata := commonMetadata
	if t.Cloud != Public {
		metadata = origin + "/common/v2.0" + discoveryPath
	}
	return keyRequest{metadata: metadata, origin: origin, template: templateOf(t.Cloud), tenant: t}
}

// templateOf is the issuer that the common v2.0 document of a cloud states.
func templateOf(c Cloud) string {
	if c == Public {
		return publicOrigin + "/" + tenantIDToken + "/v2.0" // a constant: no work on the path of a request
	}
	return c.origin() + "/" + tenantIDToken + "/v2.0"
}

// legacy is the v1.0 key set that stands beside r for v1.0 tokens of workforce tenants.
func (r keyRequest) legacy(iss Issuer) (keyRequest, bool) {
	if iss.Form != FormV1 || r.template == "" {
		return keyRequest{}, false
	}
	return keyRequest{
		metadata: r.origin + "/common" + discoveryPath,
		origin:   r.origin,
		template: iss.origin + "/" + tenantIDToken + "/",
		tenant:   r.tenant,
	}, true
}

// accepts checks the issuer of a discovery document (OpenID Connect Discovery §4.3).
func (r keyRequest) accepts(issuer string) bool {
	if r.template != "" {
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
