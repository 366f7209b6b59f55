package main

import (
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// config is what an API in production would have. There, leave out Keys: client is the mock's, which answers for Microsoft's
// hosts.
func config(client *http.Client, tenants []identity.Tenant) identity.Config {
	return identity.Config{
		ClientID: mockidp.API, // the application ID of the API's registration
		Tenants:  identity.NewRegistry(tenants...),
		Keys:     identity.KeyOptions{HTTPClient: client},
	}
}

// tenants may call. They are those of the mock's default directory.
func tenants() []identity.Tenant {
	return []identity.Tenant{
		{ID: mockidp.Contoso, Name: "contoso"},
		{ID: mockidp.Fabrikam, Name: "fabrikam", Version: 2, DenyGuests: true},
		{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
		{ID: mockidp.Customers, Name: "customers", External: &identity.External{Domain: "contosocx"}},
	}
}

// newAPI is an API with four routes. None is open to everybody, and most ask for more than a good token.
func newAPI(cfg identity.Config) *echo.Echo {
	e := echo.New()
	e.Use(identity.Middleware(cfg))
	e.GET("/me", whoAmI)
	e.GET("/orders", listOrders, identity.RequireScope("Orders.Read"))
	e.POST("/jobs", runJob, identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"}))
	e.GET("/secrets", listSecrets, identity.RequireAuthContext("c1"))
	return e
}

func whoAmI(c echo.Context) error {
	p, _ := identity.From(c) // behind Middleware there always is one
	return c.JSON(http.StatusOK, map[string]any{
		"tenant":   p.Tenant().Name,
		"user":     p.UserKey(),
		"scopes":   p.Scopes,
		"roles":    p.Roles,
		"app_only": p.AppOnly(),
	})
}

func listOrders(c echo.Context) error { return c.JSON(http.StatusOK, []string{"4711", "4712"}) }

func listSecrets(c echo.Context) error { return c.JSON(http.StatusOK, []string{"the recipe"}) }

func runJob(c echo.Context) error { return c.JSON(http.StatusAccepted, "started") }
