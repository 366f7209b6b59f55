package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// audienceRow is a token at an API that trusts tenant A and the B2C directory.
type audienceRow struct {
	name   string
	kind   mockidp.Kind
	change func(*identity.Config)
	opts   []mockidp.TokenOption
	want   error
}

func (row audienceRow) run(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}, shop(nil), identity.Tenant{ID: mockidp.Customers, External: new(identity.External)})
		if row.change != nil {
			row.change(cfg)
		}
	})
	id := map[mockidp.Kind]string{mockidp.Workforce: tenantA, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers}[row.kind]
	got := a.get(a.idp.Tenant(id).Token(row.opts...))
	if row.want == nil {
		got.accepted(t)
		return
	}
	got.refused(t, row.want)
	requireNoFetch(t, a.idp)
}

func TestAudience(t *testing.T) {
	t.Parallel()
	const c, uri = mockidp.API, "api://" + mockidp.API
	aud := func(v any, more ...mockidp.TokenOption) []mockidp.TokenOption {
		return append(more, mockidp.Audience(v))
	}
	raw := func(text string) []mockidp.TokenOption { return aud(json.RawMessage(text)) }
	explicit := func(cfg *identity.Config) {
		cfg.ClientID, cfg.Audiences = "", []string{uri, c, "https://api.example"}
	}
	additional := func(cfg *identity.Config) { cfg.Audiences = []string{"https://api.example"} }
	upper := func(cfg *identity.Config) { cfg.ClientID = strings.ToUpper(c) }
	for _, row := range []audienceRow{
		{name: "G1 v2 and the GUID", opts: aud(c)},
		{name: "G1 v1 and the URI", opts: aud(uri, mockidp.V1())},
		{name: "G1 B2C and the GUID", kind: mockidp.B2C, opts: aud(c)},
		{name: "External and the GUID", kind: mockidp.External, opts: aud(c)},
		{name: "G2", opts: aud(uri)},
		{name: "G3", opts: aud(c, mockidp.V1())},
		{name: "B2C and the URI", kind: mockidp.B2C, opts: aud(uri)},

		{name: "G4 ver 3.0", opts: options(mockidp.Claim("ver", "3.0")), want: identity.ErrVersion},
		{name: "G4 ver missing", opts: options(mockidp.Without("ver")), want: identity.ErrVersion},
		{name: "G4 ver number", opts: options(mockidp.Claim("ver", json.RawMessage("2.0"))), want: identity.ErrVersion},
		{name: "G4 ver empty", opts: options(mockidp.Claim("ver", "")), want: identity.ErrVersion},
		{name: "G4 ver 2", opts: options(mockidp.Claim("ver", "2")), want: identity.ErrVersion},

		{name: "G5 URI, v2", change: explicit, opts: aud(uri)},
		{name: "G5 URI, v1", change: explicit, opts: aud(uri, mockidp.V1())},
		{name: "G5 GUID, v2", change: explicit, opts: aud(c)},
		{name: "G5 GUID, v1", change: explicit, opts: aud(c, mockidp.V1())},
		{name: "G5 own, v2", change: explicit, opts: aud("https://api.example")},
		{name: "G5 own, v1", change: explicit, opts: aud("https://api.example", mockidp.V1())},
		{name: "G5 own, B2C", change: explicit, kind: mockidp.B2C, opts: aud("https://api.example")},
		{name: "G5 another", change: explicit, opts: aud("https://other.example"), want: identity.ErrAudience},
		{name: "additional, own", change: additional, opts: aud("https://api.example")},
		{name: "additional, GUID", change: additional, opts: aud(c)},
		{name: "own, not configured", opts: aud("https://api.example"), want: identity.ErrAudience},
		{name: "only the explicit list", change: func(cfg *identity.Config) { cfg.ClientID, cfg.Audiences = "", []string{"https://api.example"} }, opts: aud(c), want: identity.ErrAudience},

		{name: "G6", opts: aud([]string{"https://other.example", c})},
		{name: "G6 alone", opts: aud([]string{uri})},
		{name: "G6 first", opts: aud([]string{c, "https://other.example", "https://third.example"})},

		{name: "G7 no match", opts: aud([]string{"https://other.example", "https://third.example"}), want: identity.ErrAudience},
		{name: "G7 empty", opts: aud(""), want: identity.ErrAudience},
		{name: "G7 empty array", opts: raw(`[]`), want: identity.ErrAudience},
		{name: "G7 array of an empty string", opts: raw(`[""]`), want: identity.ErrAudience},
		{name: "G7 null", opts: raw(`null`), want: identity.ErrAudience},
		{name: "G7 missing", opts: options(mockidp.Without("aud")), want: identity.ErrAudience},
		{name: "G7 number", opts: raw(`1`), want: identity.ErrAudience},
		{name: "G7 array of a number", opts: raw(`[1]`), want: identity.ErrAudience},
		{name: "G7 array with a number", opts: raw(`["` + c + `",1]`), want: identity.ErrAudience},
		{name: "G7 array in an array", opts: raw(`[["` + c + `"]]`), want: identity.ErrAudience},
		{name: "G7 object", opts: raw(`{"` + c + `":true}`), want: identity.ErrAudience},
		{name: "G7 true", opts: raw(`true`), want: identity.ErrAudience},

		{name: "G8 upper case", opts: aud(strings.ToUpper(c)), want: identity.ErrAudience},
		{name: "G8 upper-case scheme", opts: aud("API://" + c), want: identity.ErrAudience},
		{name: "G8 final slash", opts: aud(uri + "/"), want: identity.ErrAudience},
		{name: "G8 final slash on the GUID", opts: aud(c + "/"), want: identity.ErrAudience},
		{name: "G8 final blank", opts: aud(c + " "), want: identity.ErrAudience},
		{name: "G8 leading blank", opts: aud(" " + c), want: identity.ErrAudience},
		{name: "G8 two in one", opts: aud(c + " " + uri), want: identity.ErrAudience},
		{name: "G8 longer", opts: aud(c + "0"), want: identity.ErrAudience},
		{name: "G8 shorter", opts: aud(c[:35]), want: identity.ErrAudience},
		{name: "ClientID in upper case, GUID", change: upper, opts: aud(c)},
		{name: "ClientID in upper case, URI", change: upper, opts: aud(uri)},

		{name: "G10", opts: aud("00000003-0000-0000-c000-000000000000"), want: identity.ErrOtherResource},
		{name: "G10 URL", opts: aud("https://graph.microsoft.com"), want: identity.ErrOtherResource},
		{name: "G10 as Entra issues it", opts: options(mockidp.ForGraph()), want: identity.ErrOtherResource},

		{name: "G11", opts: options(mockidp.IDToken()), want: identity.ErrIDToken},
		{name: "G11 v1", opts: options(mockidp.IDToken(), mockidp.V1()), want: identity.ErrIDToken},
		{name: "G11 B2C", kind: mockidp.B2C, opts: options(mockidp.IDToken()), want: identity.ErrIDToken},
		{name: "access token for the client", opts: aud(mockidp.Client), want: identity.ErrAudience},
	} {
		t.Run(row.name, row.run)
	}
}

// G10: Microsoft Graph and Azure AD Graph in every cloud, by application ID and by address. A name that only looks like one of
// theirs is any other audience.
func TestTokensForGraph(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, aud := range []string{
		"00000003-0000-0000-c000-000000000000", "00000002-0000-0000-c000-000000000000",
		"https://graph.microsoft.com", "https://graph.microsoft.com/",
		"https://graph.microsoft.us", "https://graph.microsoft.us/",
		"https://dod-graph.microsoft.us", "https://dod-graph.microsoft.us/",
		"https://microsoftgraph.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/",
		"https://graph.windows.net", "https://graph.windows.net/",
	} {
		a.get(a.token(mockidp.Audience(aud))).refused(t, identity.ErrOtherResource)
		a.get(a.token(mockidp.Audience(aud+"x"))).refused(t, identity.ErrAudience)
	}
	requireNoFetch(t, a.idp)
}

// G11: an ID token of a client that shares its registration with the API has the right audience, and is one nevertheless.
func TestIDTokenOfSameRegistration(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.get(a.token(mockidp.IDToken(), mockidp.Audience(mockidp.API))).refused(t, identity.ErrIDToken)
	a.get(a.token(mockidp.Audience(mockidp.API))).accepted(t)
}

// G12: Tenant.Audiences replaces the list, for that tenant alone.
func TestTenantAudiences(t *testing.T) {
	t.Parallel()
	const second = "c2c2c2c2-0000-4000-8000-c2c2c2c2c2c2"
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Audiences = []string{"https://api.example"}
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB, Audiences: []string{second, "api://" + second}})
	})
	b := a.idp.Tenant(tenantB)
	for _, aud := range []string{mockidp.API, "api://" + mockidp.API, "https://api.example"} {
		a.get(b.Token(mockidp.Audience(aud))).refused(t, identity.ErrAudience)
	}
	for _, aud := range []string{second, "api://" + second} {
		a.get(a.token(mockidp.Audience(aud))).refused(t, identity.ErrAudience)
	}
	requireNoFetch(t, a.idp)
	for _, aud := range []string{mockidp.API, "api://" + mockidp.API, "https://api.example"} {
		a.get(a.token(mockidp.Audience(aud))).accepted(t)
	}
	for _, aud := range []string{second, "api://" + second} {
		a.get(b.Token(mockidp.Audience(aud))).accepted(t)
		a.get(b.Token(mockidp.V1(), mockidp.Audience(aud))).accepted(t)
	}
}
