package identity_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
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

// J12: claims are in the standard alphabet of base64, with padding; it shows only where the claims have the letters for it.
func TestClaimsAreInStandardBase64(t *testing.T) {
	t.Parallel()
	const claims = `{"access_token":{"name":{"value":"~~~???>"}}}`
	e := &identity.Error{Status: http.StatusUnauthorized, Code: identity.CodeInsufficientClaims, Claims: claims}
	attributes, err := behaviour.ParseChallenge(e.Header().Get("WWW-Authenticate"))
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
