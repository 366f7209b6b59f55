package oapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/oapi-codegen/echo-middleware"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/oapi"
)

// changed is the description with one operation's requirements changed, enforced.
func changed(t *testing.T, requirements string) (*mockidp.Server, *echo.Echo) {
	t.Helper()
	srv, v := newVerifier(t)
	document := load(t, strings.Replace(description, "/orders:\n    get: {security: [{user: [Orders.Read]}]", "/orders:\n    get: {security: "+requirements, 1))
	authenticate, err := oapi.New(v, document, oapi.Options{AppIDURI: appIDURI, Other: apiKey})
	if err != nil {
		t.Fatal(err)
	}
	return srv, api(t, document, authenticate, "")
}

// The names for signing in are asked for as they are. One with the address of this API in front is a scope of its own, and one of an
// application is an app role, whatever they are called.
func TestPermissionsNamedLikeSignIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		requirements string
		token        []mockidp.TokenOption
		want         int
	}{
		{"[{user: [profile]}]", []mockidp.TokenOption{mockidp.Scopes("Other")}, 200},
		{`[{user: ["` + appIDURI + `/.default"]}]`, []mockidp.TokenOption{mockidp.Scopes("Other")}, 200},
		{`[{user: ["` + appIDURI + `/profile"]}]`, []mockidp.TokenOption{mockidp.Scopes("Other")}, 403},
		{`[{user: ["` + appIDURI + `/profile"]}]`, []mockidp.TokenOption{mockidp.Scopes("profile")}, 200},
		{`[{oidc: ["` + appIDURI + `/email"]}]`, []mockidp.TokenOption{mockidp.Scopes("Other")}, 403},
		{`[{either: ["` + appIDURI + `/email"]}]`, []mockidp.TokenOption{mockidp.AppOnly("Other")}, 403},
		{"[{application: [profile]}]", []mockidp.TokenOption{mockidp.AppOnly("Other")}, 403},
		{"[{application: [profile]}]", []mockidp.TokenOption{mockidp.AppOnly("profile")}, 200},
	} {
		srv, e := changed(t, c.requirements)
		res := httptest.NewRecorder()
		e.ServeHTTP(res, bearer("GET", "/orders", srv.Tenant(mockidp.Contoso).Token(c.token...), nil))
		if res.Code != c.want {
			t.Errorf("%s: got=%d %s, want=%d", c.requirements, res.Code, res.Body, c.want)
		}
	}
}

// Who satisfies a part of an alternative is not the caller of the one that lets the request pass.
func TestHalfAnAlternative(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		requirements, key, want string
	}{
		{"[{bearer: [], key: []}, {}]", "good", "caller"},
		{"[{bearer: [], key: []}, {}]", "bad", "nobody"},
		{"[{bearer: [], user: [Orders.Write]}, {}]", "", "nobody"},
		{"[{bearer: [], user: [Orders.Write]}, {user: [Orders.Read]}]", "", "caller"},
		{"[{bearer: [], user: [Orders.Write]}, {key: []}]", "good", "nobody"},
	} {
		srv, v := newVerifier(t)
		document := load(t, strings.Replace(description, "/orders:\n    get: {security: [{user: [Orders.Read]}]", "/orders:\n    get: {security: "+c.requirements, 1))
		authenticate, err := oapi.New(v, document, oapi.Options{AppIDURI: appIDURI, Other: apiKey})
		if err != nil {
			t.Fatal(err)
		}
		token := srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
		for _, prefix := range []string{"", "/v1"} {
			r := bearer("GET", prefix+"/orders", token, nil)
			r.Header.Set("X-Key", c.key)
			res := httptest.NewRecorder()
			api(t, document, authenticate, prefix).ServeHTTP(res, r)
			if got := res.Body.String(); res.Code != 200 || (got == "nobody") != (c.want == "nobody") {
				t.Errorf("%s, key %q, prefix %q: got=%d %s, want=%s", c.requirements, c.key, prefix, res.Code, got, c.want)
			}
		}
		router, err := gorillamux.NewRouter(document)
		if err != nil {
			t.Fatal(err)
		}
		r := bearer("GET", "/orders", token, nil)
		r.Header.Set("X-Key", c.key)
		route, parameters, err := router.FindRoute(r)
		if err != nil {
			t.Fatal(err)
		}
		err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
			Request: r, PathParams: parameters, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: authenticate},
		})
		if _, ok := identity.FromContext(r.Context()); err != nil || ok != (c.want == "caller") {
			t.Errorf("without Echo, %s, key %q: got=%v %v, want=%s", c.requirements, c.key, ok, err, c.want)
		}
	}
}

// The answer is the first refusal, challenge and all, also where half of a later alternative has accepted.
func TestChallengeAfterHalfAnAlternative(t *testing.T) {
	t.Parallel()
	srv, e := changed(t, "[{user: [Orders.Write]}, {bearer: [], user: [Orders.Delete]}]")
	for scope, want := range map[string]string{"Orders.Read": "Orders.Write", "Orders.Write": "", "Orders.Delete": ""} {
		res := httptest.NewRecorder()
		e.ServeHTTP(res, bearer("GET", "/orders", srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes(scope)), nil))
		challenge := res.Header().Get("WWW-Authenticate")
		if want == "" && (res.Code != 200 || challenge != "") || want != "" && (res.Code != 403 || !strings.Contains(challenge, `scope="`+want+`"`)) {
			t.Errorf("%s: got=%d %q, want=%q", scope, res.Code, challenge, want)
		}
	}
}

// A validator that answers with all faults at once writes the text of ours too: it has no cause in it.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	srv, document, authenticate := guarded(t)
	e := echo.New()
	e.Use(echomiddleware.OapiRequestValidatorWithOptions(document, &echomiddleware.Options{
		Options: openapi3filter.Options{AuthenticationFunc: authenticate, MultiError: true},
	}))
	e.GET("/orders", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	for token, want := range map[string]int{
		srv.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read")):  200,
		srv.Tenant(mockidp.Fabrikam).Token(mockidp.Scopes("Orders.Read")): 400,
		"x.y.z": 400, "": 400,
	} {
		res := httptest.NewRecorder()
		e.ServeHTTP(res, bearer("GET", "/orders", token, nil))
		if res.Code != want || strings.Contains(res.Body.String(), "identity:") || strings.Contains(res.Body.String(), mockidp.Fabrikam) {
			t.Errorf("got=%d %s, want=%d and nothing of the cause", res.Code, res.Body, want)
		}
	}
}
