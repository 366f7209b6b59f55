package identity_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// A mux of net/http behind the middleware, with a rule of its own for each route.
func ExampleVerifier_Handler() {
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Keys:     keys,
		Observe:  quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		p, _ := identity.FromContext(r.Context())
		fmt.Fprintln(w, p.Tenant().Name)
	})
	mux.Handle("GET /orders", identity.AllScopes("Orders.Read").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "orders")
	})))
	api := verifier.Handler(mux)

	contoso := microsoft.Tenant(mockidp.Contoso)
	call(api, "/me", contoso.Token())
	call(api, "/orders", contoso.Token(mockidp.Scopes("Orders.Read")))
	call(api, "/orders", contoso.Token())
	call(api, "/me", "expired.or.forged")
	// Output:
	// 200 contoso
	// 200 orders
	// 403 {"error":"insufficient_scope","message":"The access token lacks a required scope."}
	// 401 {"error":"invalid_token","message":"The access token is malformed."}
}

// A token in a cookie needs protection against cross-site request forgery; net/http has it.
func ExampleVerifier_Handler_cookie() {
	verifier, err := identity.New(identity.Config{
		ClientID:    mockidp.API,
		Tenants:     identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		TokenLookup: "cookie:__Host-session",
		Keys:        keys,
		Observe:     quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "paid") })
	api := http.NewCrossOriginProtection().Handler(verifier.Handler(pay))

	token := microsoft.Tenant(mockidp.Contoso).Token()
	for _, site := range []string{"same-origin", "cross-site"} { // as the browser says of the page that asks
		r := httptest.NewRequest(http.MethodPost, "/pay", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: token})
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		fmt.Println(site, w.Code)
	}
	// Output:
	// same-origin 200
	// cross-site 403
}

// The metadata document (RFC 9728) of an API that guards only a part of its mux.
func ExampleVerifier_ResourceMetadata() {
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Resource: identity.Resource{
			URL:                  "https://api.example/orders",
			AuthorizationServers: []string{"https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0"},
			Scopes:               []string{"api://" + mockidp.API + "/Orders.Read"},
		},
		Keys:    keys,
		Observe: quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/orders", verifier.Handler(http.NotFoundHandler()))
	mux.Handle(verifier.ResourceMetadata())

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource/orders", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 {"resource":"https://api.example/orders","authorization_servers":["https://login.microsoftonline.com/aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa/v2.0"],"scopes_supported":["api://cccccccc-3333-4333-8333-cccccccccccc/Orders.Read"],"bearer_methods_supported":["header"]}
}

// An adapter for another framework: Admit says who calls, Check asks a rule, and the error has all that the answer needs.
func ExampleVerifier_Admit() {
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     keys,
		Observe:  quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rule := identity.AllOf(identity.AllScopes("Orders.Read"), identity.AnyRole("Clerk"))
	handle := func(ctx context.Context, authorization string) string {
		r := &http.Request{Method: http.MethodPost, URL: new(url.URL), Header: http.Header{"Authorization": {authorization}}}
		ctx, err := verifier.Admit(r.WithContext(ctx))
		if err == nil {
			err = rule.Check(ctx)
		}
		if e, ok := identity.AsError(err); ok {
			return fmt.Sprintf("%d %s", e.StatusCode(), e.Body())
		}
		return "welcome"
	}
	contoso := microsoft.Tenant(mockidp.Contoso)
	fmt.Println(handle(context.Background(), "Bearer "+contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.Roles("Clerk"))))
	fmt.Println(handle(context.Background(), "Bearer "+contoso.Token(mockidp.Scopes("Orders.Read"))))
	// Output:
	// welcome
	// 403 {"error":"insufficient_scope","message":"The caller lacks a required role."}
}
