package echov5_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/echov5"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v5"
)

func ExampleMiddleware() {
	microsoft := mockidp.New() // an offline stand-in; in production, leave Keys out

	e := echo.New()
	e.Use(echov5.Middleware(echov5.Config{Config: identity.Config{
		ClientID: mockidp.API, // this API's application ID
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Keys:     identity.KeyOptions{HTTPClient: microsoft.Client()},
	}}))
	e.GET("/orders", func(c *echo.Context) error {
		p, _ := echov5.From(c)
		return c.String(http.StatusOK, "orders of "+p.Tenant().Name)
	}, echov5.RequireScope("Orders.Read"))

	for _, scope := range []string{"Orders.Read", "Orders.Write"} {
		req := httptest.NewRequest(http.MethodGet, "/orders", nil)
		req.Header.Set("Authorization", "Bearer "+microsoft.Tenant(mockidp.Contoso).Token(mockidp.Scopes(scope)))
		res := httptest.NewRecorder()
		e.ServeHTTP(res, req)
		fmt.Println(res.Code, strings.TrimSpace(res.Body.String()))
	}
	// Output:
	// 200 orders of contoso
	// 403 {"error":"insufficient_scope","message":"The access token lacks a required scope."}
}
