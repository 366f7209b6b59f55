package mockidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/mockidp"
)

const v2Contoso = "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0"

// M3
func TestTokenKinds(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso, shop, customers := idp.Tenant(mockidp.Contoso), idp.Tenant(mockidp.Shop), idp.Tenant(mockidp.Customers)
	custom := "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1a_custom" + discoveryPath
	v1 := "https://login.microsoftonline.com/" + mockidp.Contoso + "/.well-known/openid-configuration"
	rows := []struct {
		name      string
		tenant    *mockidp.TenantHandle
		opts      []mockidp.TokenOption
		discovery string // default: the tenant's
		claims    map[string]any
		absent    []string
	}{
		{name: "v2", tenant: contoso, claims: map[string]any{"iss": v2Contoso, "aud": mockidp.API, "azp": mockidp.Client, "azpacr": "0", "oid": mockidp.User,
			"tid": mockidp.Contoso, "ver": "2.0", "scp": "access_as_user", "preferred_username": "jo@contoso.example"},
			absent: []string{"roles", "groups", "appid", "idtyp", "idp", "upn", "nonce", "xms_cc"}},
		{name: "v1", tenant: contoso, opts: []mockidp.TokenOption{mockidp.V1()}, discovery: v1, claims: map[string]any{"iss": "https://sts.windows.net/" + mockidp.Contoso + "/",
			"aud": "api://" + mockidp.API, "appid": mockidp.Client, "appidacr": "0", "ver": "1.0", "acr": "1", "amr": []string{"pwd", "mfa"}, "upn": "jo@contoso.example",
			"family_name": "Doe", "given_name": "Jo", "scp": "access_as_user"}, absent: []string{"azp", "preferred_username"}},
		{name: "app only v2", tenant: contoso, opts: []mockidp.TokenOption{mockidp.AppOnly("Orders.Read.All", "Jobs.Run")}, claims: map[string]any{"idtyp": "app",
			"oid": mockidp.ServicePrincipal, "sub": mockidp.ServicePrincipal, "roles": []string{"Orders.Read.All", "Jobs.Run"}, "azpacr": "1"},
			absent: []string{"scp", "name", "preferred_username", "idp"}},
		{name: "app only v1", tenant: contoso, opts: []mockidp.TokenOption{mockidp.AppOnly("Orders.Read.All"), mockidp.V1()}, claims: map[string]any{"idtyp": "app",
			"idp": "https://sts.windows.net/" + mockidp.Contoso + "/", "appidacr": "1", "roles": []string{"Orders.Read.All"}}, absent: []string{"scp", "acr", "amr", "upn"}},
		{name: "app only without roles", tenant: contoso, opts: []mockidp.TokenOption{mockidp.AppOnly()}, absent: []string{"roles", "scp"}},
		{name: "guest", tenant: contoso, opts: []mockidp.TokenOption{mockidp.Guest(strings.ToUpper(mockidp.Fabrikam))}, claims: map[string]any{"acct": 1,
			"idp": "https://sts.windows.net/" + mockidp.Fabrikam + "/", "oid": mockidp.GuestUser, "tid": mockidp.Contoso, "iss": v2Contoso,
			"upn": "kim_fabrikam.example#EXT#@contoso.onmicrosoft.com"}},
		{name: "guest v1", tenant: contoso, opts: []mockidp.TokenOption{mockidp.V1(), mockidp.Guest(mockidp.Fabrikam)}, claims: map[string]any{"acct": 1,
			"idp": "https://sts.windows.net/" + mockidp.Fabrikam + "/", "unique_name": "kim@fabrikam.example"}},
		{name: "overage", tenant: contoso, opts: []mockidp.TokenOption{mockidp.Overage()}, claims: map[string]any{"_claim_names": map[string]string{"groups": "src1"},
			"_claim_sources": map[string]any{"src1": map[string]string{"endpoint": "https://graph.windows.net/" + mockidp.Contoso + "/users/" + mockidp.User + "/getMemberObjects"}}},
			absent: []string{"groups"}},
		{name: "ID token", tenant: contoso, opts: []mockidp.TokenOption{mockidp.IDToken()}, claims: map[string]any{"aud": mockidp.Client, "ver": "2.0"},
			absent: []string{"scp", "azp", "azpacr", "roles"}},
		{name: "personal account", tenant: contoso, opts: []mockidp.TokenOption{mockidp.PersonalAccount()}, discovery: commonV2,
			claims: map[string]any{"iss": "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0", "tid": mockidp.PersonalAccounts,
				"oid": "00000000-0000-0000-66f3-3332eca7ea81", "preferred_username": "sam@outlook.example"}},

		{name: "B2C", tenant: shop, claims: map[string]any{"iss": "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/", "ver": "1.0", "tfp": "B2C_1_susi",
			"sub": mockidp.User, "oid": mockidp.User, "aud": mockidp.API, "azp": mockidp.Client, "scp": "access_as_user", "emails": []string{"jo@contoso.example"}},
			absent: []string{"tid", "acr", "uti", "azpacr"}},
		{name: "B2C other policy", tenant: shop, opts: []mockidp.TokenOption{mockidp.Policy("b2c_1a_CUSTOM")}, discovery: custom, claims: map[string]any{"tfp": "B2C_1A_custom"}},
		{name: "B2C acr", tenant: shop, opts: []mockidp.TokenOption{mockidp.Policy("B2C_1A_custom"), mockidp.ACRPolicy()}, discovery: custom,
			claims: map[string]any{"acr": "b2c_1a_custom"}, absent: []string{"tfp"}},
		{name: "B2C tfp issuer", tenant: shop, opts: []mockidp.TokenOption{mockidp.TFPIssuer()},
			claims: map[string]any{"iss": "https://contosob2c.b2clogin.com/tfp/" + mockidp.Shop + "/b2c_1_susi/v2.0/"}},
		{name: "B2C unknown policy", tenant: shop, opts: []mockidp.TokenOption{mockidp.Policy("B2C_1_other"), mockidp.TFPIssuer()},
			claims: map[string]any{"tfp": "B2C_1_other", "iss": "https://contosob2c.b2clogin.com/tfp/" + mockidp.Shop + "/b2c_1_other/v2.0/"}},
		{name: "B2C app only", tenant: shop, opts: []mockidp.TokenOption{mockidp.AppOnly("app.read", "app.write")}, claims: map[string]any{"scp": "app.read app.write",
			"sub": mockidp.ServicePrincipal, "oid": mockidp.ServicePrincipal}, absent: []string{"roles", "idtyp", "name", "auth_time"}},
		{name: "B2C app only without roles", tenant: shop, opts: []mockidp.TokenOption{mockidp.AppOnly()}, absent: []string{"roles", "scp"}},
		{name: "B2C ID token", tenant: shop, opts: []mockidp.TokenOption{mockidp.IDToken()}, claims: map[string]any{"aud": mockidp.Client}, absent: []string{"scp", "azp"}},
		{name: "B2C custom domain", tenant: shop, opts: []mockidp.TokenOption{mockidp.IssuedBy("login.contoso.example")},
			claims: map[string]any{"iss": "https://login.contoso.example/" + mockidp.Shop + "/v2.0/"}},
		{name: "B2C object ID", tenant: shop, opts: []mockidp.TokenOption{mockidp.ObjectID("x")}, claims: map[string]any{"oid": "x", "sub": "x"}},

		{name: "External", tenant: customers, claims: map[string]any{"iss": "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0",
			"tid": mockidp.Customers, "ver": "2.0", "azp": mockidp.Client, "scp": "access_as_user"}},
		{name: "External v1", tenant: customers, opts: []mockidp.TokenOption{mockidp.V1()}, claims: map[string]any{"iss": "https://sts.windows.net/" + mockidp.Customers + "/"}},
		{name: "External app only", tenant: customers, opts: []mockidp.TokenOption{mockidp.AppOnly("r")}, claims: map[string]any{"idtyp": "app", "roles": []string{"r"}}},

		{name: "issued by an origin", tenant: contoso, opts: []mockidp.TokenOption{mockidp.IssuedBy("https://127.0.0.1:1234/")},
			claims: map[string]any{"iss": "https://127.0.0.1:1234/" + mockidp.Contoso + "/v2.0"}},
		{name: "v1 of a private deployment", tenant: contoso, opts: []mockidp.TokenOption{mockidp.V1(), mockidp.IssuedBy("https://127.0.0.1:1234")},
			claims: map[string]any{"iss": "https://sts.windows.net/" + mockidp.Contoso + "/"}},
		{name: "v1 of another cloud", tenant: contoso, opts: []mockidp.TokenOption{mockidp.V1(), mockidp.IssuedBy("sts.chinacloudapi.cn")},
			claims: map[string]any{"iss": "https://sts.chinacloudapi.cn/" + mockidp.Contoso + "/"}},

		{name: "claims", tenant: contoso, opts: []mockidp.TokenOption{
			mockidp.Scopes("a", "b"), mockidp.Roles("r"), mockidp.Groups("g", "h"), mockidp.Audience([]string{"x", "y"}), mockidp.Subject("s"), mockidp.ObjectID("o"),
			mockidp.ClientID("c"), mockidp.Claim("big", json.RawMessage("12345678901234567890")), mockidp.Claim("html", "<&>"), mockidp.Without("name", "rh"), {}},
			claims: map[string]any{"scp": "a b", "roles": []string{"r"}, "groups": []string{"g", "h"}, "aud": []string{"x", "y"}, "sub": "s", "oid": "o", "azp": "c", "html": "<&>"},
			absent: []string{"name", "rh"}},
		{name: "later wins, kinds first", tenant: contoso, opts: []mockidp.TokenOption{mockidp.Scopes("a"), mockidp.ClientID("c"), mockidp.Scopes("b"), mockidp.V1(), mockidp.Roles("x"), mockidp.Roles()},
			claims: map[string]any{"scp": "b", "appid": "c"}, absent: []string{"azp", "roles"}},
		{name: "claims as a map", tenant: contoso, opts: []mockidp.TokenOption{mockidp.Claims(func(m map[string]any) {
			delete(m, "name")
			m["scp"], m["z"], m["y"] = "q", 1, 2
		})}, claims: map[string]any{"scp": "q", "z": 1, "y": 2}, absent: []string{"name"}},
		{name: "app only object ID", tenant: contoso, opts: []mockidp.TokenOption{mockidp.ObjectID("x"), mockidp.AppOnly("r"), mockidp.Groups()}, claims: map[string]any{"oid": "x", "sub": "x"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			discovery := row.discovery
			if discovery == "" {
				discovery = row.tenant.DiscoveryURL()
			}
			raw := row.tenant.Token(row.opts...)
			header, claims := mustVerify(t, idp.Client(), discovery, raw)
			want(t, claims, row.claims)
			absent(t, claims, row.absent...)
			want(t, header, map[string]any{"typ": "JWT", "alg": "RS256"})
			if row.tenant.Kind() == mockidp.Workforce && claims["ver"] == "1.0" {
				want(t, header, map[string]any{"x5t": header["kid"]})
			} else if row.tenant.Kind() != mockidp.External {
				absent(t, header, "x5t")
			}
		})
	}
}

func TestUTIIsUnique(t *testing.T) {
	t.Parallel()
	contoso := mockidp.New().Tenant(mockidp.Contoso)
	a, b := claimsOf(t, contoso.Token())["uti"].(string), claimsOf(t, contoso.Token())["uti"].(string)
	if a == b || len(a) != 22 {
		t.Errorf("got=%q and %q, want two of 22 characters", a, b)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	contoso := mockidp.New(mockidp.WithClock(func() time.Time { return now })).Tenant(mockidp.Contoso)
	for name, row := range map[string]struct {
		opts          []mockidp.TokenOption
		iat, nbf, exp time.Duration // relative to now
	}{
		"default":       {nil, 0, 0, time.Hour},
		"short":         {[]mockidp.TokenOption{mockidp.ExpiresIn(time.Minute)}, 0, 0, time.Minute},
		"expired":       {[]mockidp.TokenOption{mockidp.ExpiresIn(-time.Minute)}, -61 * time.Minute, -61 * time.Minute, -time.Minute},
		"expires now":   {[]mockidp.TokenOption{mockidp.ExpiresAt(now)}, -time.Hour, -time.Hour, 0},
		"on purpose":    {[]mockidp.TokenOption{mockidp.NotBefore(now), mockidp.ExpiresIn(-time.Minute)}, -61 * time.Minute, 0, -time.Minute},
		"back again":    {[]mockidp.TokenOption{mockidp.ExpiresIn(-time.Minute), mockidp.ExpiresIn(time.Minute)}, 0, 0, time.Minute},
		"not yet valid": {[]mockidp.TokenOption{mockidp.NotBefore(now.Add(time.Minute)), mockidp.IssuedAt(now.Add(2 * time.Minute))}, 2 * time.Minute, time.Minute, time.Hour},
	} {
		want(t, claimsOf(t, contoso.Token(row.opts...)), map[string]any{"iat": now.Add(row.iat).Unix(), "nbf": now.Add(row.nbf).Unix(), "exp": now.Add(row.exp).Unix()})
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestHeaderAndText(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	kid := contoso.Keys().Signing().ID()
	for name, row := range map[string]struct {
		opts    []mockidp.TokenOption
		header  string
		payload string // "": anything
	}{
		"default":     {nil, `{"typ":"JWT","alg":"RS256","kid":"` + kid + `"}`, ""},
		"v1":          {[]mockidp.TokenOption{mockidp.V1()}, `{"typ":"JWT","alg":"RS256","x5t":"` + kid + `","kid":"` + kid + `"}`, ""},
		"set":         {[]mockidp.TokenOption{mockidp.Header("typ", "at+jwt"), mockidp.Header("x", 1)}, `{"typ":"at+jwt","alg":"RS256","kid":"` + kid + `","x":1}`, ""},
		"removed":     {[]mockidp.TokenOption{mockidp.WithoutHeader("typ", "kid", "alg")}, `{}`, ""},
		"kid":         {[]mockidp.TokenOption{mockidp.KeyID("other")}, `{"typ":"JWT","alg":"RS256","kid":"other"}`, ""},
		"empty kid":   {[]mockidp.TokenOption{mockidp.KeyID("")}, `{"typ":"JWT","alg":"RS256","kid":""}`, ""},
		"raw":         {[]mockidp.TokenOption{mockidp.RawHeader("{"), mockidp.RawPayload("}")}, `{`, `}`},
		"edited":      {[]mockidp.TokenOption{mockidp.RawHeader("a"), mockidp.EditHeader(double), mockidp.RawPayload("b"), mockidp.EditPayload(double)}, `aa`, `bb`},
		"alg remains": {[]mockidp.TokenOption{mockidp.Header("alg", "none"), mockidp.Algorithm("RS512")}, `{"typ":"JWT","alg":"none","kid":"` + kid + `"}`, ""},
	} {
		header, payload := peek(t, contoso.Token(row.opts...))
		if header != row.header || row.payload != "" && payload != row.payload {
			t.Errorf("%s: got=%s %s, want=%s %s", name, header, payload, row.header, row.payload)
		}
	}
	_, payload := peek(t, contoso.Token())
	if !strings.HasPrefix(payload, `{"aud":"`+mockidp.API+`","iss":"`+v2Contoso+`","iat":`) {
		t.Errorf("claims are not in Microsoft's order: %s", payload)
	}
	if got := contoso.Token(mockidp.Mutate(double), mockidp.Mutate(func(raw string) string { return raw[:3] })); got != "eyJ" {
		t.Errorf("got=%s, want=eyJ", got)
	}
	raw := idp.Sign(contoso.Keys().Signing(), `{"alg":"RS256","kid":"`+kid+`"}`, `{"exp":4102444800}`)
	mustVerify(t, idp.Client(), commonV2, raw)
}

func double(s string) string { return s + s }

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	contoso := mockidp.New().Tenant(mockidp.Contoso)
	key := contoso.Keys().Signing()
	for _, name := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "HS256", "HS384", "HS512"} {
		var secret any = key.Public()
		if name[0] == 'H' {
			secret = key.PublicPEM()
		}
		token, err := jwt.Parse(contoso.Token(mockidp.Algorithm(name)), func(*jwt.Token) (any, error) { return secret, nil })
		if err != nil || token.Method.Alg() != name {
			t.Errorf("%s: got=%v", name, err)
		}
	}
	if _, err := jwt.Parse(contoso.Token(mockidp.Algorithm("HS256"), mockidp.HMACSecret([]byte("x"))), func(*jwt.Token) (any, error) { return []byte("x"), nil }); err != nil {
		t.Error(err)
	}
	raw := contoso.Token(mockidp.Algorithm("ES256"))
	if signature, err := base64.RawURLEncoding.DecodeString(raw[strings.LastIndexByte(raw, '.')+1:]); err != nil || len(signature) != 64 {
		t.Errorf("ES256: got=%d bytes %v, want=64", len(signature), err)
	}
	if header, _ := peek(t, raw); !strings.Contains(header, `"alg":"ES256"`) {
		t.Errorf("ES256: got=%s", header)
	}
	raw = contoso.Token(mockidp.Algorithm("none"))
	if !strings.HasSuffix(raw, ".") {
		t.Errorf("none: got=%s", raw)
	}
	panics(t, "algorithm", func() { mockidp.Algorithm("rs256") })
}

// The signature of a token for Graph covers a header with the hash of the nonce, not the one that is sent.
func TestGraphToken(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	raw := idp.Tenant(mockidp.Contoso).Token(mockidp.ForGraph())
	if _, err := verify(t, idp.Client(), commonV2, raw); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Fatalf("got=%v, want=%v", err, jwt.ErrTokenSignatureInvalid)
	}
	want(t, claimsOf(t, raw), map[string]any{"aud": "https://graph.microsoft.com", "ver": "1.0", "appid": mockidp.Client})
	header, _ := peek(t, raw)
	var h map[string]string
	if err := json.Unmarshal([]byte(header), &h); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(h["nonce"]))
	hashed := strings.Replace(header, h["nonce"], base64.RawURLEncoding.EncodeToString(sum[:]), 1)
	parts := strings.Split(raw, ".")
	mustVerify(t, idp.Client(), commonV2, base64.RawURLEncoding.EncodeToString([]byte(hashed))+"."+parts[1]+"."+parts[2])

	// Without a nonce there is nothing to replace.
	mustVerify(t, idp.Client(), commonV2, idp.Tenant(mockidp.Contoso).Token(mockidp.ForGraph(), mockidp.WithoutHeader("nonce")))
}

func TestTokenMisuse(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso, shop, customers := idp.Tenant(mockidp.Contoso), idp.Tenant(mockidp.Shop), idp.Tenant(mockidp.Customers)
	for what, f := range map[string]func(){
		"v1 B2C":          func() { shop.Token(mockidp.V1()) },
		"guest in B2C":    func() { shop.Token(mockidp.Guest(mockidp.Contoso)) },
		"overage in B2C":  func() { shop.Token(mockidp.Overage()) },
		"personal in B2C": func() { shop.Token(mockidp.PersonalAccount()) },
		"Graph in CIAM":   func() { customers.Token(mockidp.ForGraph()) },
		"policy":          func() { contoso.Token(mockidp.Policy("x")) },
		"acr":             func() { customers.Token(mockidp.ACRPolicy()) },
		"tfp":             func() { contoso.Token(mockidp.TFPIssuer()) },
		"issuer":          func() { mockidp.IssuedBy("https://x.example/y") },
		"not JSON":        func() { contoso.Token(mockidp.Claim("x", func() {})) },
		"raw not JSON":    func() { contoso.Token(mockidp.Claim("x", json.RawMessage("{"))) },
		"no key":          func() { contoso.Token(mockidp.SignedBy(&mockidp.Key{})) },
	} {
		panics(t, what, f)
	}
}

// A guest of a tenant without a domain, and a tenant with a domain name of its own.
func TestDomains(t *testing.T) {
	t.Parallel()
	idp := mockidp.New(mockidp.WithTenants(
		mockidp.Tenant{ID: mockidp.Contoso},
		mockidp.Tenant{ID: mockidp.Fabrikam, Domain: "fabrikam.example"},
		mockidp.Tenant{ID: mockidp.Shop, Kind: mockidp.B2C, Hosts: []string{"shop.example"}, Policies: []string{"B2C_1_a"}},
	))
	want(t, claimsOf(t, idp.Tenant(mockidp.Contoso).Token(mockidp.Guest(mockidp.Fabrikam))), map[string]any{"upn": "kim_fabrikam.example#EXT#@" + mockidp.Contoso})
	want(t, document(t, idp.Client(), "https://login.microsoftonline.com/fabrikam.example"+discoveryPath), map[string]any{"issuer": idp.Tenant(mockidp.Fabrikam).Issuer()})
	if got, wanted := idp.Tenant(mockidp.Shop).Issuer(), "https://shop.example/"+mockidp.Shop+"/v2.0/"; got != wanted {
		t.Errorf("got=%s, want=%s", got, wanted)
	}
	if got, wanted := idp.Tenant(mockidp.Fabrikam).V1Issuer(), "https://sts.windows.net/"+mockidp.Fabrikam+"/"; got != wanted {
		t.Errorf("got=%s, want=%s", got, wanted)
	}
	mustVerify(t, idp.Client(), idp.Tenant(mockidp.Shop).DiscoveryURL(), idp.Tenant(mockidp.Shop).Token())
}
