package identity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// The examples run against an offline stand-in for Microsoft. In production, leave Keys and Observe out.
var (
	microsoft = mockidp.New()
	keys      = identity.KeyOptions{HTTPClient: microsoft.Client()}
	quiet     = identity.Observe{Logger: slog.New(slog.DiscardHandler)}
)

// call sends a request with a token and prints the answer's status.
func call(api http.Handler, path, token string) {
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res := httptest.NewRecorder()
	api.ServeHTTP(res, req)
	fmt.Println(res.Code, strings.TrimSpace(res.Body.String()))
}

func ExampleMiddleware() {
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API, // this API's application ID
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Keys:     keys,
		Observe:  quiet,
	}))
	e.GET("/me", func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.String(http.StatusOK, p.Tenant().Name+" "+p.UserKey())
	})

	call(e, "/me", microsoft.Tenant(mockidp.Contoso).Token())
	call(e, "/me", microsoft.Tenant(mockidp.Fabrikam).Token())
	// Output:
	// 200 contoso aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa.eeeeeeee-5555-4555-8555-eeeeeeeeeeee
	// 401 {"error":"invalid_token","message":"The issuer of the access token is not trusted."}
}

func ExampleMiddleware_multiTenant() {
	tenants := identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso})
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{ClientID: mockidp.API, Tenants: tenants, Keys: keys, Observe: quiet}))
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "welcome") })

	fabrikam := microsoft.Tenant(mockidp.Fabrikam).Token()
	call(e, "/", fabrikam)
	if err := tenants.Add(identity.Tenant{ID: mockidp.Fabrikam}); err != nil {
		fmt.Println(err)
	}
	call(e, "/", fabrikam)
	tenants.Remove(mockidp.Fabrikam)
	call(e, "/", fabrikam)
	// Output:
	// 401 {"error":"invalid_token","message":"The issuer of the access token is not trusted."}
	// 200 welcome
	// 401 {"error":"invalid_token","message":"The issuer of the access token is not trusted."}
}

func ExampleB2C() {
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(identity.Tenant{
			ID:  mockidp.Shop,
			B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}},
		}),
		Keys:    keys,
		Observe: quiet,
	}))
	e.GET("/", func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.String(http.StatusOK, p.Policy)
	})

	call(e, "/", microsoft.Tenant(mockidp.Shop).Token(mockidp.Policy("B2C_1A_custom")))
	call(e, "/", microsoft.Tenant(mockidp.Shop).Token(mockidp.Claim("tfp", "B2C_1_forgotten")))
	// Output:
	// 200 B2C_1A_custom
	// 401 {"error":"invalid_token","message":"The policy of the access token is not accepted."}
}

func ExampleRequireScope() {
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     keys,
		Observe:  quiet,
	}))
	e.GET("/orders", func(c echo.Context) error { return c.String(http.StatusOK, "orders") }, identity.RequireScope("Orders.Read"))

	contoso := microsoft.Tenant(mockidp.Contoso)
	call(e, "/orders", contoso.Token(mockidp.Scopes("Orders.Read", "Orders.Write")))
	call(e, "/orders", contoso.Token(mockidp.Scopes("Orders.Write")))
	// Output:
	// 200 orders
	// 403 {"error":"insufficient_scope","message":"The access token lacks a required scope."}
}

// A rule of one's own.
func ExampleRequire() {
	ownTenant := func(ctx context.Context, p *identity.Principal) error {
		if p.TenantID != mockidp.Contoso {
			return errors.New("only for contoso")
		}
		return nil
	}
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}, identity.Tenant{ID: mockidp.Fabrikam}),
		Keys:     keys,
		Observe:  quiet,
	}))
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "welcome") }, identity.Require(ownTenant))

	call(e, "/", microsoft.Tenant(mockidp.Contoso).Token())
	call(e, "/", microsoft.Tenant(mockidp.Fabrikam).Token())
	// Output:
	// 200 welcome
	// 403 {"message":"The request is not allowed."}
}

// Tenants in a store of one's own.
func ExampleTenantFunc() {
	customers := map[string]string{mockidp.Contoso: "contoso"} // a table in a database, say
	source := identity.TenantFunc(func(ctx context.Context, issuer identity.Issuer) (*identity.Tenant, error) {
		name, ok := customers[issuer.TenantID]
		if !ok {
			return nil, identity.ErrUnknownTenant
		}
		return &identity.Tenant{ID: issuer.TenantID, Name: name}, nil
	})
	v, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: source, Keys: keys, Observe: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := v.Verify(context.Background(), microsoft.Tenant(mockidp.Contoso).Token())
	fmt.Println(p.Tenant().Name, err)
	// Output: contoso <nil>
}

// An error handler sees the reason that the client does not.
func ExampleError() {
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Version: 2}),
		Keys:     keys,
		Observe:  quiet,
		ErrorHandler: func(c echo.Context, err error) error {
			var refusal *identity.Error
			if errors.As(err, &refusal) {
				fmt.Println(refusal.Reason, errors.Is(err, identity.ErrVersion))
			}
			return nil // answer as usual
		},
	}))
	e.GET("/", func(c echo.Context) error { return nil })

	call(e, "/", microsoft.Tenant(mockidp.Contoso).Token(mockidp.V1()))
	// Output:
	// version_not_allowed true
	// 401 {"error":"invalid_token","message":"The version of the access token is not accepted."}
}

// Without Echo.
func ExampleNew() {
	v, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     keys,
		Observe:  quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := identity.FromContext(r.Context())
		fmt.Fprint(w, p.Scopes)
	})
	api := v.Handler(identity.AllScopes("Orders.Read").Handler(orders))

	call(api, "/", microsoft.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read")))
	call(api, "/", "null")
	// Output:
	// 200 [Orders.Read]
	// 401 {"error":"invalid_token","message":"The access token is malformed."}
}
