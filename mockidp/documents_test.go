package mockidp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// M1
func TestDocuments(t *testing.T) {
	t.Parallel()
	const (
		us      = "12121212-1111-4111-8111-121212121212"
		cn      = "13131313-1111-4111-8111-131313131313"
		shopCN  = "14141414-1111-4111-8111-141414141414"
		bare    = "15151515-1111-4111-8111-151515151515"
		private = "16161616-1111-4111-8111-161616161616"
	)
	idp := mockidp.New(mockidp.WithTenants(
		mockidp.Tenant{ID: mockidp.Contoso, Domain: "contoso"},
		mockidp.Tenant{ID: us, Domain: "agency", Cloud: mockidp.USGovernment},
		mockidp.Tenant{ID: cn, Domain: "mingdao", Cloud: mockidp.China},
		mockidp.Tenant{ID: strings.ToUpper(mockidp.Shop), Kind: mockidp.B2C, Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"},
			Hosts: []string{"Login.contoso.example", "login.contoso.example:8443"}},
		mockidp.Tenant{ID: shopCN, Kind: mockidp.B2C, Domain: "mingdaob2c", Cloud: mockidp.China, Policies: []string{"B2C_1_susi"}},
		mockidp.Tenant{ID: mockidp.Customers, Kind: mockidp.External, Domain: "contosocx", Hosts: []string{"id.contoso.example"}},
		mockidp.Tenant{ID: bare, Kind: mockidp.External, Hosts: []string{"bare.ciamlogin.com"}},
		mockidp.Tenant{ID: private, Domain: "lab", Cloud: "https://127.0.0.1:1234/"},
		mockidp.Tenant{ID: private, Kind: mockidp.B2C, Domain: "labb2c", Cloud: "https://127.0.0.1:1234", Policies: []string{"B2C_1_lab"}},
		mockidp.Tenant{ID: private, Kind: mockidp.External, Domain: "labcx", Cloud: "https://lab.example"},
	))
	const wk = "/.well-known/openid-configuration"
	rows := []struct {
		url    string
		issuer string
		keys   string // jwks_uri
	}{
		{"https://login.microsoftonline.com/common/v2.0" + wk, "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com:443/common/v2.0" + wk, "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/Organizations/V2.0/.Well-Known/OpenID-configuration", "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/organizations/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/consumers/v2.0" + wk, "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0", "https://login.microsoftonline.com/consumers/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0" + wk, "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0", "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0" + wk, "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0", "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/CONTOSO.onmicrosoft.com/v2.0" + wk, "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0", "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0" + wk + "?appid=" + mockidp.API, "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0", "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/v2.0/keys?appid=" + mockidp.API},
		{"https://login.microsoftonline.com/" + mockidp.Contoso + wk + "?appid=" + mockidp.API, "https://sts.windows.net/" + mockidp.Contoso + "/", "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/keys?appid=" + mockidp.API},
		{"https://login.microsoftonline.com/common" + wk, "https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.com/common/discovery/keys"},
		{"https://login.microsoftonline.com/" + mockidp.Contoso + wk, "https://sts.windows.net/" + mockidp.Contoso + "/", "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/keys"},
		{"https://sts.windows.net/" + mockidp.Contoso + wk, "https://sts.windows.net/" + mockidp.Contoso + "/", "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/keys"},
		{"https://login.windows.net/common/v2.0" + wk, "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
		{"https://login.microsoft.com/common/v2.0" + wk, "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
		{"https://westus2.login.microsoft.com/common/v2.0" + wk, "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
		{"https://login.microsoftonline.us/" + us + "/v2.0" + wk, "https://login.microsoftonline.us/" + us + "/v2.0", "https://login.microsoftonline.us/" + us + "/discovery/v2.0/keys"},
		{"https://login.usgovcloudapi.net/agency.onmicrosoft.us/v2.0" + wk, "https://login.microsoftonline.us/" + us + "/v2.0", "https://login.microsoftonline.us/" + us + "/discovery/v2.0/keys"},
		{"https://login.chinacloudapi.cn/" + cn + wk, "https://sts.chinacloudapi.cn/" + cn + "/", "https://login.partner.microsoftonline.cn/" + cn + "/discovery/keys"},
		{"https://login.partner.microsoftonline.cn/mingdao.partner.onmschina.cn/v2.0" + wk, "https://login.partner.microsoftonline.cn/" + cn + "/v2.0", "https://login.partner.microsoftonline.cn/" + cn + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.de/common" + wk, "https://sts.microsoftonline.de/{tenantid}/", "https://login.microsoftonline.de/common/discovery/keys"},
		{"https://login-us.microsoftonline.com/common/v2.0" + wk, "https://login-us.microsoftonline.com/{tenantid}/v2.0", "https://login-us.microsoftonline.com/common/discovery/v2.0/keys"},
		{"https://login.sovcloud-identity.fr/common/v2.0" + wk, "https://login.sovcloud-identity.fr/{tenantid}/v2.0", "https://login.sovcloud-identity.fr/common/discovery/v2.0/keys"},
		{"https://login.windows-ppe.net/common" + wk, "https://sts.windows-ppe.net/{tenantid}/", "https://login.windows-ppe.net/common/discovery/keys"},

		{"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/B2C_1_susi/v2.0" + wk, "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/", "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/b2c_1_susi/discovery/v2.0/keys"},
		{"https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1a_custom/v2.0" + wk, "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/", "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1a_custom/discovery/v2.0/keys"},
		{"https://contosob2c.b2clogin.com/tfp/" + mockidp.Shop + "/b2c_1_susi/v2.0" + wk, "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/", "https://contosob2c.b2clogin.com/tfp/" + mockidp.Shop + "/b2c_1_susi/discovery/v2.0/keys"},
		{"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/v2.0" + wk + "?p=B2C_1_SUSI", "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/", "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/discovery/v2.0/keys?p=b2c_1_susi"},
		{"https://login.contoso.example/" + mockidp.Shop + "/b2c_1_susi/v2.0" + wk, "https://login.contoso.example/" + mockidp.Shop + "/v2.0/", "https://login.contoso.example/" + mockidp.Shop + "/b2c_1_susi/discovery/v2.0/keys"},
		{"https://login.contoso.example:8443/" + mockidp.Shop + "/b2c_1_susi/v2.0" + wk, "https://login.contoso.example:8443/" + mockidp.Shop + "/v2.0/", "https://login.contoso.example:8443/" + mockidp.Shop + "/b2c_1_susi/discovery/v2.0/keys"},
		{"https://mingdaob2c.b2clogin.cn/mingdaob2c.partner.onmschina.cn/b2c_1_susi/v2.0" + wk, "https://mingdaob2c.b2clogin.cn/" + shopCN + "/v2.0/", "https://mingdaob2c.b2clogin.cn/mingdaob2c.partner.onmschina.cn/b2c_1_susi/discovery/v2.0/keys"},

		{"https://contosocx.ciamlogin.com/contosocx.onmicrosoft.com/v2.0" + wk, "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0", "https://contosocx.ciamlogin.com/" + mockidp.Customers + "/discovery/v2.0/keys"},
		{"https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0" + wk, "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0", "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/discovery/v2.0/keys"},
		{"https://id.contoso.example/" + mockidp.Customers + "/v2.0" + wk, "https://id.contoso.example/" + mockidp.Customers + "/v2.0", "https://id.contoso.example/" + mockidp.Customers + "/discovery/v2.0/keys"},
		{"https://bare.ciamlogin.com/" + bare + "/v2.0" + wk, "https://bare.ciamlogin.com/" + bare + "/v2.0", "https://bare.ciamlogin.com/" + bare + "/discovery/v2.0/keys"},

		{"https://127.0.0.1:1234/common/v2.0" + wk, "https://127.0.0.1:1234/{tenantid}/v2.0", "https://127.0.0.1:1234/common/discovery/v2.0/keys"},
		{"https://127.0.0.1:1234/lab.onmicrosoft.com/v2.0" + wk, "https://127.0.0.1:1234/" + private + "/v2.0", "https://127.0.0.1:1234/" + private + "/discovery/v2.0/keys"},
		{"https://127.0.0.1:1234/" + private + wk, "https://sts.windows.net/" + private + "/", "https://127.0.0.1:1234/" + private + "/discovery/keys"},
		{"https://127.0.0.1:1234/" + private + "/b2c_1_lab/v2.0" + wk, "https://127.0.0.1:1234/" + private + "/v2.0/", "https://127.0.0.1:1234/" + private + "/b2c_1_lab/discovery/v2.0/keys"},
		{"https://lab.example/" + private + "/v2.0" + wk, "https://lab.example/" + private + "/v2.0", "https://lab.example/" + private + "/discovery/v2.0/keys"},
		{"https://localhost:9/" + mockidp.Contoso + "/v2.0" + wk, "https://localhost:9/" + mockidp.Contoso + "/v2.0", "https://localhost:9/" + mockidp.Contoso + "/discovery/v2.0/keys"},
		{"http://localhost/agency.onmicrosoft.us/v2.0" + wk, "http://localhost/" + us + "/v2.0", "http://localhost/" + us + "/discovery/v2.0/keys"},
		{"https://[::1]:9/" + mockidp.Customers + "/v2.0" + wk, "https://[::1]:9/" + mockidp.Customers + "/v2.0", "https://[::1]:9/" + mockidp.Customers + "/discovery/v2.0/keys"},
		{"https://[::1]/" + mockidp.Shop + "/v2.0" + wk + "?p=b2c_1_susi", "https://[::1]/" + mockidp.Shop + "/v2.0/", "https://[::1]/" + mockidp.Shop + "/discovery/v2.0/keys?p=b2c_1_susi"},
	}
	for _, row := range rows {
		t.Run(row.url, func(t *testing.T) {
			t.Parallel()
			want(t, document(t, idp.Client(), row.url), map[string]any{"issuer": row.issuer, "jwks_uri": row.keys})
			if len(kids(t, idp.Client(), row.keys)) == 0 {
				t.Errorf("no keys at %s", row.keys)
			}
		})
	}
}

// The complete documents, as Microsoft serves them.
func TestDocumentMembers(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	rows := map[string]string{
		commonV2: `{"token_endpoint":"https://login.microsoftonline.com/common/oauth2/v2.0/token",
			"token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt","client_secret_basic","self_signed_tls_client_auth"],
			"jwks_uri":"https://login.microsoftonline.com/common/discovery/v2.0/keys","response_modes_supported":["query","fragment","form_post"],
			"subject_types_supported":["pairwise"],"id_token_signing_alg_values_supported":["RS256"],"response_types_supported":["code","id_token","code id_token","id_token token"],"scopes_supported":["openid","profile","email","offline_access"],
			"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0","request_uri_parameter_supported":false,
			"userinfo_endpoint":"https://graph.microsoft.com/oidc/userinfo",
			"authorization_endpoint":"https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
			"device_authorization_endpoint":"https://login.microsoftonline.com/common/oauth2/v2.0/devicecode",
			"http_logout_supported":true,"frontchannel_logout_supported":true,
			"end_session_endpoint":"https://login.microsoftonline.com/common/oauth2/v2.0/logout",
			"claims_supported":["sub","iss","cloud_instance_name","cloud_instance_host_name","cloud_graph_host_name","msgraph_host",
			  "aud","exp","iat","auth_time","acr","nonce","preferred_username","name","tid","ver","at_hash","c_hash","email"],
			"kerberos_endpoint":"https://login.microsoftonline.com/common/kerberos",
			"mtls_endpoint_aliases":{"token_endpoint":"https://mtlsauth.microsoft.com/common/oauth2/v2.0/token"},
			"tls_client_certificate_bound_access_tokens":true,"tenant_region_scope":null,
			"cloud_instance_name":"microsoftonline.com","cloud_graph_host_name":"graph.windows.net","msgraph_host":"graph.microsoft.com","rbac_url":"https://pas.windows.net"}`,
		"https://login.microsoftonline.com/common/.well-known/openid-configuration": `{"token_endpoint":"https://login.microsoftonline.com/common/oauth2/token","token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt","client_secret_basic"],
			"jwks_uri":"https://login.microsoftonline.com/common/discovery/keys","response_modes_supported":["query","fragment","form_post"],
			"subject_types_supported":["pairwise"],"id_token_signing_alg_values_supported":["RS256"],"response_types_supported":["code","id_token","code id_token","token id_token","token"],
			"scopes_supported":["openid"],"issuer":"https://sts.windows.net/{tenantid}/","microsoft_multi_refresh_token":true,
			"authorization_endpoint":"https://login.microsoftonline.com/common/oauth2/authorize","device_authorization_endpoint":"https://login.microsoftonline.com/common/oauth2/devicecode",
			"http_logout_supported":true,"frontchannel_logout_supported":true,"end_session_endpoint":"https://login.microsoftonline.com/common/oauth2/logout",
			"claims_supported":["sub","iss","cloud_instance_name","cloud_instance_host_name","cloud_graph_host_name","msgraph_host","aud","exp","iat","auth_time","acr","amr","nonce","email","given_name","family_name","nickname"],
			"check_session_iframe":"https://login.microsoftonline.com/common/oauth2/checksession","userinfo_endpoint":"https://login.microsoftonline.com/common/openid/userinfo",
			"kerberos_endpoint":"https://login.microsoftonline.com/common/kerberos","tenant_region_scope":null,"cloud_instance_name":"microsoftonline.com",
			"cloud_graph_host_name":"graph.windows.net","msgraph_host":"graph.microsoft.com","rbac_url":"https://pas.windows.net"}`,
		"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/B2C_1_susi/v2.0/.well-known/openid-configuration": `{"issuer":"https://contosob2c.b2clogin.com/b2cb2cb2-7777-4777-8777-b2cb2cb2b2cb/v2.0/",
			"authorization_endpoint":"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/b2c_1_susi/oauth2/v2.0/authorize",
			"token_endpoint":"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/b2c_1_susi/oauth2/v2.0/token",
			"end_session_endpoint":"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/b2c_1_susi/oauth2/v2.0/logout",
			"jwks_uri":"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/b2c_1_susi/discovery/v2.0/keys",
			"response_modes_supported":["query","fragment","form_post"],
			"response_types_supported":["code","code id_token","code token","code id_token token","id_token","id_token token","token","token id_token"],
			"scopes_supported":["openid"],"subject_types_supported":["pairwise"],"id_token_signing_alg_values_supported":["RS256"],
			"token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"],
			"claims_supported":["oid","newUser","idp","name","emails","tfp","sub","iss","iat","exp","aud","acr","nonce","auth_time"]}`,
	}
	for url, wanted := range rows {
		var w map[string]any
		if err := json.Unmarshal([]byte(wanted), &w); err != nil {
			t.Fatal(err)
		}
		got := document(t, idp.Client(), url)
		want(t, got, w)
		if len(got) != len(w) {
			t.Errorf("%s: got=%d members, want=%d", url, len(got), len(w))
		}
	}
	tenanted := document(t, idp.Client(), idp.Tenant(mockidp.Contoso).DiscoveryURL())
	want(t, tenanted, map[string]any{"tenant_region_scope": "NA"})
	government := document(t, idp.Client(), "https://login.microsoftonline.us/common"+discoveryPath)
	want(t, government, map[string]any{"msgraph_host": "graph.microsoft.us", "cloud_instance_name": "microsoftonline.us"})
	absent(t, government, "mtls_endpoint_aliases")
}

func TestNotServed(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	rows := []struct {
		url    string
		status int
		body   string
	}{
		{"https://login.microsoftonline.com/" + strings.Repeat("0", 8) + "-0000-4000-8000-000000000000" + discoveryPath, 400, "AADSTS90002"},
		{"https://login.microsoftonline.com/unknown.onmicrosoft.com" + discoveryPath, 400, "AADSTS90002"},
		{"https://login.microsoftonline.us/" + mockidp.Contoso + discoveryPath, 400, "AADSTS90002"},
		{"https://login.microsoftonline.com/" + mockidp.Customers + discoveryPath, 400, "AADSTS90002"},
		{"https://login.microsoftonline.com/" + mockidp.Shop + "/b2c_1_susi" + discoveryPath, 400, "AADSTS90002"},
		{"https://contosocx.ciamlogin.com/" + mockidp.Contoso + discoveryPath, 400, "AADSTS90002"},
		{"https://contosocx.ciamlogin.com/common" + discoveryPath, 400, "AADSTS90002"},
		{"https://contosob2c.b2clogin.com/" + mockidp.Contoso + "/b2c_1_susi" + discoveryPath, 400, "AADSTS90002"},
		{"https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_other" + discoveryPath, 404, "removed"},
		{"https://contosob2c.b2clogin.com/" + mockidp.Shop + discoveryPath, 404, "removed"},
		{"https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_susi/.well-known/openid-configuration", 404, "removed"},
		{"https://contosob2c.b2clogin.com/tfp/" + mockidp.Shop + discoveryPath, 404, "nothing"},
		{"https://contosob2c.b2clogin.com/a/b/c" + discoveryPath, 404, "nothing"},
		{"https://login.microsoftonline.com/common/oauth2/v2.0/nothing", 404, "nothing"},
		{"https://login.microsoftonline.com/common" + discoveryPath + "?appid=" + mockidp.API, 400, "appid"},
		{"https://login.microsoftonline.com/" + mockidp.Contoso + discoveryPath + "?appid=x", 400, "appid"},
	}
	for _, row := range rows {
		status, body := fetch(t, idp.Client(), row.url)
		if status != row.status || !strings.Contains(string(body), row.body) {
			t.Errorf("%s: got=%d %s, want=%d %s", row.url, status, body, row.status, row.body)
		}
	}
	var e map[string]any
	_, body := fetch(t, idp.Client(), rows[0].url)
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	want(t, e, map[string]any{"error": "invalid_tenant", "error_codes": []int{90002}})
}

// The host of one tenant does not serve another of its kind.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	const other, otherShop = "12121212-1111-4111-8111-121212121212", "14141414-1111-4111-8111-141414141414"
	idp := mockidp.New()
	idp.AddTenant(mockidp.Tenant{ID: other, Kind: mockidp.External, Domain: "othercx"})
	idp.AddTenant(mockidp.Tenant{ID: otherShop, Kind: mockidp.B2C, Domain: "otherb2c", Policies: []string{"B2C_1_susi"}})
	for url, status := range map[string]int{
		"https://othercx.ciamlogin.com/" + other + discoveryPath:                                200,
		"https://contosocx.ciamlogin.com/" + other + discoveryPath:                              400,
		"https://contosocx.ciamlogin.com/othercx.onmicrosoft.com" + discoveryPath:               400,
		"https://otherb2c.b2clogin.com/" + otherShop + "/b2c_1_susi" + discoveryPath:            200,
		"https://contosob2c.b2clogin.com/" + otherShop + "/b2c_1_susi" + discoveryPath:          400,
		"https://contosob2c.b2clogin.com/" + otherShop + "/discovery/v2.0/keys?p=b2c_1_susi":    400,
		"https://otherb2c.b2clogin.com/otherb2c.onmicrosoft.com/b2c_1_susi/discovery/v2.0/keys": 200,
	} {
		if got, body := fetch(t, idp.Client(), url); got != status {
			t.Errorf("%s: got=%d %s, want=%d", url, got, body, status)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405} {
		r := httptest.NewRequest(method, commonV2, strings.NewReader("x"))
		w := httptest.NewRecorder()
		idp.ServeHTTP(w, r)
		if w.Code != status || (w.Body.Len() > 0) != (method == "GET" || method == "POST") {
			t.Errorf("%s: got=%d and %d bytes, want=%d", method, w.Code, w.Body.Len(), status)
		}
		r.RequestURI = ""
		resp, err := idp.Transport().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != status {
			t.Errorf("%s in memory: got=%d, want=%d", method, resp.StatusCode, status)
		}
		if method == "GET" && resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("got=%q", resp.Header.Get("Content-Type"))
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	w := httptest.NewRecorder()
	idp.ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/common"+discoveryPath, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("unknown host: got=%d, want=404", w.Code)
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	const id = "12121212-1111-4111-8111-121212121212"
	idp := mockidp.New()
	url := "https://login.microsoftonline.com/" + id + discoveryPath
	if status, _ := fetch(t, idp.Client(), url); status != 400 {
		t.Fatalf("before: got=%d, want=400", status)
	}
	policies := []string{"B2C_1_a"}
	idp.AddTenant(mockidp.Tenant{ID: strings.ToUpper(id), Domain: "new"})
	idp.AddTenant(mockidp.Tenant{ID: id, Kind: mockidp.B2C, Domain: "newb2c", Policies: policies})
	policies[0] = "changed"
	if status, _ := fetch(t, idp.Client(), url); status != 200 {
		t.Fatalf("added: got=%d, want=200", status)
	}
	panics(t, "two kinds", func() { idp.Tenant(id) })
	b2c := idp.TenantOf(mockidp.B2C, id)
	if got := b2c.Tenant(); got.Policies[0] != "B2C_1_a" || b2c.Kind() != mockidp.B2C || b2c.ID() != id {
		t.Errorf("got=%+v", got)
	}
	b2c.Tenant().Policies[0] = "changed"
	if got := b2c.Tenant().Policies[0]; got != "B2C_1_a" {
		t.Errorf("the copy leads back: got=%s", got)
	}

	handle := idp.TenantOf(mockidp.Workforce, id)
	kid := handle.AppKeys(mockidp.API).Signing().ID()
	idp.AddTenant(mockidp.Tenant{ID: id, Domain: "renamed"})
	if status, _ := fetch(t, idp.Client(), "https://login.microsoftonline.com/new.onmicrosoft.com"+discoveryPath); status != 400 {
		t.Errorf("old domain: got=%d, want=400", status)
	}
	if status, _ := fetch(t, idp.Client(), "https://login.microsoftonline.com/renamed.onmicrosoft.com"+discoveryPath); status != 200 {
		t.Errorf("new domain: got=%d, want=200", status)
	}
	if got := idp.TenantOf(mockidp.Workforce, id).AppKeys(mockidp.API).Signing().ID(); got != kid {
		t.Errorf("keys changed with the tenant")
	}
	idp.RemoveTenant(strings.ToUpper(id), mockidp.Workforce)
	idp.RemoveTenant(id, mockidp.Workforce)
	if status, _ := fetch(t, idp.Client(), url); status != 400 {
		t.Errorf("removed: got=%d, want=400", status)
	}
	if claimsOf(t, handle.Token())["tid"] != id {
		t.Error("the handle of a removed tenant is of no use")
	}
	panics(t, "removed", func() { idp.TenantOf(mockidp.Workforce, id) })
	if idp.Tenant(id).Kind() != mockidp.B2C {
		t.Error("the other kind is gone too")
	}
	panics(t, "unknown", func() { idp.Tenant("nobody") })
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	const id = "12121212-1111-4111-8111-121212121212"
	b2c := []string{"B2C_1_a"}
	for what, tenant := range map[string]mockidp.Tenant{
		"no ID":                {},
		"bad GUID":             {ID: "12121212-1111-4111-8111-12121212121g"},
		"misplaced hyphen":     {ID: "121212121-111-4111-8111-121212121212"},
		"personal accounts":    {ID: mockidp.PersonalAccounts},
		"unknown kind":         {ID: id, Kind: 7},
		"workforce hosts":      {ID: id, Hosts: []string{"x.example"}},
		"workforce policies":   {ID: id, Policies: b2c},
		"no policies":          {ID: id, Kind: mockidp.B2C, Domain: "x"},
		"no way to reach it":   {ID: id, Kind: mockidp.B2C, Policies: b2c},
		"host with path":       {ID: id, Kind: mockidp.External, Hosts: []string{"x.example/y"}},
		"cloud not an origin":  {ID: id, Cloud: "login.example"},
		"cloud with a path":    {ID: id, Cloud: "https://login.example/x"},
		"domain taken":         {ID: id, Domain: "contoso"},
		"host taken":           {ID: id, Kind: mockidp.External, Hosts: []string{"contosocx.ciamlogin.com"}},
		"host is Microsoft's":  {ID: id, Kind: mockidp.External, Hosts: []string{"login.microsoftonline.com"}},
		"host of another kind": {ID: id, Kind: mockidp.B2C, Policies: b2c, Hosts: []string{"contosocx.ciamlogin.com"}},
	} {
		panics(t, what, func() { mockidp.New().AddTenant(tenant) })
	}
	idp := mockidp.New()
	panics(t, "app ID", func() { idp.Tenant(mockidp.Contoso).AppKeys("x") })
	panics(t, "app keys of B2C", func() { idp.Tenant(mockidp.Shop).AppKeys(mockidp.API) })
	panics(t, "policy", func() { idp.Tenant(mockidp.Shop).PolicyKeys("x") })
	panics(t, "policy of a workforce tenant", func() { idp.Tenant(mockidp.Contoso).PolicyKeys("x") })
	panics(t, "consumer key", func() { idp.Tenant(mockidp.Customers).Keys().Consumer() })
	panics(t, "cloud", func() { idp.CloudKeys("x") })
}

func TestNames(t *testing.T) {
	t.Parallel()
	var got []string
	for k := mockidp.Workforce; k <= mockidp.External+1; k++ {
		got = append(got, k.String())
	}
	for e := mockidp.AnyEndpoint; e <= mockidp.OtherEndpoint+1; e++ {
		got = append(got, e.String())
	}
	wanted := []string{"Workforce", "B2C", "External", "Kind(3)", "AnyEndpoint", "Discovery", "JWKS", "OtherEndpoint", "Endpoint(4)"}
	if !slices.Equal(got, wanted) {
		t.Errorf("got=%v, want=%v", got, wanted)
	}
}

func TestManyTenants(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var last string
	for i := range 100_000 {
		last = strings.ReplaceAll("00000000-0000-4000-8000-0000000xxxxx", "xxxxx", hex5(i))
		idp.AddTenant(mockidp.Tenant{ID: last, Domain: "t" + hex5(i)})
	}
	want(t, document(t, idp.Client(), "https://login.microsoftonline.com/t"+hex5(99_999)+".onmicrosoft.com"+discoveryPath),
		map[string]any{"issuer": idp.Tenant(last).Issuer()})
}

func hex5(i int) string {
	const digits = "0123456789abcdef"
	b := []byte("00000")
	for p := 4; p >= 0; p-- {
		b[p] = digits[i%16]
		i /= 16
	}
	return string(b)
}
