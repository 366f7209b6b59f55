package adminconsent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/echo-identity/identity"
)

// cookieName: browsers set a cookie with this prefix only over TLS, for this host alone and for all of its paths (RFC 6265bis §4.1.3.2).
const cookieName = "__Host-adminconsent"

const (
	maxFor   = 256
	maxQuery = 16 << 10
)

// personalAccounts is the tenant of everybody's personal Microsoft account, which is no organization.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Start says what a flow is for.
type Start struct {
	// For is what the application calls whoever is on-boarding, such as a customer ID of its own; at most 256 bytes. Nobody outside can
	// read it. Empty is allowed, where the tenant is all that an account consists of.
	For string
	// TenantID is the tenant that has to be consented in, where it is known: to consent again. Empty means the administrator's.
	TenantID string
}

// Grant is a tenant that was proven.
type Grant struct {
	For      string              // as in [Start]
	TenantID string              // in lower case
	Admin    *identity.Principal // who consented, or another administrator of the same tenant: Microsoft does not tell
}

// Begin sends the browser to Microsoft's admin consent page. Call it with POST, or protect it otherwise from requests of other sites.
// Its error is ErrTenant for a TenantID that cannot be, or about a For that is too long; nothing has been written then.
func (f *Flow) Begin(w http.ResponseWriter, r *http.Request, s Start) error {
	s.TenantID = strings.ToLower(s.TenantID)
	place := "organizations" // not common: personal accounts cannot consent
	if s.TenantID != "" {
		if !isTenant(s.TenantID) {
			return fmt.Errorf("%w: Start.TenantID: %q", ErrTenant, s.TenantID)
		}
		place = s.TenantID
	}
	if len(s.For) > maxFor {
		return fmt.Errorf("adminconsent: Start.For: has more than %d bytes", maxFor)
	}
	secret := random(secretLen)
	sum := sha256.Sum256(secret)
	sealed, err := f.sealer.seal(state{Browser: sum[:], For: s.For, Tenant: s.TenantID, Ends: f.now().Add(f.cfg.Lifetime).Unix()}, f.context(consentStep))
	if err != nil {
		return fmt.Errorf("adminconsent: %w", err)
	}
	setCookie(w, encode(secret), int(f.cfg.Lifetime.Seconds()))
	redirect(w, r, f.origin+"/"+place+"/v2.0/adminconsent", url.Values{
		"client_id": {f.cfg.ClientID}, "redirect_uri": {f.cfg.ConsentURI}, "scope": {f.cfg.Permissions}, "state": {sealed},
	})
	return nil
}

// Continue takes the answer to the consent, at ConsentURI, and sends the browser to sign in at the tenant that the answer names. customer
// is the one of the session now. On an error nothing has been written; the tenant is not proven in either case.
func (f *Flow) Continue(w http.ResponseWriter, r *http.Request, customer string) error {
	noStore(w)
	a, err := f.read(r, consentStep, customer)
	if err != nil {
		return err
	}
	if !strings.EqualFold(a.params.Get("admin_consent"), "true") {
		return fmt.Errorf("%w: admin_consent is not True", ErrAnswer)
	}
	tenant := strings.ToLower(a.params.Get("tenant"))
	if !isTenant(tenant) {
		return fmt.Errorf("%w: %q", ErrTenant, printable(tenant))
	}
	if a.state.Tenant != "" && a.state.Tenant != tenant {
		return fmt.Errorf("%w: %s instead of %s", ErrTenant, tenant, a.state.Tenant)
	}
	next := a.state
	next.Tenant = tenant
	sealed, err := f.sealer.seal(next, f.context(signInStep))
	if err != nil {
		return fmt.Errorf("adminconsent: %w", err)
	}
	if err := f.use(r.Context(), a, consentStep); err != nil {
		return err
	}
	redirect(w, r, f.authority(tenant)+"/authorize", url.Values{
		"client_id": {f.cfg.ClientID}, "redirect_uri": {f.cfg.SignInURI}, "response_type": {"code"}, "response_mode": {"query"}, "scope": {f.cfg.Scope},
		"state": {sealed}, "code_challenge": {challenge(codeVerifier(a.secret))}, "code_challenge_method": {"S256"},
	})
	return nil
}

// Finish takes the answer to the sign-in, at SignInURI, and proves the tenant. customer is the one of the session now. It writes no
// response, only removes the cookie.
func (f *Flow) Finish(w http.ResponseWriter, r *http.Request, customer string) (*Grant, error) {
	noStore(w)
	a, err := f.read(r, signInStep, customer)
	if err != nil {
		return nil, err
	}
	code := a.params.Get("code")
	if code == "" {
		return nil, fmt.Errorf("%w: no code", ErrAnswer)
	}
	if err := f.use(r.Context(), a, signInStep); err != nil {
		return nil, err
	}
	setCookie(w, "", -1) // whatever comes of it, the flow is over
	admin, err := f.prove(r.Context(), a.state.Tenant, code, codeVerifier(a.secret))
	if err != nil {
		return nil, err
	}
	return &Grant{For: a.state.For, TenantID: a.state.Tenant, Admin: admin}, nil
}

// answer is a request whose state holds.
type answer struct {
	params url.Values
	state  state
	secret []byte // of the browser
}

// read checks everything that both answers have in common. What the answer says comes last: until the state holds, anybody can have
// said it.
func (f *Flow) read(r *http.Request, at step, customer string) (*answer, error) {
	if r.Method != http.MethodGet {
		return nil, fmt.Errorf("%w: %s", ErrAnswer, printable(r.Method))
	}
	if len(r.URL.RawQuery) > maxQuery {
		return nil, fmt.Errorf("%w: the query is too long", ErrAnswer)
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the query cannot be read", ErrAnswer)
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, fmt.Errorf("%w: %q", ErrDuplicate, printable(name))
		}
	}
	st, ok := f.sealer.open(params.Get("state"), f.context(at))
	if !ok {
		return nil, ErrState
	}
	if !f.now().Before(st.ends()) {
		return nil, ErrExpired
	}
	secret, ok := browserSecret(r)
	sum := sha256.Sum256(secret)
	if !ok || subtle.ConstantTimeCompare(sum[:], st.Browser) != 1 {
		return nil, ErrBrowser
	}
	if subtle.ConstantTimeCompare([]byte(st.For), []byte(customer)) != 1 {
		return nil, ErrCustomer
	}
	if params.Has("error") {
		return nil, &DeniedError{printable(params.Get("error")), printable(params.Get("error_description"))}
	}
	return &answer{params, st, secret}, nil
}

// use lets an answer through once.
func (f *Flow) use(ctx context.Context, a *answer, at step) error {
	first, err := f.used.Use(ctx, a.state.id(at), a.state.ends())
	switch {
	case err != nil:
		return fmt.Errorf("%w: used answers: %w", ErrUnavailable, err)
	case !first:
		return ErrReplayed
	}
	return nil
}

// context is what a sealed state belongs to besides.
func (f *Flow) context(at step) string {
	return strings.Join([]string{string(at), f.origin, f.cfg.ClientID, f.cfg.ConsentURI, f.cfg.SignInURI}, "\n")
}

// authority is where the endpoints of a tenant are.
func (f *Flow) authority(tenant string) string { return f.origin + "/" + tenant + "/oauth2/v2.0" }

// isTenant: an organization's tenant ID, in lower case.
func isTenant(id string) bool { return isGUID(id) && id != personalAccounts }

// browserSecret is what the cookie holds. Two of the same name are none: it cannot be said who set which.
func browserSecret(r *http.Request) (secret []byte, ok bool) {
	cookies := r.CookiesNamed(cookieName)
	if len(cookies) != 1 {
		return nil, false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(cookies[0].Value)
	return secret, err == nil && len(secret) == secretLen
}

func setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// noStore keeps an answer, which holds a code or a state, out of caches, and its address out of the Referer of what the page loads.
func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

func redirect(w http.ResponseWriter, r *http.Request, to string, values url.Values) {
	noStore(w)
	http.Redirect(w, r, to+"?"+values.Encode(), http.StatusSeeOther)
}
