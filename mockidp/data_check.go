package mockidp

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// problem is a fault of a directory: where, in the words of the file, and what.
type problem struct{ path, text string }

// problems collects all faults, so that a file with ten of them is not corrected ten times.
type problems []problem

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, problem{path, fmt.Sprintf(format, args...)})
}

func (p problems) texts() []string {
	texts := make([]string, len(p))
	for i, one := range p {
		texts[i] = strings.TrimPrefix(one.path, ".") + ": " + one.text
	}
	return texts
}

// guid checks an identifier that was already put into lower case.
func (p *problems) guid(path, id string) {
	switch {
	case id == "":
		p.add(path, "is required")
	case !isGUID(id):
		p.add(path, "%q is not a GUID", id)
	}
}

// unique finds values that come twice. Empty ones are somebody else's fault.
func unique(p *problems, path, what string, seen map[string]bool, value string) {
	if value == "" {
		return
	}
	if value = strings.ToLower(value); seen[value] {
		p.add(path, "%s %q comes twice", what, value)
	}
	seen[value] = true
}

// check finds what is wrong with a tenant by itself. The tenant has been cloned.
func (t *Tenant) check(p *problems, path string) {
	p.guid(path+".id", t.ID)
	if t.ID == PersonalAccounts {
		p.add(path+".id", "the tenant of personal accounts is part of every cloud")
	}
	for i, h := range t.Hosts {
		if !isHost(h) {
			p.add(fmt.Sprintf("%s.hosts[%d]", path, i), "%q is not a host", h)
		}
	}
	if t.Domain != "" && !isDomain(t.Domain) {
		p.add(path+".domain", "%q is not a domain name, nor its first label", t.Domain)
	}
	t.checkKind(p, path)
	t.checkUsers(p, path)
	t.checkApplications(p, path)
	t.checkEnterpriseApplications(p, path)
}

// isHost checks "host" and "host:port".
func isHost(h string) bool {
	origin, ok := parseOrigin("https://" + h)
	return ok && origin == "https://"+h && !strings.ContainsFunc(h, isBlank)
}

// isDomain checks a name of labels that are put together from letters, digits and hyphens. Letters beyond ASCII pass.
func isDomain(name string) bool {
	return !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool {
		return label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return r < 0x80 && !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
		})
	})
}

func (t *Tenant) checkKind(p *problems, path string) {
	_, isOrigin := parseOrigin(string(t.Cloud))
	knownCloud := t.Cloud == Public || isOrigin && t.Cloud.facts().known()
	switch {
	case t.Kind < Workforce || t.Kind > External:
		p.add(path+".kind", "unknown %v", t.Kind)
	case t.Kind == Workforce && len(t.Hosts) > 0:
		p.add(path+".hosts", "a workforce tenant has no custom domain")
	}
	if t.Cloud != Public && !isOrigin {
		p.add(path+".cloud", "%q is not an origin (https://host[:port])", string(t.Cloud))
	}
	switch {
	case t.Kind != B2C && len(t.Policies) > 0:
		p.add(path+".policies", "only B2C has policies")
	case t.Kind == B2C && len(t.Policies) == 0:
		p.add(path+".policies", "B2C needs at least one")
	}
	seen := make(map[string]bool)
	for i, name := range t.Policies {
		at := fmt.Sprintf("%s.policies[%d]", path, i)
		if name == "" || strings.ContainsAny(name, "/?#&") || strings.ContainsFunc(name, isBlank) {
			p.add(at, "%q is not the name of a policy", name)
		}
		unique(p, at, "policy", seen, name)
	}
	if t.Kind == B2C && t.Domain == "" && len(t.Hosts) == 0 && knownCloud {
		p.add(path+".domain", "domain, hosts or a private cloud is needed to reach a B2C tenant")
	}
}

func (t *Tenant) checkUsers(p *problems, path string) {
	ids, logins := make(map[string]bool), make(map[string]bool)
	for i := range t.Users {
		at := fmt.Sprintf("%s.users[%d]", path, i)
		t.Users[i].check(p, at, ids, logins)
		switch u := t.Users[i]; {
		case u.HomeTenant == "":
		case t.Kind == B2C:
			p.add(at+".homeTenant", "B2C has no guests")
		case u.HomeTenant == t.ID:
			p.add(at+".homeTenant", "is this tenant; leave it out for a member")
		}
	}
}

func (a *Account) check(p *problems, path string, ids, logins map[string]bool) {
	p.guid(path+".id", a.ID)
	unique(p, path+".id", "user", ids, a.ID)
	if a.Login == "" {
		p.add(path+".login", "is required")
	} else if strings.ContainsFunc(a.Login, isBlank) {
		p.add(path+".login", "%q has blanks or control characters", a.Login)
	}
	unique(p, path+".login", "login", logins, a.Login)
	if a.HomeTenant != "" {
		p.guid(path+".homeTenant", a.HomeTenant)
	}
	if a.HomeID != "" {
		p.guid(path+".homeID", a.HomeID)
	}
	for i, r := range a.Roles {
		p.guid(fmt.Sprintf("%s.roles[%d].application", path, i), r.Application)
		p.word(fmt.Sprintf("%s.roles[%d].role", path, i), r.Role)
	}
	p.words(path+".groups", a.Groups)
	for i, id := range a.DirectoryRoles {
		p.guid(fmt.Sprintf("%s.directoryRoles[%d]", path, i), id)
	}
}

func isBlank(r rune) bool { return r <= ' ' || r == 0x7f }

// word checks a name that stands in lists separated by blanks.
func (p *problems) word(path, value string) {
	switch {
	case value == "":
		p.add(path, "is empty")
	case strings.ContainsFunc(value, isBlank):
		p.add(path, "%q has blanks or control characters", value)
	}
}

// words checks a list of them, in which none comes twice. Case counts.
func (p *problems) words(path string, values []string) {
	for i, v := range values {
		at := fmt.Sprintf("%s[%d]", path, i)
		p.word(at, v)
		if v != "" && slices.Contains(values[:i], v) {
			p.add(at, "%q comes twice", v)
		}
	}
}

func (t *Tenant) checkApplications(p *problems, path string) {
	ids, uris := make(map[string]bool), make(map[string]bool)
	for i := range t.Applications {
		a, at := &t.Applications[i], fmt.Sprintf("%s.applications[%d]", path, i)
		unique(p, at+".id", "application", ids, a.ID)
		for j, uri := range a.IdentifierURIs {
			uriAt := fmt.Sprintf("%s.identifierURIs[%d]", at, j)
			if u, err := url.Parse(uri); err != nil || u.Scheme == "" || strings.ContainsFunc(uri, isBlank) {
				p.add(uriAt, "%q is not an absolute URI", uri)
			}
			unique(p, uriAt, "Application ID URI", uris, strings.TrimSuffix(uri, "/"))
		}
		a.check(p, at)
		if t.Kind != Workforce && a.MultiTenant {
			p.add(at+".multiTenant", "is for workforce tenants")
		}
		if t.Kind != Workforce && a.PersonalAccounts {
			p.add(at+".personalAccounts", "is for workforce tenants")
		}
	}
}

func (a *Application) check(p *problems, path string) {
	p.guid(path+".id", a.ID)
	if a.NeedsAdminConsent && !a.MultiTenant {
		p.add(path+".needsAdminConsent", "is for multi-tenant applications: it is about other tenants")
	}
	if a.ServicePrincipal != "" {
		p.guid(path+".servicePrincipal", a.ServicePrincipal)
	}
	for i, s := range append(slices.Clone(a.Secrets), a.ExpiredSecrets...) {
		if s == "" && i < len(a.Secrets) {
			p.add(fmt.Sprintf("%s.secrets[%d]", path, i), "is empty")
		} else if s == "" {
			p.add(fmt.Sprintf("%s.expiredSecrets[%d]", path, i-len(a.Secrets)), "is empty")
		}
	}
	for i, text := range a.Certificates {
		if _, err := parseCertificate(text); err != nil {
			p.add(fmt.Sprintf("%s.certificates[%d]", path, i), "%v", err)
		}
	}
	for i, f := range a.FederatedCredentials {
		f.check(p, fmt.Sprintf("%s.federatedCredentials[%d]", path, i))
	}
	a.checkURIs(p, path)
	a.checkAPI(p, path)
	p.permissions(path, a.Permissions)
}

func (p *problems) permissions(path string, permissions []Permission) {
	apis := make(map[string]bool)
	for i, permission := range permissions {
		at := fmt.Sprintf("%s.permissions[%d]", path, i)
		p.guid(at+".api", permission.API)
		unique(p, at+".api", "API", apis, permission.API)
		p.words(at+".scopes", permission.Scopes)
		p.words(at+".roles", permission.Roles)
	}
}

func (t *Tenant) checkEnterpriseApplications(p *problems, path string) {
	if t.Kind != Workforce && len(t.EnterpriseApplications) > 0 {
		p.add(path+".enterpriseApplications", "is for workforce tenants")
	}
	ids := make(map[string]bool)
	for i, e := range t.EnterpriseApplications {
		at := fmt.Sprintf("%s.enterpriseApplications[%d]", path, i)
		p.guid(at+".id", e.ID)
		unique(p, at+".id", "application", ids, e.ID)
		p.permissions(at, e.Permissions)
	}
}

func (a *Application) checkAPI(p *problems, path string) {
	p.words(path+".scopes", a.Scopes)
	p.words(path+".optionalClaims", a.OptionalClaims)
	for i, r := range a.AppRoles {
		at := fmt.Sprintf("%s.appRoles[%d]", path, i)
		p.word(at+".value", r.Value)
		if slices.ContainsFunc(a.AppRoles[:i], func(other AppRole) bool { return other.Value == r.Value && r.Value != "" }) {
			p.add(at+".value", "role %q comes twice", r.Value)
		}
		for j, who := range r.AllowedMemberTypes {
			if who != "users" && who != "applications" {
				p.add(fmt.Sprintf("%s.allowedMemberTypes[%d]", at, j), "%q is neither users nor applications", who)
			}
		}
	}
	if a.TokenVersion < 0 || a.TokenVersion > 2 {
		p.add(path+".tokenVersion", "%d is neither 1 nor 2", a.TokenVersion)
	}
	if a.PersonalAccounts && len(a.Scopes) > 0 && a.TokenVersion != 2 {
		p.add(path+".tokenVersion", "an API for personal accounts needs 2")
	}
	if a.TokenLifetime < 0 || a.TokenLifetime > 24*60*60 {
		p.add(path+".tokenLifetime", "%d is not within a day, in seconds", a.TokenLifetime)
	}
}

// checkURIs wants each redirect URI once: the platform that it is registered for decides how its codes are redeemed.
func (a *Application) checkURIs(p *problems, path string) {
	var redirects []string
	for _, list := range []struct {
		name string
		uris []string
	}{
		{"redirectURIs.web", a.RedirectURIs.Web},
		{"redirectURIs.spa", a.RedirectURIs.SPA},
		{"redirectURIs.native", a.RedirectURIs.Native},
		{"logoutURIs", a.LogoutURIs},
	} {
		for i, uri := range list.uris {
			if err := checkRedirectURI(uri, list.name == "redirectURIs.native"); err != nil {
				p.add(fmt.Sprintf("%s.%s[%d]", path, list.name, i), "%q %v", uri, err)
				continue
			}
			if list.name == "logoutURIs" {
				continue
			}
			if slices.ContainsFunc(redirects, func(other string) bool { return sameURI(other, uri) }) {
				p.add(fmt.Sprintf("%s.%s[%d]", path, list.name, i), "%q comes twice", uri)
			}
			redirects = append(redirects, uri)
		}
	}
}

func (f FederatedCredential) check(p *problems, path string) {
	if u, err := url.Parse(f.Issuer); err != nil || u.Scheme != "https" || u.Host == "" {
		p.add(path+".issuer", "%q is not an https address", f.Issuer)
	}
	if f.Subject == "" {
		p.add(path+".subject", "is required")
	}
	if f.Key != "" {
		if _, err := parsePublicKey(f.Key); err != nil {
			p.add(path+".key", "%v", err)
		}
	}
}

// parseCertificate reads one certificate with an RSA key.
func parseCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("is not a certificate in PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("is not a certificate in PEM")
	}
	if _, ok := certificate.PublicKey.(*rsa.PublicKey); !ok {
		return nil, errors.New("is a certificate without an RSA key")
	}
	return certificate, nil
}

// parsePublicKey reads an RSA key, bare or in a certificate.
func parsePublicKey(text string) (*rsa.PublicKey, error) {
	if certificate, err := parseCertificate(text); err == nil {
		return certificate.PublicKey.(*rsa.PublicKey), nil
	}
	if block, _ := pem.Decode([]byte(text)); block != nil {
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			if public, ok := key.(*rsa.PublicKey); ok {
				return public, nil
			}
		}
	}
	return nil, errors.New("is neither an RSA public key nor a certificate in PEM")
}
