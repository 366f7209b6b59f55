package adminconsent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/echo-identity/identity"
)

// Template IDs of the directory roles that can consent for a whole tenant (Microsoft Entra built-in roles).
const (
	GlobalAdministrator           = "62e90394-69f5-4237-9190-012177145e10"
	PrivilegedRoleAdministrator   = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	ApplicationAdministrator      = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	CloudApplicationAdministrator = "158c047a-c907-4556-b7ef-446551a6b5f7"
)

// Config is the configuration of a [Flow]. Slices and the HTTP client are copied: changing them later has no effect.
type Config struct {
	// ClientID is the application that the administrator consents to and signs in to: its application ID, a GUID. Required.
	ClientID string
	// ClientSecret authenticates the application at the token endpoint. Either this or Redeem is required.
	ClientSecret string
	// Redeem exchanges a code for an access token in place of ClientSecret: with a certificate, a managed identity, or MSAL. It has to
	// send the code's verifier. An error that is not [ErrProof] counts as [ErrUnavailable]. It must be safe for concurrent use.
	Redeem func(ctx context.Context, c Code) (accessToken string, err error)
	// ConsentURI and SignInURI are the redirect URIs of the two answers, where [Flow.Continue] and [Flow.Finish] are called. Both are
	// registered for the web platform; https, or http on loopback, where not every browser keeps Secure cookies; without a query, and
	// not the same. Required.
	ConsentURI, SignInURI string
	// Keys seal the state parameter: at least 32 random bytes each, the same in every replica. The first seals, all are tried, so that
	// a new one can be put in front. Required.
	Keys [][]byte
	// Used remembers which answers were used. Nil means the memory of this process, which is right for one replica only: an answer
	// could be used once in each.
	Used Used

	// Cloud is where the customers' tenants live. Zero means [identity.Public].
	Cloud identity.Cloud
	// Permissions is the scope parameter of the consent. Empty means "{ClientID}/.default": everything in the registration, app roles
	// included, which only .default asks for.
	Permissions string
	// API is the application ID of the API that access tokens are for. Empty means ClientID.
	API string
	// Audiences lists further audiences of the API, as in [identity.Config].
	Audiences []string
	// Scope is the scope parameter of the sign-in: a delegated permission of the API. Empty means "{API}/.default".
	Scope string

	// Roles are the directory roles of which the user must hold one, by template ID. Empty means the four that can consent for a
	// whole tenant. Only built-in roles are in tokens: a tenant's own custom role that can consent is not.
	Roles []string
	// InsecureAnyMember takes the word of every member of a tenant for the whole of it, whatever role it has. Guests are refused still.
	// [New] logs to [slog.Default] that it is on.
	InsecureAnyMember bool
	// Lifetime is how long a flow may take from Begin to Finish. Zero means 30 minutes. At most 24 hours.
	Lifetime time.Duration
	// HTTPClient reaches the token endpoint and the signing keys. Optional. Redirects are not followed.
	HTTPClient *http.Client
}

const (
	defaultLifetime = 30 * time.Minute
	maxLifetime     = 24 * time.Hour
	minKey          = 32
	maxURI          = 256 // Microsoft's limit for redirect URIs
)

// Flow takes administrators through consent and proof. It is immutable and safe for concurrent use; any number of replicas with the
// same configuration may share the steps of one flow.
type Flow struct {
	cfg    Config
	origin string // of the login host
	sealer *sealer
	used   Used
	redeem func(ctx context.Context, c Code) (accessToken string, err error)
	keys   *http.Client // nil: the verifier's own, which checks the addresses that it dials
	now    func() time.Time
}

// New makes a flow, or returns every fault of the configuration in one error. It does no network I/O.
func New(cfg Config) (*Flow, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("adminconsent: Config.%s: "+format, append([]any{field}, args...)...))
	}
	f := &Flow{cfg: cfg, now: time.Now}
	c := &f.cfg
	c.ClientID, c.API = strings.ToLower(cfg.ClientID), strings.ToLower(cfg.API)
	c.Audiences, c.Roles = slices.Clone(cfg.Audiences), slices.Clone(cfg.Roles)
	if !isGUID(c.ClientID) {
		fault("ClientID", "%q is not an application ID (a GUID)", cfg.ClientID)
	}
	if c.API == "" {
		c.API = c.ClientID
	} else if !isGUID(c.API) {
		fault("API", "%q is not an application ID (a GUID)", cfg.API)
	}
	if (cfg.ClientSecret == "") == (cfg.Redeem == nil) {
		fault("ClientSecret", "either ClientSecret or Redeem is required, and not both")
	}
	for _, uri := range []struct{ field, text string }{{"ConsentURI", cfg.ConsentURI}, {"SignInURI", cfg.SignInURI}} {
		if err := checkRedirectURI(uri.text); err != nil {
			fault(uri.field, "%q %w", uri.text, err)
		}
	}
	if cfg.ConsentURI != "" && cfg.ConsentURI == cfg.SignInURI {
		fault("SignInURI", "is the same as ConsentURI")
	}
	var err error
	if f.origin, err = originOf(cfg.Cloud); err != nil {
		fault("Cloud", "%w", err)
	}
	for i := range c.Roles {
		if c.Roles[i] = strings.ToLower(c.Roles[i]); !isGUID(c.Roles[i]) {
			fault(fmt.Sprintf("Roles[%d]", i), "%q is not a template ID (a GUID)", cfg.Roles[i])
		}
	}
	if len(c.Roles) > 0 && c.InsecureAnyMember {
		fault("Roles", "has no effect with InsecureAnyMember")
	}
	if len(c.Roles) == 0 {
		c.Roles = []string{GlobalAdministrator, PrivilegedRoleAdministrator, ApplicationAdministrator, CloudApplicationAdministrator}
	}
	if c.Lifetime == 0 {
		c.Lifetime = defaultLifetime
	}
	if c.Lifetime < time.Minute || c.Lifetime > maxLifetime {
		fault("Lifetime", "%v is not between a minute and %v", c.Lifetime, maxLifetime)
	}
	if f.sealer, err = newSealer(cfg.Keys); err != nil {
		fault("Keys", "%w", err)
	}
	c.Keys = nil
	f.defaults()
	if len(faults) == 0 { // what is left is the verifier's to judge
		if _, err := f.verifier(c.ClientID, slog.Default()); err != nil {
			faults = append(faults, fmt.Errorf("adminconsent: %w", err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.InsecureAnyMember {
		slog.Warn("adminconsent: InsecureAnyMember is on: every member of a tenant can on-board it, whatever role it has")
	}
	return f, nil
}

// defaults fills in what depends on the rest.
func (f *Flow) defaults() {
	c := &f.cfg
	if c.Permissions == "" {
		c.Permissions = c.ClientID + "/.default"
	}
	if c.Scope == "" {
		c.Scope = c.API + "/.default"
	}
	if f.used = c.Used; f.used == nil {
		f.used = newMemory(c.Lifetime, func() time.Time { return f.now() })
	}
	if f.redeem = c.Redeem; f.redeem == nil {
		f.redeem = f.redeemWithSecret
	}
	client := &http.Client{}
	if c.HTTPClient != nil {
		*client = *c.HTTPClient
		keys := *c.HTTPClient
		f.keys = &keys
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTPClient = client
}

// verifier trusts one tenant, and accepts from it what a user of this application was issued for the API. It lives for one proof, and
// its keys are fetched for it: on-boarding is rare.
func (f *Flow) verifier(tenantID string, logger *slog.Logger) (*identity.Verifier, error) {
	return identity.New(identity.Config{
		ClientID:  f.cfg.API,
		Audiences: f.cfg.Audiences,
		Tenants: identity.NewRegistry(identity.Tenant{
			ID: tenantID, Cloud: f.cfg.Cloud, Clients: []string{f.cfg.ClientID}, DenyGuests: f.cfg.InsecureAnyMember,
		}),
		Keys:       identity.KeyOptions{HTTPClient: f.keys},
		TokenCache: identity.TokenCacheOptions{MaxBytes: -1},
		Observe:    identity.Observe{Logger: logger},
	})
}

func checkRedirectURI(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("is required")
	case err != nil || u.Host == "" || u.User != nil:
		return errors.New("is not an absolute URI")
	case len(text) > maxURI:
		return fmt.Errorf("has more than %d characters", maxURI)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return errors.New("has a query or a fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return errors.New("is neither https nor http on loopback")
	}
	return nil
}

// originOf is the scheme and host of a cloud's login pages.
func originOf(c identity.Cloud) (string, error) {
	if c == identity.Public {
		return "https://login.microsoftonline.com", nil
	}
	text := strings.TrimSuffix(string(c), "/")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != text || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "", fmt.Errorf("%q is not an origin: https, or http on loopback, and a host", string(c))
	}
	return text, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isGUID checks the shape 8-4-4-4-12 of lower-case hexadecimal digits.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c < '0' || c > 'f' || c > '9' && c < 'a':
			return false
		}
	}
	return true
}
