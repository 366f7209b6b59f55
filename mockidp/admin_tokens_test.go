package mockidp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

const here = "https://localhost:8443"

// Every kind on the list can be minted; the good ones hold, at the origin that the caller used and at Microsoft's.
func TestAdminTokenKinds(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	for _, tenant := range []string{"contoso", "contosob2c", "contosocx"} {
		list := a.must("GET", "tenants/"+tenant+"/tokens", nil)
		for _, group := range []string{"good", "broken"} {
			kinds := list[group].([]any)
			if len(kinds) == 0 {
				t.Errorf("%s: no %s tokens", tenant, group)
			}
			for _, k := range kinds {
				k := k.(map[string]any)
				for _, issuer := range []string{"", "microsoft"} {
					got := a.must("POST", "tenants/"+tenant+"/tokens", map[string]any{"kind": k["kind"], "issuedBy": issuer})
					if got["token"] == "" || k["text"] == "" {
						t.Errorf("%s %v: got=%v", tenant, k["kind"], got)
					}
					if group == "broken" {
						want(t, got, map[string]any{"status": k["status"], "reason": k["reason"]})
					}
				}
			}
		}
	}
	token := a.must("POST", "tenants/contoso/tokens", nil)["token"].(string)
	_, claims := mustVerify(t, a.Client(), here+"/"+mockidp.Contoso+discoveryPath, token)
	want(t, claims, map[string]any{"iss": here + "/" + mockidp.Contoso + "/v2.0", "scp": "access_as_user"})
	token = a.must("POST", "tenants/contoso/tokens", `{"issuedBy": "microsoft"}`)["token"].(string)
	_, claims = mustVerify(t, a.Client(), contosoBase+discoveryPath, token)
	want(t, claims, map[string]any{"iss": contosoBase + "/v2.0"})
}

func TestAdminTokenOverrides(t *testing.T) {
	t.Parallel()
	noon := time.Date(2031, 1, 31, 12, 0, 0, 0, time.UTC)
	a := newAdministered(t, mockidp.WithClock(func() time.Time { return noon }))
	for _, row := range []struct {
		body   string
		claims map[string]any
		header map[string]any
		absent []string // claims
	}{
		{body: `{"scopes": ["a", "b"], "roles": ["r"], "groups": ["g"], "client": "c", "user": "u"}`,
			claims: map[string]any{"scp": "a b", "roles": []string{"r"}, "groups": []string{"g"}, "azp": "c", "oid": "u"}},
		{body: `{"scopes": []}`, absent: []string{"scp"}},
		{body: `{"expiresIn": "-1h"}`, claims: map[string]any{"exp": noon.Add(-time.Hour).Unix(), "iat": noon.Add(-2 * time.Hour).Unix()}},
		{body: `{"expiresIn": "5m", "issuedAt": "2031-01-31T11:00:00Z", "notBefore": "2031-01-31T13:00:00+01:00"}`,
			claims: map[string]any{"exp": noon.Add(5 * time.Minute).Unix(), "iat": noon.Add(-time.Hour).Unix(), "nbf": noon.Unix()}},
		{body: `{"claims": {"acct": 1, "big": 12345678901234567890, "none": null, "nested": {"a": [true]}}, "without": ["name", "uti"]}`,
			claims: map[string]any{"acct": 1, "nested": map[string]any{"a": []bool{true}}, "none": nil}, absent: []string{"name", "uti"}},
		{body: `{"header": {"typ": "at+jwt", "crit": ["x"]}, "withoutHeader": ["kid"]}`, header: map[string]any{"typ": "at+jwt", "crit": []string{"x"}, "kid": nil}},
		{body: `{"kind": "v1-user", "scopes": ["a"]}`, claims: map[string]any{"ver": "1.0", "scp": "a"}},
		{body: `{"kind": "v2-app", "roles": ["x"]}`, claims: map[string]any{"idtyp": "app", "roles": []string{"x"}}},
		{body: `{"issuedBy": "login.contoso.example"}`, claims: map[string]any{"iss": "https://login.contoso.example/" + mockidp.Contoso + "/v2.0"}},
		{body: `{"issuedBy": "http://127.0.0.1:1"}`, claims: map[string]any{"iss": "http://127.0.0.1:1/" + mockidp.Contoso + "/v2.0"}},
		{body: `{"algorithm": "HS256", "hmacSecret": "s"}`, header: map[string]any{"alg": "HS256"}},
	} {
		raw := a.must("POST", "tenants/contoso/tokens", row.body)["token"].(string)
		want(t, claimsOf(t, raw), row.claims)
		absent(t, claimsOf(t, raw), row.absent...)
		if row.header != nil {
			want(t, headerOf(t, raw), row.header)
		}
	}
	_, payload := peek(t, a.must("POST", "tenants/contoso/tokens", `{"claims": {"big": 12345678901234567890}}`)["token"].(string))
	if !strings.Contains(payload, `"big":12345678901234567890`) {
		t.Errorf("a large number is not as it was written: %s", payload)
	}
	header, payload := peek(t, a.must("POST", "tenants/contoso/tokens", `{"rawHeader": "{}", "rawPayload": "{\"a\":1,\"a\":2}"}`)["token"].(string))
	if header != "{}" || payload != `{"a":1,"a":2}` {
		t.Errorf("got=%s %s", header, payload)
	}
	raw := a.must("POST", "tenants/contosob2c/tokens", `{"policy": "b2c_1a_custom"}`)["token"].(string)
	want(t, claimsOf(t, raw), map[string]any{"tfp": "B2C_1A_custom"})

	consumer := a.CloudKeys(mockidp.Public).Consumer().ID()
	raw = a.must("POST", "tenants/contoso/tokens", map[string]any{"key": consumer})["token"].(string)
	want(t, headerOf(t, raw), map[string]any{"kid": consumer})
}

func headerOf(t *testing.T, raw string) map[string]any {
	t.Helper()
	return claimsOf(t, "e30."+strings.SplitN(raw, ".", 2)[0]+".e30")
}

func TestAdminTokenRefusals(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	for _, row := range []struct {
		tenant, body string
		paths        []string
	}{
		{"contoso", `{"kind": "v3-user"}`, []string{"kind"}},
		{"contoso", `{"kind": "broken-nothing"}`, []string{"kind"}},
		{"contosob2c", `{"kind": "v2-user"}`, []string{"kind"}},
		{"contoso", `{"kind": "broken-alg-none", "scopes": []}`, []string{"kind"}},
		{"contoso", `{"kind": "broken-alg-none", "claims": {}}`, []string{"kind"}},
		{"contoso", `{"issuedBy": "https://x.example/path", "policy": "B2C_1_susi", "algorithm": "RS1", "key": "k"}`, []string{"issuedBy", "policy", "algorithm", "key"}},
		{"contoso", `{"claims": {"a": 1, "a": 2}, "header": []}`, []string{"claims.a", "header"}},
		{"contoso", `{"expiresIn": "soon", "issuedAt": "noon", "scopes": "a"}`, []string{"expiresIn", "issuedAt", "scopes"}},
		{"contosob2c", `{"policy": "B2C_1_unknown", "scopes": [1]}`, []string{"scopes[0]"}},
	} {
		a.denied("POST", "tenants/"+row.tenant+"/tokens", row.body, 400, row.paths...)
	}
	a.denied("POST", "tenants/contoso/sign-in", `{}`, 400, "login", "scopes")
	a.denied("POST", "tenants/contoso/sign-in", `{"login": "nobody", "scopes": ["`+apiScope+`"]}`, 400)
	a.denied("POST", "tenants/contoso/sign-in", `{"login": "`+jo+`", "scopes": ["api://nothing/x"]}`, 400)
	a.denied("POST", "tenants/contosob2c/sign-in", `{"login": "`+jo+`", "scopes": ["openid"], "policy": "x"}`, 400)
	a.must("POST", "tenants/contosob2c/sign-in", `{"login": "`+jo+`", "scopes": ["openid"], "policy": "b2c_1a_custom"}`)
	tokens := a.must("POST", "tenants/contoso/sign-in", `{"login": "`+jo+`", "scopes": ["`+apiScope+`", "openid"], "claims": {"access_token": {"acrs": {"value": "c1"}}}}`)
	want(t, claimsOf(t, tokens["access_token"].(string)), map[string]any{"acrs": []string{"c1"}, "iss": here + "/" + mockidp.Contoso + "/v2.0"})
	mustVerify(t, a.Client(), here+"/"+mockidp.Contoso+discoveryPath, tokens["id_token"].(string))
}
