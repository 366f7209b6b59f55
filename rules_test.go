package identity_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// guestRow is a token and whether its user is a guest.
type guestRow struct {
	row    string
	tenant string // default tenant A
	token  []mockidp.TokenOption
	guest  bool
}

const homeOf = "https://sts.windows.net/%s/"

var guests = []guestRow{
	{row: "J1 v1 member, idp is iss", token: with(mockidp.V1(), mockidp.Claim("idp", fmt.Sprintf(homeOf, tenantA)))},
	{row: "J1 v2 member, no idp"},
	{row: "J1 v1 member, no idp", token: with(mockidp.V1())},
	{row: "J2 v1, another tenant", token: with(mockidp.V1(), mockidp.Claim("idp", fmt.Sprintf(homeOf, tenantB))), guest: true},
	{row: "J2 v2, another tenant", token: with(mockidp.Claim("idp", fmt.Sprintf(homeOf, tenantB))), guest: true},
	{row: "J2 v2, another tenant in v2 form", token: with(mockidp.Claim("idp", "https://login.microsoftonline.com/"+tenantB+"/v2.0")), guest: true},
	{row: "J2 a guest as Entra issues it", token: with(mockidp.Guest(tenantB)), guest: true},
	{row: "J2 the same without acct", token: with(mockidp.Guest(tenantB), mockidp.Without("acct")), guest: true},
	{row: "J2 the same in v1", token: with(mockidp.Guest(tenantB), mockidp.V1(), mockidp.Without("acct")), guest: true},
	{row: "J2 a personal account", token: with(mockidp.Claim("idp", "live.com")), guest: true},
	{row: "J3 acct 1", token: with(mockidp.Claim("acct", 1)), guest: true},
	{row: "J3 acct 0", token: with(mockidp.Claim("acct", 0))},
	{row: "J3 acct 0 decides over idp", token: with(mockidp.Claim("acct", 0), mockidp.Claim("idp", fmt.Sprintf(homeOf, tenantB)))},
	{row: `J3 acct "1"`, token: with(mockidp.Claim("acct", "1")), guest: true},
	{row: `J3 acct "0"`, token: with(mockidp.Claim("acct", "0"))},
	{row: "J3 acct 2", token: with(mockidp.Claim("acct", 2)), guest: true},
	{row: "J4 v2, own tenant in v1 form", token: with(mockidp.Claim("idp", fmt.Sprintf(homeOf, tenantA)))},
	{row: "J4 v1, own tenant in v2 form", token: with(mockidp.V1(), mockidp.Claim("idp", "https://login.microsoftonline.com/"+tenantA+"/v2.0"))},
	{row: "an application", token: with(mockidp.AppOnly("r"), mockidp.V1())},
	{row: "a customer with a social account", tenant: mockidp.Customers, token: with(mockidp.Claim("idp", "google.com"))},
	{row: "B2C has no guests", tenant: mockidp.Shop, token: with(mockidp.Claim("idp", "google.com"), mockidp.Claim("acct", 1))},
}

// J1, J2, J3, J4, J5
func TestGuests(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for _, row := range guests {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			id := tenantA
			if row.tenant != "" {
				id = row.tenant
			}
			raw := idp.Tenant(id).Token(row.token...)
			allowed := newAPIOn(t, idp, everyKind).get(raw).accepted(t)
			if allowed.Guest() != row.guest {
				t.Fatalf("Guest: got=%v, want=%v", allowed.Guest(), row.guest)
			}
			if id == mockidp.Shop {
				return // DenyGuests is a fault there
			}
			got := newAPIOn(t, idp, func(cfg *identity.Config) {
				tenant := identity.Tenant{ID: id, DenyGuests: true}
				if id == mockidp.Customers {
					tenant.External = &identity.External{Domain: "contosocx"}
				}
				cfg.Tenants = identity.NewRegistry(tenant)
			}).get(raw)
			if row.guest {
				got.refused(t, identity.ErrGuest)
			} else {
				got.accepted(t)
			}
		})
	}
}

// J6
func TestClients(t *testing.T) {
	t.Parallel()
	const other = "12345678-0000-4000-8000-123456789abc"
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(
			identity.Tenant{ID: tenantA, Clients: []string{other, strings.ToUpper(mockidp.Client)}},
			identity.Tenant{ID: tenantB})
	})
	v1 := mockidp.V1()
	a.get(a.token()).accepted(t)
	a.get(a.token(v1)).accepted(t)
	a.get(a.token(mockidp.ClientID(other))).accepted(t)
	a.get(a.token(mockidp.ClientID(mockidp.API))).refused(t, identity.ErrClient)
	a.get(a.token(v1, mockidp.ClientID(mockidp.API))).refused(t, identity.ErrClient)
	a.get(a.token(mockidp.Without("azp"))).refused(t, identity.ErrClient)
	a.get(a.token(v1, mockidp.Without("appid"))).refused(t, identity.ErrClient)
	a.get(a.token(mockidp.Claim("azp", ""))).refused(t, identity.ErrClient)
	a.get(a.token(mockidp.Claim("azp", []string{other}))).refused(t, identity.ErrClaims)
	b := a.idp.Tenant(tenantB)
	a.get(b.Token(mockidp.ClientID(mockidp.API))).accepted(t) // the list is the tenant's
	a.get(b.Token(mockidp.Without("azp"))).accepted(t)
}

// J7
func TestTwoCallers(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.get(a.token(mockidp.Claim("appid", mockidp.API))).refused(t, identity.ErrClaims)
	a.get(a.token(mockidp.V1(), mockidp.Claim("azp", mockidp.API))).refused(t, identity.ErrClaims)
	a.get(a.token(mockidp.Claim("appid", ""))).refused(t, identity.ErrClaims)
	if p := a.get(a.token(mockidp.Claim("appid", mockidp.Client))).accepted(t); p.ClientID != mockidp.Client {
		t.Fatalf("got=%s, want=%s", p.ClientID, mockidp.Client)
	}
}

// resolver answers for callers with too many groups, and counts.
type resolver struct {
	groups []string
	err    error
	calls  int
}

func (r *resolver) resolve(context.Context, *identity.Principal) ([]string, error) {
	r.calls++
	return r.groups, r.err
}

// groupRow is a token at a route for members of "g1" or "g2".
type groupRow struct {
	row      string
	resolver *resolver
	token    []mockidp.TokenOption
	overage  bool
	sentinel error
	calls    int
}

// J8, J9, J10
func TestGroups(t *testing.T) {
	t.Parallel()
	overage := with(mockidp.Overage())
	hasGroups := func(value any) []mockidp.TokenOption { return with(mockidp.Claim("hasgroups", value)) }
	for _, row := range []groupRow{
		{row: "J8 has it", token: with(mockidp.Groups("g0", "g1"))},
		{row: "J8 has not", token: with(mockidp.Groups("g0", "g11")), sentinel: identity.ErrGroup},
		{row: "J8 case", token: with(mockidp.Groups("G1")), sentinel: identity.ErrGroup},
		{row: "J8 no groups at all", sentinel: identity.ErrGroup},
		{row: "J8 nobody is asked", resolver: &resolver{groups: []string{"g1"}}, token: with(mockidp.Groups("g0")), sentinel: identity.ErrGroup},
		{row: "J8 nobody is asked, no groups", resolver: &resolver{groups: []string{"g1"}}, sentinel: identity.ErrGroup},
		{row: "J9 _claim_names", token: overage, overage: true, sentinel: identity.ErrGroupOverage},
		{row: "J9 _claim_names of something else", token: with(mockidp.Claim("_claim_names", map[string]string{"roles": "src1"})), sentinel: identity.ErrGroup},
		{row: "J9 hasgroups", token: hasGroups(true), overage: true, sentinel: identity.ErrGroupOverage},
		{row: "J9 hasgroups in a string", token: hasGroups("true"), overage: true, sentinel: identity.ErrGroupOverage},
		{row: "J9 hasgroups false", token: hasGroups(false), sentinel: identity.ErrGroup},
		{row: "J9 hasgroups, and here they are", token: with(mockidp.Claim("hasgroups", true), mockidp.Groups("g2"))},
		{row: "J10 yes", resolver: &resolver{groups: []string{"g0", "g2"}}, token: overage, overage: true, calls: 1},
		{row: "J10 yes, hasgroups", resolver: &resolver{groups: []string{"g2"}}, token: hasGroups(true), overage: true, calls: 1},
		{row: "J10 no", resolver: &resolver{groups: []string{"g0"}}, token: overage, overage: true, calls: 1, sentinel: identity.ErrGroup},
		{row: "J10 none", resolver: &resolver{}, token: overage, overage: true, calls: 1, sentinel: identity.ErrGroup},
		{row: "J10 error", resolver: &resolver{groups: []string{"g1"}, err: errors.New("graph is down")}, token: overage, overage: true, calls: 1, sentinel: identity.ErrGroupsUnavailable},
	} {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			var resolve identity.GroupResolver
			if row.resolver != nil {
				resolve = row.resolver.resolve
			}
			seen := new(seenBy)
			a := newAPI(t, nil, identity.Require(seen.rule), identity.RequireGroup(resolve, "g1", "g2"))
			got := a.get(a.token(row.token...))
			if row.sentinel == nil {
				got.accepted(t)
			} else {
				got.refused(t, row.sentinel)
			}
			if row.resolver != nil && row.resolver.calls != row.calls {
				t.Fatalf("got=%d calls of the resolver, want=%d", row.resolver.calls, row.calls)
			}
			if seen.principal.GroupsOverage() != row.overage {
				t.Fatalf("GroupsOverage: got=%v, want=%v", seen.principal.GroupsOverage(), row.overage)
			}
		})
	}
}

// seenBy is a rule that lets everybody pass and keeps the principal.
type seenBy struct{ principal *identity.Principal }

func (s *seenBy) rule(_ context.Context, p *identity.Principal) error {
	s.principal = p
	return nil
}

// J11, J12, J13, J14
func TestAuthContext(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil, identity.RequireAuthContext("c1"))
	acrs := func(value any) mockidp.TokenOption { return mockidp.Claim("acrs", value) }
	cp1 := mockidp.Claim("xms_cc", []string{"cp1"})
	for name, opts := range map[string][]mockidp.TokenOption{
		"J11 there":              with(acrs([]string{"c2", "c1"})),
		"J11 there, cp1":         with(acrs([]string{"c1"}), cp1),
		"J14 a string":           with(acrs("c1")),
		"J14 a string, and v1.0": with(acrs("c1"), mockidp.V1()),
	} {
		t.Run(name, func(t *testing.T) { a.get(a.token(opts...)).accepted(t) })
	}
	for name, opts := range map[string][]mockidp.TokenOption{
		"absent":           with(cp1),
		"another":          with(cp1, acrs([]string{"c2", "c11"})),
		"a string":         with(cp1, acrs("c1 c2")),
		"one capability":   with(mockidp.Claim("xms_cc", "cp1")),
		"upper case":       with(mockidp.Claim("xms_cc", []string{"x", "CP1"})),
		"acr is not acrs":  with(cp1, mockidp.Claim("acr", "c1")),
		"upper case in it": with(cp1, acrs("C1")),
	} {
		t.Run("J12 "+name, func(t *testing.T) { a.get(a.token(opts...)).asksToStepUp(t, "c1") })
	}
	for name, opts := range map[string][]mockidp.TokenOption{
		"none":           nil,
		"others":         with(mockidp.Claim("xms_cc", []string{"cp2", "protapp"})),
		"with a context": with(acrs([]string{"c2"})),
	} {
		t.Run("J13 "+name, func(t *testing.T) {
			got := a.get(a.token(opts...))
			if e := got.refused(t, identity.ErrAuthContext); e.Claims != "" || strings.Contains(got.body+fmt.Sprint(got.header), "claims") {
				t.Fatalf("got=%s %s, want no claims challenge", got.header, got.body)
			}
		})
	}
}

// asksToStepUp requires the claims challenge for an authentication context.
func (got *answer) asksToStepUp(t *testing.T, id string) {
	t.Helper()
	if got.reached || got.status != http.StatusUnauthorized || !errors.Is(got.err, identity.ErrAuthContext) {
		t.Fatalf("got=%d %v, want=401", got.status, got.err)
	}
	challenge := got.header.Get("WWW-Authenticate")
	attributes, err := parseChallenge(challenge)
	if err != nil || attributes["error"] != "insufficient_claims" {
		t.Fatalf("got=%s %v, want insufficient_claims", challenge, err)
	}
	document, err := base64.StdEncoding.DecodeString(attributes["claims"])
	if err != nil {
		t.Fatalf("got=%s, want claims in standard base64: %v", challenge, err)
	}
	var claims, want any
	wanted := fmt.Sprintf(`{"access_token": {"acrs": {"essential": true, "value": %q}}}`, id)
	if json.Unmarshal(document, &claims) != nil || json.Unmarshal([]byte(wanted), &want) != nil || !reflect.DeepEqual(claims, want) {
		t.Fatalf("got=%s, want=%s", document, wanted)
	}
	got.leaksNothing(t)
}

// J12: claims are in the standard alphabet of base64, with padding; it shows only where the claims have the letters for it.
func TestClaimsAreInStandardBase64(t *testing.T) {
	t.Parallel()
	const claims = `{"access_token":{"name":{"value":"~~~???>"}}}`
	e := &identity.Error{Status: http.StatusUnauthorized, Code: identity.CodeInsufficientClaims, Claims: claims}
	attributes, err := parseChallenge(e.Header().Get("WWW-Authenticate"))
	if want := base64.StdEncoding.EncodeToString([]byte(claims)); err != nil || attributes["claims"] != want || !strings.ContainsAny(want, "+/") {
		t.Fatalf("got=%v %v, want=%s", attributes, err, want)
	}
}

// J15: whatever cnf says.
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, cnf := range []any{map[string]string{"kid": "x"}, map[string]string{"jkt": "x"}, map[string]any{}, "", nil, false} {
		a.get(a.token(mockidp.Claim("cnf", cnf))).refused(t, identity.ErrBound)
	}
	a.get(a.token(mockidp.Claim("conf", map[string]string{"kid": "x"}))).accepted(t)
}

// J16, K4
func TestRules(t *testing.T) {
	t.Parallel()
	own := &identity.Error{
		Status: http.StatusTooManyRequests, Reason: "quota", Description: "Too many requests.", RetryAfter: 1500 * time.Millisecond,
	}
	get := func(rules ...identity.Rule) (*api, *answer) {
		a := newAPI(t, nil, identity.Require(rules...))
		return a, a.get(a.token())
	}
	_, got := get(refuseWith(nil), refuseWith(nil))
	got.accepted(t)

	plain := errors.New("the order is somebody else's")
	_, got = get(refuseWith(nil), refuseWith(plain), panicking) // the first refusal ends it
	got.refused(t, identity.ErrRule)
	if !errors.Is(got.err, plain) || strings.Contains(got.body, "order") {
		t.Fatalf("got=%v %s, want the error in the chain and not in the answer", got.err, got.body)
	}

	for _, refusal := range []error{own, fmt.Errorf("wrapped: %w", own)} {
		_, got = get(refuseWith(refusal))
		if got.reached || got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "2" || !strings.Contains(got.body, "Too many requests.") {
			t.Fatalf("got=%d %s %s, want the rule's own answer", got.status, got.header, got.body)
		}
		if got.header.Get("WWW-Authenticate") != "" || !errors.Is(got.err, own) {
			t.Fatalf("got=%s %v, want no challenge and the rule's error", got.header, got.err)
		}
	}
	if own.Error() != "identity: quota" || errors.Unwrap(own) != nil {
		t.Fatalf("got=%v, want the rule's error unchanged", own)
	}

	_, got = get(refuseWith(identity.ErrScope)) // a sentinel brings its answer
	got.refused(t, identity.ErrScope)

	for _, status := range []int{0, 100, 200, 204, 302, 399, -1, 600, 1000, 4030} { // a refusal is no success
		_, got = get(refuseWith(&identity.Error{Status: status}))
		if got.reached || got.status != http.StatusForbidden {
			t.Fatalf("status %d: got=%d, want=403", status, got.status)
		}
	}

	a, got := get(panicking)
	got.refused(t, identity.ErrInternal)
	if strings.Contains(got.body, "oops") || !strings.Contains(a.log.String(), "oops") || !strings.Contains(a.log.String(), "stack=") {
		t.Fatalf("got=%s %s, want the panic in the log alone", got.body, a.log)
	}
}

// A rule sees who calls, and the context of the request.
func TestRuleSeesRequest(t *testing.T) {
	t.Parallel()
	var seen *identity.Principal
	var known bool
	a := newAPI(t, nil, identity.Require(func(ctx context.Context, p *identity.Principal) error {
		_, known = ctx.Value(answerKey{}).(*answer)
		seen = p
		return nil
	}))
	if p := a.get(a.token()).accepted(t); p != seen || !known {
		t.Fatalf("got=%v in the request's context: %v, want=%v", seen, known, p)
	}
}

// A rule of an API whose challenges say more leaves the application's error as it was, for all the requests that share it.
func TestSharedRuleError(t *testing.T) {
	t.Parallel()
	shared := &identity.Error{Status: http.StatusUnauthorized, Code: identity.CodeInvalidToken, Reason: "revoked", Scopes: []string{"a"}}
	before := *shared
	a := newAPI(t, func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example/" }, identity.Require(refuseWith(shared)))
	raw := a.token()
	done := make(chan string)
	for range 8 {
		go func() { done <- a.get(raw).header.Get("WWW-Authenticate") }()
	}
	for range 8 {
		if challenge := <-done; !strings.Contains(challenge, "resource_metadata=") || !strings.Contains(challenge, `scope="a"`) {
			t.Errorf("got=%s, want the metadata in it", challenge)
		}
	}
	if !slices.Equal(shared.Scopes, before.Scopes) || strings.Contains(fmt.Sprint(shared.Header()), "resource_metadata") {
		t.Fatalf("got=%+v, want=%+v", shared, before)
	}
}
