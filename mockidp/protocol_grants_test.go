package mockidp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/mockidp"
)

const apiDefault = "api://" + mockidp.API + "/.default"

func daemonRequest(pairs ...string) url.Values {
	return but(form("grant_type", "client_credentials", "client_id", mockidp.Daemon, "client_secret", mockidp.DaemonSecret, "scope", apiDefault), pairs...)
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.User, Secrets: []string{"s:e c%r-t"}, ExpiredSecrets: []string{"old"}})
	basic := func(id, secret string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
	}
	for name, row := range map[string]struct {
		with    []string
		at      string
		headers []string
		want    refusal
	}{
		"good":                   {},
		"with OIDC scopes":       {with: []string{"scope", apiDefault + " openid offline_access profile", "client_info", "1"}},
		"client ID as resource":  {with: []string{"scope", mockidp.API + "/.default"}},
		"Graph":                  {with: []string{"scope", "https://graph.microsoft.com/.default"}},
		"Graph with two slashes": {with: []string{"scope", "https://graph.microsoft.com//.default"}},
		"Basic":                  {with: []string{"client_id", "", "client_secret", ""}, headers: basic(mockidp.Daemon, mockidp.DaemonSecret)},
		"Basic, encoded":         {with: []string{"client_id", "", "client_secret", ""}, headers: basic(url.QueryEscape(mockidp.User), "s%3Ae+c%25r%2Dt")},
		"Basic, wrong":           {with: []string{"client_id", "", "client_secret", ""}, headers: basic(mockidp.Daemon, "x"), want: refusal{401, "invalid_client", 7000215}},
		"Basic, bad encoding":    {with: []string{"client_id", "", "client_secret", ""}, headers: basic(mockidp.Daemon, "%zz"), want: refusal{400, "invalid_request", 9002313}},
		"Basic and body differ":  {headers: basic(mockidp.User, "x"), want: refusal{400, "invalid_request", 9002313}},
		"expired secret":         {with: []string{"client_id", mockidp.User, "client_secret", "old"}, want: refusal{401, "invalid_client", 7000222}},
		"wrong secret":           {with: []string{"client_secret", "x"}, want: refusal{401, "invalid_client", 7000215}},
		"no secret":              {with: []string{"client_secret", ""}, want: refusal{401, "invalid_client", 7000218}},
		"public client":          {with: []string{"client_id", mockidp.NativeClient}, want: refusal{401, "invalid_client", 700025}},
		"a scope":                {with: []string{"scope", apiScope}, want: refusal{400, "invalid_scope", 1002012}},
		"two resources":          {with: []string{"scope", apiDefault + " https://graph.microsoft.com/.default"}, want: refusal{400, "invalid_scope", 1002012}},
		"only OIDC scopes":       {with: []string{"scope", "openid"}, want: refusal{400, "invalid_scope", 1002012}},
		"no scope":               {with: []string{"scope", ""}, want: refusal{400, "invalid_request", 900144}},
		"unknown resource":       {with: []string{"scope", "api://nobody/.default"}, want: refusal{400, "invalid_resource", 500011}},
		"common":                 {at: login + "common/oauth2/v2.0/token", want: refusal{400, "invalid_request", 50059}},
		"other tenant":           {at: login + mockidp.Fabrikam + "/oauth2/v2.0/token"},
		"from a browser":         {headers: spaOrigin, want: refusal{400, "invalid_request", 9002326}},
		"bad assertion type":     {with: []string{"client_assertion", "x", "client_assertion_type", "x"}, want: refusal{400, "invalid_request", 70002}},
		"bad assertion":          {with: []string{"client_assertion", "x", "client_assertion_type", assertionType}, want: refusal{401, "invalid_client", 50027}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := row.at
			if at == "" {
				at = contosoToken
			}
			r := send(t, idp.Client(), at, daemonRequest(row.with...), row.headers...)
			if row.want != (refusal{}) {
				row.want.check(t, r)
				return
			}
			body := ok(t, r)
			if len(body) != 4 {
				t.Errorf("members: got=%v", body)
			}
			if aud := claimsOf(t, body["access_token"].(string))["aud"]; aud != mockidp.API && aud != "https://graph.microsoft.com" {
				t.Errorf("aud: got=%v", aud)
			}
		})
	}
	_, access := mustVerify(t, idp.Client(), contosoBase+discoveryPath, ok(t, send(t, idp.Client(), contosoToken, daemonRequest()))["access_token"].(string))
	want(t, access, map[string]any{"azp": mockidp.Daemon, "azpacr": "1", "oid": mockidp.ServicePrincipal, "sub": mockidp.ServicePrincipal, "roles": []string{"Jobs.Run.All"}, "idtyp": "app"})
	absent(t, access, "scp", "name", "preferred_username")
	// Without permission and without the optional claim there is neither roles nor idtyp.
	access = claimsOf(t, ok(t, send(t, idp.Client(), contosoToken, daemonRequest("scope", mockidp.MiddleTier+"/.default")))["access_token"].(string))
	absent(t, access, "roles", "idtyp", "scp")
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// credential is a certificate and its key, one for the package: keys are slow.
var credential = sync.OnceValues(func() (*rsa.PrivateKey, *x509.Certificate) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "daemon"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return key, c
})

func TestClientAssertion(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	key, certificate := credential()
	s1, s256 := sha1.Sum(certificate.Raw), sha256.Sum256(certificate.Raw)
	block := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.Daemon, Certificates: []string{block},
		Permissions: []mockidp.Permission{{API: mockidp.API, Roles: []string{"Jobs.Run.All"}}}})
	now := time.Now().Unix()
	good := jwt.MapClaims{"iss": mockidp.Daemon, "sub": mockidp.Daemon, "aud": contosoToken, "jti": "1", "nbf": now, "exp": now + 600}
	rows := map[string]struct {
		method jwt.SigningMethod
		header map[string]any
		claims jwt.MapClaims // changes
		key    any
		with   []string
		want   refusal
	}{
		"PS256, standard base64":     {method: jwt.SigningMethodPS256, header: map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(s256[:])}},
		"PS256, base64url":           {method: jwt.SigningMethodPS256, header: map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(s256[:])}},
		"RS256, SHA-1":               {header: map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(s1[:])}},
		"RS256, SHA-1, standard":     {header: map[string]any{"x5t": base64.StdEncoding.EncodeToString(s1[:])}},
		"no thumbprint":              {},
		"no client_id":               {with: []string{"client_id", ""}},
		"unknown thumbprint":         {header: map[string]any{"x5t": "AAAA"}, want: refusal{401, "invalid_client", 700027}},
		"other key":                  {key: otherKey(), want: refusal{401, "invalid_client", 700027}},
		"other algorithm":            {method: jwt.SigningMethodRS512, want: refusal{401, "invalid_client", 700027}},
		"HMAC":                       {method: jwt.SigningMethodHS256, key: []byte(block), want: refusal{401, "invalid_client", 700027}},
		"none":                       {method: jwt.SigningMethodNone, key: jwt.UnsafeAllowNoneSignatureType, want: refusal{401, "invalid_client", 700027}},
		"far future":                 {claims: jwt.MapClaims{"exp": 1e18}},
		"expired":                    {claims: jwt.MapClaims{"exp": now - 3600}, want: refusal{401, "invalid_client", 700024}},
		"no exp":                     {claims: jwt.MapClaims{"exp": nil}, want: refusal{401, "invalid_client", 700024}},
		"not yet":                    {claims: jwt.MapClaims{"nbf": now + 3600}, want: refusal{401, "invalid_client", 700024}},
		"other issuer":               {claims: jwt.MapClaims{"iss": mockidp.Client}, want: refusal{401, "invalid_client", 700021}},
		"other subject":              {claims: jwt.MapClaims{"sub": mockidp.Client}, want: refusal{401, "invalid_client", 700021}},
		"other audience":             {claims: jwt.MapClaims{"aud": "https://login.example/token"}, want: refusal{401, "invalid_client", 700023}},
		"other tenant's endpoint":    {claims: jwt.MapClaims{"aud": login + mockidp.Fabrikam + "/oauth2/v2.0/token"}, want: refusal{401, "invalid_client", 700023}},
		"issuer as audience":         {claims: jwt.MapClaims{"aud": v2Contoso}},
		"authority as audience":      {claims: jwt.MapClaims{"aud": []string{"https://login.windows.net/contoso.onmicrosoft.com"}}},
		"common endpoint":            {claims: jwt.MapClaims{"aud": login + "common/oauth2/v2.0/token"}},
		"not a client with anything": {with: []string{"client_id", mockidp.NativeClient}, want: refusal{401, "invalid_client", 700025}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.method == nil {
				row.method = jwt.SigningMethodRS256
			}
			claims := maps.Clone(good)
			for k, v := range row.claims {
				if claims[k] = v; v == nil {
					delete(claims, k)
				}
			}
			token := jwt.NewWithClaims(row.method, claims)
			for k, v := range row.header {
				token.Header[k] = v
			}
			if row.key == nil {
				row.key = key
			}
			raw, err := token.SignedString(row.key)
			if err != nil {
				t.Fatal(err)
			}
			r := send(t, idp.Client(), contosoToken, but(daemonRequest("client_secret", "", "client_assertion", raw, "client_assertion_type", assertionType), row.with...))
			if row.want != (refusal{}) {
				row.want.check(t, r)
				return
			}
			want(t, claimsOf(t, ok(t, r)["access_token"].(string)), map[string]any{"azpacr": "2", "roles": []string{"Jobs.Run.All"}})
		})
	}
}

func otherKey() *rsa.PrivateKey { return mockidp.New().CloudKeys(mockidp.Public).NewKey().Private() }

// A workload of another tenant, or another issuer, signs in with its own token.
func TestFederatedCredential(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	key, _ := credential()
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	const issuer = "https://token.ci.example"
	fabrikam := idp.Tenant(mockidp.Fabrikam)
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.Daemon, FederatedCredentials: []mockidp.FederatedCredential{
		{Issuer: fabrikam.Issuer(), Subject: mockidp.ServicePrincipal},
		{Issuer: issuer, Subject: "repo:a/b", Audience: "x", Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))},
	}})
	foreign := func(sub, aud string) string {
		raw, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": issuer, "sub": sub, "aud": aud, "exp": time.Now().Add(time.Minute).Unix()}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	const audience = "api://AzureADTokenExchange"
	for name, row := range map[string]struct {
		raw  string
		want refusal
	}{
		"tenant of the server":         {raw: fabrikam.Token(mockidp.AppOnly(), mockidp.Audience(audience))},
		"its unpublished key":          {raw: fabrikam.Token(mockidp.AppOnly(), mockidp.Audience(audience), mockidp.SignedBy(fabrikam.Keys().NewKey())), want: refusal{401, "invalid_client", 700027}},
		"expired":                      {raw: fabrikam.Token(mockidp.AppOnly(), mockidp.Audience(audience), mockidp.ExpiresIn(-time.Hour)), want: refusal{401, "invalid_client", 700024}},
		"other tenant of the server":   {raw: idp.Tenant(mockidp.Contoso).Token(mockidp.AppOnly(), mockidp.Audience(audience)), want: refusal{401, "invalid_client", 70021}},
		"other audience":               {raw: fabrikam.Token(mockidp.AppOnly()), want: refusal{401, "invalid_client", 70021}},
		"other issuer":                 {raw: foreign("repo:a/b", "x")},
		"other subject":                {raw: foreign("repo:a/c", "x"), want: refusal{401, "invalid_client", 70021}},
		"other issuer, wrong audience": {raw: foreign("repo:a/b", audience), want: refusal{401, "invalid_client", 70021}},
	} {
		t.Log(name)
		r := send(t, idp.Client(), contosoToken, daemonRequest("client_secret", "", "client_assertion", row.raw, "client_assertion_type", assertionType))
		if row.want == (refusal{}) {
			want(t, claimsOf(t, ok(t, r)["access_token"].(string)), map[string]any{"azpacr": "2"})
		} else {
			row.want.check(t, r)
		}
	}
}

func TestPasswordGrant(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.AddAccount(mockidp.Contoso, mockidp.Workforce, mockidp.Account{ID: mockidp.API, Login: "mfa@contoso.example", Password: "x", NeedsMFA: true})
	idp.AddAccount(mockidp.Contoso, mockidp.Workforce, mockidp.Account{ID: mockidp.Client, Login: "off@contoso.example", Password: "x", Disabled: true})
	good := form("grant_type", "password", "client_id", mockidp.NativeClient, "username", "Pat@Contoso.example", "password", mockidp.Password, "scope", "openid offline_access profile "+apiScope, "client_info", "1")
	for name, row := range map[string]struct {
		with    []string
		at      string
		headers []string
		want    refusal
	}{
		"good":              {with: []string{"response_type", "id_token token"}},
		"organizations":     {at: login + "organizations/oauth2/v2.0/token"},
		"confidential":      {with: []string{"client_id", mockidp.WebClient, "client_secret", mockidp.WebSecret}},
		"no secret":         {with: []string{"client_id", mockidp.WebClient}, want: refusal{401, "invalid_client", 7000218}},
		"wrong password":    {with: []string{"password", "x"}, want: refusal{400, "invalid_grant", 50126}},
		"no password set":   {with: []string{"username", jo, "password", "x"}, want: refusal{400, "invalid_grant", 50126}},
		"no password":       {with: []string{"password", ""}, want: refusal{400, "invalid_request", 900144}},
		"no user name":      {with: []string{"username", ""}, want: refusal{400, "invalid_request", 900144}},
		"no scope":          {with: []string{"scope", ""}, want: refusal{400, "invalid_request", 900144}},
		"unknown user":      {with: []string{"username", "nobody@contoso.example"}, want: refusal{400, "invalid_grant", 50034}},
		"guest":             {with: []string{"username", "kim@fabrikam.example"}, want: refusal{400, "invalid_grant", 50034}},
		"needs MFA":         {with: []string{"username", "mfa@contoso.example", "password", "x"}, want: refusal{400, "invalid_grant", 50076}},
		"disabled":          {with: []string{"username", "off@contoso.example", "password", "x"}, want: refusal{400, "invalid_grant", 50057}},
		"common":            {at: login + "common/oauth2/v2.0/token", want: refusal{400, "invalid_request", 9001023}},
		"consumers":         {at: login + "consumers/oauth2/v2.0/token", want: refusal{400, "invalid_request", 9001023}},
		"External ID":       {at: "https://contosocx.ciamlogin.com/" + mockidp.Customers + "/oauth2/v2.0/token", want: refusal{400, "unsupported_grant_type", 70003}},
		"without consent":   {with: []string{"scope", "api://" + mockidp.API + "/Jobs.Run"}, want: refusal{400, "invalid_grant", 65001}},
		"from a browser":    {headers: spaOrigin, want: refusal{400, "invalid_request", 9002326}},
		"API not permitted": {with: []string{"scope", "api://" + mockidp.NativeClient + "/x", "client_id", mockidp.Client}, want: refusal{400, "invalid_scope", 650053}},
		"not listed":        {with: []string{"scope", "api://" + mockidp.Daemon + "/.default"}, want: refusal{400, "invalid_resource", 650057}},
	} {
		at := row.at
		if at == "" {
			at = contosoToken
		}
		t.Log(name)
		r := send(t, idp.Client(), at, but(good, row.with...), row.headers...)
		if row.want != (refusal{}) {
			row.want.check(t, r)
			if sub := map[int]string{50076: "basic_action", 65001: "consent_required"}[row.want.number]; sub != "" && r.json["suberror"] != sub {
				t.Errorf("suberror: got=%v", r.json["suberror"])
			}
			continue
		}
		body := ok(t, r)
		want(t, claimsOf(t, body["access_token"].(string)), map[string]any{"oid": mockidp.PasswordUser})
		if body["refresh_token"] == nil || body["id_token"] == nil || body["client_info"] == nil {
			t.Errorf("got=%v", body)
		}
	}
}

func TestOnBehalfOf(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	toMiddle := func(opts ...mockidp.TokenOption) string {
		return contoso.Token(append([]mockidp.TokenOption{mockidp.Audience(mockidp.MiddleTier)}, opts...)...)
	}
	good := form("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id", mockidp.MiddleTier, "client_secret", mockidp.MiddleTierSecret,
		"requested_token_use", "on_behalf_of", "scope", apiScope+" openid offline_access profile", "client_info", "1", "assertion", toMiddle())
	shared, err := contoso.SignIn(mockidp.SignIn{Login: jo, Scopes: []string{"api://" + mockidp.MiddleTier + "/access_as_user"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		with []string
		at   string
		want refusal
	}{
		"good":                 {},
		"a token of a client":  {with: []string{"assertion", shared.AccessToken}},
		"v1 token":             {with: []string{"assertion", contoso.Token(mockidp.V1(), mockidp.Audience("api://"+mockidp.MiddleTier+"/"))}},
		"default":              {with: []string{"scope", apiDefault}},
		"common":               {at: login + "common/oauth2/v2.0/token"},
		"other audience":       {with: []string{"assertion", contoso.Token()}, want: refusal{400, "invalid_grant", 500131}},
		"expired":              {with: []string{"assertion", toMiddle(mockidp.ExpiresIn(-time.Hour))}, want: refusal{400, "invalid_grant", 500133}},
		"unpublished key":      {with: []string{"assertion", toMiddle(mockidp.SignedBy(contoso.Keys().NewKey()))}, want: refusal{400, "invalid_grant", 50013}},
		"changed":              {with: []string{"assertion", toMiddle(mockidp.Mutate(func(raw string) string { return raw[:len(raw)-8] + "AAAAAAAA" }))}, want: refusal{400, "invalid_grant", 50013}},
		"alg none":             {with: []string{"assertion", toMiddle(mockidp.Algorithm("none"))}, want: refusal{400, "invalid_grant", 50013}},
		"app-only":             {with: []string{"assertion", toMiddle(mockidp.AppOnly("x"))}, want: refusal{400, "invalid_grant", 50013}},
		"nonsense":             {with: []string{"assertion", "x"}, want: refusal{400, "invalid_grant", 50013}},
		"unknown user":         {with: []string{"assertion", toMiddle(mockidp.ObjectID(mockidp.API))}, want: refusal{400, "invalid_grant", 50034}},
		"no assertion":         {with: []string{"assertion", ""}, want: refusal{400, "invalid_request", 900144}},
		"no scope":             {with: []string{"scope", ""}, want: refusal{400, "invalid_request", 900144}},
		"not on behalf of":     {with: []string{"requested_token_use", ""}, want: refusal{400, "invalid_request", 900144}},
		"no secret":            {with: []string{"client_secret", ""}, want: refusal{401, "invalid_client", 7000218}},
		"without consent":      {with: []string{"scope", "api://" + mockidp.API + "/Jobs.Run"}, want: refusal{400, "invalid_grant", 65001}},
		"to itself":            {with: []string{"scope", mockidp.MiddleTier + "/.default"}},
		"token for Graph":      {with: []string{"assertion", contoso.Token(mockidp.ForGraph())}, want: refusal{400, "invalid_grant", 500131}},
		"B2C has no such flow": {at: "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_susi/oauth2/v2.0/token"},
	} {
		at := row.at
		if at == "" {
			at = contosoToken
		}
		t.Log(name)
		r := send(t, idp.Client(), at, but(good, row.with...))
		switch {
		case strings.Contains(at, "b2clogin"):
			b2cRefused(t, r, 400, "unsupported_grant_type", 90086)
		case row.want != (refusal{}):
			row.want.check(t, r)
		default:
			access := claimsOf(t, ok(t, r)["access_token"].(string))
			want(t, access, map[string]any{"azp": mockidp.MiddleTier, "oid": mockidp.User, "tid": mockidp.Contoso, "azpacr": "1"})
		}
	}
}
