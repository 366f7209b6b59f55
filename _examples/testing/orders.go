// Package orders is a small API, here to show how to test handlers behind identity: see orders_test.go.
package orders

import (
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

// New makes the API. Production and tests call it with the same configuration; tests only replace the HTTP client.
func New(cfg identity.Config) *echo.Echo {
	e := echo.New()
	e.Use(identity.Middleware(cfg))
	e.GET("/orders", listOrders, identity.RequireScope("Orders.Read"))
	e.DELETE("/orders", deleteOrders, identity.RequireScopeOrRole([]string{"Orders.Delete"}, []string{"Orders.Delete.All"}))
	return e
}

func listOrders(c echo.Context) error {
	p, _ := identity.From(c)
	return c.JSON(http.StatusOK, map[string]string{"owner": p.UserKey()})
}

func deleteOrders(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
