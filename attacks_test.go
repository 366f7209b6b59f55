package identity_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// everyKind trusts the mock's tenant of each kind.
func everyKind(cfg *identity.Config) {
	cfg.Tenants = identity.NewRegistry(
		identity.Tenant{ID: mockidp.Contoso, Name: "contoso"},
		identity.Tenant{ID: mockidp.Fabrikam, Name: "fabrikam"},
		identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
		identity.Tenant{ID: mockidp.Customers, Name: "app", External: &identity.External{Domain: "contosocx"}},
	)
}

// tenantOfKind is the tenant of everyKind that tokens of a kind are made with.
var tenantOfKind = map[mockidp.Kind]string{
	mockidp.Workforce: mockidp.Contoso, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers,
}

// sentinelOf is the sentinel of a reason, found by the rule that errors.Is follows.
func sentinelOf(t testing.TB, reason identity.Reason) error {
	t.Helper()
	for sentinel := range behaviour.Answers {
		if errors.Is(&identity.Error{Reason: reason}, sentinel) {
			return sentinel
		}
	}
	t.Fatalf("no sentinel has the reason %q", reason)
	return nil
}

// Every token of the mock's catalogue is refused for the reason that it was made for, with the answer that belongs to it,
// and neither the answer nor the log, at its most verbose, gives anything of it away.
// K1, K11
func TestBrokenCatalogue(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var described sync.Map // the sentence that clients see, by reason
	for _, broken := range mockidp.Broken() {
		t.Run(broken.Name, func(t *testing.T) {
			t.Parallel()
			a := newAPIOn(t, idp, everyKind) // one each: a log of its own, and nothing thinned out
			tenant := idp.TenantOf(broken.Kind, tenantOfKind[broken.Kind])
			a.get(tenant.Token()).accepted(t)
			raw := broken.Token(tenant)
			got := a.get(raw)
			var e *identity.Error
			if !errors.As(got.err, &e) {
				t.Fatalf("%s\ngot status=%d err=%v, want=%s", broken.Breaks, got.status, got.err, broken.Reason)
			}
			if got.status != broken.Status || string(e.Reason) != broken.Reason {
				t.Fatalf("%s\ngot=%d %s, want=%d %s\n%v", broken.Breaks, got.status, e.Reason, broken.Status, broken.Reason, e)
			}
			got.refused(t, sentinelOf(t, e.Reason))
			if before, ok := described.LoadOrStore(e.Reason, e.Description); ok && before != e.Description || len(e.Description) > 80 {
				t.Fatalf("got=%q, want one short sentence for each reason, %q", e.Description, before)
			}
			if log := a.log.String(); !strings.Contains(log, "reason="+broken.Reason) {
				t.Fatalf("the log does not tell the reason:\n%s", log)
			}
			a.keepsSecret(t, raw, got)
		})
	}
}

// causes are those that row K1 names. Each needs a reason of its own, and a token in the catalogue that it answers.
var causes = []identity.Reason{
	"token_expired", "token_not_yet_valid", "signature_invalid", "token_malformed", "issuer_not_trusted", "audience_mismatch",
	"algorithm_not_allowed", "key_not_found",
}

// K1: no two sentinels share a reason, and TestBrokenCatalogue has a token for each cause.
func TestReasonsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for sentinel := range behaviour.Answers {
		if seen[sentinel.Error()] {
			t.Errorf("%v is the reason of two sentinels", sentinel)
		}
		seen[sentinel.Error()] = true
	}
	for _, reason := range causes {
		if !slices.ContainsFunc(mockidp.Broken(), func(b mockidp.BrokenToken) bool { return b.Reason == string(reason) }) {
			t.Errorf("the catalogue has no token that is refused with %s", reason)
		}
	}
}

// The client cannot tell a tenant that is not trusted from an issuer that is none.
func TestTrustIsNobodysBusiness(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	unknown := a.get(a.idp.Tenant(tenantB).Token())
	unknown.refused(t, identity.ErrUnknownTenant)
	for _, other := range []struct {
		token    string
		sentinel error
	}{
		{a.token(mockidp.Claim("iss", "https://evil.example/")), identity.ErrIssuer},
		{a.token(mockidp.Claim("tid", tenantB)), identity.ErrTenantMismatch},
	} {
		got := a.get(other.token)
		got.refused(t, other.sentinel)
		if got.body != unknown.body || got.header.Get("WWW-Authenticate") != unknown.header.Get("WWW-Authenticate") {
			t.Fatalf("got=%s %s, want the answer for an unknown tenant, %s", got.body, got.header, unknown.body)
		}
	}
}

// leaky is a refusal that does not come from the catalogue, with a token full of personal data where it can be.
type leaky struct {
	name     string
	config   func(*identity.Config)
	guard    echo.MiddlewareFunc
	fault    mockidp.Fault
	opts     []mockidp.TokenOption
	sentinel error
}

// The refusals behind the signature, and those that are our own fault, keep the token and the person to themselves too.
// K11
func TestLateRefusalsKeepSecrets(t *testing.T) {
	t.Parallel()
	tenant := func(change identity.Tenant) func(*identity.Config) {
		return func(cfg *identity.Config) {
			change.ID = tenantA
			cfg.Tenants = identity.NewRegistry(change)
		}
	}
	source := func(answer func() error) func(*identity.Config) {
		return func(cfg *identity.Config) {
			cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { return answer() })
		}
	}
	for _, row := range []leaky{
		{name: "scope", guard: identity.RequireScope("Orders.Read"), sentinel: identity.ErrScope},
		{name: "role", guard: identity.RequireRole("Admin"), opts: []mockidp.TokenOption{mockidp.V1()}, sentinel: identity.ErrRole},
		{name: "scope or role", guard: identity.RequireScopeOrRole([]string{"a"}, []string{"b"}), sentinel: identity.ErrScopeOrRole},
		{name: "app only", guard: identity.RequireAppOnly(), sentinel: identity.ErrAppOnly},
		{name: "group", guard: identity.RequireGroup(nil, "g"), sentinel: identity.ErrGroup},
		{name: "overage", guard: identity.RequireGroup(nil, "g"), opts: []mockidp.TokenOption{mockidp.Overage()}, sentinel: identity.ErrGroupOverage},
		{name: "group resolver", guard: identity.RequireGroup(failingGroups, "g"), opts: []mockidp.TokenOption{mockidp.Overage()}, sentinel: identity.ErrGroupsUnavailable},
		{name: "context", guard: identity.RequireAuthContext("c1"), sentinel: identity.ErrAuthContext},
		{name: "rule", guard: identity.Require(refuseWith(errors.New("no"))), sentinel: identity.ErrRule},
		{name: "panic", guard: identity.Require(panicking), sentinel: identity.ErrInternal},
		{name: "guest", config: tenant(identity.Tenant{DenyGuests: true}), opts: []mockidp.TokenOption{mockidp.Guest(tenantB)}, sentinel: identity.ErrGuest},
		{name: "client", config: tenant(identity.Tenant{Clients: []string{mockidp.API}}), sentinel: identity.ErrClient},
		{name: "tenant source", config: source(func() error { return errors.New("database is down") }), sentinel: identity.ErrTenantsUnavailable},
		{name: "tenant source panics", config: source(func() error { panic("oops") }), sentinel: identity.ErrInternal},
		{name: "outage", fault: mockidp.Fault{Status: 500}, sentinel: identity.ErrKeysUnavailable},
		{name: "no answer", fault: mockidp.Fault{Reset: true}, sentinel: identity.ErrKeysUnavailable},
		{name: "garbage", fault: mockidp.Fault{Body: []byte("<html>")}, sentinel: identity.ErrKeysUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var guards []echo.MiddlewareFunc
			if row.guard != nil {
				guards = append(guards, row.guard)
			}
			a := newAPI(t, row.config, guards...)
			if row.fault.Status != 0 || row.fault.Reset || row.fault.Body != nil {
				a.idp.Inject(row.fault)
			}
			raw := a.token(append(row.opts, mockidp.Claim("email", "jo@contoso.example"), mockidp.Claim("upn", "jo@contoso.example"))...)
			got := a.get(raw)
			if row.name == "context" { // refused() knows its answer without a challenge
				if got.status != http.StatusForbidden || !errors.Is(got.err, row.sentinel) {
					t.Fatalf("got=%d %v, want=403", got.status, got.err)
				}
			} else {
				got.refused(t, row.sentinel)
			}
			if log := a.log.String(); !strings.Contains(log, "identity: request refused") {
				t.Fatalf("the refusal was not logged:\n%s", log)
			}
			a.keepsSecret(t, raw, got)
		})
	}
}

func refuseWith(err error) identity.Rule {
	return func(context.Context, *identity.Principal) error { return err }
}

func panicking(context.Context, *identity.Principal) error { panic("oops") }

func failingGroups(context.Context, *identity.Principal) ([]string, error) {
	return nil, errors.New("graph is down")
}

// An accepted request leaves nothing in the log either, and neither does logging its principal.
// K11
func TestAcceptedKeepsSecret(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	raw := a.token(mockidp.Claim("email", "jo@contoso.example"))
	got := a.get(raw)
	got.accepted(t)
	a.keepsSecret(t, raw, got)
}

// keepsSecret requires that neither the log nor the answer holds a part of the token, or who it is about.
func (a *api) keepsSecret(t testing.TB, raw string, got *answer) {
	t.Helper()
	var header strings.Builder
	got.header.Write(&header)
	secretsIn(t, "log", a.log.String(), raw)
	secretsIn(t, "answer", header.String()+got.body, raw)
}

// personal are the claims that say who somebody is.
var personal = []string{
	"upn", "email", "emails", "name", "oid", "sub", "preferred_username", "unique_name", "given_name", "family_name", "ipaddr",
}

// people is what the mock's tokens say about their users: a token that cannot be read must not give it away either.
var people = []string{
	"jo@contoso.example", "Jo Doe", "kim@fabrikam.example", "Kim Guest", "sam@outlook.example", "203.0.113.7",
	mockidp.User, mockidp.GuestUser, mockidp.ServicePrincipal,
}

func secretsIn(t testing.TB, what, text, raw string) {
	t.Helper()
	const window = 16 // twelve bytes of what is encoded
	for i := 0; i+window <= len(raw) && i < 4096; i++ {
		if part := raw[i : i+window]; strings.Contains(text, part) {
			t.Fatalf("the %s holds %q of the token:\n%s", what, part, text)
		}
	}
	secrets := people
	if parts := strings.Split(raw, "."); len(parts) == 3 {
		secrets = append(personalIn(parts[1]), secrets...)
		secrets = append(secrets, parts[2][max(0, len(parts[2])-window):])
	}
	for _, secret := range secrets {
		if len(secret) >= 6 && strings.Contains(text, secret) {
			t.Fatalf("the %s holds %q:\n%s", what, secret, text)
		}
	}
}

// personalIn reads what a payload says of a person, if it can be read at all.
func personalIn(payload string) (values []string) {
	decoded, _ := base64.RawURLEncoding.DecodeString(payload)
	var claims map[string]any
	if json.Unmarshal(decoded, &claims) != nil {
		return nil
	}
	for _, name := range personal {
		switch value := claims[name].(type) {
		case string:
			values = append(values, value)
		case []any:
			for _, entry := range value {
				if s, ok := entry.(string); ok {
					values = append(values, s)
				}
			}
		}
	}
	return values
}

// K11: a token that stands where none is looked for is not logged either.
func TestMisplacedTokenIsNotLogged(t *testing.T) {
	t.Parallel()
	for _, lookup := range []string{"", "header,query,form,cookie:t,websocket:t."} {
		a := newAPI(t, func(cfg *identity.Config) { cfg.TokenLookup = lookup })
		raw := a.token()
		for _, header := range []string{"Basic " + raw, "Bearer " + raw + " x", "Bearer\t" + raw, "Bearer " + raw + "," + raw, raw} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", header)
			got := a.do(r)
			if got.status != 400 && got.status != 401 {
				t.Fatalf("%q: got=%d, want a refusal", header[:8], got.status)
			}
			a.keepsSecret(t, raw, got)
		}
	}
}

// panics returns what f panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// with is short for the options of a row's token.
func with(opts ...mockidp.TokenOption) []mockidp.TokenOption { return opts }
