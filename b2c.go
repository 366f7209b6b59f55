package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// B2C makes a [Tenant] an Azure AD B2C directory.
type B2C struct {
	// Domain is the name of the directory: "contosob2c" for contosob2c.onmicrosoft.com, whose host is
	// contosob2c.b2clogin.com. Given in full, it is also what the addresses of its key sets are asked with, instead of
	// the tenant ID. Required unless Hosts is set.
	Domain string
	// Hosts lists custom domains, each as a host or an https origin. Tokens of all of them and of Domain's host are
	// accepted at once.
	Hosts []string
	// Policies lists the user flows (B2C_1_…) and custom policies (B2C_1A_…) whose tokens are accepted. Upper and lower
	// case do not differ. Required: every policy of a directory issues with the same issuer, so that a token of a
	// forgotten test policy would pass without this list.
	Policies []string
	// TFPIssuers also accepts issuers of the form https://{host}/tfp/{tid}/{policy}/v2.0/, when the policy in it is the one
	// of the token's claim.
	TFPIssuers bool

	origins []string
}

// External makes a [Tenant] an Entra External ID directory (CIAM). Its issuer is https://{ID}.ciamlogin.com/{ID}/v2.0.
type External struct {
	// Domain is the name of the directory: "contosocx" for contosocx.onmicrosoft.com. Optional. Its metadata may name a key
	// address on contosocx.ciamlogin.com.
	Domain string
	// Hosts lists further hosts whose issuer is accepted: custom domains, or {Domain}.ciamlogin.com. Each is a host or an
	// https origin.
	Hosts []string

	origins []string
}

// domainSuffixes end the initial domain of a directory in the clouds.
var domainSuffixes = []string{".onmicrosoft.com", ".partner.onmschina.cn", ".onmicrosoft.us"}

// directoryName is the first label of an initial domain: what the hosts of the directory begin with.
func directoryName(domain string) string {
	for _, suffix := range domainSuffixes {
		if name, ok := strings.CutSuffix(domain, suffix); ok {
			return name
		}
	}
	return domain
}

// sealed returns a checked copy in normal form.
func (b B2C) sealed(cloud Cloud) (*B2C, error) {
	var faults []error
	b.Domain = strings.ToLower(b.Domain)
	b.origins, faults = directoryOrigins("B2C", b.Domain, b.Hosts, cloud, cloud.b2cHost())
	b.Hosts = slices.Clone(b.Hosts)
	if len(b.origins) == 0 && len(faults) == 0 {
		faults = append(faults, fieldFault("B2C.Domain", "is required unless B2C.Hosts is set"))
	}
	if len(b.Policies) == 0 {
		faults = append(faults, fieldFault("B2C.Policies", "is required"))
	}
	b.Policies = slices.Clone(b.Policies)
	for i, policy := range b.Policies {
		if !validPolicy(policy) {
			faults = append(faults, fmt.Errorf("B2C.Policies[%d]: %q is not the name of a user flow (B2C_1_…) or custom policy (B2C_1A_…)", i, policy))
		}
	}
	return &b, errors.Join(faults...)
}

// sealed returns a checked copy in normal form. The origin that is derived from the tenant ID stands first.
func (x External) sealed(id string, cloud Cloud) (*External, error) {
	x.Domain = strings.ToLower(x.Domain)
	origins, faults := directoryOrigins("External", "", x.Hosts, cloud, "")
	x.Hosts = slices.Clone(x.Hosts)
	if name := directoryName(x.Domain); x.Domain != "" && !validLabel(name) {
		faults = append(faults, fmt.Errorf("External.Domain: %q is not the name of a directory", x.Domain))
	}
	if !cloud.custom() {
		origins = slices.Insert(origins, 0, "https://"+id+".ciamlogin.com")
	}
	x.origins = origins
	return &x, errors.Join(faults...)
}

func (b *B2C) equal(o *B2C) bool {
	if b == nil || o == nil {
		return b == o
	}
	return b.Domain == o.Domain && b.TFPIssuers == o.TFPIssuers && slices.Equal(b.Policies, o.Policies) && slices.Equal(b.origins, o.origins)
}

func (x *External) equal(o *External) bool {
	if x == nil || o == nil {
		return x == o
	}
	return x.Domain == o.Domain && slices.Equal(x.origins, o.origins)
}

// directoryOrigins gathers the origins that a directory issues from: its own host, then the listed ones. In a private
// cloud without any, it is the cloud's.
func directoryOrigins(field, domain string, hosts []string, cloud Cloud, suffix string) (origins []string, faults []error) {
	if domain != "" {
		name := directoryName(domain)
		if !validLabel(name) {
			faults = append(faults, fmt.Errorf("%s.Domain: %q is not the name of a directory", field, domain))
		} else if suffix != "" {
			origins = append(origins, "https://"+name+suffix)
		}
	}
	for i, host := range hosts {
		origin, err := parseOrigin(host)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s.Hosts[%d]: %w", field, i, err))
			continue
		}
		if !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	if len(hosts) == 0 && cloud.custom() {
		origins = append(origins, cloud.origin())
	}
	return origins, faults
}

// directory is what stands for the tenant in the paths of a B2C directory.
func (b *B2C) directory(tenantID string) string {
	if strings.Contains(b.Domain, ".") {
		return b.Domain
	}
	return tenantID
}

// policy finds the registered policy that a token's claim names.
func (b *B2C) policy(claim string) (string, bool) {
	for _, policy := range b.Policies {
		if samePolicy(policy, claim) {
			return policy, true
		}
	}
	return "", false
}

// samePolicy compares two policy names, one of them valid and so ASCII. Equal length keeps out the letters beyond ASCII
// that fold to one, since each of those is longer.
func samePolicy(a, b string) bool {
	return len(a) == len(b) && strings.EqualFold(a, b)
}

// validPolicy reports whether s is b2c_1_ or b2c_1a_, in any case, and a name of letters, digits, dots, hyphens and underscores.
func validPolicy(s string) bool {
	const flow, custom = "b2c_1_", "b2c_1a_"
	name := ""
	switch {
	case len(s) > len(custom) && strings.EqualFold(s[:len(custom)], custom):
		name = s[len(custom):]
	case len(s) > len(flow) && strings.EqualFold(s[:len(flow)], flow):
		name = s[len(flow):]
	}
	if name == "" || len(s) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
