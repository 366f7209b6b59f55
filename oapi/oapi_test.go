package oapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/oapi-codegen/echo-middleware"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/oapi"
)

const appIDURI = "api://" + mockidp.API

// description of an API with a way in for everybody.
const description = `
openapi: 3.0.3
info: {title: Orders, version: "1"}
security: [{user: []}]
paths:
  /me: {get: {responses: {default: {description: x}}}}
  /health: {get: {security: [], responses: {default: {description: x}}}}
  /orders:
    get: {security: [{user: [Orders.Read]}], responses: {default: {description: x}}}
    post:
      security: [{user: ["api://cccccccc-3333-4333-8333-cccccccccccc/Orders.Write", openid]}]
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, properties: {count: {type: integer, default: 7}, name: {type: string}}}
      responses: {default: {description: x}}
  /jobs: {post: {security: [{application: [Jobs.Run.All]}], responses: {default: {description: x}}}}
  /application: {post: {security: [{application: [".default"]}], responses: {default: {description: x}}}}
  /any: {get: {security: [{user: [Orders.Read]}, {application: [Jobs.Run.All]}], responses: {default: {description: x}}}}
  /either: {get: {security: [{either: [Orders.Read]}], responses: {default: {description: x}}}}
  /profile: {get: {security: [{bearer: [profile]}], responses: {default: {description: x}}}}
  /admin: {get: {security: [{bearer: [Admin]}], responses: {default: {description: x}}}}
  /discovery: {get: {security: [{oidc: [openid, Orders.Read]}], responses: {default: {description: x}}}}
  /open: {get: {security: [{user: [Orders.Read]}, {}], responses: {default: {description: x}}}}
  /key: {get: {security: [{key: []}], responses: {default: {description: x}}}}
  /keyed: {get: {security: [{key: [], user: [Orders.Read]}], responses: {default: {description: x}}}}
components:
  securitySchemes:
    user:
      type: oauth2
      flows: {authorizationCode: {authorizationUrl: https://login.example/a, tokenUrl: https://login.example/t, scopes: {}}}
    application: {type: oauth2, flows: {clientCredentials: {tokenUrl: https://login.example/t, scopes: {}}}}
    either:
      type: oauth2
      flows:
        authorizationCode: {authorizationUrl: https://login.example/a, tokenUrl: https://login.example/t, scopes: {}}
        clientCredentials: {tokenUrl: https://login.example/t, scopes: {}}
    bearer: {type: http, scheme: Bearer}
    oidc: {type: openIdConnect, openIdConnectUrl: https://login.example/c}
    key: {type: apiKey, in: header, name: X-Key}
`

func load(t *testing.T, text string) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

var errKey = errors.New("a wrong key")

// apiKey decides on what is not for tokens.
func apiKey(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	if input.RequestValidationInput.Request.Header.Get("X-Key") != "good" {
		return errKey
	}
	return nil
}

func newVerifier(t *testing.T) (*mockidp.Server, *identity.Verifier) {
	t.Helper()
	srv := mockidp.Start(t)
	v, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     identity.KeyOptions{HTTPClient: srv.Client()},
		Resource: identity.Resource{URL: "https://api.example"},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return srv, v
}

// guarded is the description, enforced.
func guarded(t *testing.T) (*mockidp.Server, *openapi3.T, openapi3filter.AuthenticationFunc) {
	t.Helper()
	srv, v := newVerifier(t)
	document := load(t, description)
	authenticate, err := oapi.New(v, document, oapi.Options{AppIDURI: appIDURI, Other: apiKey})
	if err != nil {
		t.Fatal(err)
	}
	return srv, document, authenticate
}

// api answers what the handler saw: who calls, and the body.
func api(t *testing.T, document *openapi3.T, authenticate openapi3filter.AuthenticationFunc, prefix string) *echo.Echo {
	t.Helper()
	e := echo.New()
	e.Use(echomiddleware.OapiRequestValidatorWithOptions(document, &echomiddleware.Options{
		Options: openapi3filter.Options{AuthenticationFunc: authenticate}, Prefix: prefix,
	}))
	e.Any("/*", func(c echo.Context) error {
		who := "nobody"
		if p, ok := identity.From(c); ok {
			who = p.ObjectID
		}
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, who+string(body))
	})
	return e
}

func bearer(method, target, token string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, target, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

const (
	resource = `resource_metadata="https://api.example/.well-known/oauth-protected-resource"`
	metadata = `, ` + resource
)

func TestRequirements(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	e := api(t, document, authenticate, "")
	contoso := srv.Tenant(mockidp.Contoso)
	user := func(opts ...mockidp.TokenOption) string { return contoso.Token(opts...) }
	reader := user(mockidp.Scopes("Orders.Read"))
	// A user with an app role, in a client that was granted another scope.
	boss := user(mockidp.Scopes("Other"), mockidp.Roles("Admin", "Jobs.Run.All", "Orders.Read"))
	job := user(mockidp.AppOnly("Jobs.Run.All"))
	idle := user(mockidp.AppOnly("Other.All"))
	const missing = `Bearer ` + resource
	const invalid = `Bearer error="invalid_token", error_description="`
	insufficient := func(description, scope string) string {
		c := `Bearer error="insufficient_scope", error_description="` + description + `"`
		if scope != "" {
			c += `, scope="` + scope + `"`
		}
		return c + metadata
	}
	const noScope = "The access token lacks a required scope."
	const noRole = "The caller lacks a required role."
	for _, c := range []struct {
		name, method, path, token string
		status                    int
		challenge                 string
	}{
		{"document's default", "GET", "/me", reader, 200, ""},
		{"document's default, no token", "GET", "/me", "", 401, missing},
		{"document's default, another tenant", "GET", "/me", srv.Tenant(mockidp.Fabrikam).Token(), 401, invalid},
		{"nothing required", "GET", "/health", "", 200, ""},
		{"scope", "GET", "/orders", reader, 200, ""},
		{"scope missing", "GET", "/orders", user(mockidp.Scopes("Other")), 403, insufficient(noScope, "Orders.Read")},
		{"scope in another case", "GET", "/orders", user(mockidp.Scopes("orders.read")), 403, insufficient(noScope, "Orders.Read")},
		{"a role is no scope", "GET", "/orders", boss, 403, insufficient(noScope, "Orders.Read")},
		{"app role", "POST", "/jobs", job, 200, ""},
		{"app role missing", "POST", "/jobs", idle, 403, insufficient(noRole, "")},
		{"a user's role is no application's", "POST", "/jobs", boss, 403, ""},
		{"any application", "POST", "/application", idle, 200, ""},
		{"a user is no application", "POST", "/application", reader, 403, ""},
		{"first alternative", "GET", "/any", reader, 200, ""},
		{"second alternative", "GET", "/any", job, 200, ""},
		{"no alternative", "GET", "/any", user(mockidp.Scopes("Other")), 403, insufficient(noScope, "Orders.Read")},
		{"no alternative, no token", "GET", "/any", "", 401, missing},
		{"either flow, scope", "GET", "/either", reader, 200, ""},
		{"either flow, app role", "GET", "/either", user(mockidp.AppOnly("Orders.Read")), 200, ""},
		{"either flow, a user's role", "GET", "/either", boss, 403, insufficient("The access token lacks a required permission.", "Orders.Read")},
		{"role of a user", "GET", "/admin", boss, 200, ""},
		{"role missing", "GET", "/admin", reader, 403, insufficient(noRole, "")},
		{"role with the name of a scope for signing in", "GET", "/profile", boss, 403, insufficient(noRole, "")},
		{"OpenID Connect", "GET", "/discovery", reader, 200, ""},
		{"OpenID Connect, scope missing", "GET", "/discovery", boss, 403, insufficient(noScope, "Orders.Read")},
		{"open to all", "GET", "/open", "", 200, ""},
		{"open to all, with a token", "GET", "/open", reader, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := httptest.NewRecorder()
			e.ServeHTTP(res, bearer(c.method, c.path, c.token, nil))
			challenge := res.Header().Get("WWW-Authenticate")
			if res.Code != c.status || challenge != c.challenge && !(c.challenge == invalid && strings.HasPrefix(challenge, invalid)) {
				t.Errorf("got=%d %q %s\nwant=%d %q", res.Code, challenge, res.Body, c.status, c.challenge)
			}
			who := "nobody"
			if c.token != "" {
				who = mockidp.Contoso
			}
			if c.status == 200 && who == "nobody" && res.Body.String() != "nobody" {
				t.Errorf("got=%s, want nobody", res.Body)
			}
			if c.status == 200 && who != "nobody" && (res.Body.String() == "nobody" || res.Body.Len() != 36) {
				t.Errorf("got=%s, want the caller", res.Body)
			}
			if c.status != 200 && !strings.Contains(res.Body.String(), `"message":`) {
				t.Errorf("got=%s, want the verifier's body", res.Body)
			}
		})
	}
}

// The validator fills defaults into the body after it has asked us. The handler must see them, and the caller.
func TestBody(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	token := srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Write"))
	for _, c := range []struct{ body, want string }{
		{`{"name":"x"}`, `{"count":7,"name":"x"}`},
		{`{"count":1}`, `{"count":1}`},
	} {
		res := httptest.NewRecorder()
		api(t, document, authenticate, "").ServeHTTP(res, bearer("POST", "/orders", token, strings.NewReader(c.body)))
		if got := res.Body.String(); res.Code != 200 || len(got) < 36 || got[36:] != c.want {
			t.Errorf("%s: got=%d %s, want the caller and %s", c.body, res.Code, got, c.want)
		}
	}
	// A bad body is told only to those who may send one.
	for token, want := range map[string]int{token: 400, srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read")): 403} {
		res := httptest.NewRecorder()
		api(t, document, authenticate, "").ServeHTTP(res, bearer("POST", "/orders", token, strings.NewReader(`{"count":"x"}`)))
		if res.Code != want {
			t.Errorf("a bad body: got=%d %s, want=%d", res.Code, res.Body, want)
		}
	}
}

// Below a prefix the validator looks at a copy of the request. The caller is known to the handler all the same.
func TestPrefix(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	e := api(t, document, authenticate, "/v1")
	token := srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
	for path, want := range map[string]int{"/v1/orders": 200, "/v2/orders": 404} {
		res := httptest.NewRecorder()
		e.ServeHTTP(res, bearer("GET", path, token, nil))
		if res.Code != want || want == 200 && res.Body.Len() != 36 {
			t.Errorf("%s: got=%d %s, want=%d", path, res.Code, res.Body, want)
		}
	}
}

// What is not for tokens is the application's to decide on, alone and together with a token.
func TestOther(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	e := api(t, document, authenticate, "")
	reader := srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
	for _, c := range []struct {
		path, key, token string
		status           int
	}{
		{"/key", "good", "", 200}, {"/key", "bad", "", 403}, {"/key", "bad", reader, 403},
		{"/keyed", "good", reader, 200}, {"/keyed", "bad", reader, 403}, {"/keyed", "good", "", 401},
	} {
		r := bearer("GET", c.path, c.token, nil)
		r.Header.Set("X-Key", c.key)
		res := httptest.NewRecorder()
		e.ServeHTTP(res, r)
		if res.Code != c.status {
			t.Errorf("%+v: got=%d %s", c, res.Code, res.Body)
		}
	}
}

// Without Echo the caller answers: the refusal is in the error, and an accepted request has its principal.
func TestWithoutEcho(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(token string) (*http.Request, error) {
		r := bearer("GET", "/orders", token, nil)
		route, parameters, err := router.FindRoute(r)
		if err != nil {
			t.Fatal(err)
		}
		return r, openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
			Request: r, PathParams: parameters, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: authenticate},
		})
	}
	r, err := validate(srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read")))
	if p, ok := identity.FromContext(r.Context()); err != nil || !ok || p.TenantID != mockidp.Contoso {
		t.Errorf("got=%v %v, want the caller", p, err)
	}
	r, err = validate(srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Other")))
	if e, ok := errors.AsType[*identity.Error](err); !ok || !errors.Is(err, identity.ErrScope) || e.StatusCode() != 403 || e.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("got=%v, want a refusal to answer with", err)
	}
	if p, ok := identity.FromContext(r.Context()); ok {
		t.Errorf("got=%v, want nobody", p)
	}
}

// A document that cannot be enforced is refused at the start, and says where.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, v := newVerifier(t)
	for _, c := range []struct{ name, old, new, want string }{
		{"scheme not declared", "{user: [Orders.Read]}], responses", "{nobody: [Orders.Read]}], responses", "oapi: GET /orders: nobody: the scheme is not declared"},
		{"another API's scope", "{user: [Orders.Read]}], responses", `{user: ["https://graph.microsoft.com/User.Read"]}], responses`, `oapi: GET /orders: user: "https://graph.microsoft.com/User.Read" is not a permission of this API`},
		{"several scopes in one", "{user: [Orders.Read]}], responses", `{user: ["Orders.Read Orders.Write"]}], responses`, `oapi: GET /orders: user: "Orders.Read Orders.Write" is not the name of one permission`},
		{"empty role", "[Admin]", `[""]`, `oapi: GET /admin: bearer: "" is not the name of one permission`},
		{"the document's default", "security: [{user: []}]\n", "security: [{nobody: []}]\n", "oapi: security: nobody: the scheme is not declared"},
	} {
		document := load(t, strings.Replace(description, c.old, c.new, 1))
		if _, err := oapi.New(v, document, oapi.Options{AppIDURI: appIDURI, Other: apiKey}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got=%v, want=%s", c.name, err, c.want)
		}
	}
	if _, err := oapi.New(v, load(t, description), oapi.Options{AppIDURI: appIDURI}); err == nil || !strings.Contains(err.Error(), "GET /key: key: the scheme is not for tokens") {
		t.Errorf("without Other: got=%v", err)
	}
	if _, err := oapi.New(v, load(t, description), oapi.Options{Other: apiKey}); err == nil || !strings.Contains(err.Error(), "POST /orders: user: ") {
		t.Errorf("without AppIDURI: got=%v", err)
	}
	if _, err := oapi.New(nil, load(t, description), oapi.Options{}); err == nil {
		t.Error("without a verifier: accepted")
	}
}

// A requirement that was not there when New read the document lets nobody pass.
func TestDocumentChanged(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	token := srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read", "Late"))
	for _, c := range []struct {
		scope string
		want  int
	}{{"Orders.Read", 200}, {"Late", 500}} {
		document.Paths.Find("/orders").Get.Security = &openapi3.SecurityRequirements{{"user": {c.scope}}}
		res := httptest.NewRecorder()
		api(t, document, authenticate, "").ServeHTTP(res, bearer("GET", "/orders", token, nil))
		if res.Code != c.want {
			t.Errorf("%s: got=%d %s, want=%d", c.scope, res.Code, res.Body, c.want)
		}
	}
}

func TestAddSchemes(t *testing.T) {
	t.Parallel()
	_, v := newVerifier(t)
	document := load(t, `{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{"/a":{"get":{"security":[{"entra":["`+appIDURI+`/Orders.Read"]},{"app":["Jobs.Run"]}],"responses":{"default":{"description":"x"}}}}}}`)
	d := oapi.Description{
		Authority: "https://login.microsoftonline.com/organizations", AppIDURI: appIDURI,
		Scopes: map[string]string{"Orders.Read": "Read your orders"}, Application: "app",
	}
	if err := oapi.AddSchemes(document, d); err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Errorf("the document is not valid any more: %v", err)
	}
	got, err := document.Components.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"authorizationUrl":"https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize"`,
		`"tokenUrl":"https://login.microsoftonline.com/organizations/oauth2/v2.0/token"`,
		`"` + appIDURI + `/Orders.Read":"Read your orders"`, `"` + appIDURI + `/.default":`, `"x-usePkce":"SHA-256"`,
	} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("got=%s, want %s in it", got, want)
		}
	}
	if _, err := oapi.New(v, document, oapi.Options{AppIDURI: appIDURI}); err != nil {
		t.Errorf("New refuses what AddSchemes wrote: %v", err)
	}
	for name, change := range map[string]func(*oapi.Description){
		"Description.Authority":   func(d *oapi.Description) { d.Authority = "http://login.example/x" },
		"Description.AppIDURI":    func(d *oapi.Description) { d.AppIDURI = "" },
		"Description.Scopes":      func(d *oapi.Description) { d.Scopes = map[string]string{"a b": ""} },
		"Description.Application": func(d *oapi.Description) { d.Application = "entra" },
	} {
		bad := d
		change(&bad)
		if err := oapi.AddSchemes(document, bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got=%v", name, err)
		}
	}
	for _, authority := range []string{"", "https://login.microsoftonline.com", "https://login.microsoftonline.com/", "https://u@login.example/x", "https://login.example/x?p=y"} {
		bad := d
		bad.Authority = authority
		if err := oapi.AddSchemes(document, bad); err == nil {
			t.Errorf("%q: accepted", authority)
		}
	}
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tenant identity.Tenant
		policy string
		want   string // empty: refused
	}{
		{identity.Tenant{ID: "t"}, "", "https://login.microsoftonline.com/t"},
		{identity.Tenant{ID: "t", Cloud: identity.USGovernment}, "", "https://login.microsoftonline.us/t"},
		{identity.Tenant{ID: "t", Cloud: "https://localhost:8443"}, "", "https://localhost:8443/t"},
		{identity.Tenant{ID: "t"}, "B2C_1_susi", ""},
		{identity.Tenant{ID: "t", B2C: &identity.B2C{Domain: "contosob2c"}}, "B2C_1_susi", "https://contosob2c.b2clogin.com/t/B2C_1_susi"},
		{identity.Tenant{ID: "t", B2C: &identity.B2C{Domain: "contosob2c.onmicrosoft.com"}}, "B2C_1_susi", "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/B2C_1_susi"},
		{identity.Tenant{ID: "t", B2C: &identity.B2C{Hosts: []string{"login.shop.example"}}}, "B2C_1_susi", "https://login.shop.example/t/B2C_1_susi"},
		{identity.Tenant{ID: "t", B2C: &identity.B2C{Domain: "contosob2c"}}, "", ""},
		{identity.Tenant{ID: "t", External: &identity.External{Domain: "contosocx"}}, "", "https://t.ciamlogin.com/t"},
		{identity.Tenant{ID: "t", External: &identity.External{Hosts: []string{"https://login.app.example"}}}, "", "https://login.app.example/t"},
	} {
		got, err := oapi.Authority(c.tenant, c.policy)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v %s: got=%s %v, want=%s", c.tenant, c.policy, got, err, c.want)
		}
	}
}

// What the handler of an accepted request answers is the handler's word alone.
func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	e := echo.New()
	e.Use(echomiddleware.OapiRequestValidatorWithOptions(document, &echomiddleware.Options{Options: openapi3filter.Options{AuthenticationFunc: authenticate}}))
	e.GET("/any", func(c echo.Context) error { return c.NoContent(http.StatusForbidden) })
	res := httptest.NewRecorder()
	e.ServeHTTP(res, bearer("GET", "/any", srv.Tenant(mockidp.Contoso).Token(mockidp.AppOnly("Jobs.Run.All")), nil))
	if got := res.Header().Get("WWW-Authenticate"); res.Code != 403 || got != "" || res.Body.Len() != 0 {
		t.Errorf("got=%d %q %s, want the handler's 403", res.Code, got, res.Body)
	}
}
