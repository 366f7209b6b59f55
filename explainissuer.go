package identity

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

func (x *explainer) issuer() (string, []string) {
	if other, ok := errors.AsType[*otherIssuer](x.cause()); ok {
		return x.otherIssuer(other.tenant)
	}
	iss := x.claims.text("iss")
	switch kind := x.claims.kind("iss"); {
	case kind == "missing":
		return "The token does not say who has issued it: it has no iss.", forgery
	case kind != "a text" || iss == "":
		return "The token does not say properly who has issued it: iss is " + emptyOr(kind) + ".", forgery
	}
	return fmt.Sprintf("The token's issuer %s, so that it is none of Microsoft's: %s.", issuerFault(iss), quoted(iss)), forgery
}

// issuerFault says what keeps an issuer from being of a documented form.
func issuerFault(iss string) string {
	u, err := url.Parse(iss)
	switch {
	case strings.TrimSpace(iss) != iss:
		return "has a blank before or behind it"
	case err != nil || u.Host == "":
		return "is not an address"
	case u.Scheme != "https":
		return "is not on https"
	case u.User != nil:
		return "only has Microsoft's host as the name of a user, and is on " + shown(u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return "has something behind its path"
	case u.Host != strings.ToLower(u.Host):
		return "has upper-case letters in its host"
	case strings.HasSuffix(u.Hostname(), "."):
		return "has a dot behind its host"
	case !validHost(u.Host):
		return "is not on a valid host"
	}
	segments := strings.Split(u.EscapedPath(), "/")[1:]
	switch first := segments[0]; {
	case strings.Contains(iss, tenantIDToken):
		return "has a placeholder where the tenant ID should be"
	case validGUID(first) && len(segments) == 1:
		return "lacks the slash at its end that a v1.0 issuer has"
	case validGUID(strings.ToLower(first)) && first != strings.ToLower(first):
		return "has the tenant ID in upper case"
	case first == "common" || first == "organizations" || first == "consumers":
		return "names no tenant: it says " + first
	case strings.Contains(first, ".") && len(segments) > 1 && first != "..":
		return "names its tenant by a domain instead of an ID"
	}
	return "has a path that Microsoft does not use"
}

// otherIssuer tells a tenant that is registered from one that is registered for this issuer.
func (x *explainer) otherIssuer(t *Tenant) (string, []string) {
	iss := x.c.issuer
	where := "The tenant issues as " + alternatives(issuersOf(t)) + "."
	host := fmt.Sprintf("The token comes from the host %s, which is not one of those of the tenant %s.", shown(iss.Host), tenantText(t))
	switch kind := t.kind(); {
	case kind == b2c && iss.Form == FormTFP && !t.B2C.TFPIssuers:
		return fmt.Sprintf("The token's issuer has the B2C policy in its path, and the tenant %s is not registered for that.", tenantText(t)),
			[]string{"Set B2C.TFPIssuers if the policies are configured so, or set their issuer claim to the default form. " + where}
	case kind == b2c:
		return host, []string{"If that is a custom domain of the directory, add it to B2C.Hosts. " + where}
	case kind == external && iss.Form != FormV2:
		return fmt.Sprintf("The token's issuer has a form that External ID does not use, and the tenant %s is registered as %s.", tenantText(t), articleKind[kind]), []string{where}
	case kind == external:
		return host, []string{"If that is a custom domain of the directory, add it to External.Hosts. Otherwise have the client sign in at the directory's own host. " + where}
	}
	if cloud, ok := cloudOf(iss); ok {
		return fmt.Sprintf("The token comes from the cloud %s, and the tenant %s is registered in the cloud %s.", cloud, tenantText(t), cloudName(t.Cloud)),
			[]string{"Set Tenant.Cloud to " + cloud + " if the tenant lives there; else have the client sign in at " + t.Cloud.origin() + ".", where}
	}
	return fmt.Sprintf("The token comes from the host %s, where Microsoft issues nothing for the tenant %s.", shown(iss.Host), tenantText(t)), []string{where}
}

// cloudOf is the name of the cloud that an issuer is in.
func cloudOf(iss Issuer) (string, bool) {
	for _, cloud := range []Cloud{Public, USGovernment, China} {
		if iss.Form == FormV2 && iss.origin == cloud.origin() || iss.Form == FormV1 && iss.origin == cloud.v1Origin() {
			return cloudName(cloud), true
		}
	}
	return "", false
}

func cloudName(c Cloud) string {
	switch c {
	case Public:
		return "Public"
	case USGovernment:
		return "USGovernment"
	case China:
		return "China"
	}
	return string(c)
}

// personalAccounts is the tenant of all personal Microsoft accounts.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

func (x *explainer) unknownTenant() (string, []string) {
	iss := x.c.issuer
	add := "Register it: " + registration(iss)
	if _, ok := x.v.tenants.(*TenantCache); ok {
		add += " A tenant that was added lately counts when the ttl of CachedTenants is over, or after Forget."
	}
	if iss.TenantID == personalAccounts {
		return "The token belongs to a personal Microsoft account (Outlook.com, Xbox), and personal accounts are not accepted here.",
			[]string{"Sign in with a work or school account.", add}
	}
	if registry, ok := x.v.tenants.(*Registry); ok {
		for _, t := range registry.kinds(iss.TenantID) {
			return fmt.Sprintf("The token's issuer has the form that %s has, and the tenant %s is registered here as %s.",
					articleKind[kindOfIssuer(iss)], tenantText(t), articleKind[t.kind()]),
				[]string{"The tenant issues as " + alternatives(issuersOf(t)) + ". A directory can be registered as several kinds at once."}
		}
	}
	return fmt.Sprintf("The token comes from the tenant %s, which is not registered here.", iss.TenantID),
		[]string{add, "Or sign in at a tenant that is registered: an authority that names it, instead of common."}
}

var articleKind = map[tenantKind]string{workforce: "a workforce tenant", b2c: "a B2C directory", external: "an External ID directory"}

func kindOfIssuer(iss Issuer) tenantKind {
	switch {
	case iss.Form == FormB2C || iss.Form == FormTFP:
		return b2c
	case strings.HasSuffix(iss.Host, ".ciamlogin.com"):
		return external
	}
	return workforce
}

// registration is Go for the registry's entry of the tenant that an issuer seems to be.
func registration(iss Issuer) string {
	id := fmt.Sprintf("identity.Tenant{ID: %q", iss.TenantID)
	switch kindOfIssuer(iss) {
	case b2c:
		return id + fmt.Sprintf(", B2C: &identity.B2C{Hosts: []string{%q}, Policies: []string{...}}}.", shown(iss.Host))
	case external:
		return id + ", External: &identity.External{}}."
	}
	switch cloud, ok := cloudOf(iss); {
	case !ok:
		return id + fmt.Sprintf(", Cloud: %q}, if %s is a login host that you trust.", shown(iss.origin), shown(iss.Host))
	case cloud == "Public":
		return id + "}."
	default:
		return id + ", Cloud: identity." + cloud + "}."
	}
}

func (x *explainer) otherTenant() (string, []string) {
	switch kind := x.claims.kind("tid"); {
	case kind == "missing":
		return "The token does not name its tenant: it has no tid.", nil
	case kind != "a text" || x.claims.text("tid") == "":
		return "The token does not name its tenant properly: tid is " + emptyOr(kind) + ".", nil
	}
	return fmt.Sprintf("The token contradicts itself: its issuer is that of the tenant %s, and tid is %s.", x.c.issuer.TenantID, quoted(x.claims.text("tid"))), nil
}

func (x *explainer) version() (string, []string) {
	switch x.cause() {
	case errNotV2:
		return "This is a v1.0 token, and from this tenant only v2.0 tokens are accepted (Tenant.Version is 2).", []string{
			"Set requestedAccessTokenVersion to 2 in the manifest of this API's registration (older manifests: accessTokenAcceptedVersion). It decides, not the endpoint that the client uses.",
			"Or keep v1.0 enabled: set Tenant.Version to 0, which accepts both.",
		}
	case errNotV1:
		return "This is a v2.0 token, and from this tenant only v1.0 tokens are accepted (Tenant.Version is 1).", []string{
			"The manifest of this API's registration has requestedAccessTokenVersion 2, which is fine: set Tenant.Version to 0, which accepts both, or to 2.",
		}
	}
	form := "v1.0"
	if x.c.issuer.Form == FormV2 {
		form = "v2.0"
	}
	if x.claims.kind("ver") == "missing" {
		return "The token does not say which version it has: it has no ver.", forgery
	}
	return fmt.Sprintf("The token contradicts itself: its issuer is that of %s tokens, and ver is %s.", form, strings.TrimPrefix(x.valueText(x.claims, "ver"), "is ")), forgery
}
