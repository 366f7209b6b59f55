package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Tenant is a directory whose tokens are trusted, and the rules for them. With neither B2C nor External set it is a
// workforce tenant of Entra ID.
type Tenant struct {
	// ID is the tenant ID, a GUID. Required.
	ID string
	// Name is for logs and for the application. Optional.
	Name string
	// Cloud is where the tenant lives. Zero means [Public].
	Cloud Cloud
	// B2C makes it an Azure AD B2C directory.
	B2C *B2C
	// External makes it an Entra External ID directory.
	External *External
	// Version limits a workforce tenant to v1.0 (1) or v2.0 (2) tokens. Zero accepts both.
	Version int
	// Audiences, when set, replaces the audiences of [Config] for this tenant.
	Audiences []string
	// Clients, when set, lists the application IDs that may call (azp of v2.0, appid of v1.0 tokens). Others get 403.
	Clients []string
	// DenyGuests answers guest users with 403. Not for B2C, which has no guests.
	DenyGuests bool
	// AllowNoPermissions accepts access tokens with neither scp nor roles, which Entra issues to every application of the
	// tenant that asks. Set it only where Clients or a check of your own says who may call.
	AllowNoPermissions bool
	// AppKeys asks for the signing keys of this API's registration (?appid=), which a claims-mapping policy with a custom
	// signing key needs. Not for B2C.
	AppKeys bool

	// self is the address of a tenant that has been checked and put into normal form. A copy has another address and counts
	// as unchecked, so that a changed copy cannot slip past the checks.
	self *Tenant
}

// Cloud is a national cloud, or a private deployment, by the origin of its login host: "https://localhost:8443". Only
// https is accepted, or http on loopback. Zero means [Public].
type Cloud string

const (
	// Public is the global cloud, login.microsoftonline.com.
	Public Cloud = ""
	// USGovernment is login.microsoftonline.us (GCC High and DoD).
	USGovernment Cloud = "https://login.microsoftonline.us"
	// China is login.partner.microsoftonline.cn, operated by 21Vianet.
	China Cloud = "https://login.partner.microsoftonline.cn"
)

const publicOrigin = "https://login.microsoftonline.com"

func (c Cloud) origin() string {
	if c == Public {
		return publicOrigin
	}
	return string(c)
}

// v1Origin is where v1.0 issuers of the cloud live.
func (c Cloud) v1Origin() string {
	if c == China {
		return "https://sts.chinacloudapi.cn"
	}
	return "https://sts.windows.net"
}

func (c Cloud) b2cHost() string {
	switch c {
	case Public:
		return ".b2clogin.com"
	case USGovernment:
		return ".b2clogin.us"
	case China:
		return ".b2clogin.cn"
	}
	return ""
}

func (c Cloud) custom() bool { return c != Public && c != USGovernment && c != China }

// normal returns the cloud in the one form that the constants have.
func (c Cloud) normal() (Cloud, error) {
	if c == Public {
		return Public, nil
	}
	origin, err := parseOrigin(string(c))
	if err != nil {
		return "", err
	}
	if origin == publicOrigin {
		return Public, nil
	}
	return Cloud(origin), nil
}

// TenantSource says which tenants are trusted. It is asked on every request, for cached tokens too, once, before any key
// is looked at; a tenant that it stops returning is refused from the next request on. It must therefore answer from
// memory (wrap a slow one in [CachedTenants]), and must be safe for concurrent use.
//
// It answers [ErrUnknownTenant] or (nil, nil) for a tenant that it does not know, which the client sees as 401; any other
// error is a 503. The Tenant must be of the issuer's TenantID and must never be modified once returned: a change is a new
// Tenant. One that [New] would refuse is never used, logged, and answered with 503.
//
// The issuer comes from a token that is not verified yet: it is well-formed, and anybody can have written it.
type TenantSource interface {
	Tenant(ctx context.Context, issuer Issuer) (*Tenant, error)
}

// TenantFunc is a function as a [TenantSource].
type TenantFunc func(ctx context.Context, issuer Issuer) (*Tenant, error)

// Tenant calls f.
func (f TenantFunc) Tenant(ctx context.Context, issuer Issuer) (*Tenant, error) {
	return f(ctx, issuer)
}

func (f TenantFunc) fault() error {
	if f == nil {
		return errors.New("TenantFunc is nil")
	}
	return nil
}

// faulty is a source that can tell at start-up what is wrong with it.
type faulty interface{ fault() error }

// AnyTenant trusts every workforce tenant of the [Public] cloud for which admit returns nil. Anybody can make such a
// tenant in minutes: to be authenticated by one says nothing, so that admit, or the authorization after it, must tell
// customers from strangers. It is not asked for a token whose issuer is not one of the Public cloud's.
//
// admit returns nil, [ErrUnknownTenant] (401) or another error (503). It runs on every request and must be safe for
// concurrent use. Without one, [New] refuses the configuration.
func AnyTenant(admit func(ctx context.Context, issuer Issuer) error) TenantSource {
	return anyTenant{admit}
}

type anyTenant struct {
	admit func(ctx context.Context, issuer Issuer) error
}

func (a anyTenant) fault() error {
	if a.admit == nil {
		return errors.New("AnyTenant: the function that admits a tenant is required")
	}
	return nil
}

func (a anyTenant) Tenant(ctx context.Context, issuer Issuer) (*Tenant, error) {
	t := &Tenant{ID: issuer.TenantID}
	t.self = t // nothing to check: the grammar of issuers has seen to the ID
	if !t.issues(issuer) {
		return nil, ErrUnknownTenant
	}
	if err := a.admit(ctx, issuer); err != nil {
		return nil, err
	}
	return t, nil
}

type tenantKind uint8

const (
	workforce tenantKind = iota
	b2c
	external
)

func (t *Tenant) kind() tenantKind {
	switch {
	case t.B2C != nil:
		return b2c
	case t.External != nil:
		return external
	}
	return workforce
}

// sealed returns t itself if it has been checked, else a checked copy in normal form, or every fault of it.
func (t *Tenant) sealed() (*Tenant, error) {
	if t.self == t {
		return t, nil
	}
	s := *t
	var faults []error
	s.ID = strings.ToLower(s.ID)
	if !validGUID(s.ID) {
		faults = append(faults, fieldFault("ID", "%q is not the GUID of a tenant", t.ID))
	}
	cloud, err := s.Cloud.normal()
	if err != nil {
		faults = append(faults, fieldFault("Cloud", "%w", err))
	}
	s.Cloud = cloud
	if s.B2C != nil {
		s.B2C, err = s.B2C.sealed(cloud)
		faults = append(faults, splitFaults(err)...)
	}
	if s.External != nil {
		s.External, err = s.External.sealed(s.ID, cloud)
		faults = append(faults, splitFaults(err)...)
	}
	faults = append(faults, t.combinationFaults()...)
	s.Audiences, err = sealedAudiences("Audiences", s.Audiences)
	faults = append(faults, splitFaults(err)...)
	s.Clients = slices.Clone(s.Clients)
	for i, client := range s.Clients {
		s.Clients[i] = strings.ToLower(client)
		if !validGUID(s.Clients[i]) {
			faults = append(faults, fieldFault(fmt.Sprintf("Clients[%d]", i), "%q is not an application ID", client))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s.self = &s
	return &s, nil
}

// combinationFaults finds settings that contradict each other.
func (t *Tenant) combinationFaults() (faults []error) {
	if t.B2C != nil && t.External != nil {
		faults = append(faults, fieldFault("External", "excludes B2C"))
	}
	if t.Version < 0 || t.Version > 2 {
		faults = append(faults, fieldFault("Version", "%d is none of 0 (both), 1 and 2", t.Version))
	}
	if t.kind() != workforce && t.Version != 0 {
		faults = append(faults, fieldFault("Version", "is for workforce tenants only"))
	}
	if t.B2C != nil && t.DenyGuests {
		faults = append(faults, fieldFault("DenyGuests", "B2C has no guests"))
	}
	if t.B2C != nil && t.AppKeys {
		faults = append(faults, fieldFault("AppKeys", "B2C publishes keys per policy only"))
	}
	return faults
}

// sealedAudiences copies a list of audiences. The wildcard that other libraries know would make every API's tokens valid.
func sealedAudiences(field string, audiences []string) ([]string, error) {
	var faults []error
	for i, audience := range audiences {
		if audience == "" || audience == "*" || strings.TrimSpace(audience) != audience {
			faults = append(faults, fmt.Errorf("%s[%d]: %q is not an audience", field, i, audience))
		}
	}
	return slices.Clone(audiences), errors.Join(faults...)
}

// fieldFault says what is wrong with a field.
func fieldFault(field, format string, args ...any) error {
	return fmt.Errorf(field+": "+format, args...)
}

// prefixed puts a prefix before each of the faults in err.
func prefixed(prefix string, err error) error {
	var faults []error
	for _, fault := range splitFaults(err) {
		faults = append(faults, fmt.Errorf("%s: %w", prefix, fault))
	}
	return errors.Join(faults...)
}

// splitFaults takes apart what errors.Join put together, so that each fault can be given its field.
func splitFaults(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// clone is a copy that shares nothing, and that counts as unchecked.
func (t *Tenant) clone() Tenant {
	c := *t
	c.self = nil
	c.Audiences, c.Clients = slices.Clone(t.Audiences), slices.Clone(t.Clients)
	if t.B2C != nil {
		d := *t.B2C
		d.Hosts, d.Policies, d.origins = slices.Clone(d.Hosts), slices.Clone(d.Policies), nil
		c.B2C = &d
	}
	if t.External != nil {
		d := *t.External
		d.Hosts, d.origins = slices.Clone(d.Hosts), nil
		c.External = &d
	}
	return c
}

// equal reports whether two checked tenants are the same in everything that a verification rests on.
func (t *Tenant) equal(o *Tenant) bool {
	return t == o || t.ID == o.ID && t.Name == o.Name && t.Cloud == o.Cloud && t.Version == o.Version &&
		t.DenyGuests == o.DenyGuests && t.AllowNoPermissions == o.AllowNoPermissions && t.AppKeys == o.AppKeys &&
		slices.Equal(t.Audiences, o.Audiences) && slices.Equal(t.Clients, o.Clients) &&
		t.B2C.equal(o.B2C) && t.External.equal(o.External)
}

// issues reports whether iss is one of the issuers that this checked tenant issues with. Because the grammar of
// [ParseIssuer] gives every string other parts, comparing the parts is comparing the strings.
func (t *Tenant) issues(iss Issuer) bool {
	if iss.TenantID != t.ID {
		return false
	}
	switch t.kind() {
	case b2c:
		return (iss.Form == FormB2C || iss.Form == FormTFP && t.B2C.TFPIssuers) && slices.Contains(t.B2C.origins, iss.origin)
	case external:
		return iss.Form == FormV2 && slices.Contains(t.External.origins, iss.origin)
	}
	switch iss.Form {
	case FormV1:
		return iss.origin == t.Cloud.v1Origin()
	case FormV2:
		return iss.origin == t.Cloud.origin()
	}
	return false
}

// v2Issuer is the issuer of the tenant's own v2.0 documents. B2C, whose keys are not bound, has none.
func (t *Tenant) v2Issuer() string {
	switch t.kind() {
	case workforce:
		return t.Cloud.origin() + "/" + t.ID + "/v2.0"
	case external:
		return t.External.origins[0] + "/" + t.ID + "/v2.0"
	}
	return ""
}
