package main

import (
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// config is what an API in production would have, but for the HTTP client: that is the mock's, which answers for
// Microsoft's hosts.
func config(client *http.Client, tenants ...identity.Tenant) identity.Config {
	return identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(tenants...),
		Keys:     identity.KeyOptions{HTTPClient: client},
	}
}

// tenants are those of the mock's default directory.
func tenants() []identity.Tenant {
	return []identity.Tenant{
		{ID: mockidp.Contoso, Name: "contoso"},
		{ID: mockidp.Fabrikam, Name: "fabrikam", Version: 2, DenyGuests: true},
		{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
		{ID: mockidp.Customers, Name: "customers", External: &identity.External{Domain: "contosocx"}},
	}
}

// newAPI is an API with four routes. refused is told of every error that a request ends with.
func newAPI(cfg identity.Config, refused func(error)) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		refused(err)
		e.DefaultHTTPErrorHandler(err, c)
	}
	e.Use(identity.Middleware(cfg))
	e.GET("/me", whoAmI)
	e.GET("/orders", listOrders, identity.RequireScope("Orders.Read"))
	e.POST("/jobs", runJob, identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"}))
	e.GET("/secrets", listOrders, identity.RequireAuthContext("c1"))
	return e
}

func whoAmI(c echo.Context) error {
	p, _ := identity.From(c)
	return c.JSON(http.StatusOK, map[string]any{
		"tenant":   p.Tenant().Name,
		"user":     p.UserKey(),
		"scopes":   p.Scopes,
		"roles":    p.Roles,
		"app_only": p.AppOnly(),
	})
}

func listOrders(c echo.Context) error { return c.JSON(http.StatusOK, []string{"4711", "4712"}) }

func runJob(c echo.Context) error { return c.JSON(http.StatusAccepted, "started") }
